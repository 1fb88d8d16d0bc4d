package client

import (
	"testing"
	"time"

	"simrun/nodes/env"
)

// TestHoldInTime: whenever it begins, a transaction is reported before the safe point,
// which follows at half the time that a report counts, passes its snapshot.
func TestHoldInTime(t *testing.T) {
	const ttl, step = 1200 * time.Millisecond, 20 * time.Millisecond
	c := newCluster(t, 1, Config{}, false)
	k := &keeper{cluster: c, held: map[string]uint64{}}
	c.run(func(task env.Task) {
		c.client.HoldSnapshots(k, ttl)
		var begun []uint64 // timestamps, one a step
		var tx *Txn
		for i := range 400 {
			if i%73 == 0 { // no multiple of the period
				if tx != nil {
					tx.Rollback(task)
				}
				var err error
				if tx, err = c.client.Begin(task); err != nil {
					t.Fatal(err)
				}
			}
			task.Sleep(step)
			begun = append(begun, c.tick())
			if behind := int(ttl / 2 / step); i >= behind {
				k.wanted = max(k.wanted, begun[i-behind])
			}
			if i%73 > 0 && k.least() > tx.StartTS() {
				t.Fatalf("after %v the safe point passed the snapshot of a transaction that is open for %v",
					time.Duration(i)*step, time.Duration(i%73)*step)
			}
		}
		if len(k.held) == 0 {
			t.Error("nothing was held")
		}
	})
}
