package txn

import (
	"slices"

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

// acquire waits until the task holds all slots of the set. Slots are taken in
// ascending order, so that no circle of waiting commands can form.
func (l *latches) acquire(t env.Task, set latchSet) {
	for _, slot := range set {
		latch := &l.slots[slot]
		if !latch.held {
			latch.held = true
			continue
		}
		markLatchWait.Reached()
		latch.waiters = append(latch.waiters, t.Waker())
		// Whoever releases the latch hands it over: it is never free between two
		// owners, so that nobody can overtake those who wait.
		t.Park(-1)
	}
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
