package isolation_test

import (
	"fmt"
	"slices"
	"testing"

	"simrun/checker/isolation"
	"simrun/checker/verdict"
	"simrun/sim/history"
)

// forUpdate is a pessimistic transaction with one statement, and readCommitted one that
// only reads what is committed.
func forUpdate(start, commit, ts uint64, invoke, stated, ret int64, ops ...history.TxnOp) tx {
	t := ok(start, commit, ops...).at(invoke, ret).stated(int(ts), int(stated)) // small
	t.pessimistic = true
	return t
}

func readCommitted(start, ts uint64, invoke, stated, ret int64, ops ...history.TxnOp) tx {
	t := ok(start, 0, ops...).at(invoke, ret).stated(int(ts), int(stated)) // small
	t.readCommitted = true
	return t
}

// TestNewestProofs: reads of the newest version are bound by everything that anybody has
// been shown, and what they show binds all that begins later. In the right history one
// thing is different, so that an instant is left. The identifiers are the places in the
// list.
func TestNewestProofs(t *testing.T) {
	one, gone := ok(1, 2, w("x", "1")).at(10, 20), ok(3, 4, del("x")).at(30, 100)
	late := ok(1, 2, w("x", "1")).at(10, 90)
	maybeGone := unknown(3, 0, del("x")).at(21, 25)
	five, six, fiveAgain := ok(1, 2, w("x", "5")).at(10, 12), ok(3, 4, w("x", "6")).at(13, 20), unknown(5, 0, w("x", "5")).at(21, 25)
	sixLate := ok(3, 4, w("x", "6")).at(13, 200)
	nine := ok(2, 9, w("x", "1")).at(10, 90)
	for _, c := range []struct {
		name      string
		want      verdict.Anomaly
		evidence  []int
		bad, good []tx
	}{
		{
			"a snapshot did not have it any more", verdict.StaleRead,
			[]int{3, 2, 0},
			[]tx{one, gone, ok(5, 0, r("x", "")).at(40, 50), newestOf("x", "1", 60, 70)},
			[]tx{one, gone, ok(5, 0, r("x", "")).at(40, 60), newestOf("x", "1", 60, 70)},
		},
		{
			"a scan did not have it any more", verdict.StaleRead,
			[]int{3, 2, 0},
			[]tx{one, gone, ok(5, 0, scan("", "", 0, false)).at(40, 50), newestOf("x", "1", 60, 70)},
			[]tx{one, gone, ok(5, 0, scan("", "w", 0, false)).at(40, 50), newestOf("x", "1", 60, 70)},
		},
		{
			"older than what a transaction has read that writes", verdict.StaleRead,
			[]int{2, 1},
			[]tx{late, ok(3, 4, r("x", "1"), w("y", "2")).at(20, 30), newestOf("x", "", 31, 40)},
			[]tx{late, ok(3, 4, r("x", "1"), w("y", "2")).at(20, 31), newestOf("x", "", 31, 40)},
		},
		{
			"older than what a transaction has read that overwrites it", verdict.StaleRead,
			[]int{2, 1},
			[]tx{late, unknown(3, 4, r("x", "1"), w("x", "2"), r("x", "2")).at(20, 30), newestOf("x", "", 31, 40)},
			[]tx{late, unknown(3, 4, r("x", "1"), w("x", "2"), r("x", "2")).at(20, 30), newestOf("x", "1", 31, 40)},
		},
		{
			"what failed has been shown something as well", verdict.StaleRead,
			[]int{2, 1},
			[]tx{late, failed(3, r("x", "1"), w("x", "2")).at(20, 30), newestOf("x", "", 31, 40)},
			[]tx{late, failed(3, w("x", "2"), r("x", "2")).at(20, 30), newestOf("x", "", 31, 40)},
		},
		{
			"an unknown deletion that a transaction has read that writes", verdict.StaleRead,
			[]int{3, 2, 0},
			[]tx{one, maybeGone, ok(5, 6, r("x", ""), w("y", "1")).at(30, 40), newestOf("x", "1", 50, 60)},
			[]tx{one, maybeGone, ok(5, 6, r("x", ""), w("y", "1")).at(30, 50), newestOf("x", "1", 50, 60)},
		},
		{
			"an element of unknown timestamp that a transaction has read that appends", verdict.StaleRead,
			[]int{2, 1, 0},
			[]tx{unknown(1, 0, add("l", "a")).at(1, 9), ok(3, 4, add("l", "b"), r("l", "a b")).at(10, 20), newestOf("l", "b", 21, 30)},
			[]tx{unknown(1, 0, add("l", "a")).at(1, 9), ok(3, 4, add("l", "b"), r("l", "a b")).at(10, 20), newestOf("l", "a b", 21, 30)},
		},
		{
			"a statement that is older", verdict.RealTimeOrder,
			[]int{1, 0},
			[]tx{nine, newestOf("x", "1", 20, 30), readCommitted(1, 8, 5, 35, 50, at(8, r("x", "")))},
			[]tx{nine, newestOf("x", "1", 20, 30), readCommitted(1, 8, 5, 30, 50, at(8, r("x", "")))},
		},
		{
			"a lock that is older", verdict.RealTimeOrder,
			[]int{1, 0},
			[]tx{nine, newestOf("x", "1", 20, 30), forUpdate(1, 20, 8, 5, 35, 50, at(8, lock("z")), at(8, r("z", "")))},
			[]tx{nine, newestOf("x", "1", 20, 30), forUpdate(1, 20, 10, 5, 35, 50, at(10, lock("z")), at(10, r("z", "")))},
		},
		{
			"an unknown write that a statement does not see", verdict.GSIb,
			[]int{2, 0},
			[]tx{unknown(2, 0, w("x", "1")).at(10, 15), newestOf("x", "1", 20, 30), readCommitted(1, 8, 5, 35, 50, at(8, r("x", "")))},
			[]tx{unknown(2, 0, w("x", "1")).at(10, 15), newestOf("x", "1", 20, 30), readCommitted(1, 8, 5, 30, 50, at(8, r("x", "")))},
		},
		{
			"an unknown deletion, and a snapshot without it", verdict.GSIb,
			[]int{3, 1},
			[]tx{one, maybeGone, newestOf("x", "", 30, 40), ok(7, 0, r("x", "1")).at(50, 60)},
			[]tx{one, maybeGone, newestOf("x", "", 19, 40), ok(7, 0, r("x", "1")).at(50, 60)},
		},
		{
			"an unknown deletion, and such a read without it", verdict.StaleRead,
			[]int{3, 2, 0},
			[]tx{one, maybeGone, newestOf("x", "", 30, 40), newestOf("x", "1", 50, 60)},
			[]tx{one, maybeGone, newestOf("x", "", 30, 40), newestOf("x", "1", 40, 60)},
		},
		{
			"an unknown write of a value that was there before", verdict.GSIb,
			[]int{4, 2},
			[]tx{five, six, fiveAgain, newestOf("x", "5", 30, 40), ok(7, 0, r("x", "6")).at(50, 60)},
			[]tx{five, six, fiveAgain, newestOf("x", "5", 20, 40), ok(7, 0, r("x", "6")).at(50, 60)},
		},
		{
			"the same, and what was between was only read", verdict.GSIb,
			[]int{5, 2},
			[]tx{five, sixLate, fiveAgain, ok(6, 0, r("x", "6")).at(26, 29), newestOf("x", "5", 30, 40), ok(7, 0, r("x", "6")).at(50, 60)},
			[]tx{five, sixLate, fiveAgain, ok(6, 0, r("x", "6")).at(26, 30), newestOf("x", "5", 30, 40), ok(7, 0, r("x", "6")).at(50, 60)},
		},
		{
			"the same, and it was read by such a read", verdict.GSIb,
			[]int{5, 2},
			[]tx{five, sixLate, fiveAgain, newestOf("x", "6", 26, 29), newestOf("x", "5", 30, 40), ok(7, 0, r("x", "6")).at(50, 60)},
			[]tx{five, sixLate, fiveAgain, newestOf("x", "6", 26, 30), newestOf("x", "5", 30, 40), ok(7, 0, r("x", "6")).at(50, 60)},
		},
		{
			"an unknown write that was committed too late to be the one that was read", verdict.RealTimeOrder,
			[]int{1, 0},
			[]tx{unknown(1, 9, w("x", "1")).at(10, 35), newestOf("x", "1", 20, 30), ok(8, 0, r("x", "")).at(31, 40)},
			[]tx{unknown(1, 9, w("x", "1")).at(10, 35), unknown(2, 0, w("x", "1")).at(10, 15), newestOf("x", "1", 20, 30), ok(8, 0, r("x", "1")).at(31, 40)},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, txs := range [][]tx{c.bad, c.good} {
				if err := history.Validate(build(txs...)); err != nil {
					t.Fatal(err)
				}
			}
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

// TestNewestOfWhatASnapshotHasShown: the lowest timestamp that a version may have which was
// read is that of no other one. Here the deletion of unknown outcome may be at 6, which
// is what its being shown proves; that a later read of what is newest shows it again
// says nothing of what it has replaced.
func TestNewestOfWhatASnapshotHasShown(t *testing.T) {
	got := isolation.Check(build(
		ok(1, 2, w("x", "1")).at(10, 20), unknown(5, 0, del("x")).at(21, 25), ok(7, 0, r("x", "")).at(26, 29),
		newestOf("x", "", 30, 40), pastly(6, 50, 60, r("x", ""))))
	if got.Verdict != verdict.OK {
		t.Errorf("%+v", got)
	}
}

// BenchmarkNewest shows that the time grows like the history, where all versions are
// certain and where one or one in eight is not.
func BenchmarkNewest(b *testing.B) {
	for _, c := range []struct {
		name  string
		every int
	}{{"sure", 0}, {"one", 1 << 30}, {"many", 8}} {
		for n := 4000; n <= 32000; n *= 2 {
			h := newestChain(n, c.every)
			b.Run(fmt.Sprintf("%s/%d", c.name, n), func(b *testing.B) {
				for b.Loop() {
					if got := isolation.Check(h); got.Verdict != verdict.OK {
						b.Fatalf("%+v", got)
					}
				}
			})
		}
	}
}

// newestChain is a key that is written so often, each time seen by a read of what is newest;
// the first and then one in every of the writes deletes it, at an unknown timestamp.
func newestChain(n, every int) *history.History {
	txs := make([]tx, 0, 2*n)
	for i := range n {
		ts, now, value := uint64(10+10*i), int64(10+10*i), fmt.Sprint(i) // small
		write := ok(ts, ts+1, w("x", value))
		if every > 0 && i%every == 0 {
			write, value = unknown(ts, 0, del("x")), ""
		}
		txs = append(txs, write.at(now, now+1), newestOf("x", value, now+2, now+3))
	}
	return build(txs...)
}
