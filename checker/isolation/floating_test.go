package isolation_test

import (
	"slices"
	"strings"
	"testing"

	"simrun/checker/isolation"
	"simrun/checker/verdict"
	"simrun/sim/history"
)

// A transaction whose client knows neither its outcome nor its commit timestamp -
// an async commit, say - has appended to a list and was seen. From then on no answer
// equals a version, and every one has to be looked at: however many there are, the
// right ones are no findings, and the first wrong one is found.
func TestManyAnswersOfAListInWhichSomethingFloats(t *testing.T) {
	right := []tx{unknown(10, 0, add("x", "1"))}
	for i := range uint64(500) {
		right = append(right, ok(20+i, 0, r("x", "1")))
	}
	right = append(right, ok(1000, 1001, add("x", "2")))
	got := isolation.Check(build(append(right, ok(1010, 0, r("x", "1 2")))...))
	if got.Verdict != verdict.OK || got.More != 0 {
		t.Errorf("all is well: %v, %d findings and %d more", got.Verdict, len(got.Findings), got.More)
	}
	for _, wrong := range []struct {
		answer string
		want   verdict.Anomaly
	}{
		{"1", verdict.GSIb}, // the second one is missed
		{"1 2 2", verdict.DuplicateWrite},
		{"1 2 9", verdict.GarbageRead},
		{"2", verdict.GSingle}, // the first one, which was seen, is gone
	} {
		got := isolation.Check(build(append(right[:len(right):len(right)], ok(1010, 0, r("x", wrong.answer)))...))
		if got.Verdict != verdict.Violation || len(got.Findings) != 1 || got.Findings[0].Anomaly != wrong.want {
			t.Errorf("%q: %v, %+v", wrong.answer, got.Verdict, got.Findings)
		}
	}
}

// lockedAt is a pessimistic transaction of unknown outcome that has locked x at a timestamp.
func lockedAt(start, at uint64, ops ...history.TxnOp) tx {
	l := lock("x")
	l.TS = at
	t := unknown(start, 0, append([]history.TxnOp{l}, ops...)...)
	t.pessimistic = true
	return t
}

// A commit timestamp that nobody knows is above the locks of its transaction, and above
// what its writes were seen to have replaced. So a snapshot in which they must be, because
// an older one or another key has them, has nothing older. The last snapshot of each
// history is the one that is wrong, unless it has the answer after it. (There is none where
// an optimistic transaction has replaced what was committed since it began.)
func TestWhereWhatFloatsMayBe(t *testing.T) {
	one := ok(1, 5, w("x", "1"))
	for _, c := range []struct {
		name   string
		want   verdict.Anomaly
		before []tx
		bad    tx
		good   tx
	}{
		{
			"above its lock, as another key shows", verdict.GSIb,
			[]tx{one, lockedAt(2, 7, w("x", "2"), w("y", "2"))},
			ok(10, 0, r("x", "1"), r("y", "2")), ok(10, 0, r("x", "2"), r("y", "2")),
		},
		{
			"above its lock, as an older snapshot shows", verdict.GSIb,
			[]tx{one, lockedAt(2, 7, w("x", "2")), ok(12, 0, r("x", "2"))},
			ok(14, 0, r("x", "1")), ok(14, 0, r("x", "2")),
		},
		{
			"not in a snapshot below its lock", verdict.GSIa,
			[]tx{lockedAt(2, 7, w("x", "2"))},
			ok(7, 0, r("x", "2")), ok(8, 0, r("x", "2")),
		},
		{
			"above what it has replaced, as a later snapshot shows", verdict.GSIb,
			[]tx{one, unknown(2, 0, w("x", "2"), w("y", "2")), ok(10, 0, r("y", "2")), ok(12, 0, r("x", "2"))},
			ok(11, 0, r("x", "1")),
			tx{},
		},
		{
			"above what it has replaced, of which it is learnt later that it was committed", verdict.GSIb,
			[]tx{
				unknown(1, 5, w("x", "1"), w("z", "1")), unknown(2, 0, w("x", "2"), w("y", "2")),
				ok(10, 0, r("y", "2")), ok(12, 0, r("x", "2")), ok(13, 0, r("z", "1")),
			},
			ok(11, 0, r("x", "1")),
			tx{},
		},
		{
			"appended behind what was appended under its lock", verdict.WriteOrder,
			[]tx{ok(1, 5, add("x", "1")), lockedAt(2, 7, add("x", "2"))},
			ok(10, 0, r("x", "2 1")), ok(10, 0, r("x", "1 2")),
		},
	} {
		got := isolation.Check(build(append(slices.Clone(c.before), c.bad)...))
		if !slices.ContainsFunc(got.Findings, func(f verdict.Finding) bool { return f.Anomaly == c.want }) {
			t.Errorf("%s: no %s in %+v", c.name, c.want, got)
		}
		if got = isolation.Check(build(append(slices.Clone(c.before), c.good)...)); len(c.good.ops) > 0 && got.Verdict != verdict.OK {
			t.Errorf("%s, the right history: %+v", c.name, got)
		}
	}
}

// A list of which it is not certain who appended what, or whether it was written over, is
// not judged, and the verdict says so and is not OK. What nobody wrote is wrong in any case.
func TestListsThatAreNotJudged(t *testing.T) {
	twice := []tx{ok(1, 2, add("x", "a")), unknown(3, 0, add("x", "a"))}
	over := []tx{ok(1, 2, add("x", "a")), unknown(3, 0, add("x", "b"), w("y", "1")), ok(5, 6, w("x", "c")), ok(8, 0, r("y", "1"))}
	for _, c := range []struct {
		name    string
		initial string
		txs     []tx
		want    verdict.Verdict
		anomaly verdict.Anomaly
	}{
		{"an element of two", "", append(twice, ok(10, 0, r("x", "a"))), verdict.Unknown, ""},
		{"nobody has read it", "", append(twice, ok(10, 0, r("y", ""))), verdict.OK, ""},
		{"an element of two, and one of nobody", "", append(twice, ok(10, 0, r("x", "a q"))), verdict.Violation, verdict.GarbageRead},
		{"the newest version", "", append(twice, newestOf("x", "a", 100, 110)), verdict.Unknown, ""},
		{"the newest version with an element of nobody", "", append(twice, newestOf("x", "a q", 100, 110)), verdict.Violation, verdict.GarbageRead},
		{"written over", "", append(over, ok(10, 0, r("x", "c b"))), verdict.Unknown, ""},
		{"written over, with an element of nobody", "", append(over, ok(10, 0, r("x", "c q"))), verdict.Violation, verdict.GarbageRead},
		{"an element of the initial state and of another", "a", []tx{unknown(3, 0, add("x", "a")), ok(10, 0, r("x", "a"))}, verdict.Unknown, ""},
		{"elements of the initial state alone", "a b", []tx{unknown(3, 0, add("x", "c")), ok(10, 0, r("x", "a b c"))}, verdict.OK, ""},
		{"elements of the initial state alone, of which one is lost", "a b", []tx{unknown(3, 0, add("x", "c")), ok(10, 0, r("x", "a c"))}, verdict.Violation, verdict.GSIb},
	} {
		h := build(slices.Clone(c.txs)...)
		if c.initial != "" {
			h.Initial = map[string]string{"x": c.initial}
		}
		got := isolation.Check(h)
		switch {
		case got.Verdict != c.want || (got.Verdict == verdict.Unknown) != (got.Reason != "" && len(got.Findings) == 0):
			t.Errorf("%s: %+v", c.name, got)
		case c.anomaly != "" && got.Findings[0].Anomaly != c.anomaly:
			t.Errorf("%s: %+v", c.name, got.Findings)
		case c.want == verdict.Unknown && !strings.HasSuffix(got.Reason, `: 1, one of them "x"`):
			t.Errorf("%s: %q", c.name, got.Reason)
		}
	}
}
