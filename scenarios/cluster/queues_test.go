package cluster

import (
	"slices"
	"testing"

	"simrun/sim/plan"
)

// A wait for a lock is over when the request leaves the queue, when the process of its
// store ends, and when another store has begun to serve the region; what lasts, lasts
// until now. What comes later changes nothing.
func TestQueues(t *testing.T) {
	p := plan.Default()
	c, err := New(&p, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	q, now := &c.queues, int64(0)
	began := func(waiter, region uint64, store string) func() {
		return q.began(func() int64 { return now }, store, LockWait{Waiter: waiter, Holder: 9, region: region})
	}
	left := began(1, 7, "store1")
	leftLate := began(2, 7, "store2")
	began(3, 8, "store2")
	began(4, 7, "store3")
	began(5, 8, "store1")
	now = 10
	left()
	now = 20
	q.moved(now, 7, "store3") // which serves it, and 4 goes on waiting there
	now = 30
	leftLate()
	left()
	q.ended(now, "store2")
	if err := c.World.RunFor(50); err != nil {
		t.Fatal(err)
	}
	var ends []int64
	for i, w := range c.LockWaits() {
		if w.Waiter != []uint64{1, 2, 3, 4, 5}[i] || w.Holder != 9 || w.From != 0 {
			t.Errorf("wait %d: %+v", i, w)
		}
		ends = append(ends, w.To)
	}
	if want := []int64{10, 20, 30, 50, 50}; !slices.Equal(ends, want) {
		t.Errorf("waits end at %v, not %v", ends, want)
	}
}
