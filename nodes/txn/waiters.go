package txn

import (
	"cmp"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/pingcap/kvproto/pkg/deadlock"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/codec"
	"simrun/nodes/env"
)

// wakeUpDelay is how much later than the first all other waiters for a lock are
// woken: the first one will most likely take the lock, and they would come in
// vain.
const wakeUpDelay = 20 * time.Millisecond

// waiters are the requests that wait for a lock to be released, by the key that
// is locked. They live in the memory of the leader: if it changes they run into
// their timeout and come again.
type waiters struct {
	sched env.Scheduler
	byKey map[string][]*waiter // by encoded key
	// count is the number of requests that wait; those that were woken, but did not go
	// on yet, among them.
	count int
}

// waiter is one request that waits.
type waiter struct {
	startTS uint64
	lock    *kvrpcpb.LockInfo
	key     string // encoded
	result  env.Future[waitEnd]
	left    func() // tells the witness that it is in the queue no more
	// over is resolved when the request does not wait any more.
	over env.Future[struct{}]
}

// waitEnd is why a wait came to an end.
type waitEnd struct {
	deadlock *kvrpcpb.Deadlock // nil: the lock was released
}

// add makes transaction startTS wait for a lock. left is called when it leaves the
// queue: when the lock is released, or when the request does not wait any more.
func (ws *waiters) add(startTS uint64, lock *kvrpcpb.LockInfo, left func()) *waiter {
	w := &waiter{startTS: startTS, lock: lock, key: string(codec.EncodeBytes(lock.Key)), left: left}
	ws.byKey[w.key] = append(ws.byKey[w.key], w)
	ws.count++
	return w
}

// remove ends a wait.
func (ws *waiters) remove(w *waiter) {
	w.over.Resolve(struct{}{}, nil)
	ws.count--
	ws.take(w.key, func(x *waiter) bool { return x == w })
}

// take removes the waiters for a key that match, and returns them.
func (ws *waiters) take(key string, match func(*waiter) bool) []*waiter {
	var taken []*waiter
	left := slices.DeleteFunc(ws.byKey[key], func(w *waiter) bool {
		if match(w) {
			w.left()
			taken = append(taken, w)
			return true
		}
		return false
	})
	if len(left) == 0 {
		delete(ws.byKey, key)
	} else {
		ws.byKey[key] = left
	}
	return taken
}

// released wakes those who wait for the locks of keys: the transaction that began
// first at once, the others after a while.
func (ws *waiters) released(keys [][]byte) {
	for _, key := range keys {
		waiting := ws.byKey[string(key)]
		if len(waiting) == 0 {
			continue
		}
		first := slices.MinFunc(waiting, func(a, b *waiter) int { return cmp.Compare(a.startTS, b.startTS) })
		woken := ws.take(string(key), func(*waiter) bool { return true })
		rest := slices.DeleteFunc(woken, func(w *waiter) bool { return w == first })
		first.result.Resolve(waitEnd{}, nil)
		if len(rest) == 0 {
			continue
		}
		markWaitMany.Reached()
		ws.sched.After(wakeUpDelay, func() {
			for _, w := range rest {
				w.result.Resolve(waitEnd{}, nil)
			}
		})
	}
}

// Detector finds deadlocks in the whole cluster: it is told who waits for whom.
type Detector interface {
	// Detect adds an edge to the wait-for graph, unless it closes a circle: then
	// the answer has a DeadlockKeyHash and the chain of those who wait.
	Detect(t env.Task, edge deadlock.WaitForEntry) (*deadlock.DeadlockResponse, error)
	// Forget takes an edge away.
	Forget(t env.Task, edge deadlock.WaitForEntry)
}

// KeyHash is the name of a key in deadlock reports.
func KeyHash(key []byte) uint64 { return xxhash.Sum64(codec.EncodeBytes(key)) }

// detect asks in the background whether a wait can come to an end. The edge is
// taken away when the wait is over, and never before it was added.
func (s *Scheduler) detect(w *waiter) {
	edge := deadlock.WaitForEntry{
		Txn: w.startTS, WaitForTxn: w.lock.LockVersion, KeyHash: KeyHash(w.lock.Key), Key: w.lock.Key,
	}
	s.sched.Go("detect deadlock", func(t env.Task) {
		resp, err := s.cfg.Detector.Detect(t, edge)
		if err != nil {
			// The wait has a timeout, after which the edge is sent again.
			markDetectFailed.Reached()
			return
		}
		if resp.DeadlockKeyHash != 0 {
			w.result.Resolve(waitEnd{deadlock: deadlockError(w, resp)}, nil)
			return
		}
		// Cannot fail: the wait has a limit of its own.
		_, _ = w.over.Await(t, -1)
		s.cfg.Detector.Forget(t, edge)
	})
}

func deadlockError(w *waiter, resp *deadlock.DeadlockResponse) *kvrpcpb.Deadlock {
	d := &kvrpcpb.Deadlock{
		LockTs: w.lock.LockVersion, LockKey: w.lock.Key,
		DeadlockKeyHash: resp.DeadlockKeyHash, DeadlockKey: resp.DeadlockKey,
	}
	d.WaitChain = resp.WaitChain
	return d
}
