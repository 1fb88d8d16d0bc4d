package isolation_test

import (
	"slices"
	"testing"

	"simrun/checker/isolation"
	"simrun/checker/verdict"
	"simrun/sim/history"
)

// without takes the timestamps off a history, so that nobody can look at them.
func without(h *history.History) *history.History {
	for i := range h.Ops {
		h.Ops[i].Txn.StartTS, h.Ops[i].Txn.CommitTS = 0, 0
	}
	return h
}

// TestCyclesOfSnapshots: what two snapshots say of keys that were written once is found
// contradictory by the values alone, and named by the shape of the contradiction.
func TestCyclesOfSnapshots(t *testing.T) {
	x, y, z := ok(10, 20, w("x", "1")), ok(11, 21, w("y", "1")), ok(12, 22, w("z", "1"))
	for _, c := range []struct {
		name     string
		want     verdict.Anomaly
		evidence []int
		checked  int
		txs      []tx
	}{
		{
			"long fork", verdict.LongFork,
			[]int{0, 1, 2, 3},
			4,
			[]tx{x, y, ok(30, 0, r("x", "1"), r("y", "")), ok(31, 0, r("x", ""), r("y", "1"))},
		},
		{
			"long fork in scans, of which a third key is no part", verdict.LongFork,
			[]int{0, 1, 2, 3},
			8,
			[]tx{
				x, y, ok(30, 0, scan("x", "", 0, false, "x", "1")), ok(31, 0, scan("", "z", 0, true, "y", "1")),
				ok(32, 33, w("z", "1")), ok(34, 0, scan("a", "", 0, false, "x", "1", "y", "1", "z", "1")),
			},
		},
		{
			"long fork of a writer of unknown outcome", verdict.LongFork,
			[]int{0, 1, 2, 3},
			4,
			[]tx{unknown(10, 0, w("x", "1")), y, ok(30, 0, r("x", "1"), r("y", "")), ok(31, 0, r("x", ""), r("y", "1"))},
		},
		{
			"three readers in a ring, each pair of whom agree", verdict.GNonadjacent,
			[]int{0, 1, 2, 3, 4, 5},
			6,
			[]tx{
				x, y, z,
				ok(30, 0, r("x", "1"), r("y", "")), ok(31, 0, r("y", "1"), r("z", "")), ok(32, 0, r("z", "1"), r("x", "")),
			},
		},
		{
			"one transaction seen in part", verdict.GSingle,
			[]int{0, 1},
			2,
			[]tx{ok(10, 11, w("x", "1"), w("y", "1")), ok(20, 0, r("x", "1"), r("y", ""))},
		},
		{
			"two that read from each other", verdict.G1c,
			[]int{0, 1},
			2,
			[]tx{ok(10, 20, w("x", "1"), r("y", "1")), ok(11, 21, w("y", "1"), r("x", "1"))},
		},
		{
			"readers that agree", "",
			nil, 6,
			[]tx{x, y, ok(30, 0, r("x", "1"), r("y", "")), ok(31, 0, r("x", "1"), r("y", "1")), ok(32, 0, r("x", ""), r("y", ""))},
		},
		{
			"write skew, which is allowed", "",
			nil, 2,
			[]tx{ok(10, 20, r("x", ""), w("y", "1")), ok(11, 21, r("y", ""), w("x", "1"))},
		},
		{
			"a key that was written twice tells nothing", "",
			nil, 2,
			[]tx{x, y, ok(22, 23, w("x", "2")), ok(30, 0, r("x", "1"), r("y", "")), ok(31, 0, r("x", ""), r("y", "1"))},
		},
		{
			"a write that failed does not count", verdict.LongFork,
			[]int{0, 1, 3, 4},
			4,
			[]tx{x, y, failed(9, w("x", "2")), ok(30, 0, r("x", "1"), r("y", "")), ok(31, 0, r("x", ""), r("y", "1"))},
		},
		{
			"its own write tells nothing", "",
			nil, 1,
			[]tx{ok(10, 20, w("x", "1"), r("x", "1")), ok(30, 0, r("x", "1"))},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := build(c.txs...)
			// With timestamps that agree with everything, and without any.
			for i, got := range []verdict.Result{isolation.Cycles(h, false), isolation.Cycles(without(h), false)} {
				switch {
				case got.Checked != c.checked:
					t.Errorf("%d: %d answers judged, want %d", i, got.Checked, c.checked)
				case c.want == "" && got.Verdict != verdict.OK:
					t.Errorf("%d: %+v", i, got.Findings)
				case c.want != "" && (len(got.Findings) != 1 || got.Findings[0].Anomaly != c.want):
					t.Errorf("%d: not one %s: %+v", i, c.want, got.Findings)
				case c.want != "":
					slices.Sort(got.Findings[0].Evidence)
					if !slices.Equal(got.Findings[0].Evidence, c.evidence) {
						t.Errorf("%d: evidence %v, want %v: %s", i, got.Findings[0].Evidence, c.evidence, got.Findings[0].Message)
					}
				}
			}
		})
	}
}

// TestCyclesOfFailedReader: a transaction that failed has seen a snapshot if a
// timestamp promised it one; nothing was promised to others.
func TestCyclesOfFailedReader(t *testing.T) {
	h := build(ok(10, 20, w("x", "1")), ok(11, 21, w("y", "1")), failed(30, r("x", "1"), r("y", "")), ok(31, 0, r("x", ""), r("y", "1")))
	if got := isolation.Cycles(h, false); got.Checked != 4 || got.Verdict != verdict.Violation || got.Findings[0].Anomaly != verdict.LongFork {
		t.Errorf("%+v", got)
	}
	if got := isolation.Cycles(without(h), false); got.Checked != 2 || got.Verdict != verdict.OK {
		t.Errorf("%+v", got)
	}
}

// TestCyclesUndecided: where nobody read anything of use, nothing was proved; and
// what is unknown at the start tells no order.
func TestCyclesUndecided(t *testing.T) {
	h := build(ok(10, 11, w("x", "1")), ok(20, 0, r("y", "")))
	h.WriteOnce = true
	if got := isolation.Cycles(h, false); got.Verdict != verdict.Unknown {
		t.Errorf("%+v", got)
	}
	h = build(ok(10, 20, w("x", "1")), ok(30, 0, r("x", "")))
	h.InitialUnknown = true
	if got := isolation.Cycles(h, true); got.Verdict != verdict.OK || got.Checked != 1 {
		t.Errorf("what nobody wrote was there at first: %+v", got)
	}
	read := build(ok(10, 20, w("x", "1")), ok(30, 0, r("x", "1")))
	read.InitialUnknown = true
	if got := isolation.Cycles(read, true); got.Verdict != verdict.Unknown {
		t.Errorf("what was written may have been there before: %+v", got)
	}
	h.InitialUnknown, h.Initial = false, map[string]string{"x": "0"}
	if got := isolation.Cycles(h, false); got.Verdict != verdict.OK || got.Checked != 0 {
		t.Errorf("an answer that is neither version, which others judge: %+v", got)
	}
	if got := isolation.Cycles(h, true); got.Verdict != verdict.Violation || got.Findings[0].Anomaly != verdict.GarbageRead {
		t.Errorf("an answer that is neither version: %+v", got)
	}
	*h.Ops[0].Txn.Ops[0].Value, h.Ops[1].Txn.Ops[0].Value = "1", p("0")
	if got := isolation.Cycles(h, true); got.Verdict != verdict.OK || got.Checked != 1 {
		t.Errorf("%+v", got)
	}
	twice := pessimistic(build(ok(10, 20, w("x", "1")), ok(15, 0, r("x", ""), at(30, r("x", "1")))), 1)
	if got := isolation.Cycles(twice, true); got.Verdict != verdict.Unknown {
		t.Errorf("a transaction of two snapshots: %+v", got)
	}
}
