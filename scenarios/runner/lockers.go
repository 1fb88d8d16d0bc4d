package runner

import (
	"slices"
	"time"

	"simrun/sim/history"
	"simrun/sim/plan"
)

// Whoever meets a pessimistic lock waits for as long as its holder lives, and the
// holder for whomever it waits for. When the holder has ended one of those who wait
// gets the lock, and not the one who has waited longest: others come in between while
// a client pauses (TiKV wakes the oldest transaction of those in its queue, and who is
// not in the queue just then comes later). So however soon nodes are replaced, no
// bound follows for one client among others that lock. But the waits make no circle
// for longer than it takes to find it, so somebody at the end of them waits for the
// database alone; and that one, and with it somebody who locks, comes to an end within
// the bound. That is what is judged where transactions lock: a client is excused up to
// the last end of a transaction that may have been in its way.

// deadlockBound is how much longer a circle of waits may last when the store that
// looks for circles has gone. Those who wait ask again and again: a request that waits
// for half its time on a store, and then a pause. The first one goes to the store that
// has gone, and is given up; the second one closes the circle at the next store.
func deadlockBound(p *plan.Plan) time.Duration {
	const detectionTimeout = 300 * time.Millisecond // of a store for the answer, nodes/deadlock.go
	again := time.Duration(p.Knobs.RequestTimeout)/2 + retryPause
	return detectionTimeout + 2*again
}

// endsOfLockers returns when transactions that lock as they go were answered, in
// order; none if there are no such transactions.
func endsOfLockers(p *plan.Plan, h *history.History) (ends []int64) {
	for i := range h.Ops {
		op := &h.Ops[i]
		if op.Txn != nil && op.Txn.Pessimistic && answered(p, op) && (op.Outcome != history.OK || locked(op.Txn)) {
			ends = append(ends, op.Return)
		}
	}
	slices.Sort(ends)
	return ends
}

// locked reports whether a pessimistic transaction locked anything: one that only read
// its snapshot is in nobody's way.
func locked(t *history.TxnRecord) bool {
	return slices.ContainsFunc(t.Ops, func(op history.TxnOp) bool { return op.Kind.Writes() || op.TS != 0 })
}

// unserved is the longest time of the outage in which nobody who locks came to an end.
func (o *outage) unserved(ends []int64) time.Duration {
	longest, last := int64(0), o.from
	i, _ := slices.BinarySearch(ends, o.from+1)
	for ; i < len(ends) && ends[i] <= o.to; i++ {
		longest, last = max(longest, ends[i]-last), ends[i]
	}
	return time.Duration(max(longest, o.to-last) - o.idle)
}
