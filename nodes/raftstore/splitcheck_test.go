package raftstore

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/pdpb"

	"simrun/nodes/codec"
	"simrun/nodes/engine"
	"simrun/nodes/env"
)

// leaders returns the regions of all leaders, in the order of their keys, with the
// number of keys that each of them holds as it was measured last.
func (c *cluster) leaders() (peers []*peer) {
	for _, s := range c.stores {
		for _, p := range s.ranges {
			if p.isLeader() && !p.destroyed {
				peers = append(peers, p)
			}
		}
	}
	return peers
}

// Goal: a region that grows is split until all parts are small enough; writing
// over a few keys again and again makes none grow.
func TestSplitByKeys(t *testing.T) {
	for name, cfg := range map[string]Config{
		"keys": {RegionMaxKeys: 12, SplitCheckInterval: 200 * time.Millisecond},
		"size": {RegionMaxSize: 12 * (4 + 20), SplitCheckInterval: 200 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, clusterOptions{seed: 1, raft: cfg})
			c.waitLeader("")
			smaller := reached("region smaller than it was taken for")
			c.do(func(t env.Task) {
				for i := range 60 {
					c.put(t, fmt.Sprintf("k%03d", i%3), fmt.Sprintf("%020d", i))
				}
				t.Sleep(time.Second)
			})
			if n := len(c.leaders()); n != 1 || smaller() == 0 {
				t.Errorf("%d regions hold three keys, %d looks", n, smaller())
			}
			many := reached("region split into more than two by its size")
			c.do(func(t env.Task) {
				for i := range 100 {
					c.put(t, fmt.Sprintf("k%03d", i), fmt.Sprintf("%020d", i))
				}
			})
			c.until("small regions", func() bool {
				leaders := c.leaders()
				for _, p := range leaders {
					if p.keys > 12 {
						return false
					}
				}
				return len(leaders) >= 100/12
			})
			if n := len(c.leaders()); n > 100/8+2 || many() == 0 {
				t.Errorf("%d regions, %d splits into many", n, many())
			}
		})
	}
}

// Goal: a region that is far from full is split in halves when the placement
// driver wants it, and not when the order is for an earlier epoch.
func TestSplitByOrder(t *testing.T) {
	c := newCluster(t, clusterOptions{seed: 2})
	s := c.waitLeader("")
	c.do(func(t env.Task) {
		for i := range 10 {
			c.put(t, fmt.Sprintf("k%d", i), "v")
		}
	})
	p := s.ranges[0]
	order := &pdpb.RegionHeartbeatResponse{
		RegionId: p.regionID, RegionEpoch: p.region.GetRegionEpoch(), TargetPeer: p.meta,
		SplitRegion: &pdpb.SplitRegion{Policy: pdpb.CheckPolicy_SCAN},
	}
	halves, late := reached("region split in halves"), reached("order of the placement driver for an earlier epoch or another leader ignored")
	give := func() { s.node.Do(func() { s.OnRegionHeartbeatResponse(order) }) }
	give()
	c.until("two leaders", func() bool { return len(c.leaders()) == 2 })
	give()
	c.run(time.Second)
	if len(c.leaders()) != 2 || halves() != 1 || late() != 1 {
		t.Errorf("%d regions, %d halved, %d orders ignored", len(c.leaders()), halves(), late())
	}
	for _, p := range c.leaders() {
		if string(p.region.GetStartKey()) != "" && string(p.region.GetStartKey()) != "k6" {
			t.Errorf("split at %q", p.region.GetStartKey())
		}
	}
}

// Goal: all versions of a key stay together, and a raw key is divided where it is.
func TestWithoutVersion(t *testing.T) {
	for _, user := range []string{"", "k", "account/0001", "exactly8", "nine char"} {
		key := codec.EncodeBytes([]byte(user))
		if got := withoutVersion(codec.AppendTS(bytes.Clone(key), 42)); !bytes.Equal(got, key) {
			t.Errorf("%q: %q", user, got)
		}
	}
	for _, raw := range []string{"", "k", "reg/0001", "a raw key of any length"} {
		if got := withoutVersion([]byte(raw)); string(got) != raw {
			t.Errorf("%q becomes %q", raw, got)
		}
	}
	p := &peer{s: &Store{}}
	m := measure{p: p, keysMax: 3}
	off := reached("split point put off to the next key, for one key has many versions")
	for _, user := range []string{"a", "a", "a", "a", "b", "c"} {
		m.count(codec.AppendTS(codec.EncodeBytes([]byte(user)), uint64(100-m.keys)), 10)
	}
	if len(m.splits) != 1 || string(m.splits[0]) != string(codec.EncodeBytes([]byte("b"))) || off() != 2 || m.keys != 6 {
		t.Errorf("divided at %q, put off %d times", m.splits, off())
	}
}

// Goal: one slow write means little, a slow disk is noticed, and forgiven slowly.
func TestSlowness(t *testing.T) {
	var sl slowness
	const limit = 100 * time.Millisecond
	now := time.Duration(0)
	write := func(took time.Duration) uint64 {
		sl.begin(now)
		now += took
		sl.end(now)
		return sl.report(now, limit)
	}
	if got := write(time.Millisecond); got != 1 {
		t.Errorf("healthy: %d", got)
	}
	if got := write(time.Second); got != slowScoreRise {
		t.Errorf("one slow write: %d", got)
	}
	for range 2 {
		write(time.Second)
	}
	sl.begin(now) // and does not end
	if got := sl.report(now+time.Second, limit); got != slowScoreMax {
		t.Errorf("a stalled disk: %d", got)
	}
	sl.end(now + time.Second)
	sl.longest = 0
	periods := 0
	for write(time.Millisecond) > 1 {
		periods++
	}
	if periods < 5 || periods > 15 {
		t.Errorf("forgiven after %d periods", periods)
	}
}

// A region that cannot be split, for it merges, is looked at again at the next
// look, and not at once for ever.
func TestSplitOfMergingRegion(t *testing.T) {
	c, heal := preparedOnly(t, 73, Config{RegionMaxKeys: 100, SplitCheckInterval: 200 * time.Millisecond})
	s := c.stores[0]
	p := s.byRegion[5]
	failed := reached("split by size did not come about")
	s.node.Do(func() {
		s.cfg.RegionMaxKeys, p.measured = 1, false
		b := s.eng.KV.NewBatch()
		for _, key := range []string{"w", "x", "y"} {
			b.Put(engine.Default, []byte(key), []byte("v"))
		}
		if err := s.eng.KV.Write(b); err != nil {
			t.Error(err)
		}
	})
	c.run(time.Second)
	if n := failed(); n < 2 || n > 6 {
		t.Errorf("%d attempts within a second", n)
	}
	heal()
}
