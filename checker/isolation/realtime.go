package isolation

import (
	"cmp"
	"fmt"
	"slices"

	"simrun/checker/verdict"
	"simrun/sim/history"
)

// stamp is one timestamp that a transaction was given.
type stamp struct {
	ts   uint64
	txn  int32
	kind stampKind
}

// stampKind is what a timestamp is for.
type stampKind uint8

const (
	startStamp stampKind = iota
	statementStamp
	commitStamp
)

func (k stampKind) String() string {
	return [...]string{"start timestamp", "timestamp of a statement", "commit timestamp"}[k]
}

// timestamps checks that the oracle gave out each timestamp once and that
// transactions commit after they start, and after they were granted their locks.
func (c *checker) timestamps() {
	stamps := make([]stamp, 0, 2*len(c.ix.txns))
	for i := range c.ix.txns {
		t := &c.ix.txns[i]
		n := int32(i) // fewer than 2^31 transactions
		if t.rec.AsOf {
			continue // it was given to somebody else
		}
		stamps = append(stamps, stamp{ts: t.rec.StartTS, txn: n})
		for _, s := range t.rec.Statements {
			stamps = append(stamps, stamp{ts: s.TS, txn: n, kind: statementStamp})
		}
		if t.rec.CommitTS == 0 {
			continue
		}
		switch held := t.rec.HeldUntil(); {
		case t.rec.CommitTS <= t.rec.StartTS:
			c.add(verdict.TimestampOrder, n, fmt.Sprintf("%s commits before it starts", c.ix.name(n)))
		case t.rec.CommitTS <= held:
			c.add(verdict.TimestampOrder, n, fmt.Sprintf("%s commits although it was granted a lock at %d", c.ix.name(n), held))
		}
		if !t.rec.Calculated {
			stamps = append(stamps, stamp{ts: t.rec.CommitTS, txn: n, kind: commitStamp})
		}
	}
	slices.SortFunc(stamps, func(a, b stamp) int {
		if c := cmp.Compare(a.ts, b.ts); c != 0 {
			return c
		}
		return cmp.Or(cmp.Compare(a.txn, b.txn), cmp.Compare(a.kind, b.kind))
	})
	for i := 1; i < len(stamps); i++ {
		if a, b := stamps[i-1], stamps[i]; a.ts == b.ts && !a.shares(b) {
			c.add(verdict.TimestampDup, b.txn, fmt.Sprintf("timestamp %d was given to %s as its %s and to %s as its %s",
				a.ts, c.ix.name(a.txn), a.kind, c.ix.name(b.txn), b.kind), a.txn)
		}
	}
}

// shares says whether two statements of one transaction, or its start and a statement,
// see the database at one timestamp. Whether that is too old is a matter of real time.
func (s stamp) shares(other stamp) bool {
	return s.txn == other.txn && s.kind != commitStamp && other.kind != commitStamp
}

// highest holds the highest timestamps of the transactions that have returned.
type highest struct {
	commit stamp // of a committed transaction: later ones must see it
	any    stamp // of whatever was given out
}

func (h *highest) note(t *txn, n int32) {
	top := stamp{ts: t.rec.StartTS, txn: n}
	for _, s := range t.rec.Statements {
		if s.TS > top.ts {
			top = stamp{ts: s.TS, txn: n, kind: statementStamp}
		}
	}
	if t.rec.CommitTS != 0 {
		s := stamp{ts: t.rec.CommitTS, txn: n, kind: commitStamp}
		if t.rec.Calculated {
			s.ts-- // a later transaction may start with the very timestamp
		}
		if t.op.Outcome == history.OK && s.ts > h.commit.ts {
			h.commit = s
		}
		if s.ts > top.ts {
			top = s
		}
	}
	if top.ts > h.any.ts {
		h.any = top
	}
}

// realTime checks that timestamps agree with real time: a transaction that was
// begun after another one had returned starts above all timestamps of that one.
// A session, that is one client, has its order even within an instant. Who chose
// a timestamp of the past has asked for that snapshot, however old it is.
func (c *checker) realTime(byReturn []int32) {
	sessions := map[int]*highest{}
	var all highest
	next := 0
	for _, b := range c.ix.byInvoke() {
		n, t := b.txn, &c.ix.txns[b.txn]
		for ; next < len(byReturn) && c.ix.txns[byReturn[next]].op.Return < t.op.Invoke; next++ {
			all.note(&c.ix.txns[byReturn[next]], byReturn[next])
		}
		session := sessions[t.op.Client]
		if session == nil {
			session = &highest{}
			sessions[t.op.Client] = session
		}
		if t.rec.AsOf {
			continue
		}
		c.startsAbove(n, session, &all)
		session.note(t, n)
	}
}

// begun is when a transaction was invoked, and the number of its operation.
type begun struct {
	invoke int64
	id     int
	txn    int32
}

// byInvoke returns the transactions in the order of invocation, those of one instant
// in the order in which they were numbered.
func (ix *index) byInvoke() []begun {
	all := make([]begun, len(ix.txns))
	for i := range ix.txns {
		op := ix.txns[i].op
		all[i] = begun{op.Invoke, op.ID, int32(i)} // fewer than 2^31 transactions
	}
	slices.SortStableFunc(all, func(a, b begun) int {
		if c := cmp.Compare(a.invoke, b.invoke); c != 0 {
			return c
		}
		return cmp.Compare(a.id, b.id)
	})
	return all
}

// byReturn returns the transactions in the order of return.
func (ix *index) byReturn() []int32 {
	returns := make([]int64, len(ix.txns))
	for i := range ix.txns {
		returns[i] = ix.txns[i].op.Return
	}
	return rising(returns)
}

func (c *checker) startsAbove(n int32, session, all *highest) {
	start := c.ix.txns[n].rec.StartTS
	switch {
	case start <= session.commit.ts:
		c.add(verdict.SessionOrder, n, fmt.Sprintf("%s of client %d starts before its own earlier %s had committed",
			c.ix.name(n), c.ix.txns[n].op.Client, c.ix.name(session.commit.txn)), session.commit.txn)
	case start <= all.commit.ts:
		c.add(verdict.RealTimeOrder, n, fmt.Sprintf("%s was begun after %s had been acknowledged, and yet starts before it committed",
			c.ix.name(n), c.ix.name(all.commit.txn)), all.commit.txn)
	case start <= session.any.ts:
		c.add(verdict.TimestampOrder, n, fmt.Sprintf("%s was begun after %s of the same client had returned, and yet has a lower timestamp",
			c.ix.name(n), c.ix.name(session.any.txn)), session.any.txn)
	case start <= all.any.ts:
		c.add(verdict.TimestampOrder, n, fmt.Sprintf("%s was begun after %s had returned, and yet has a lower timestamp",
			c.ix.name(n), c.ix.name(all.any.txn)), all.any.txn)
	}
}
