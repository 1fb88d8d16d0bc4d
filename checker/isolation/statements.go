package isolation

import (
	"cmp"
	"fmt"
	"slices"

	"simrun/checker/verdict"
)

// A statement with a timestamp of its own - any under read committed, one that locks
// in a pessimistic transaction - promises of its timestamp what a transaction promises
// of its start: everything that was acknowledged before it was invoked is below. What
// it answered is judged at the timestamp that it had (walk.go), which alone would say
// nothing of one that reads at a timestamp of yesterday.

// issued is a statement, and when it was invoked.
type issued struct {
	invoke int64
	ts     uint64
	txn    int32
}

// statements checks the timestamps of all statements: those of one transaction begin
// with its start timestamp and do not go down, and no one is below what had returned
// before the statement was invoked.
func (c *checker) statements(byReturn []int32) {
	var all []issued
	for i := range c.ix.txns {
		t := &c.ix.txns[i]
		if len(t.rec.Statements) == 0 {
			continue
		}
		n := int32(i) // fewer than 2^31 transactions
		before := stamp{ts: t.rec.StartTS, txn: n}
		for _, s := range t.rec.Statements {
			now := stamp{ts: s.TS, txn: n, kind: statementStamp}
			if now.ts < before.ts {
				c.add(verdict.TimestampOrder, n, fmt.Sprintf("a statement of %s sees the database at %d, below the %s before it, %d",
					c.ix.name(n), now.ts, before.kind, before.ts))
			}
			before = now
			all = append(all, issued{s.Invoke, s.TS, n})
		}
	}
	slices.SortStableFunc(all, func(a, b issued) int { return cmp.Compare(a.invoke, b.invoke) })
	var returned highest
	next := 0
	for _, s := range all {
		for ; next < len(byReturn) && c.ix.txns[byReturn[next]].op.Return < s.invoke; next++ {
			returned.note(&c.ix.txns[byReturn[next]], byReturn[next])
		}
		c.seesAbove(s, &returned)
	}
}

func (c *checker) seesAbove(s issued, returned *highest) {
	switch {
	case s.ts <= returned.commit.ts:
		c.add(verdict.RealTimeOrder, s.txn, fmt.Sprintf("a statement of %s was begun after %s had been acknowledged, and yet sees the database at %d, before it committed",
			c.ix.name(s.txn), c.ix.name(returned.commit.txn), s.ts), returned.commit.txn)
	case s.ts <= returned.any.ts:
		c.add(verdict.TimestampOrder, s.txn, fmt.Sprintf("a statement of %s was begun after %s had returned, and yet has the lower timestamp %d",
			c.ix.name(s.txn), c.ix.name(returned.any.txn), s.ts), returned.any.txn)
	}
}
