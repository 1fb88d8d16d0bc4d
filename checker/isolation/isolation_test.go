package isolation_test

import (
	"slices"
	"testing"

	"simrun/checker/isolation"
	"simrun/checker/verdict"
	"simrun/sim/history"
)

// anomalies has, for each anomaly, the smallest history that shows it and one
// that differs in the one point that makes it right.
var anomalies = []struct {
	name     string
	want     verdict.Anomaly
	evidence []int
	bad      []tx
	good     []tx
}{
	{
		"aborted read", verdict.G1a,
		[]int{1, 0},
		[]tx{failed(10, w("x", "1")), ok(20, 0, r("x", "1"))},
		[]tx{failed(10, w("x", "1")), ok(20, 0, r("x", ""))},
	},
	{
		"intermediate read", verdict.G1b,
		[]int{1, 0},
		[]tx{ok(10, 11, w("x", "1"), w("x", "2")), ok(20, 0, r("x", "1"))},
		[]tx{ok(10, 11, w("x", "1"), w("x", "2")), ok(20, 0, r("x", "2"))},
	},
	{
		"circular information flow", verdict.G1c,
		[]int{0, 1},
		[]tx{ok(10, 20, w("x", "1"), r("y", "1")), ok(11, 21, w("y", "1"), r("x", "1"))},
		[]tx{ok(10, 20, w("x", "1"), r("y", "")), ok(11, 21, w("y", "1"), r("x", ""))},
	},
	{
		"read of a later version", verdict.GSIa,
		[]int{1, 0},
		[]tx{ok(10, 20, w("x", "1")), ok(15, 0, r("x", "1"))},
		[]tx{ok(10, 20, w("x", "1")), ok(21, 0, r("x", "1"))},
	},
	{
		"stale read", verdict.GSIb,
		[]int{2, 1},
		[]tx{ok(10, 11, w("x", "1")), ok(20, 21, w("x", "2")), ok(30, 0, r("x", "1"))},
		[]tx{ok(10, 11, w("x", "1")), ok(20, 21, w("x", "2")), ok(30, 0, r("x", "2"))},
	},
	{
		"stale read of nothing", verdict.GSIb,
		[]int{1, 0},
		[]tx{ok(10, 11, w("x", "1")), ok(30, 0, r("x", ""))},
		[]tx{ok(10, 11, w("x", "1")), ok(30, 0, r("x", "1"))},
	},
	{
		"read of a deleted value", verdict.GSIb,
		[]int{2, 1},
		[]tx{ok(10, 11, w("x", "1")), ok(20, 21, del("x")), ok(30, 0, r("x", "1"))},
		[]tx{ok(10, 11, w("x", "1")), ok(20, 21, del("x")), ok(30, 0, r("x", ""))},
	},
	{
		"read skew", verdict.GSingle,
		[]int{1, 0},
		[]tx{ok(10, 11, w("x", "1"), w("y", "1")), ok(20, 0, r("x", "1"), r("y", ""))},
		[]tx{ok(10, 11, w("x", "1"), w("y", "1")), ok(20, 0, r("x", "1"), r("y", "1"))},
	},
	{
		"read skew over two transactions", verdict.GSingle,
		[]int{2, 0, 1},
		[]tx{ok(10, 11, w("x", "1")), ok(20, 21, w("y", "1")), ok(30, 0, r("y", "1"), r("x", ""))},
		[]tx{ok(10, 11, w("x", "1")), ok(20, 21, w("y", "1")), ok(30, 0, r("y", "1"), r("x", "1"))},
	},
	{
		"long fork", verdict.LongFork,
		[]int{2, 3, 0, 1},
		[]tx{ok(10, 20, w("x", "1")), ok(11, 21, w("y", "1")), ok(30, 0, r("x", ""), r("y", "1")), ok(31, 0, r("x", "1"), r("y", ""))},
		[]tx{ok(10, 20, w("x", "1")), ok(11, 25, w("y", "1")), ok(30, 0, r("x", "1"), r("y", "1")), ok(22, 0, r("x", "1"), r("y", ""))},
	},
	{
		"lost update", verdict.LostUpdate,
		[]int{1, 0},
		[]tx{ok(10, 20, r("x", ""), w("x", "1")), ok(11, 21, r("x", ""), w("x", "2"))},
		[]tx{ok(10, 20, r("x", ""), w("x", "1")), ok(21, 22, r("x", "1"), w("x", "2"))},
	},
	{
		"blind writes that overlap", verdict.GSIa,
		[]int{1, 0},
		[]tx{ok(10, 20, w("x", "1")), ok(11, 21, w("x", "2"))},
		[]tx{ok(10, 20, w("x", "1")), ok(11, 21, w("y", "2"))},
	},
	{
		"locks that overlap a write", verdict.GSIa,
		[]int{1, 0},
		[]tx{ok(10, 20, w("x", "1"), lock("y")), ok(11, 21, w("y", "2"), lock("x"))},
		[]tx{ok(10, 20, w("x", "1"), lock("y")), ok(21, 22, w("y", "2"), lock("x"))},
	},
	{
		"own write not seen", verdict.Internal,
		[]int{0},
		[]tx{ok(10, 11, w("x", "1"), r("x", ""))},
		[]tx{ok(10, 11, r("x", ""), w("x", "1"), r("x", "1"), del("x"), r("x", ""))},
	},
	{
		"a value out of nowhere", verdict.GarbageRead,
		[]int{0},
		[]tx{ok(10, 0, r("x", "7"))},
		[]tx{ok(10, 0, r("x", ""))},
	},
	{
		"a scan that misses a key", verdict.Phantom,
		[]int{1, 0},
		[]tx{ok(10, 11, w("b", "2")), ok(20, 0, scan("", "", 0, false))},
		[]tx{ok(10, 11, w("b", "2")), ok(20, 0, scan("", "", 0, false, "b", "2"))},
	},
	{
		"a scan that leaves its limit unused", verdict.Phantom,
		[]int{1, 0},
		[]tx{ok(10, 11, w("b", "2")), ok(20, 0, scan("a", "c", 2, true))},
		[]tx{ok(10, 11, w("b", "2")), ok(20, 0, scan("a", "c", 2, true, "b", "2"))},
	},
	{
		"a scan out of order", verdict.ScanOrder,
		[]int{1},
		[]tx{ok(10, 11, w("a", "1"), w("b", "2")), ok(20, 0, scan("", "", 0, true, "a", "1", "b", "2"))},
		[]tx{ok(10, 11, w("a", "1"), w("b", "2")), ok(20, 0, scan("", "", 1, true, "b", "2"))},
	},
	{
		"a scan out of range", verdict.ScanOrder,
		[]int{1},
		[]tx{ok(10, 11, w("a", "1"), w("b", "2")), ok(20, 0, scan("a", "b", 0, false, "a", "1", "b", "2"))},
		[]tx{ok(10, 11, w("a", "1"), w("b", "2")), ok(20, 0, scan("a", "b", 0, false, "a", "1"))},
	},
	{
		"an append that is lost", verdict.LostUpdate,
		[]int{2, 0, 1},
		[]tx{ok(10, 11, add("x", "1")), ok(20, 21, add("x", "2")), ok(30, 0, r("x", "2"))},
		[]tx{ok(10, 11, add("x", "1")), ok(20, 21, add("x", "2")), ok(30, 0, r("x", "1 2"))},
	},
	{
		"an append that is doubled", verdict.DuplicateWrite,
		[]int{1, 0},
		[]tx{ok(10, 11, add("x", "1")), ok(30, 0, r("x", "1 1"))},
		[]tx{ok(10, 11, add("x", "1"), add("x", "3")), ok(30, 0, r("x", "1 3"))},
	},
	{
		"appends out of order", verdict.WriteOrder,
		[]int{2, 0, 1},
		[]tx{ok(10, 11, add("x", "1")), ok(20, 21, add("x", "2")), ok(30, 0, r("x", "2 1"))},
		[]tx{ok(10, 11, add("x", "1")), ok(20, 21, add("x", "2")), ok(30, 31, r("x", "1 2"), add("x", "3"), r("x", "1 2 3"))},
	},
	{
		"an aborted append", verdict.G1a,
		[]int{1, 0},
		[]tx{failed(10, add("x", "1")), ok(30, 0, r("x", "1"))},
		[]tx{failed(10, add("x", "1")), ok(30, 0, r("x", ""))},
	},
	{
		"a part of an append", verdict.G1b,
		[]int{1, 0},
		[]tx{ok(10, 11, add("x", "1"), add("x", "2")), ok(30, 0, r("x", "1"))},
		[]tx{ok(10, 11, add("x", "1"), add("x", "2")), ok(30, 0, r("x", "1 2"))},
	},
	{
		"own append not seen", verdict.Internal,
		[]int{0},
		[]tx{ok(10, 11, add("x", "1"), r("x", ""))},
		[]tx{ok(10, 11, add("x", "1"), r("x", "1"))},
	},
	{
		"a transaction of unknown outcome seen in part", verdict.GSingle,
		[]int{1, 0},
		[]tx{unknown(10, 11, w("x", "1"), w("y", "1")), ok(20, 0, r("x", "1"), r("y", ""))},
		[]tx{unknown(10, 11, w("x", "1"), w("y", "1")), ok(20, 0, r("x", ""), r("y", "")), ok(30, 0, r("x", ""))},
	},
	{
		"one of unknown outcome and timestamp seen in part", verdict.GSIb,
		[]int{2, 0},
		[]tx{unknown(10, 0, w("x", "1"), w("y", "1")), ok(20, 0, r("x", "1")), ok(30, 0, r("y", ""))},
		[]tx{unknown(10, 0, w("x", "1"), w("y", "1")), ok(20, 0, r("x", "1")), ok(15, 0, r("y", "")), ok(30, 0, r("y", "1"))},
	},
	{
		"seen before it was, and then not", verdict.GSIb,
		[]int{2, 0},
		[]tx{unknown(10, 11, w("x", "1")), ok(20, 0, r("x", "1")), ok(30, 0, r("x", ""))},
		[]tx{unknown(10, 11, w("x", "1")), ok(20, 0, r("x", "1")), ok(30, 0, r("x", "1"))},
	},
	{
		"an unknown append seen and lost", verdict.GSIb,
		[]int{2, 0},
		[]tx{unknown(10, 11, add("x", "1")), ok(20, 0, r("x", "1")), ok(30, 0, r("x", ""))},
		[]tx{unknown(10, 0, add("x", "1")), ok(20, 0, r("x", "1")), ok(30, 0, r("x", "1")), unknown(40, 0, add("x", "9"))},
	},
	{
		"a session that goes back", verdict.SessionOrder,
		[]int{1, 0},
		[]tx{ok(10, 20, w("x", "1")).at(100, 200).by(1), ok(15, 0, r("x", "")).at(200, 210).by(1)},
		[]tx{ok(10, 20, w("x", "1")).at(100, 200).by(1), ok(21, 0, r("x", "1")).at(200, 210).by(1)},
	},
	{
		"a snapshot from before an acknowledgement", verdict.RealTimeOrder,
		[]int{1, 0},
		[]tx{ok(10, 20, w("x", "1")).at(100, 200), ok(15, 0, r("x", "")).at(201, 210)},
		[]tx{ok(10, 20, w("x", "1")).at(100, 200), ok(15, 0, r("x", "")).at(200, 210)},
	},
	{
		"a timestamp oracle that goes back", verdict.TimestampOrder,
		[]int{1, 0},
		[]tx{ok(10, 0, r("x", "")).at(100, 200), ok(9, 0, r("x", "")).at(201, 210)},
		[]tx{ok(10, 0, r("x", "")).at(100, 200), ok(9, 0, r("x", "")).at(150, 210)},
	},
	{
		"commit before start", verdict.TimestampOrder,
		[]int{0},
		[]tx{ok(10, 9, w("x", "1"))},
		[]tx{ok(10, 11, w("x", "1"))},
	},
	{
		"a timestamp given out twice", verdict.TimestampDup,
		[]int{1, 0},
		[]tx{ok(10, 11, w("x", "1")), ok(11, 0, r("y", ""))},
		[]tx{ok(10, 11, w("x", "1")), ok(12, 0, r("y", ""))},
	},
}

// TestAnomalies: each anomaly is found under its name, with its evidence first,
// and its twin is accepted.
func TestAnomalies(t *testing.T) {
	for _, a := range anomalies {
		t.Run(a.name, func(t *testing.T) {
			got := isolation.Check(build(a.bad...))
			if got.Verdict != verdict.Violation {
				t.Fatalf("accepted")
			}
			i := slices.IndexFunc(got.Findings, func(f verdict.Finding) bool { return f.Anomaly == a.want })
			if i < 0 {
				t.Fatalf("no %s in %+v", a.want, got.Findings)
			}
			if !slices.Equal(got.Findings[i].Evidence, a.evidence) {
				t.Errorf("evidence %v, want %v: %s", got.Findings[i].Evidence, a.evidence, got.Findings[i].Message)
			}
			if twin := isolation.Check(build(a.good...)); twin.Verdict != verdict.OK {
				t.Errorf("the twin is rejected: %+v", twin.Findings)
			}
		})
	}
}

// TestSkew tells write skew, which is allowed, from nothing at all and from a
// violation.
func TestSkew(t *testing.T) {
	skew := build(ok(10, 20, r("x", ""), w("y", "1")), ok(11, 21, r("y", ""), w("x", "1")))
	check, got := isolation.All(skew)
	if check.Verdict != verdict.OK || got.Verdict != verdict.OK {
		t.Fatalf("write skew is rejected: %+v %+v", check, got)
	}
	if len(got.Observations) != 1 || got.Observations[0].Anomaly != verdict.G2Item || !slices.Equal(got.Observations[0].Evidence, []int{0, 1}) {
		t.Fatalf("write skew is not observed: %+v", got.Observations)
	}
	if got := isolation.Skew(build(ok(10, 20, r("x", ""), w("y", "1")), ok(22, 23, r("y", "1"), w("x", "1")))); len(got.Observations) != 0 {
		t.Fatalf("a serial history shows %+v", got.Observations)
	}
	if got := isolation.Skew(build(ok(10, 0, r("x", "9")))); got.Verdict != verdict.Unknown {
		t.Fatalf("a history that is not isolated: %+v", got)
	}
	// The read-only anomaly needs three transactions.
	three := build(
		ok(10, 20, r("x", ""), r("y", ""), w("x", "-11")),
		ok(11, 12, r("y", ""), w("y", "20")),
		ok(15, 0, r("x", ""), r("y", "20")))
	if got := isolation.Skew(three); len(got.Observations) != 1 || len(got.Observations[0].Evidence) != 3 {
		t.Fatalf("the read-only anomaly: %+v", got)
	}
}

// TestInitialState: keys may be there from the start.
func TestInitialState(t *testing.T) {
	h := build(ok(10, 0, r("x", "5"), r("y", "")))
	h.Initial = map[string]string{"x": "5"}
	if got := isolation.Check(h); got.Verdict != verdict.OK {
		t.Fatalf("%+v", got.Findings)
	}
	h.Ops[0].Txn.Ops[0].Value = nil
	if got := isolation.Check(h); got.Verdict != verdict.Violation {
		t.Fatalf("a lost initial value is accepted")
	}
}

// TestNothing: a history without transactions proves nothing.
func TestNothing(t *testing.T) {
	if got := isolation.Check(&history.History{}); got.Verdict != verdict.Unknown {
		t.Fatalf("%+v", got)
	}
}

// TestJudged: only what was judged counts, and a history of which nothing was is
// not OK.
func TestJudged(t *testing.T) {
	lost := ok(10, 0, w("x", "1"))
	lost.outcome = history.Failed
	answered := ok(20, 0, r("x", ""), w("x", "2"))
	answered.outcome = history.Failed
	if got := isolation.Check(build(lost)); got.Verdict != verdict.Unknown || got.Checked != 0 {
		t.Errorf("a failed write: %+v", got)
	}
	if got := isolation.Check(build(lost, answered)); got.Verdict != verdict.OK || got.Checked != 1 {
		t.Errorf("a failed transaction that was answered: %+v", got)
	}
	if got := isolation.Check(build(lost, answered, ok(30, 31, w("x", "3")))); got.Verdict != verdict.OK || got.Checked != 2 {
		t.Errorf("with one that was committed: %+v", got)
	}
}

// TestPessimistic: reads for update see what is newest at their own timestamp, and
// nobody changes a key between its lock and the commit; what others commit before
// the lock is no conflict.
func TestPessimistic(t *testing.T) {
	meanwhile := ok(11, 15, w("x", "1"))
	for _, c := range []struct {
		name string
		want verdict.Anomaly
		h    *history.History
	}{
		{"locked after the other's commit", "", pessimistic(build(meanwhile,
			ok(10, 30, at(20, lock("x")), at(20, r("x", "1")), w("x", "2"))), 1)},
		{"read what was there when it started", verdict.LostUpdate, pessimistic(build(meanwhile,
			ok(10, 30, at(20, lock("x")), at(20, r("x", "")), w("x", "2"))), 1)},
		{"committed by another under the lock", verdict.LostUpdate, pessimistic(build(ok(11, 25, w("x", "1")),
			ok(10, 30, at(20, lock("x")), at(20, r("x", "")), w("x", "2"))), 1)},
		{"optimistic, so that it is a conflict", verdict.LostUpdate, build(meanwhile,
			ok(10, 30, r("x", ""), w("x", "2")))},
		{"locked again later", verdict.LostUpdate, pessimistic(build(ok(11, 25, w("x", "1")),
			ok(10, 30, at(20, lock("x")), at(20, r("x", "")), at(27, lock("x")), w("x", "2"))), 1)},
		{"not locked, its last statement counts", "", pessimistic(build(meanwhile,
			ok(10, 30, at(20, lock("y")), w("y", "1"), w("x", "2"))), 1)},
		{"not locked, and changed after its last statement", verdict.GSIa, pessimistic(build(ok(11, 25, w("x", "1")),
			ok(10, 30, at(20, lock("y")), w("y", "1"), w("x", "2"))), 1)},
		{"committed just above its lock", "", pessimistic(build(meanwhile,
			ok(10, 21, at(20, lock("x")), w("x", "2"))), 1)},
		{"committed at the very timestamp of its lock", verdict.TimestampOrder, pessimistic(build(meanwhile,
			ok(10, 20, at(20, lock("x")), w("x", "2"))), 1)},
		{"committed below its lock, and below who was there before", verdict.TimestampOrder, pessimistic(build(meanwhile,
			ok(10, 13, at(20, lock("x")), w("x", "2"))), 0)},
		{"each statement sees what is newest", "", pessimistic(build(meanwhile, ok(14, 25, w("y", "1")),
			ok(10, 0, at(12, r("x", "")), at(20, r("x", "1")), at(21, r("y", "")), at(26, scan("x", "z", 0, false, "x", "1", "y", "1")))), 2)},
		{"a statement misses what was committed before it", verdict.GSIb, pessimistic(build(meanwhile,
			ok(10, 0, at(16, r("x", "")))), 1)},
		{"a statement sees what was committed after it", verdict.GSIa, pessimistic(build(meanwhile,
			ok(10, 0, at(14, r("x", "1")))), 1)},
		{"a snapshot that sees what a statement of an older transaction sees", verdict.GSIa, pessimistic(build(meanwhile,
			ok(10, 0, at(20, r("x", "1"))), ok(12, 0, r("x", "1"))), 1)},
		{"of an unknown outcome, seen by a statement", "", pessimistic(build(unknown(11, 15, w("x", "1"), w("y", "1")),
			ok(10, 0, at(16, r("x", "1"))), ok(9, 0, r("x", "")), ok(17, 0, r("y", "1"))), 1)},
		{"of an unknown outcome, seen in part", verdict.GSIb, pessimistic(build(unknown(11, 15, w("x", "1"), w("y", "1")),
			ok(10, 0, at(16, r("x", "1"))), ok(9, 0, at(18, r("y", "")))), 1, 2)},
	} {
		got := isolation.Check(c.h)
		switch {
		case c.want == "" && got.Verdict != verdict.OK:
			t.Errorf("%s: %+v", c.name, got.Findings)
		case c.want != "" && !slices.ContainsFunc(got.Findings, func(f verdict.Finding) bool { return f.Anomaly == c.want }):
			t.Errorf("%s: no %s in %+v", c.name, c.want, got.Findings)
		}
	}
}

// TestCalculated: a commit timestamp that the stores have chosen may be that of
// another, and a transaction that begins after the answer may start at it; it must
// not start below.
func TestCalculated(t *testing.T) {
	calculated := func(txs ...tx) *history.History {
		h := build(txs...)
		for i := range h.Ops {
			h.Ops[i].Txn.Calculated = true
		}
		return h
	}
	same := calculated(ok(10, 20, w("x", "1")).at(100, 110), ok(11, 20, w("y", "1")).at(101, 110), ok(20, 0, r("x", "1"), r("y", "1")).at(120, 130))
	if got := isolation.Check(same); got.Verdict != verdict.OK {
		t.Errorf("%+v", got.Findings)
	}
	below := calculated(ok(10, 20, w("x", "1")).at(100, 110), ok(18, 0, r("x", "")).at(120, 130))
	if got := isolation.Check(below); got.Verdict != verdict.Violation || got.Findings[0].Anomaly != verdict.RealTimeOrder {
		t.Errorf("%+v", got)
	}
}

// TestSerializable: where it is promised, write skew is a violation; a transaction
// that reads at two timestamps makes cycles that mean nothing elsewhere.
func TestSerializable(t *testing.T) {
	skew := build(ok(10, 20, r("x", ""), w("y", "1")), ok(11, 21, r("y", ""), w("x", "1")))
	skew.Consistency = history.Serializable
	if got := isolation.Skew(skew); got.Verdict != verdict.Violation || got.Findings[0].Anomaly != verdict.G2Item {
		t.Errorf("%+v", got)
	}
	twice := pessimistic(build(ok(11, 15, w("x", "1"), w("y", "1")), ok(10, 0, r("x", ""), at(20, r("y", "1")))), 1)
	if got := isolation.Skew(twice); got.Verdict != verdict.OK || len(got.Observations) != 1 {
		t.Errorf("%+v", got)
	}
	twice.Consistency = history.Serializable
	if got := isolation.Skew(twice); got.Verdict != verdict.Violation {
		t.Errorf("%+v", got)
	}
}

// TestStrictSerializable: it promises what serializability does, and real time on top of
// it. Two anti-dependencies in a row go against that although the graph has no cycle
// without it: the reader began when the writer had ended, and comes before it.
func TestStrictSerializable(t *testing.T) {
	skew := build(ok(10, 20, r("x", ""), w("y", "1")), ok(11, 21, r("y", ""), w("x", "1")))
	skew.Consistency = history.StrictSerializable
	if got := isolation.Skew(skew); got.Verdict != verdict.Violation || got.Findings[0].Anomaly != verdict.G2Item {
		t.Errorf("%+v", got)
	}
	late := func(invoke int64) *history.History {
		return build(ok(10, 30, r("x", ""), w("y", "1")).at(100, 310), ok(11, 20, w("x", "1")).at(110, 210), ok(25, 0, r("y", "")).at(invoke, 260))
	}
	for _, c := range []struct {
		invoke int64
		level  history.Consistency
		want   verdict.Verdict
	}{
		{250, history.Serializable, verdict.OK},
		{250, history.StrictSerializable, verdict.Violation},
		{210, history.StrictSerializable, verdict.OK}, // it began before the writer had ended
	} {
		h := late(c.invoke)
		h.Consistency = c.level
		check, got := isolation.All(h)
		if check.Verdict != verdict.OK || got.Verdict != c.want {
			t.Errorf("%s, begun at %d: %+v, %+v", c.level, c.invoke, check, got)
		}
		if c.want == verdict.Violation && (len(got.Findings) != 1 || got.Findings[0].Anomaly != verdict.RealTimeOrder || !slices.Equal(got.Findings[0].Evidence, []int{1, 2, 0})) {
			t.Errorf("%+v", got.Findings)
		}
	}
}
