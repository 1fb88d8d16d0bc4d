package placement

import (
	"fmt"
	"time"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
)

//nolint:gochecknoglobals // marks register once
var (
	markIDWait  = invariant.NewMark("placement: id request waited for a new batch")
	markIDsLost = invariant.NewMark("placement: ids begin above the batch of an earlier leadership")
)

// idAllocator hands out ids, each once in the life of the cluster. Ids up to
// end are reserved for this leadership, which has committed that; the next one
// begins above it, and those that are left over are lost.
type idAllocator struct {
	storage Storage
	batch   uint64

	next, end uint64 // the ids in [next, end] can be handed out
	saving    bool
	waiting   env.WaitQueue
}

func newIDAllocator(img Image, storage Storage, batch uint64) (*idAllocator, error) {
	a := &idAllocator{storage: storage, batch: batch}
	err := img.Load(keyID, func(_ string, value []byte) (err error) {
		a.end, err = decodeUint64(value)
		return err
	})
	a.next = a.end + 1
	return a, err
}

// take returns the first of n consecutive ids. It waits, at most for limit, if
// they have to be reserved first.
func (a *idAllocator) take(t env.Task, n uint64, limit time.Duration) (uint64, error) {
	for {
		if !a.storage.Leads() {
			return 0, errNotLeader
		}
		if a.next+n-1 <= a.end {
			first := a.next
			a.next += n
			return first, nil
		}
		markIDWait.Reached()
		a.reserve(n)
		if !a.waiting.Wait(t, limit) {
			return 0, fmt.Errorf("placement: reserve ids: %w", env.ErrTimeout)
		}
	}
}

// isLast reports whether id is the last one that was handed out.
func (a *idAllocator) isLast(id uint64) bool { return id+1 == a.next }

func (a *idAllocator) reserve(n uint64) {
	if a.saving {
		return
	}
	a.saving = true
	end := a.end + max(a.batch, n)
	a.storage.Save([]Record{{keyID, encodeUint64(end)}}, func(err error) {
		a.saving = false
		if err == nil {
			invariant.Check(end > a.end, "placement: reserved ids end at %d after %d", end, a.end)
			a.end = end
		}
		a.waiting.WakeAll()
	})
}
