package txn

import (
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
)

// latchSlots is the number of latches of a store. Keys share a latch by their
// hash: two commands that meet by chance only wait in vain.
const latchSlots = 2048

// latches keep commands on the same keys apart. Each slot is held by one
// command; the others wait in line and get it in the order in which they came.
type latches struct {
	slots [latchSlots]latch
}

type latch struct {
	held    bool
	waiters []env.Waker
}

// latchSet is the sorted list of slots that one command holds.
type latchSet []uint16

// slotsOf returns the slots of keys, sorted and without repetition.
func slotsOf(keys [][]byte) latchSet {
	set := make(latchSet, len(keys))
	for i, key := range keys {
		set[i] = uint16(xxhash.Sum64(key) % latchSlots)
	}
	slices.Sort(set)
	return slices.Compact(set)
}

// allSlots returns every slot.
func allSlots() latchSet {
	set := make(latchSet, latchSlots)
	for i := range set {
		set[i] = uint16(i)
	}
	return set
}

// acquire waits until the task holds all slots of the set. Slots are taken in
// ascending order, so that no circle of waiting commands can form.
func (l *latches) acquire(t env.Task, set latchSet) {
	l.acquireWithin(t, set, func() time.Duration { return noLimit })
}

// acquireWithin does the same as long as left returns how long to wait for the next
// slot. When that is over it holds no slot and returns false.
func (l *latches) acquireWithin(t env.Task, set latchSet, left func() time.Duration) bool {
	for i, slot := range set {
		latch := &l.slots[slot]
		if !latch.held {
			latch.held = true
			continue
		}
		markLatchWait.Reached()
		w := t.Waker()
		latch.waiters = append(latch.waiters, w)
		// Whoever releases the latch hands it over: it is never free between two
		// owners, so that nobody can overtake those who wait. So who is in line no
		// more has it, even if the time was over in the same instant.
		if t.Park(left()) {
			continue
		}
		if place := slices.Index(latch.waiters, w); place >= 0 {
			latch.waiters = slices.Delete(latch.waiters, place, place+1)
			l.release(set[:i])
			return false
		}
	}
	return true
}

// release hands each slot to the next in line.
func (l *latches) release(set latchSet) {
	for _, slot := range set {
		latch := &l.slots[slot]
		if !latch.held {
			invariant.Fail("txn: release of latch %d, which nobody holds", slot)
		}
		if len(latch.waiters) == 0 {
			latch.held = false
			continue
		}
		next := latch.waiters[0]
		latch.waiters = slices.Delete(latch.waiters, 0, 1)
		next.Wake()
	}
}
