package isolation_test

import (
	"slices"
	"testing"

	"simrun/checker/isolation"
	"simrun/checker/verdict"
	"simrun/sim/history"
)

// Of keys of which it is not known what they held at first the first read tells. What
// contradicts it is found, by timestamps and by values alone, and whatever may have been
// there is accepted.
func TestInitialUnknown(t *testing.T) {
	for _, c := range []struct {
		name string
		want verdict.Anomaly // "": OK
		txs  []tx
	}{
		{"one value", "", []tx{ok(1, 0, r("x", "5")), ok(2, 0, r("x", "5"))}},
		{"two values of nobody", verdict.GarbageRead, []tx{ok(1, 0, r("x", "5")), ok(2, 0, r("x", "6"))}},
		{"a value, and then none", verdict.GSIb, []tx{ok(1, 0, r("x", "5")), ok(2, 0, r("x", ""))}},
		{"an old value after it was overwritten", verdict.GSIb, []tx{ok(1, 0, r("x", "5")), ok(2, 3, w("x", "1")), ok(4, 0, r("x", "5"))}},
		{"an old value before it was overwritten", "", []tx{ok(4, 5, w("x", "1")), ok(3, 0, r("x", "5")), ok(2, 0, r("x", "5"))}},
		{"what is written later", "", []tx{ok(1, 0, r("x", "1")), ok(2, 3, w("x", "1")), ok(4, 0, r("x", "1"))}},
		{"what is written later, and then something else", verdict.GarbageRead, []tx{ok(1, 0, r("x", "1")), ok(2, 0, r("x", "5")), ok(3, 4, w("x", "1"))}},
		{"what an unknown outcome wrote, or was there", "", []tx{unknown(1, 0, w("x", "1"), w("y", "1")), ok(5, 0, r("x", "1"), r("y", "7"))}},
		{"beside an unknown outcome", verdict.GarbageRead, []tx{unknown(1, 0, w("x", "1")), ok(5, 0, r("x", "7")), ok(6, 0, r("x", "8"))}},
		{"a scan of a key that nobody names", "", []tx{ok(1, 0, scan("a", "z", 0, false, "b", "5")), ok(2, 0, scan("a", "z", 0, true, "b", "5"))}},
		{"a scan that lacks it later", verdict.GSIb, []tx{ok(1, 0, scan("a", "z", 0, false, "b", "5")), ok(2, 0, scan("a", "z", 0, false))}},
		{"a scan with limit that does not come to it", "", []tx{ok(1, 0, scan("a", "z", 0, false, "b", "5", "c", "6")), ok(2, 0, scan("a", "z", 1, false, "b", "5"))}},
		{"a list with something in it", "", []tx{ok(1, 2, add("l", "b")), ok(3, 0, r("l", "a b")), ok(4, 5, add("l", "c")), ok(6, 0, r("l", "a b c"))}},
		{"a list with more in it than there was", verdict.GarbageRead, []tx{ok(1, 2, add("l", "b")), ok(3, 0, r("l", "a b")), ok(4, 0, r("l", "z a b"))}},
		{"a list that lacks what was appended", verdict.GSIb, []tx{ok(1, 2, add("l", "b")), ok(3, 0, r("l", "a"))}},
		{"an element that was there, and is appended again", "", []tx{ok(1, 0, r("l", "b")), ok(2, 3, add("l", "b")), ok(4, 0, r("l", "b b"))}},
		{"the newest of a key that nobody names", "", []tx{newestOf("x", "5", 10, 20), newestOf("x", "5", 30, 40)}},
		{"two newest of a key that nobody names", verdict.GarbageRead, []tx{newestOf("x", "5", 10, 20), newestOf("x", "6", 30, 40)}},
		{"the newest, and a snapshot", verdict.GarbageRead, []tx{newestOf("x", "5", 1, 2), ok(1, 0, r("x", "6")).at(3, 4), ok(3, 4, w("x", "1"))}},
		{"the newest, which an unknown outcome wrote or was there", "", []tx{unknown(1, 0, w("x", "1"), w("y", "1")).at(1, 9), newestOf("x", "1", 10, 20), ok(5, 0, r("y", "7")).at(30, 40)}},
	} {
		h := build(c.txs...)
		h.InitialUnknown = true
		got := isolation.Check(h)
		switch {
		case c.want == "" && got.Verdict != verdict.OK:
			t.Errorf("%s: %+v", c.name, got)
		case c.want != "" && !slices.ContainsFunc(got.Findings, func(f verdict.Finding) bool { return f.Anomaly == c.want }):
			t.Errorf("%s: no %s in %+v", c.name, c.want, got)
		}
	}
}

// Without timestamps a value that nobody wrote tells as well. One that somebody wrote may
// have been there before, so that nothing is concluded from it.
func TestCyclesInitialUnknown(t *testing.T) {
	for _, c := range []struct {
		name string
		want verdict.Verdict
		txs  []tx
	}{
		{"in order", verdict.OK, []tx{plain(r("x", "5")).at(1, 2), plain(w("x", "1")).at(3, 4), plain(r("x", "1")).at(5, 6)}},
		{"back again", verdict.Violation, []tx{plain(r("x", "5")).at(1, 2), plain(w("x", "1")).at(3, 4), plain(r("x", "1")).at(5, 6), plain(r("x", "5")).at(7, 8)}},
		{"two values of nobody", verdict.Violation, []tx{plain(r("x", "5")).at(1, 2), plain(r("x", "6")).at(3, 4)}},
		{"what is written later", verdict.Unknown, []tx{plain(r("x", "1")).at(1, 2), plain(w("x", "1")).at(3, 4), plain(r("x", "1")).at(5, 6)}},
		{"what nobody has read", verdict.OK, []tx{plain(r("y", "5")).at(1, 2), plain(w("x", "1")).at(3, 4)}},
		{"a scan of a key that nobody names", verdict.OK, []tx{plain(scan("a", "z", 0, false, "b", "5"))}},
		{"a list with something in it", verdict.OK, []tx{plain(add("l", "b")), plain(r("l", "a b"))}},
	} {
		h := build(c.txs...)
		h.InitialUnknown, h.Consistency = true, history.StrictSerializable
		if got := isolation.Cycles(h, true); got.Verdict != c.want {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}
