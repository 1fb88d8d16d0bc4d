package isolation_test

import (
	"slices"
	"testing"

	"simrun/checker/isolation"
	"simrun/checker/verdict"
	"simrun/sim/history"
)

// abc are three keys that are there at once.
var abc = ok(10, 11, w("a", "1"), w("b", "1"), w("c", "1"))

// rows puts three keys that three transactions wrote at the same time before
// others.
func rows(more ...tx) []tx {
	return append([]tx{ok(10, 20, w("a", "1")), ok(11, 21, w("b", "1")), ok(12, 22, w("c", "1"))}, more...)
}

// predicates has, for each way in which a scan can be wrong about what a range
// holds, the smallest history that shows it and one that is right.
var predicates = []struct {
	name string
	want verdict.Anomaly
	bad  []tx
	good []tx
}{
	{
		"a key that was deleted", verdict.Phantom,
		[]tx{abc, ok(20, 21, del("b")), ok(30, 0, scan("a", "d", 0, false, "a", "1", "b", "1", "c", "1"))},
		[]tx{abc, ok(20, 21, del("b")), ok(30, 0, scan("a", "d", 0, false, "a", "1", "c", "1"))},
	},
	{
		"a key left out within the limit", verdict.Phantom,
		rows(ok(30, 0, scan("a", "d", 2, false, "a", "1", "c", "1"))),
		rows(ok(30, 0, scan("a", "d", 2, false, "a", "1", "b", "1"))),
	},
	{
		"a key left out within the limit, backward", verdict.Phantom,
		rows(ok(30, 0, scan("a", "d", 2, true, "c", "1", "a", "1"))),
		rows(ok(30, 0, scan("a", "d", 2, true, "c", "1", "b", "1"))),
	},
	{
		"a key left out before the end, though the limit was not reached", verdict.Phantom,
		rows(ok(30, 0, scan("a", "d", 3, true, "c", "1", "b", "1"))),
		rows(ok(24, 25, del("a")), ok(30, 0, scan("a", "d", 3, true, "c", "1", "b", "1"))),
	},
	{
		"a page that begins too late", verdict.Phantom,
		rows(ok(30, 0, scan("a", "d", 1, false, "a", "1"), scan("a\x00", "d", 1, false, "c", "1"))),
		rows(ok(30, 0, scan("a", "d", 1, false, "a", "1"), scan("a\x00", "d", 1, false, "b", "1"))),
	},
	{
		"a key twice", verdict.ScanOrder,
		[]tx{abc, ok(30, 0, scan("a", "d", 0, false, "a", "1", "b", "1", "b", "1", "c", "1"))},
		[]tx{abc, ok(30, 0, scan("a", "d", 0, false, "a", "1", "b", "1", "c", "1"))},
	},
	{
		"a range that changes within one snapshot", verdict.GSIa,
		[]tx{abc, ok(25, 35, w("d", "1")), ok(30, 0, scan("c", "", 0, false, "c", "1"), scan("c", "", 0, true, "d", "1", "c", "1"))},
		[]tx{abc, ok(25, 35, w("d", "1")), ok(30, 0, scan("c", "", 0, false, "c", "1"), scan("c", "", 0, true, "c", "1"))},
	},
	{
		"the value of an earlier life of a key", verdict.GSIb,
		[]tx{abc, ok(20, 21, del("b")), ok(22, 23, w("b", "2")), ok(30, 0, scan("b", "c", 0, false, "b", "1"))},
		[]tx{abc, ok(20, 21, del("b")), ok(22, 23, w("b", "2")), ok(30, 0, scan("b", "c", 0, false, "b", "2"))},
	},
	{
		"one of two keys that were moved into the range", verdict.GSingle,
		[]tx{abc, ok(20, 21, del("a"), w("d", "2"), w("e", "2")), ok(30, 0, scan("d", "", 0, false, "e", "2"))},
		[]tx{abc, ok(20, 21, del("a"), w("d", "2"), w("e", "2")), ok(30, 0, scan("d", "", 0, false, "d", "2", "e", "2"))},
	},
	{
		"its own insert left out", verdict.Internal,
		[]tx{abc, ok(20, 21, w("b+", "2"), scan("b", "c", 0, false, "b", "1"))},
		[]tx{abc, ok(20, 21, w("b+", "2"), scan("b", "c", 0, false, "b", "1", "b+", "2"))},
	},
	{
		"its own deletion not seen", verdict.Internal,
		[]tx{abc, ok(20, 21, del("b"), scan("a", "c", 0, true, "b", "1", "a", "1"))},
		[]tx{abc, ok(20, 21, del("b"), scan("a", "c", 1, true, "a", "1"))},
	},
	{
		"a key of unknown outcome found and then not", verdict.Phantom,
		[]tx{unknown(10, 11, w("a", "1")), ok(20, 0, scan("", "", 0, false, "a", "1")), ok(30, 0, scan("", "", 0, true))},
		[]tx{unknown(10, 11, w("a", "1")), ok(20, 0, scan("", "", 0, false)), ok(30, 0, scan("", "", 0, true))},
	},
	{
		"a deletion of unknown outcome seen and then not", verdict.Phantom,
		[]tx{abc, unknown(20, 21, del("b")), ok(30, 0, scan("a", "", 2, false, "a", "1", "c", "1")), ok(40, 0, scan("b", "c", 0, false, "b", "1"))},
		[]tx{abc, unknown(20, 21, del("b")), ok(30, 0, scan("a", "", 2, false, "a", "1", "b", "1")), ok(40, 0, scan("b", "c", 0, false, "b", "1"))},
	},
	{
		"two inserts of one key at the same time, of which both succeeded", verdict.LostUpdate,
		[]tx{ok(10, 20, r("a", ""), w("a", "1")), ok(11, 21, r("a", ""), w("a", "2"))},
		[]tx{ok(10, 20, r("a", ""), w("a", "1")), failed(11, r("a", ""), w("a", "2"))},
	},
	{
		"two inserts of one key, one after the other", verdict.LostUpdate,
		[]tx{ok(10, 11, r("a", ""), w("a", "1")), ok(20, 21, r("a", ""), w("a", "2"))},
		[]tx{ok(10, 11, r("a", ""), w("a", "1")), ok(12, 13, r("a", "1"), del("a")), ok(20, 21, r("a", ""), w("a", "2"))},
	},
}

// TestPredicates: what a scan says of keys that it does not return is judged like
// what it says of the others, up to where its limit ended it.
func TestPredicates(t *testing.T) {
	for _, c := range predicates {
		t.Run(c.name, func(t *testing.T) {
			got := isolation.Check(build(c.bad...))
			if !slices.ContainsFunc(got.Findings, func(f verdict.Finding) bool { return f.Anomaly == c.want }) {
				t.Errorf("no %s in %+v", c.want, got.Findings)
			}
			if twin := isolation.Check(build(c.good...)); twin.Verdict != verdict.OK {
				t.Errorf("the twin is rejected: %+v", twin.Findings)
			}
		})
	}
}

// serializable promises that much of a history.
func serializable(h *history.History) *history.History {
	h.Consistency = history.Serializable
	return h
}

// TestSkews: what snapshot isolation allows is told by its name, and is a violation
// where a serial order was promised.
func TestSkews(t *testing.T) {
	for _, c := range []struct {
		name     string
		want     verdict.Anomaly
		evidence []int
		txs      []tx
	}{
		{
			"two count a range, and each adds to it", verdict.G2,
			[]int{0, 1},
			[]tx{ok(10, 20, scan("a", "d", 0, false), w("a", "1")), ok(11, 21, scan("a", "d", 0, true), w("b", "1"))},
		},
		{
			"one adds to a range what the other one's row was derived from", verdict.G2,
			[]int{1, 2},
			[]tx{abc, ok(20, 30, scan("d", "", 1, false), w("a", "2")), ok(21, 31, r("a", "1"), w("d", "1"))},
		},
		{
			"two look at both rows of a range, and each deletes one", verdict.G2Item,
			[]int{1, 2},
			[]tx{abc, ok(20, 30, scan("a", "c", 0, false, "a", "1", "b", "1"), del("a")), ok(21, 31, scan("a", "c", 0, false, "a", "1", "b", "1"), del("b"))},
		},
		{
			// Fekete, O'Neil and O'Neil: x and y are accounts. Without the one who only
			// reads, there is a serial order.
			"the anomaly of a transaction that only reads", verdict.G2Item,
			[]int{0, 1, 2},
			[]tx{ok(10, 20, r("x", ""), r("y", ""), w("x", "-11")), ok(11, 12, r("y", ""), w("y", "20")), ok(15, 0, r("x", ""), r("y", "20"))},
		},
		{
			"the same, of a scan", verdict.G2,
			[]int{0, 1, 2},
			[]tx{ok(10, 20, r("x", ""), r("y", ""), w("x", "-11")), ok(11, 12, r("y", ""), w("y", "20")), ok(15, 0, scan("x", "z", 0, false, "y", "20"))},
		},
		{
			"the same without the one that only reads", "",
			nil,
			[]tx{ok(10, 20, r("x", ""), r("y", ""), w("x", "-11")), ok(11, 12, r("y", ""), w("y", "20"))},
		},
		{
			"the same, read by one that comes late enough", "",
			nil,
			[]tx{ok(10, 20, r("x", ""), r("y", ""), w("x", "-11")), ok(11, 12, r("y", ""), w("y", "20")), ok(25, 0, r("x", "-11"), r("y", "20"))},
		},
		{
			"what is beyond the limit of a scan was not read", "",
			nil,
			[]tx{abc, ok(20, 30, scan("a", "", 1, false, "a", "1"), w("e", "1")), ok(21, 31, r("e", ""), w("d", "1"))},
		},
		{
			"a ring of three", verdict.G2Item,
			[]int{0, 1, 2},
			[]tx{ok(10, 20, r("x", ""), w("y", "1")), ok(11, 21, r("y", ""), w("z", "1")), ok(12, 22, r("z", ""), w("x", "1"))},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			allowed, promised := isolation.Skew(build(c.txs...)), isolation.Skew(serializable(build(c.txs...)))
			if c.want == "" {
				if allowed.Verdict != verdict.OK || len(allowed.Observations) > 0 || promised.Verdict != verdict.OK {
					t.Errorf("%+v\n%+v", allowed, promised)
				}
				return
			}
			if allowed.Verdict != verdict.OK || len(allowed.Observations) != 1 || promised.Verdict != verdict.Violation || len(promised.Findings) != 1 {
				t.Fatalf("%+v\n%+v", allowed, promised)
			}
			for _, f := range []verdict.Finding{allowed.Observations[0], promised.Findings[0]} {
				if evidence := slices.Sorted(slices.Values(f.Evidence)); f.Anomaly != c.want || !slices.Equal(evidence, c.evidence) {
					t.Errorf("%s of %v, want %s of %v: %s", f.Anomaly, evidence, c.want, c.evidence, f.Message)
				}
			}
		})
	}
}
