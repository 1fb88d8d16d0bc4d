package isolation_test

import (
	"slices"
	"testing"

	"simrun/checker/isolation"
	"simrun/checker/verdict"
)

// Writes whose commit timestamps nobody knows may be wherever an answer needs them, but not
// in two places at once. The last transaction of each history contradicts those before it,
// each of which alone would be right, and itself too.
func TestAnswersThatContradictEachOther(t *testing.T) {
	one, two := unknown(5, 0, w("x", "1"), w("y", "1")).at(10, 20), unknown(6, 0, w("x", "2"), w("y", "2")).at(10, 20)
	onlyX, alsoX := unknown(5, 0, w("x", "1")).at(10, 20), unknown(6, 0, w("x", "2")).at(10, 20)
	a, b := unknown(5, 0, add("l", "a")).at(10, 20), unknown(6, 0, add("l", "b")).at(10, 20)
	twin := unknown(8, 0, w("p", "1"), w("q", "1"), w("o", "1")).at(10, 20) // of some that write p, too
	for _, c := range []struct {
		name   string
		want   verdict.Anomaly
		before []tx
		bad    tx
		good   tx
	}{
		{"fractured read", verdict.GSingle, []tx{one, two}, ok(20, 0, r("x", "1"), r("y", "2")), ok(20, 0, r("x", "1"), r("y", "1"))},
		{"fractured scan", verdict.GSingle, []tx{one, two}, ok(20, 0, scan("", "", 0, false, "x", "1", "y", "2")), ok(20, 0, scan("", "", 0, false, "x", "2", "y", "2"))},
		{"fractured between two readers", verdict.LongFork, []tx{one, two, ok(20, 0, r("x", "1")), ok(22, 0, r("x", "1"))}, ok(21, 0, r("y", "2")), ok(21, 0, r("y", "1"))},
		{
			"a circle of three", verdict.GNonadjacent,
			[]tx{
				unknown(5, 0, w("x", "1"), w("z", "1"), w("p", "1")).at(10, 20), unknown(6, 0, w("x", "2"), w("y", "2"), w("q", "2")).at(10, 20),
				unknown(7, 0, w("y", "3"), w("z", "3"), w("o", "3")).at(10, 20),
				ok(20, 0, r("p", "1"), r("q", "2"), r("o", "3")), ok(30, 0, r("x", "2")), ok(31, 0, r("y", "3")),
			},
			ok(32, 0, r("z", "1")), ok(32, 0, r("z", "3")),
		},
		{"a value returns", verdict.GSIb, []tx{onlyX, alsoX, ok(20, 0, r("x", "1")), ok(30, 0, r("x", "2"))}, ok(40, 0, r("x", "1")), ok(40, 0, r("x", "2"))},
		{
			"a value returns after one that two wrote", verdict.GSIb,
			[]tx{onlyX, alsoX, unknown(7, 0, w("x", "2")).at(10, 20), ok(20, 0, r("x", "1")), ok(30, 0, r("x", "2"))},
			ok(40, 0, r("x", "1")), ok(40, 0, r("x", "2")),
		},
		{
			"a committed value returns after one that two wrote", verdict.GSIb,
			[]tx{ok(2, 3, w("x", "0")), unknown(5, 0, w("x", "1")), unknown(6, 0, w("x", "1")), ok(20, 0, r("x", "0")), ok(30, 0, r("x", "1"))},
			ok(40, 0, r("x", "0")), ok(40, 0, r("x", "1")),
		},
		{"lists in both orders", verdict.WriteOrder, []tx{a, b, ok(20, 0, r("l", "a b"))}, ok(30, 0, r("l", "b a")), ok(30, 0, r("l", "a b"))},
		{"an element changes its place", verdict.WriteOrder, []tx{a, ok(24, 25, add("l", "c")), ok(30, 0, r("l", "a c"))}, ok(40, 0, r("l", "c a")), ok(40, 0, r("l", "a c"))},
		{
			"an element comes in the middle", verdict.WriteOrder,
			[]tx{a, ok(12, 13, add("l", "b")), ok(24, 25, add("l", "c")), ok(30, 0, r("l", "b c"))},
			ok(40, 0, r("l", "b a c")), ok(40, 0, r("l", "b c a")),
		},
		{
			"an element comes in the middle of a scan", verdict.WriteOrder,
			[]tx{a, ok(12, 13, add("l", "b")), ok(24, 25, add("l", "c")), ok(30, 0, scan("", "", 0, false, "l", "b c"))},
			ok(40, 0, scan("", "", 0, false, "l", "b a c")), ok(40, 0, scan("", "", 0, false, "l", "b c a")),
		},
		{
			"an element that two appended comes in the middle", verdict.WriteOrder,
			[]tx{a, unknown(7, 0, add("l", "a")).at(10, 20), ok(24, 25, add("l", "c")), ok(30, 0, r("l", "c"))},
			ok(40, 0, r("l", "a c")),
			tx{},
		},
		{
			"an element that two appended is gone", verdict.GSIb,
			[]tx{a, unknown(7, 0, add("l", "a")).at(10, 20), ok(30, 0, r("l", "a a"))},
			ok(40, 0, r("l", "a")),
			tx{},
		},
		{
			"two lists in both orders", verdict.G0,
			[]tx{unknown(5, 0, add("l", "a"), add("m", "a")).at(10, 20), unknown(6, 0, add("l", "b"), add("m", "b")).at(10, 20), ok(20, 0, r("l", "a b"))},
			ok(30, 0, r("m", "b a")), ok(30, 0, r("m", "a b")),
		},
		{
			"an element that begins like another one takes its place", verdict.WriteOrder,
			[]tx{a, unknown(7, 0, add("l", "a")).at(10, 20), ok(24, 25, add("l", "ab")), ok(22, 0, r("l", "a"))},
			ok(30, 0, r("l", "ab")),
			tx{},
		},
		{
			"one of two explanations was committed after a reign", verdict.GSIb,
			[]tx{
				ok(2, 3, w("z", "0")), unknown(5, 0, w("p", "1"), w("z", "1"), w("y", "1")).at(10, 20), twin,
				ok(26, 0, r("z", "0")), ok(25, 0, r("p", "1")), ok(50, 0, r("y", "1")), ok(60, 0, r("o", "1")),
			},
			ok(28, 0, r("q", "")), ok(28, 0, r("q", "1")),
		},
		{
			"one of two explanations reigned after another version", verdict.GSIb,
			[]tx{
				onlyX, unknown(6, 0, w("x", "2"), w("p", "1")).at(10, 20), twin,
				ok(20, 0, r("x", "1")), ok(30, 0, r("x", "2")), ok(18, 0, r("p", "1")), ok(60, 0, r("o", "1")),
			},
			ok(19, 0, r("q", "")), ok(19, 0, r("q", "1")),
		},
		{
			"one of two explanations was appended behind what was committed later", verdict.GSIb,
			[]tx{
				ok(2, 3, w("z", "0")), unknown(5, 0, add("l", "a"), w("z", "1")).at(10, 20), unknown(6, 0, add("l", "b"), w("p", "1")).at(10, 20), twin,
				ok(20, 0, r("z", "0")), ok(50, 0, r("l", "a b")), ok(18, 0, r("p", "1")), ok(60, 0, r("o", "1")),
			},
			ok(19, 0, r("q", "")), ok(19, 0, r("q", "1")),
		},
		{
			"before what was committed after its beginning", verdict.GSIb,
			[]tx{ok(2, 20, w("x", "0")), unknown(9, 0, w("x", "1"), w("y", "1")), ok(25, 0, r("y", "1")), ok(27, 0, r("x", "0"))},
			ok(19, 0, r("y", "")), ok(18, 0, r("y", "")),
		},
	} {
		got := isolation.Check(build(append(slices.Clone(c.before), c.bad)...))
		if got.Verdict != verdict.Violation || !slices.ContainsFunc(got.Findings, func(f verdict.Finding) bool { return f.Anomaly == c.want }) {
			t.Errorf("%s: no %s in %+v", c.name, c.want, got)
		}
		if len(c.good.ops) == 0 {
			continue
		}
		if got = isolation.Check(build(append(slices.Clone(c.before), c.good)...)); got.Verdict != verdict.OK {
			t.Errorf("%s, the right history: %+v", c.name, got)
		}
	}
}

// What somebody without timestamps may have written over a list may have shortened it.
func TestListThatOthersMayHaveWritten(t *testing.T) {
	h := build(
		unknown(5, 0, add("l", "a")).at(10, 20), unknown(6, 0, add("l", "a")).at(10, 20), unknown(0, 0, w("l", "a")).at(10, 20),
		ok(20, 0, r("l", "a a")), ok(30, 0, r("l", "a")),
	)
	if got := isolation.Check(h); got.Verdict != verdict.Unknown {
		t.Errorf("%+v", got)
	}
}
