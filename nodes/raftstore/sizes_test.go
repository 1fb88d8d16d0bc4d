package raftstore

import (
	"fmt"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/raft_cmdpb"

	"simrun/nodes/env"
	"simrun/sim/disk"
)

func exactSizes() Config {
	return Config{ExactSizes: true, SplitCheckInterval: 200 * time.Millisecond, LogGCThreshold: 8, LogGCCountLimit: 16}
}

// reported returns what the leader of a key says of the size of its region.
func (c *cluster) reported(key string) (size, keys uint64) {
	c.t.Helper()
	s := c.leaderOf(key)
	if s == nil {
		return 0, 0
	}
	region, _ := s.RegionOf([]byte(key))
	return s.byRegion[region.GetId()].reportedSize()
}

// measured waits until the leader of a key has counted so many entries.
func (c *cluster) measured(key string, want uint64) {
	c.t.Helper()
	c.until(fmt.Sprintf("%d entries", want), func() bool {
		size, keys := c.reported(key)
		return size > 0 && keys == want
	})
}

// Goal: a region that has absorbed another one has the entries of both. Between
// the merge and the next look nobody says what there is. What is overwritten counts
// once, what is deleted not at all.
func TestSizeOfMergedRegions(t *testing.T) {
	c := twoRegions(t, 1, exactSizes())
	c.measured("a", 2)
	c.measured("z", 2)
	unknown := reached("region reported whose size is not known")
	c.do(func(t env.Task) {
		c.put(t, "a", "again")
		c.put(t, "a", "and again")
	})
	if _, keys := c.reported("a"); keys < 2 || keys > 4 {
		t.Errorf("%d entries, there are 2, and 2 were overwritten", keys)
	}
	c.measured("a", 2)
	before := unknown()
	c.do(func(t env.Task) { c.merge(t, "z", "a") })
	if size, keys := c.reported("a"); size != 0 && keys != 4 {
		t.Errorf("the union reports %d entries of %d bytes", keys, size)
	}
	if unknown() == before {
		t.Error("the union is reported at once, and its size is said to be known")
	}
	c.measured("a", 4)
	c.do(func(t env.Task) {
		refusal, err := c.leaderOf("n").Propose(t, c.leaderOf("n").context("n"), 0, []*raft_cmdpb.Request{{
			CmdType: raft_cmdpb.CmdType_Delete, Delete: &raft_cmdpb.DeleteRequest{Cf: "default", Key: []byte("n")},
		}}, time.Second)
		if refusal != nil || err != nil {
			c.t.Errorf("delete: %v, %v", refusal, err)
		}
	})
	c.measured("a", 3)
}

// Goal: who has begun anew, or has its data from a snapshot, does not know how much
// there is until it has looked.
func TestSizeAfterRestartAndSnapshot(t *testing.T) {
	c := newCluster(t, clusterOptions{seed: 2, raft: exactSizes()})
	data := lag(c, 2)
	c.measured("k1", uint64(len(data)))
	c.stores[2].node.Start()
	c.soon("a snapshot", func() bool { return c.snapshots > 0 })
	if p := c.stores[2].ranges[0]; p.measured {
		t.Errorf("%s was restored from a snapshot, and claims to know its size", p)
	}
	c.do(func(t env.Task) { c.moveLeader(t, "k1", c.stores[2]) })
	if size, keys := c.reported("k1"); size != 0 && keys != uint64(len(data)) {
		t.Errorf("the new leader reports %d entries of %d bytes", keys, size)
	}
	c.measured("k1", uint64(len(data)))
	for _, s := range c.stores {
		s.node.Crash(disk.PowerLoss)
		s.node.Start()
	}
	s := c.waitLeader("k1")
	if size, _ := c.reported("k1"); size != 0 && s.ticks < 4 {
		t.Errorf("the leader has just begun, and reports %d bytes", size)
	}
	c.measured("k1", uint64(len(data)))
}

// Goal: what is empty is known to be empty, and the parts of a region that was
// split are counted anew.
func TestSizeOfParts(t *testing.T) {
	c := newCluster(t, clusterOptions{seed: 3, raft: exactSizes()})
	c.waitLeader("")
	c.measured("", 0)
	c.do(func(t env.Task) {
		for _, key := range []string{"a", "b", "c", "x"} {
			c.put(t, key, "value")
		}
	})
	c.measured("a", 4)
	c.do(func(t env.Task) {
		s := c.leaderOf("a")
		if _, refusal, err := s.SplitRegion(t, s.context("a"), [][]byte{[]byte("m")}, time.Second); refusal != nil || err != nil {
			c.t.Errorf("split: %v, %v", refusal, err)
		}
	})
	c.measured("a", 3)
	c.measured("x", 1)
}
