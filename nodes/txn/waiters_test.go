package txn

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/env"
	"simrun/sim"
)

// TestQueued: whoever stands in the queue for a lock is reported with whom it waits
// for, once, and leaves it at its end: when the lock is released - also who is woken
// only later - or when its time is over. Who gets the lock at once never was in it.
func TestQueued(t *testing.T) {
	c := newCluster(t, 1, sim.Arrival)
	var told []string
	c.sched.cfg.Queued = func(startTS, holder, region uint64) func() {
		from := c.kernel.Now()
		return func() {
			told = append(told, fmt.Sprintf("%d for %d in region %d, %v", startTS, holder, region,
				time.Duration(c.kernel.Now()-from).Round(10*time.Millisecond)))
		}
	}
	lock := func(task env.Task, startTS uint64) {
		c.sched.PessimisticLock(task, &kvrpcpb.PessimisticLockRequest{
			Context: &kvrpcpb.Context{RegionId: 1}, StartVersion: startTS, ForUpdateTs: startTS, PrimaryLock: []byte("a"),
			LockTtl: 1000, IsFirstLock: true, WaitTimeout: 100, Mutations: []*kvrpcpb.Mutation{{Op: kvrpcpb.Op_PessimisticLock, Key: []byte("a")}},
		})
	}
	c.do(t, func(task env.Task) {
		lock(task, 10)
		for _, startTS := range []uint64{20, 21} {
			c.kernel.Go("waits", func(task env.Task) { lock(task, startTS) })
		}
		lock(task, 22) // in vain
		for _, startTS := range []uint64{30, 31} {
			c.kernel.Go("waits", func(task env.Task) { lock(task, startTS) })
		}
		task.Sleep(50 * time.Millisecond)
		c.sched.PessimisticRollback(task, &kvrpcpb.PessimisticRollbackRequest{
			Context: &kvrpcpb.Context{RegionId: 1}, StartVersion: 10, ForUpdateTs: 10, Keys: [][]byte{[]byte("a")},
		})
		task.Sleep(time.Second)
	})
	want := []string{
		"20 for 10 in region 1, 100ms", "21 for 10 in region 1, 100ms", "22 for 10 in region 1, 100ms",
		"30 for 10 in region 1, 50ms", "31 for 10 in region 1, 50ms",
	}
	if slices.Sort(told); !slices.Equal(told, want) {
		t.Errorf("%q, not %q", told, want)
	}
}
