package raftstore

import (
	"fmt"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/errorpb"

	"simrun/nodes/engine"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/sim/disk"
)

// A leader that was cut off goes on believing in itself for a while, and an
// unconfirmed snapshot is all that it can give. A confirmed read fails.
func TestStaleLeaderDoesNotRead(t *testing.T) {
	dropped, retried := reached("read dropped on a change of leader"), reached("read index asked again")
	c := newCluster(t, clusterOptions{seed: 1})
	old := c.waitLeader("")
	c.do(func(t env.Task) { c.put(t, "k", "old") })
	heal := c.isolate(old)
	c.do(func(t env.Task) {
		snap, regionErr := old.LeaderSnapshot(old.context("k"))
		if regionErr != nil {
			c.t.Fatal(regionErr)
		}
		if value, _ := snap.Get(engine.Default, []byte("k")); string(value) != "old" {
			c.t.Errorf("unconfirmed snapshot has %q", value)
		}
		snap.Close()
		if value, regionErr := c.tryGet(t, old, "k"); regionErr.GetNotLeader() == nil {
			c.t.Errorf("a leader without followers reads %q, %v", value, regionErr)
		}
		for c.leaderOf("") == nil || c.leaderOf("") == old {
			t.Sleep(10 * time.Millisecond)
		}
		c.put(t, "k", "new")
	})
	heal()
	c.do(func(t env.Task) {
		if got := c.get(t, "k"); got != "new" {
			c.t.Errorf("k = %q", got)
		}
	})
	if dropped() == 0 || retried() == 0 {
		t.Errorf("%d reads dropped, %d asked again", dropped(), retried())
	}
}

// Reads of one region at the same instant share one round; all of them see what
// was acknowledged before.
func TestReadsShareRound(t *testing.T) {
	shared := reached("reads shared one confirmation")
	c := newCluster(t, clusterOptions{seed: 2})
	s := c.waitLeader("")
	c.do(func(t env.Task) { c.put(t, "k", "v") })
	running := 20
	asked := s.nextRead
	for range running {
		c.w.Go("reader", func(t env.Task) {
			if got, regionErr := c.tryGet(t, s, "k"); got != "v" || regionErr != nil {
				c.t.Errorf("k = %q, %v", got, regionErr)
			}
			running--
		})
	}
	c.until("reads", func() bool { return running == 0 })
	if rounds := s.nextRead - asked; rounds != 1 || shared() != 1 {
		t.Errorf("%d rounds, %d shared", rounds, shared())
	}
}

// A read waits until what was committed before it is applied. Applying waits
// while a split of another region is being made durable.
func TestReadWaitsForApply(t *testing.T) {
	waited := reached("read waited for apply")
	slow := disk.DefaultConfig()
	slow.Sync = disk.Latency{Min: 5 * time.Millisecond, Max: 5 * time.Millisecond}
	c := newCluster(t, clusterOptions{seed: 3, regions: testRegions(3, "m"), disk: slow})
	s := c.waitLeader("a")
	region, _ := s.RegionOf([]byte("z"))
	if other := c.waitLeader("z"); other != s {
		other.TransferLeader(region.Id, peerOnStore(region, s.id).Id)
		c.until("transfer", func() bool { return c.leaderOf("z") == s })
	}
	c.run(time.Second)
	c.w.Go("split", func(t env.Task) { c.split(t, "g") })
	for i := range 400 {
		c.w.Go("writer", func(t env.Task) { c.put(t, fmt.Sprintf("z%03d", i), "v") })
		c.w.Go("reader", func(t env.Task) {
			if _, regionErr := c.tryGet(t, s, "z"); regionErr != nil {
				c.t.Error(regionErr)
			}
		})
		c.run(100 * time.Microsecond)
	}
	c.run(time.Second)
	if waited() == 0 {
		t.Error("no read waited")
	}
	c.converged()
}

// A request that reaches the wrong place, or a region that has changed, gets the
// region error that says so, for reads as for writes.
func TestRegionErrors(t *testing.T) {
	epochs := reached("epoch mismatch at propose")
	c := newCluster(t, clusterOptions{seed: 4, regions: testRegions(3, "m"), raft: Config{EntrySizeMax: 1000}})
	s := c.waitLeader("a")
	follower := c.stores[s.id%3]
	c.run(time.Second)
	good := s.context("a")
	requests := map[string]struct {
		want func(*errorpb.Error) bool
		ask  func(t env.Task) *errorpb.Error
	}{
		"other store": {
			func(e *errorpb.Error) bool { return e.GetStoreNotMatch().GetActualStoreId() == follower.id },
			func(t env.Task) *errorpb.Error { _, e := follower.ReadSnapshot(t, good); return e },
		},
		"not leader": {
			func(e *errorpb.Error) bool { return e.GetNotLeader().GetLeader().GetStoreId() == s.id },
			func(t env.Task) *errorpb.Error { _, e := follower.ReadSnapshot(t, follower.context("a")); return e },
		},
		"no region": {
			func(e *errorpb.Error) bool { return e.GetRegionNotFound().GetRegionId() == 99 },
			func(t env.Task) *errorpb.Error {
				ctx := *good
				ctx.RegionId = 99
				_, e := s.LeaderSnapshot(&ctx)
				return e
			},
		},
		"other peer": {
			func(e *errorpb.Error) bool { return e.GetMismatchPeerId() != nil },
			func(t env.Task) *errorpb.Error {
				ctx := *good
				p := *good.Peer
				p.Id = 99
				ctx.Peer = &p
				_, e := s.LeaderSnapshot(&ctx)
				return e
			},
		},
		"old epoch": {
			func(e *errorpb.Error) bool {
				return e.GetEpochNotMatch().GetCurrentRegions()[0].GetId() == good.RegionId
			},
			func(t env.Task) *errorpb.Error {
				ctx := *good
				epoch := *good.RegionEpoch
				epoch.Version++
				ctx.RegionEpoch = &epoch
				_, e := s.LeaderSnapshot(&ctx)
				return e
			},
		},
		"old term": {
			func(e *errorpb.Error) bool { return e.GetStaleCommand() != nil },
			func(t env.Task) *errorpb.Error {
				ctx := *good
				ctx.Term = 1
				_, e := s.LeaderSnapshot(&ctx)
				return e
			},
		},
		"other key": {
			func(e *errorpb.Error) bool { return e.GetKeyNotInRegion() != nil },
			func(t env.Task) *errorpb.Error { return proposeTest(c, t, s, good, 0, putRequest("z", "")) },
		},
		"other term": {
			func(e *errorpb.Error) bool { return e.GetStaleCommand() != nil },
			func(t env.Task) *errorpb.Error { return proposeTest(c, t, s, good, 3, putRequest("a", "")) },
		},
		"too large": {
			func(e *errorpb.Error) bool { return e.GetRaftEntryTooLarge() != nil },
			func(t env.Task) *errorpb.Error {
				return proposeTest(c, t, s, good, 0, putRequest("a", string(make([]byte, 2000))))
			},
		},
		"no such transfer": {
			func(e *errorpb.Error) bool { return e.GetMismatchPeerId() != nil },
			func(t env.Task) *errorpb.Error { return s.TransferLeader(good.RegionId, 99) },
		},
		"no region to transfer": {
			func(e *errorpb.Error) bool { return e.GetRegionNotFound() != nil },
			func(t env.Task) *errorpb.Error { return s.TransferLeader(99, 99) },
		},
		"not leader to transfer": {
			func(e *errorpb.Error) bool { return e.GetNotLeader() != nil },
			func(t env.Task) *errorpb.Error { return follower.TransferLeader(good.RegionId, good.Peer.Id) },
		},
	}
	for name, r := range requests {
		c.do(func(t env.Task) {
			if e := r.ask(t); e == nil || !r.want(e) {
				c.t.Errorf("%s: %v", name, e)
			}
		})
	}
	if epochs() != 1 {
		t.Errorf("%d epoch mismatches", epochs())
	}
}

// Before its first commit a leader does not know what was committed before it,
// and says so.
func TestReadBeforeFirstCommit(t *testing.T) {
	c := newCluster(t, clusterOptions{seed: 5})
	old := c.waitLeader("")
	c.run(time.Second)
	region, _ := old.RegionOf(nil)
	target := c.stores[old.id%3]
	if e := old.TransferLeader(region.Id, peerOnStore(region, target.id).Id); e != nil {
		t.Fatal(e)
	}
	c.soon("election", func() bool { _, leads := target.RegionOf(nil); return leads })
	c.do(func(t env.Task) {
		if _, e := target.ReadSnapshot(t, target.context("")); e.GetReadIndexNotReady() == nil {
			c.t.Errorf("read: %v", e)
		}
		if _, e := target.LeaderSnapshot(target.context("")); e.GetReadIndexNotReady() == nil {
			c.t.Errorf("snapshot: %v", e)
		}
		c.put(t, "k", "v")
		if got := c.get(t, "k"); got != "v" {
			c.t.Errorf("k = %q", got)
		}
	})
}

// A snapshot shows its region and nothing else.
func TestSnapshotIsClipped(t *testing.T) {
	c := newCluster(t, clusterOptions{seed: 6, regions: testRegions(3, "k3", "k6")})
	c.do(func(t env.Task) {
		for i := range 9 {
			c.waitLeaderTask(t, fmt.Sprintf("k%d", i))
			c.put(t, fmt.Sprintf("k%d", i), "v")
		}
	})
	s := c.waitLeader("k4")
	snap, regionErr := s.LeaderSnapshot(s.context("k4"))
	if regionErr != nil {
		t.Fatal(regionErr)
	}
	defer snap.Close()
	for _, bounds := range []engine.IterOptions{{}, {Lower: []byte("k0"), Upper: []byte("k9")}, {Lower: []byte("k3"), Upper: []byte("k6")}} {
		it, err := snap.NewIter(engine.Default, bounds)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for ok := it.First(); ok; ok = it.Next() {
			got += string(it.Key()) + " "
		}
		it.Close()
		if got != "k3 k4 k5 " {
			t.Errorf("bounds %q: %s", bounds, got)
		}
	}
	defer func() {
		if v, ok := recover().(invariant.Violation); !ok {
			t.Errorf("a read outside of the region: %v", v)
		}
	}()
	_, _ = snap.Get(engine.Default, []byte("k7"))
}
