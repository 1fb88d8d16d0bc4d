package txn

import (
	"fmt"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/env"
	"simrun/sim"
)

// rangeCluster is a cluster on which ranges may be deleted, and of which one proposal never
// comes to an end: the first.
func rangeCluster(t *testing.T, seed uint64) *cluster {
	t.Helper()
	c := newCluster(t, seed, sim.Seeded)
	c.sched.SetSafePoints(SafePoints{Closed: 5, Settled: 5})
	stuck := true
	c.region.delay = func() time.Duration {
		if stuck {
			stuck = false
			return 30 * time.Minute
		}
		return time.Millisecond
	}
	return c
}

// prewriteOne prewrites a key and returns whether it was locked, or the store was busy.
func prewriteOne(c *cluster, task env.Task, key string) (locked, busy bool) {
	resp := c.sched.Prewrite(task, &kvrpcpb.PrewriteRequest{
		Context: &kvrpcpb.Context{}, Mutations: []*kvrpcpb.Mutation{{Op: kvrpcpb.Op_Put, Key: []byte(key), Value: []byte("v")}},
		PrimaryLock: []byte(key), StartVersion: 10, LockTtl: 1000, MinCommitTs: 11,
	})
	return len(resp.GetErrors()) == 0 && resp.GetRegionError() == nil, resp.GetRegionError().GetServerIsBusy() != nil
}

// deleteRange deletes the keys from x to y and returns whether they were, or the store was
// busy.
func deleteRange(c *cluster, task env.Task) (deleted, busy bool) {
	resp := c.sched.DeleteRange(task, &kvrpcpb.DeleteRangeRequest{Context: &kvrpcpb.Context{}, StartKey: []byte("x"), EndKey: []byte("y")})
	return resp.GetError() == "" && resp.GetRegionError() == nil, resp.GetRegionError().GetServerIsBusy() != nil
}

// TestDeleteRangeBesideStuckProposals: a region of the store has lost its quorum while a
// proposal is under way: that of a write elsewhere, of a write to the range that is to be
// deleted, or of the deletion. All writes elsewhere are served at once.
func TestDeleteRangeBesideStuckProposals(t *testing.T) {
	for _, stuck := range []string{"write elsewhere", "write to the range", "deletion"} {
		t.Run(stuck, func(t *testing.T) {
			c := rangeCluster(t, 1)
			switch stuck {
			case "write elsewhere":
				c.kernel.Go("stuck", func(task env.Task) { prewriteOne(c, task, "stuck") })
			case "write to the range":
				c.kernel.Go("stuck", func(task env.Task) { prewriteOne(c, task, "x5") })
			case "deletion":
				c.kernel.Go("stuck", func(task env.Task) { deleteRange(c, task) })
			}
			served, refused := 0, 0
			deletions := map[string]int{}
			for i := range 50 {
				c.kernel.Go("write", func(task env.Task) {
					task.Sleep(time.Second + time.Duration(i)*time.Millisecond)
					begun := c.kernel.Now()
					if locked, _ := prewriteOne(c, task, fmt.Sprintf("key%d", i)); locked && c.kernel.Now()-begun < int64(10*time.Millisecond) {
						served++
					}
				})
			}
			c.kernel.Go("delete", func(task env.Task) {
				task.Sleep(time.Second)
				for range 3 {
					deleted, busy := deleteRange(c, task)
					deletions[fmt.Sprint(deleted, busy)]++
				}
			})
			c.kernel.Go("write to the range", func(task env.Task) {
				task.Sleep(1100 * time.Millisecond)
				if _, busy := prewriteOne(c, task, "x1"); busy {
					refused++
				}
			})
			if err := c.kernel.Run(int64(10 * time.Second)); err != nil {
				t.Fatal(err)
			}
			if served != 50 {
				t.Errorf("%d of 50 writes elsewhere were served", served)
			}
			elsewhere := stuck == "write elsewhere"
			if want := map[bool]string{true: "true false", false: "false true"}[elsewhere]; deletions[want] != 3 {
				t.Errorf("deletions that were done, or found the store busy: %v", deletions)
			}
			if elsewhere != (refused == 0) {
				t.Errorf("%d writes to the range were refused", refused)
			}
			if n := c.sched.pending.tasks; n != 1 {
				t.Errorf("%d commands are under way", n)
			}
		})
	}
}

// TestDeleteRangeBesideAHotKey: there is always somebody who waits for the latch of a key
// elsewhere, and the deletion does not care.
func TestDeleteRangeBesideAHotKey(t *testing.T) {
	c := newCluster(t, 1, sim.Seeded)
	c.sched.SetSafePoints(SafePoints{Closed: 5, Settled: 5})
	c.region.delay = func() time.Duration { return 10 * time.Millisecond }
	for range 30 {
		c.kernel.Go("write", func(task env.Task) {
			for task.Sleep(0); c.kernel.Now() < int64(3*time.Second); task.Sleep(5 * time.Millisecond) {
				c.sched.RawPut(task, &kvrpcpb.RawPutRequest{Context: &kvrpcpb.Context{}, Key: []byte("hot"), Value: []byte("v")})
			}
		})
	}
	took := int64(0)
	c.kernel.Go("delete", func(task env.Task) {
		task.Sleep(time.Second)
		begun := c.kernel.Now()
		if deleted, _ := deleteRange(c, task); deleted {
			took = c.kernel.Now() - begun
		}
	})
	c.run(t)
	if took == 0 || took > int64(20*time.Millisecond) {
		t.Errorf("the deletion took %v", time.Duration(took))
	}
	if n := len(c.sched.ranges.running) + len(c.sched.ranges.claimed); n != 0 {
		t.Errorf("%d commands are noted", n)
	}
}
