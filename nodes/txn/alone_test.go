package txn

import (
	"fmt"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/env"
	"simrun/sim"
)

// TestDeleteRangeBesideAStuckProposal: a region of the store has lost its quorum while a
// proposal is under way. A delete of a range of another one waits for it, and gives up
// before those wait for long who write yet another.
func TestDeleteRangeBesideAStuckProposal(t *testing.T) {
	c := newCluster(t, 1, sim.Seeded)
	c.sched.SetSafePoints(SafePoints{Closed: 5, Settled: 5})
	stuck := true
	c.region.delay = func() time.Duration {
		if stuck {
			stuck = false
			return 30 * time.Minute
		}
		return time.Millisecond
	}
	prewrite := func(task env.Task, key string) {
		resp := c.sched.Prewrite(task, &kvrpcpb.PrewriteRequest{
			Context: &kvrpcpb.Context{}, Mutations: []*kvrpcpb.Mutation{{Op: kvrpcpb.Op_Put, Key: []byte(key), Value: []byte("v")}},
			PrimaryLock: []byte(key), StartVersion: 10, LockTtl: 1000, MinCommitTs: 11,
		})
		if resp == nil || len(resp.Errors) > 0 || resp.RegionError != nil {
			t.Errorf("prewrite of %s: %v", key, resp)
		}
	}
	c.kernel.Go("stuck", func(task env.Task) { prewrite(task, "stuck") })
	busy, served := 0, 0
	c.kernel.Go("delete range", func(task env.Task) {
		task.Sleep(time.Second)
		for range 3 {
			resp := c.sched.DeleteRange(task, &kvrpcpb.DeleteRangeRequest{
				Context: &kvrpcpb.Context{}, StartKey: []byte("x"), EndKey: []byte("y"),
			})
			if resp.GetRegionError().GetServerIsBusy() != nil {
				busy++
			}
		}
	})
	for i := range 50 {
		c.kernel.Go("write", func(task env.Task) {
			task.Sleep(time.Second + time.Duration(i)*time.Millisecond)
			prewrite(task, fmt.Sprintf("key%d", i))
			served++
		})
	}
	if err := c.kernel.Run(int64(3 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if busy != 3 || served != 50 {
		t.Errorf("%d of 3 deletes found the store busy, and %d of 50 writes were served", busy, served)
	}
	if n := c.sched.pending.tasks; n != 1 {
		t.Errorf("%d commands are under way", n)
	}
}

// TestLatchesWithin: who gives up has left every line and no slot held, also if the slot
// is released in the very instant in which the time is over.
func TestLatchesWithin(t *testing.T) {
	for seed := range uint64(20) {
		c := newCluster(t, seed, sim.Seeded)
		var l latches
		keys := [][]byte{[]byte("a"), []byte("b"), []byte("c")}
		gaveUp, got := 0, 0
		c.kernel.Go("holder", func(task env.Task) {
			l.acquire(task, slotsOf(keys[1:2]))
			task.Sleep(10 * time.Millisecond)
			l.release(slotsOf(keys[1:2]))
		})
		for i := range 20 {
			c.kernel.Go("within", func(task env.Task) {
				task.Sleep(time.Millisecond)
				all := slotsOf(keys)
				if !l.acquireWithin(task, all, func() time.Duration { return time.Duration(i) * time.Millisecond }) {
					gaveUp++
					return
				}
				got++
				task.Sleep(100 * time.Microsecond)
				l.release(all)
			})
		}
		c.run(t)
		if gaveUp+got != 20 || gaveUp < 9 || got < 9 {
			t.Errorf("seed %d: %d gave up, %d got the latches", seed, gaveUp, got)
		}
		for i := range l.slots {
			if l.slots[i].held || len(l.slots[i].waiters) > 0 {
				t.Fatalf("seed %d: slot %d is held: %v, %d wait", seed, i, l.slots[i].held, len(l.slots[i].waiters))
			}
		}
	}
}
