package raftstore

import (
	"fmt"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/metapb"

	"simrun/nodes/env"
	"simrun/sim/disk"
)

// tryMerge asks the leader of the region of one key to merge it into that of
// another.
func (c *cluster) tryMerge(t env.Task, source, target string) (*errorpb.Error, error) {
	s := c.leaderOf(source)
	if s == nil {
		return errNotLeader(0, nil), nil
	}
	region, _ := s.RegionOf([]byte(target))
	return s.MergeRegion(t, s.context(source), region, 2*time.Second)
}

// merge merges the region of one key into that of another, trying until both keys
// are in one.
func (c *cluster) merge(t env.Task, source, target string) {
	for range 400 {
		if s := c.leaderOf(target); s != nil {
			if region, _ := s.RegionOf([]byte(target)); contains(region, []byte(source)) {
				return
			}
		}
		_, _ = c.tryMerge(t, source, target)
		t.Sleep(20 * time.Millisecond)
	}
	c.t.Errorf("merge of %s into %s was never done", source, target)
}

// moveLeader makes a store lead the region of key.
func (c *cluster) moveLeader(t env.Task, key string, to *testStore) {
	for range 400 {
		s := c.leaderOf(key)
		if s == to {
			return
		}
		if s != nil {
			region, _ := s.RegionOf([]byte(key))
			s.TransferLeader(region.GetId(), peerOnStore(region, to.id).GetId())
		}
		t.Sleep(50 * time.Millisecond)
	}
	c.t.Errorf("store %d never led the region of %s", to.id, key)
}

// twoRegions is a cluster of two regions that meet at m, each with some data.
func twoRegions(t *testing.T, seed uint64, raft Config) *cluster {
	c := newCluster(t, clusterOptions{seed: seed, regions: testRegions(3, "m"), raft: raft})
	c.waitLeader("a")
	c.waitLeader("z")
	c.do(func(t env.Task) {
		for _, key := range []string{"a", "b", "n", "z"} {
			c.put(t, key, "old")
		}
	})
	return c
}

// checkMerged checks that all stores have one region for all keys, with its data.
func (c *cluster) checkMerged(values map[string]string) {
	c.t.Helper()
	c.do(func(t env.Task) {
		for key, want := range values {
			if got := c.get(t, key); got != want {
				c.t.Errorf("%s = %q, want %q", key, got, want)
			}
		}
		c.put(t, "a", "new")
		c.put(t, "z", "new")
	})
	c.converged()
	for _, s := range c.stores {
		if infos := s.Regions(); len(infos) != 1 || len(infos[0].Region.StartKey)+len(infos[0].Region.EndKey) > 0 {
			c.t.Errorf("store %d: %v", s.id, infos)
		}
	}
}

// A source goes into its target from either side, wherever their leaders are. The
// union has a version beyond both, the source is a tombstone that remembers where
// it has gone, and the target remembers the source.
func TestMerge(t *testing.T) {
	for i, keys := range [][2]string{{"z", "a"}, {"a", "z"}} {
		for j := range 2 {
			leads := map[string]int{}
			c := twoRegions(t, uint64(10+2*i+j), Config{RoleChanged: func(region, term uint64, begins bool) {
				if begins {
					leads[fmt.Sprintf("%d/%d", region, term)]++
				}
			}})
			c.do(func(t env.Task) {
				c.moveLeader(t, keys[0], c.stores[0])
				c.moveLeader(t, keys[1], c.stores[j])
				c.merge(t, keys[0], keys[1])
			})
			c.checkMerged(map[string]string{"a": "old", "b": "old", "n": "old", "z": "old"})
			into := c.stores[0].Regions()[0].Region
			if v := into.RegionEpoch.Version; v != 3 {
				t.Errorf("the union has version %d", v)
			}
			source := uint64(1)
			if into.Id == 1 {
				source = 5
			}
			for _, s := range c.stores {
				if got := s.tombstones[source].GetMergeState().GetTarget().GetId(); got != into.Id {
					t.Errorf("store %d: the tombstone of %d says that it went into %d", s.id, source, got)
				}
				if !absorbed(s.byRegion[into.Id].merge.records, source) {
					t.Errorf("store %d: no record of the source", s.id)
				}
			}
			// Who keeps something for the leader of a region is told that it has grown.
			if term := c.leaderOf("a").Regions()[0].Term; leads[fmt.Sprintf("%d/%d", into.Id, term)] != 2 {
				t.Errorf("told of leaderships: %v", leads)
			}
			if c.prepared != 3 || c.merges != 3 || c.rollbacks != 0 {
				t.Errorf("%d prepared, %d merged, %d rolled back", c.prepared, c.merges, c.rollbacks)
			}
			c.w.Close()
		}
	}
}

// Writes that are under way while their region is merged, and merged again after
// a split, end up in the union or are refused; none is lost or applied twice.
func TestMergeUnderProposals(t *testing.T) {
	refused := reached("request refused by a region that is merging")
	c := newCluster(t, clusterOptions{seed: 20, regions: testRegions(3, "k4")})
	c.waitLeader("")
	c.waitLeader("k9")
	running := 0
	for task := range 8 {
		running++
		c.w.Go("writer", func(t env.Task) {
			for i := range 100 {
				c.put(t, fmt.Sprintf("k%d%02d", task, i), fmt.Sprint(i))
			}
			running--
		})
	}
	c.do(func(t env.Task) {
		for i := range 6 {
			c.merge(t, []string{"k9", "k0"}[i%2], []string{"k0", "k9"}[i%2])
			t.Sleep(20 * time.Millisecond)
			c.split(t, fmt.Sprintf("k%d", i+1))
		}
		c.merge(t, "k9", "k0")
	})
	c.until("writers", func() bool { return running == 0 })
	c.converged()
	c.do(func(t env.Task) {
		for task := range 8 {
			for i := range 100 {
				key := fmt.Sprintf("k%d%02d", task, i)
				if got := c.get(t, key); got != fmt.Sprint(i) {
					c.t.Errorf("%s = %q", key, got)
				}
			}
		}
	})
	if refused() == 0 || c.merges != 21 {
		t.Errorf("%d requests refused, %d merges", refused(), c.merges)
	}
}

// Whenever the power of all stores fails, or of one, or a process ends, the merge
// is done afterwards as a whole or not at all, and the same everywhere.
func TestMergeCrash(t *testing.T) {
	for _, victims := range []string{"all", "source", "target", "other"} {
		for step := range steps(60) {
			crashDuringMerge(t, victims, step)
		}
	}
}

func crashDuringMerge(t *testing.T, victims string, step int) {
	c := twoRegions(t, 21, Config{})
	c.do(func(t env.Task) {
		c.moveLeader(t, "z", c.stores[0])
		c.moveLeader(t, "a", c.stores[1])
	})
	c.w.Go("merge", func(t env.Task) { _, _ = c.tryMerge(t, "z", "a") })
	c.run(time.Duration(step) * 250 * time.Microsecond)
	kind := disk.PowerLoss
	if step%3 == 2 {
		kind = disk.ProcessKill
	}
	crashed := map[string][]*testStore{
		"all": c.stores, "source": c.stores[:1], "target": c.stores[1:2], "other": c.stores[2:],
	}[victims]
	for _, s := range crashed {
		s.node.Crash(kind)
	}
	c.run(time.Duration(step%5) * 300 * time.Millisecond)
	c.w.StartAll()
	c.do(func(t env.Task) {
		c.put(t, "n", "new")
		c.merge(t, "z", "a")
	})
	c.checkMerged(map[string]string{"a": "old", "n": "new", "z": "old"})
	c.w.Close()
}

// What a source must not be merged into, and what must not be merged.
func TestMergeRefusals(t *testing.T) {
	c := newCluster(t, clusterOptions{seed: 22, stores: 4, regions: testRegions(3, "e", "m", "t")})
	for _, key := range []string{"a", "g", "p", "z"} {
		c.waitLeader(key)
	}
	region := func(key string) *metapb.Region {
		r, _ := c.leaderOf(key).RegionOf([]byte(key))
		return r
	}
	refuse := func(what, source string, target *metapb.Region) {
		t.Helper()
		c.do(func(t env.Task) {
			s := c.leaderOf(source)
			regionErr, err := s.MergeRegion(t, s.context(source), target, time.Second)
			if err != nil || regionErr == nil {
				c.t.Errorf("%s: %v, %v", what, regionErr, err)
			}
		})
	}
	refuse("no neighbour", "a", region("p"))
	refuse("itself", "a", region("a"))
	refuse("another epoch of the target", "a", withEpoch(region("g"), 1, 0))
	refuse("no such target", "a", &metapb.Region{Id: 99, StartKey: []byte("e"), RegionEpoch: &metapb.RegionEpoch{}})
	// Members of other stores or roles.
	c.do(func(t env.Task) { c.change(t, "p", learner(900, 4)) })
	refuse("more members", "p", region("g"))
	refuse("fewer members", "g", region("p"))
	c.do(func(t env.Task) {
		c.change(t, "p", removal(900, 4))
		c.change(t, "p", learner(901, 4))
		c.change(t, "g", voter(902, 4))
	})
	refuse("other roles", "p", region("g"))
	// A peer that lacks too much, or an administrative command.
	c.do(func(t env.Task) { c.put(t, "a", "1") })
	heal := c.isolate(c.stores[c.leaderOf("a").id%3])
	c.do(func(t env.Task) { c.split(t, "b") })
	c.waitLeader("c")
	refuse("a split that a peer lacks", "a", region("c"))
	heal()
	c.run(time.Second)
	c.do(func(t env.Task) { c.merge(t, "c", "a") })
}
