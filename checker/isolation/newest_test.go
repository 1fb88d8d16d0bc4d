package isolation_test

import (
	"slices"
	"testing"

	"simrun/checker/isolation"
	"simrun/checker/verdict"
	"simrun/sim/history"
)

// newestOf is a read of the newest version of k; "" is an absent key.
func newestOf(k, v string, invoke, ret int64) tx {
	return tx{outcome: history.OK, ops: []history.TxnOp{r(k, v)}, invoke: invoke, ret: ret, newest: true}
}

// pastly is a read at a timestamp of the past.
func pastly(start uint64, invoke, ret int64, ops ...history.TxnOp) tx {
	return tx{start: start, outcome: history.OK, ops: ops, invoke: invoke, ret: ret, asOf: true}
}

// What is wrong with a read of the newest version has a name, and the history that
// differs in the one point which makes it right is accepted. The identifiers are
// the places in the list.
func TestNewest(t *testing.T) {
	for _, c := range []struct {
		name     string
		want     verdict.Anomaly
		evidence []int
		bad      []tx
		good     []tx
	}{
		{
			"older than what was acknowledged", verdict.StaleRead,
			[]int{2, 1, 0},
			[]tx{ok(1, 2, w("x", "1")).at(10, 20), ok(3, 4, w("x", "2")).at(30, 40), newestOf("x", "1", 41, 50)},
			[]tx{ok(1, 2, w("x", "1")).at(10, 20), ok(3, 4, w("x", "2")).at(30, 40), newestOf("x", "1", 40, 50)},
		},
		{
			"a deletion that was acknowledged", verdict.StaleRead,
			[]int{2, 1, 0},
			[]tx{ok(1, 2, w("x", "1")).at(10, 20), ok(3, 4, del("x")).at(30, 40), newestOf("x", "1", 41, 50)},
			[]tx{ok(1, 2, w("x", "1")).at(10, 20), ok(3, 4, del("x")).at(30, 40), newestOf("x", "", 41, 50)},
		},
		{
			"nothing of what was acknowledged", verdict.StaleRead,
			[]int{1, 0},
			[]tx{ok(1, 2, w("x", "1")).at(10, 20), newestOf("x", "", 21, 30)},
			[]tx{ok(1, 2, w("x", "1")).at(10, 20), newestOf("x", "", 5, 30)},
		},
		{
			"older than what another such read returned", verdict.StaleRead,
			[]int{2, 1},
			[]tx{ok(1, 2, w("x", "1")).at(10, 90), newestOf("x", "1", 20, 30), newestOf("x", "", 31, 40)},
			[]tx{ok(1, 2, w("x", "1")).at(10, 90), newestOf("x", "1", 20, 30), newestOf("x", "", 30, 40)},
		},
		{
			"older than what a snapshot showed", verdict.StaleRead,
			[]int{2, 1},
			[]tx{ok(1, 2, w("x", "1")).at(10, 90), ok(3, 0, r("x", "1")).at(20, 30), newestOf("x", "", 31, 40)},
			[]tx{ok(1, 2, w("x", "1")).at(10, 90), ok(3, 0, r("x", "1")).at(20, 30), newestOf("x", "", 25, 40)},
		},
		{
			"of a transaction that was begun later", verdict.RealTimeOrder,
			[]int{0, 1},
			[]tx{newestOf("x", "1", 1, 9), ok(1, 2, w("x", "1")).at(10, 20)},
			[]tx{newestOf("x", "1", 1, 10), ok(1, 2, w("x", "1")).at(10, 20)},
		},
		{
			"of a transaction that committed after what began later", verdict.RealTimeOrder,
			[]int{1, 0},
			[]tx{ok(1, 9, w("x", "1")).at(10, 90), newestOf("x", "1", 20, 30), ok(5, 0, r("y", "")).at(31, 40)},
			[]tx{ok(1, 4, w("x", "1")).at(10, 90), newestOf("x", "1", 20, 30), ok(5, 0, r("y", "")).at(31, 40)},
		},
		{
			"of a failed transaction", verdict.G1a,
			[]int{1, 0},
			[]tx{failed(1, w("x", "1")).at(10, 20), newestOf("x", "1", 30, 40)},
			[]tx{unknown(1, 2, w("x", "1")).at(10, 20), newestOf("x", "1", 30, 40)},
		},
		{
			"intermediate", verdict.G1b,
			[]int{1, 0},
			[]tx{ok(1, 2, w("x", "1"), w("x", "2")).at(10, 20), newestOf("x", "1", 15, 40)},
			[]tx{ok(1, 2, w("x", "1"), w("x", "2")).at(10, 20), newestOf("x", "2", 15, 40)},
		},
		{
			"of nobody", verdict.GarbageRead,
			[]int{1},
			[]tx{ok(1, 2, w("x", "1")).at(10, 20), newestOf("y", "1", 30, 40)},
			[]tx{ok(1, 2, w("x", "1")).at(10, 20), newestOf("y", "", 30, 40)},
		},
		{
			"a value of nobody", verdict.GarbageRead,
			[]int{1},
			[]tx{ok(1, 2, w("x", "1")).at(10, 20), newestOf("x", "7", 15, 40)},
			[]tx{ok(1, 2, w("x", "1")).at(10, 20), newestOf("x", "", 15, 40)},
		},
		{
			"an unknown outcome that was seen and is gone", verdict.StaleRead,
			[]int{2, 1},
			[]tx{unknown(1, 2, w("x", "1")).at(10, 20), newestOf("x", "1", 30, 40), newestOf("x", "", 50, 60)},
			[]tx{unknown(1, 2, w("x", "1")).at(10, 20), newestOf("x", "", 30, 40), newestOf("x", "1", 50, 60)},
		},
		{
			"an unknown outcome that was seen, and missed by a snapshot", verdict.GSIb,
			[]int{2, 0},
			[]tx{unknown(1, 2, w("x", "1")).at(10, 20), newestOf("x", "1", 30, 40), ok(5, 0, r("x", "")).at(50, 60)},
			[]tx{unknown(1, 2, w("x", "1")).at(10, 20), newestOf("x", "1", 30, 40), ok(5, 0, r("x", "1")).at(50, 60)},
		},
		{
			"an unknown timestamp, invoked later", verdict.RealTimeOrder,
			[]int{0, 1},
			[]tx{newestOf("x", "1", 1, 9), unknown(1, 0, w("x", "1")).at(10, 20)},
			[]tx{newestOf("x", "1", 30, 40), unknown(1, 0, w("x", "1")).at(10, 20)},
		},
		{
			"a list without its acknowledged end", verdict.StaleRead,
			[]int{2, 1, 0},
			[]tx{ok(1, 2, add("l", "a")).at(10, 20), ok(3, 4, add("l", "b")).at(30, 40), newestOf("l", "a", 41, 50)},
			[]tx{ok(1, 2, add("l", "a")).at(10, 20), ok(3, 4, add("l", "b")).at(30, 40), newestOf("l", "a b", 41, 50)},
		},
		{
			"a list out of order", verdict.WriteOrder,
			[]int{2},
			[]tx{ok(1, 2, add("l", "a")).at(10, 20), ok(3, 4, add("l", "b")).at(30, 40), newestOf("l", "b a", 41, 50)},
			[]tx{ok(1, 2, add("l", "a")).at(10, 20), ok(3, 4, add("l", "b")).at(30, 40), newestOf("l", "a", 35, 50)},
		},
		{
			"a list with a part of what was appended", verdict.G1b,
			[]int{1, 0},
			[]tx{ok(1, 2, add("l", "a"), add("l", "b")).at(10, 20), newestOf("l", "a", 15, 50)},
			[]tx{ok(1, 2, add("l", "a"), add("l", "b")).at(10, 20), newestOf("l", "", 15, 50)},
		},
		{
			"a list with an element of nobody", verdict.GarbageRead,
			[]int{1},
			[]tx{ok(1, 2, add("l", "a")).at(10, 20), newestOf("l", "a z", 15, 50)},
			[]tx{ok(1, 2, add("l", "a")).at(10, 20), newestOf("l", "a", 15, 50)},
		},
		{
			"a list with an element of a failed transaction", verdict.G1a,
			[]int{2, 1},
			[]tx{ok(1, 2, add("l", "a")).at(10, 20), failed(3, add("l", "b")).at(21, 22), newestOf("l", "a b", 30, 50)},
			[]tx{ok(1, 2, add("l", "a")).at(10, 20), unknown(3, 0, add("l", "b")).at(21, 22), newestOf("l", "a b", 30, 50)},
		},
		{
			"a list with an element appended later, at an unknown timestamp", verdict.RealTimeOrder,
			[]int{1},
			[]tx{ok(1, 2, add("l", "a")).at(10, 20), newestOf("l", "a b", 30, 50), unknown(3, 0, add("l", "b")).at(51, 60)},
			[]tx{ok(1, 2, add("l", "a")).at(10, 20), newestOf("l", "a b", 30, 50), unknown(3, 0, add("l", "b")).at(50, 60)},
		},
		{
			"an unknown timestamp that was read, and then an older version", verdict.StaleRead,
			[]int{3, 2, 0},
			[]tx{ok(1, 2, w("x", "1")).at(10, 20), unknown(3, 0, w("x", "2")).at(21, 30), newestOf("x", "2", 31, 40), newestOf("x", "1", 41, 50)},
			[]tx{ok(1, 2, w("x", "1")).at(10, 20), unknown(3, 0, w("x", "2")).at(21, 30), newestOf("x", "2", 31, 41), newestOf("x", "1", 41, 50)},
		},
		{
			"an unknown timestamp that was read, and missed by a snapshot", verdict.GSIb,
			[]int{3, 1},
			[]tx{ok(1, 2, w("x", "1")).at(10, 20), unknown(3, 0, w("x", "2")).at(21, 30), newestOf("x", "2", 31, 40), ok(9, 0, r("x", "1")).at(41, 50)},
			[]tx{ok(1, 2, w("x", "1")).at(10, 20), unknown(3, 0, w("x", "2")).at(21, 30), newestOf("x", "2", 31, 41), ok(9, 0, r("x", "1")).at(41, 50)},
		},
		{
			"an unknown timestamp below what was acknowledged before it was read", verdict.GSIb,
			[]int{3, 1},
			[]tx{ok(4, 5, w("x", "1")).at(10, 20), unknown(1, 0, w("x", "2")).at(1, 30), newestOf("x", "2", 31, 40), ok(9, 0, r("x", "1")).at(41, 50)},
			[]tx{ok(4, 5, w("x", "1")).at(10, 20), unknown(1, 0, w("x", "2")).at(1, 30), newestOf("x", "2", 31, 40), ok(9, 0, r("x", "2")).at(41, 50)},
		},
		{
			"an unknown timestamp that a snapshot has shown", verdict.StaleRead,
			[]int{3, 2, 0},
			[]tx{ok(1, 2, w("x", "1")).at(10, 20), unknown(3, 0, w("x", "2")).at(21, 30), ok(9, 0, r("x", "2")).at(31, 40), newestOf("x", "1", 41, 50)},
			[]tx{ok(1, 2, w("x", "1")).at(10, 20), unknown(3, 0, w("x", "2")).at(21, 30), ok(9, 0, r("x", "2")).at(31, 41), newestOf("x", "1", 41, 50)},
		},
		{
			"a list without an element of an unknown timestamp that was read", verdict.StaleRead,
			[]int{2, 1, 0},
			[]tx{unknown(3, 0, add("l", "b")).at(21, 30), newestOf("l", "b", 31, 40), newestOf("l", "", 41, 50)},
			[]tx{unknown(3, 0, add("l", "b")).at(21, 30), newestOf("l", "b", 31, 41), newestOf("l", "", 41, 50)},
		},
		{
			"a list without an element of an unknown timestamp that a snapshot has shown", verdict.StaleRead,
			[]int{2, 1, 0},
			[]tx{unknown(3, 0, add("l", "b")).at(21, 30), ok(9, 0, r("l", "b")).at(31, 40), newestOf("l", "", 41, 50)},
			[]tx{unknown(3, 0, add("l", "b")).at(21, 30), ok(9, 0, r("l", "b")).at(31, 41), newestOf("l", "", 41, 50)},
		},
		{
			"a snapshot without an element of an unknown timestamp that was read", verdict.GSIb,
			[]int{2, 0},
			[]tx{unknown(3, 0, add("l", "b")).at(21, 30), newestOf("l", "b", 31, 40), ok(9, 0, r("l", "")).at(41, 50)},
			[]tx{unknown(3, 0, add("l", "b")).at(21, 30), newestOf("l", "b", 31, 41), ok(9, 0, r("l", "")).at(41, 50)},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := isolation.Check(build(c.bad...))
			if len(got.Findings) != 1 || got.Findings[0].Anomaly != c.want || !slices.Equal(got.Findings[0].Evidence, c.evidence) {
				t.Errorf("want %s of %v, got %+v", c.want, c.evidence, got.Findings)
			}
			if got = isolation.Check(build(c.good...)); got.Verdict != verdict.OK {
				t.Errorf("the right history: %+v", got)
			}
		})
	}
}

// A value that two have written is that of the older one: nothing says that the newer one
// was there when it was read.
func TestNewestOfTwoWithOneValue(t *testing.T) {
	got := isolation.Check(build(
		unknown(1, 0, w("x", "1")).at(10, 15), ok(3, 5, del("x")).at(20, 90), ok(8, 10, w("x", "1")).at(35, 120),
		newestOf("x", "1", 30, 40), newestOf("x", "", 50, 60)))
	if got.Verdict != verdict.OK {
		t.Errorf("%+v", got)
	}
}

// Whoever chooses a timestamp of the past wants that snapshot and no fresher one:
// no rule of real time is broken, though somebody else has the timestamp, and what
// it shows is judged as in any snapshot.
func TestAsOf(t *testing.T) {
	before := []tx{ok(1, 2, w("x", "1")).at(10, 20).by(7), ok(3, 4, w("x", "2")).at(30, 40).by(7)}
	if got := isolation.Check(build(append(before, pastly(3, 50, 60, r("x", "1")).by(7))...)); got.Verdict != verdict.OK {
		t.Errorf("%+v", got)
	}
	got := isolation.Check(build(append(before, pastly(3, 50, 60, r("x", "2")).by(7))...))
	if len(got.Findings) != 1 || got.Findings[0].Anomaly != verdict.GSIa {
		t.Errorf("%+v", got)
	}
	plain := pastly(3, 50, 60, r("x", "1")).by(7)
	plain.asOf = false
	if got = isolation.Check(build(append(before, plain)...)); got.Verdict != verdict.Violation {
		t.Errorf("a transaction that was given an old timestamp: %+v", got)
	}
	// A timestamp that was chosen says nothing of when it was drawn.
	h := build(ok(1, 2, w("x", "1")).at(10, 90), newestOf("x", "1", 20, 30), pastly(1, 31, 40, r("x", "")))
	if got = isolation.Check(h); got.Verdict != verdict.OK {
		t.Errorf("%+v", got)
	}
}
