package cluster

import "slices"

// LockWait is a time in which a request of a transaction stood in a store's queue for
// the lock of another one, as nobody but the store can tell.
type LockWait struct {
	Waiter, Holder uint64 // start timestamps
	From, To       int64  // true virtual time

	region uint64
	store  string
}

// queues keeps what the stores tell of those who wait for locks. The queue is in the
// memory of a process: it ends with it, and whoever still stands in it when another
// store has begun to serve the region waits for nothing that could come.
type queues struct {
	open []*LockWait
	over []LockWait
}

// began notes that a transaction waits; it does until the result is called, at most.
func (q *queues) began(now func() int64, store string, w LockWait) (left func()) {
	w.store, w.From = store, now()
	wait := &w
	q.open = append(q.open, wait)
	return func() {
		q.end(now(), func(open *LockWait) bool { return open == wait })
	}
}

// ended tells that the process of a store has ended.
func (q *queues) ended(at int64, store string) {
	q.end(at, func(w *LockWait) bool { return w.store == store })
}

// moved tells that a store has begun to serve a region as its leader.
func (q *queues) moved(at int64, region uint64, store string) {
	q.end(at, func(w *LockWait) bool { return w.region == region && w.store != store })
}

// end closes those open waits that match.
func (q *queues) end(at int64, match func(*LockWait) bool) {
	q.open = slices.DeleteFunc(q.open, func(w *LockWait) bool {
		if !match(w) {
			return false
		}
		w.To = at
		q.over = append(q.over, *w)
		return true
	})
}

// LockWaits returns all waits for locks, those that are not over up to now.
func (c *Cluster) LockWaits() []LockWait {
	waits := slices.Clone(c.queues.over)
	for _, w := range c.queues.open {
		wait := *w
		wait.To = c.World.Now()
		waits = append(waits, wait)
	}
	return waits
}
