package runner

import (
	"cmp"
	"slices"
	"time"

	"simrun/scenarios/cluster"
	"simrun/sim/history"
	"simrun/sim/plan"
)

// Whoever meets a pessimistic lock waits for as long as its holder lives, and the
// holder for whomever it waits for; and when it is released another one may get it. No
// bound follows from that for one client among others that lock, however soon nodes are
// replaced. So of a client's wait is not judged what it stood in the queue for a lock
// whose holder was under way just then. Everything else is: the way to the store, the
// pause before it asks again, the commit.
//
// That this hides no outage follows from who is left. At every instant that is not
// judged of one client, its transaction waits for a lock, and the client of the holder
// has not been answered. Follow the locks from holder to holder: either somebody is at
// the end who stands in no queue, and that instant of its wait is judged; or the waits
// make a circle, which is found and broken within deadlockBound. So if something cannot
// be had - one key, one region, the commit of one lock - it is missed by somebody of
// whom nothing is subtracted, for as long as anybody is held up by it: whoever stands
// before it stands in no queue, or in that of a lock which nobody holds any more, and
// that is no excuse either.
//
// Who is given the lock of a key again and again while one client is not may hold up
// that one for ever: to that, and to circles that nobody finds, there is a limit without
// any excuse, limitFactor times the bound. And ends are not enough: of the transactions
// that lock some have to succeed, within the same limit.

// limitFactor is how many bounds a client may wait for the database and others
// together.
const limitFactor = 2

// deadlockBound is how much longer a circle of waits may last when the store that
// looks for circles has gone. Those who wait ask again and again: a request that waits
// for half its time on a store, and then a pause unless the store has waited. The first
// one goes to the store that has gone, and is given up; the second one closes the circle
// at the next store. In between nobody of the circle is in a queue, and all are under way.
func deadlockBound(p *plan.Plan) time.Duration {
	const detectionTimeout = 300 * time.Millisecond // of a store for the answer, nodes/deadlock.go
	again := time.Duration(p.Knobs.RequestTimeout)/2 + retryPause
	return detectionTimeout + 2*again
}

// span is a span of virtual time.
type span struct{ from, to int64 }

// spans is the union of spans of time, in order, none of which touches another.
type spans []span

// add adds a span that ends no earlier than all that were added before.
func (ss spans) add(s span) spans {
	for len(ss) > 0 && ss[len(ss)-1].to >= s.from {
		s.from = min(s.from, ss[len(ss)-1].from)
		ss = ss[:len(ss)-1]
	}
	return append(ss, s)
}

// length is how long all of them are together.
func (ss spans) length() (sum time.Duration) {
	for _, s := range ss {
		sum += time.Duration(s.to - s.from)
	}
	return sum
}

// excuses are the times in which transactions, by their start timestamps, stood in the
// queue for the lock of another one that was under way.
type excuses map[uint64]spans

// excusesOf returns the excuses of a run.
func excusesOf(h *history.History, waits []cluster.LockWait) excuses {
	lives := map[uint64]span{}
	for i := range h.Ops {
		if op := &h.Ops[i]; op.Txn != nil && op.Txn.StartTS != 0 && !op.Txn.AsOf && !op.Txn.Newest {
			lives[op.Txn.StartTS] = span{op.Invoke, op.Return}
		}
	}
	waits = slices.Clone(waits)
	for i := range waits {
		w := &waits[i]
		holder := lives[w.Holder] // of nobody, nothing
		w.From, w.To = max(w.From, holder.from), min(w.To, holder.to)
	}
	slices.SortStableFunc(waits, func(a, b cluster.LockWait) int { return cmp.Compare(a.To, b.To) })
	excused := excuses{}
	for _, w := range waits {
		if w.From < w.To {
			excused[w.Waiter] = excused[w.Waiter].add(span{w.From, w.To})
		}
	}
	return excused
}

// of returns how long an operation was in queues.
func (e excuses) of(op *history.Op) (sum time.Duration) {
	if op.Txn == nil {
		return 0
	}
	for _, s := range e[op.Txn.StartTS] {
		sum += time.Duration(max(min(s.to, op.Return)-max(s.from, op.Invoke), 0))
	}
	return sum
}

// locked reports whether a pessimistic transaction locked anything: one that only read
// its snapshot is in nobody's way.
func locked(t *history.TxnRecord) bool {
	return slices.ContainsFunc(t.Ops, func(op history.TxnOp) bool { return op.Kind.Writes() || op.TS != 0 })
}
