package raftstore

import (
	"fmt"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_serverpb"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"simrun/nodes/engine"
	"simrun/nodes/env"
	"simrun/sim/disk"
)

// split splits the region of the first key, trying until it is done.
func (c *cluster) split(t env.Task, keys ...string) []*metapb.Region {
	var splitKeys [][]byte
	for _, key := range keys {
		splitKeys = append(splitKeys, []byte(key))
	}
	for range 100 {
		s := c.waitLeaderTask(t, keys[0])
		regions, regionErr, err := s.SplitRegion(t, s.context(keys[0]), splitKeys, 2*time.Second)
		if regionErr == nil && err == nil {
			return regions
		}
		t.Sleep(50 * time.Millisecond)
	}
	c.t.Error("split was never done")
	return nil
}

func (c *cluster) waitLeaderTask(t env.Task, key string) *testStore {
	for {
		if s := c.leaderOf(key); s != nil {
			return s
		}
		t.Sleep(10 * time.Millisecond)
	}
}

// Writes that are under way while their region splits end up in the right part
// or are refused; none is lost or applied twice.
func TestSplitUnderProposals(t *testing.T) {
	stale := reached("epoch mismatch at apply")
	c := newCluster(t, clusterOptions{seed: 1})
	c.waitLeader("")
	running := 0
	acked := map[string]string{}
	for task := range 8 {
		running++
		c.w.Go("writer", func(t env.Task) {
			for i := range 60 {
				key, value := fmt.Sprintf("k%d%02d", task, i), fmt.Sprint(i)
				c.put(t, key, value)
				acked[key] = value
			}
			running--
		})
	}
	c.do(func(t env.Task) {
		for i := range 7 {
			t.Sleep(5 * time.Millisecond)
			if parts := c.split(t, fmt.Sprintf("k%d", i+1)); len(parts) != 2 {
				c.t.Errorf("split into %v", parts)
			}
		}
	})
	c.until("writers", func() bool { return running == 0 })
	c.converged()
	c.do(func(t env.Task) {
		for task := range 8 {
			for i := range 60 {
				key := fmt.Sprintf("k%d%02d", task, i)
				if got := c.get(t, key); got != acked[key] {
					c.t.Errorf("%s = %q, want %q", key, got, acked[key])
				}
			}
		}
	})
	if c.splits != 21 || stale() == 0 {
		t.Errorf("%d splits applied, %d stale proposals", c.splits, stale())
	}
	for _, s := range c.stores {
		if n := len(s.Regions()); n != 8 {
			t.Errorf("store %d has %d regions", s.id, n)
		}
	}
}

// A batch split makes all parts at once; all have the new version.
func TestBatchSplit(t *testing.T) {
	c := newCluster(t, clusterOptions{seed: 2})
	c.do(func(t env.Task) {
		parts := c.split(t, "b", "d", "f")
		want := [][2]string{{"", "b"}, {"b", "d"}, {"d", "f"}, {"f", ""}}
		for i, part := range parts {
			if string(part.StartKey) != want[i][0] || string(part.EndKey) != want[i][1] || part.RegionEpoch.Version != 4 {
				c.t.Errorf("part %d is %v", i, part)
			}
		}
		s := c.waitLeaderTask(t, "c")
		_, regionErr, _ := s.SplitRegion(t, s.context("c"), [][]byte{[]byte("b")}, time.Second)
		if regionErr.GetKeyNotInRegion() == nil {
			c.t.Errorf("split at the first key of a region: %v", regionErr)
		}
		for _, key := range []string{"a", "b", "c", "d", "e", "f", "z"} {
			c.put(t, key, key)
		}
	})
	c.converged()
}

// A new region has a leader long before an election timeout has passed, also if
// a follower is slow to apply the split: messages for the new region wait there.
func TestSplitElectsAtOnce(t *testing.T) {
	parked, unparked := reached("message parked until its region is born"), reached("parked message delivered")
	c := newCluster(t, clusterOptions{seed: 3, raft: Config{TickInterval: 200 * time.Millisecond}})
	c.waitLeader("")
	c.run(2 * time.Second)
	var done time.Duration
	c.do(func(t env.Task) {
		start := c.w.Now()
		c.split(t, "m")
		for c.leaderOf("z") == nil {
			t.Sleep(time.Millisecond)
		}
		done = time.Duration(c.w.Now() - start)
	})
	if limit := 100 * time.Millisecond; done > limit {
		t.Errorf("a leader after %v, want %v at most", done, limit)
	}
	if parked() == 0 || unparked() == 0 {
		t.Errorf("%d messages parked, %d delivered", parked(), unparked())
	}
	c.converged()
}

// At whatever point of a split the power of all stores fails, it is done
// afterwards as a whole or not at all, and the same everywhere.
func TestSplitCrash(t *testing.T) {
	for step := range steps(40) {
		c := newCluster(t, clusterOptions{seed: 5})
		s := c.waitLeader("")
		c.w.Go("split", func(t env.Task) {
			_, _, _ = s.SplitRegion(t, s.context("m"), [][]byte{[]byte("m")}, time.Second)
		})
		c.run(time.Duration(step) * 500 * time.Microsecond)
		for _, s := range c.stores {
			s.node.Crash(disk.PowerLoss)
		}
		c.w.StartAll()
		c.do(func(t env.Task) {
			c.put(t, "a", "1")
			c.put(t, "z", "1")
		})
		c.converged()
		c.w.Close()
	}
}

// hardStateOf reads a region's hard state from a store's disk.
func hardStateOf(t *testing.T, eng *engine.Engines, region uint64) hardState {
	t.Helper()
	st, err := load[raft_serverpb.RaftLocalState](eng.RaftLog, hardStateKey(nil, region))
	if err != nil {
		t.Fatal(err)
	}
	return asHardState(st)
}

// A store may have voted in a region before it applies the split that makes it:
// in an earlier process, of which the hard state is left. The vote counts.
func TestSplitKeepsVoteOfEarlierProcess(t *testing.T) {
	kept := reached("split kept the raft state of the new region")
	c := newCluster(t, clusterOptions{seed: 6})
	leader := c.waitLeader("")
	s := c.stores[leader.id%3]
	id := c.nextID + 1
	b := s.eng.RaftLog.NewBatch()
	voted := hardState{term: 9, vote: 77}
	b.Put(engine.Raft, hardStateKey(nil, id), marshal(voted.localState(0)))
	if err := s.eng.RaftLog.Write(b); err != nil {
		t.Fatal(err)
	}
	c.do(func(t env.Task) { c.split(t, "m") })
	c.soon("birth", func() bool { return s.byRegion[id] != nil })
	if h := s.byRegion[id].log.hard; h.term < voted.term || h.term == voted.term && h.vote != voted.vote {
		t.Errorf("hard state is %+v, was %+v", h, voted)
	}
	c.waitLeader("z")
	c.converged()
	if h := hardStateOf(t, s.eng, id); h.term <= voted.term {
		t.Errorf("a region whose member had voted in term %d is in term %d", voted.term, h.term)
	}
	if kept() != 1 {
		t.Errorf("%d splits kept a raft state", kept())
	}
}

// The same within one process: the uninitialised peer that has voted is
// replaced, and what it has promised holds.
func TestSplitReplacesUninitialisedPeer(t *testing.T) {
	replaced := reached("split found an uninitialised peer")
	regions := testRegions(3)
	regions[0].EndKey = []byte("p") // so that there is room for a wrong range
	c := newCluster(t, clusterOptions{seed: 7, regions: regions})
	leader := c.waitLeader("")
	s := c.stores[leader.id%3]
	id := c.nextID + 1
	var to *metapb.Peer
	for i, p := range regions[0].Peers {
		if p.StoreId == s.id {
			to = &metapb.Peer{Id: id + 1 + uint64(i), StoreId: s.id}
		}
	}
	from := &metapb.Peer{Id: 555, StoreId: leader.id}
	s.OnRaftBatch(voteRequest(id, from, to, 9, "x", "y"))
	c.soon("vote", func() bool { return hardStateOf(t, s.eng, id) == hardState{term: 9, vote: 555} })
	c.do(func(t env.Task) { c.split(t, "m") })
	c.soon("birth", func() bool { return s.byRegion[id] != nil && initialised(s.byRegion[id].region) })
	if h := s.byRegion[id].log.hard; h.term < 9 || h.term == 9 && h.vote != 555 {
		t.Errorf("hard state is %+v", h)
	}
	c.waitLeader("n")
	c.converged()
	if replaced() != 1 {
		t.Errorf("%d peers replaced", replaced())
	}
}

// voteRequest is the datagram with which a candidate of a region with the given
// range asks for a vote.
func voteRequest(region uint64, from, to *metapb.Peer, term uint64, start, end string) []byte {
	sender := &peer{regionID: region, meta: from, region: &metapb.Region{
		Id: region, RegionEpoch: &metapb.RegionEpoch{ConfVer: 1, Version: 2}, Peers: []*metapb.Peer{from, to},
	}}
	m := &raftpb.Message{
		Type: raftpb.MsgVote.Enum(), From: proto.Uint64(from.Id), To: proto.Uint64(to.Id),
		Term: proto.Uint64(term), Index: proto.Uint64(5), LogTerm: proto.Uint64(5),
	}
	return appendEnvelope(nil, appendHeader(nil, sender, to), m, []byte(start), []byte(end))
}

// An uninitialised peer becomes a full one through a snapshot, if the split that
// made its region was skipped by a snapshot of the region that was split.
func TestSplitSkippedBySnapshot(t *testing.T) {
	shrank, created := reached("snapshot shrank its region"), reached("peer created by a message")
	c := newCluster(t, clusterOptions{seed: 8, raft: eagerGC()})
	lag(c, 2)
	c.do(func(t env.Task) {
		c.split(t, "k5")
		for i := range 60 {
			c.put(t, fmt.Sprintf("k%d", i%10), fmt.Sprint(i))
		}
	})
	c.stores[2].node.Start()
	c.converged()
	if shrank() == 0 || created() == 0 {
		t.Errorf("%d regions shrank, %d peers created", shrank(), created())
	}
}

// Without ids from the placement driver nothing is split.
func TestSplitRequestChecks(t *testing.T) {
	region := testRegions(3)[0]
	if _, err := splitRequest(region, [][]byte{[]byte("m")}, nil); err == nil {
		t.Error("a split without ids")
	}
	for _, keys := range [][]string{{}, {"b", "a"}, {"a", "a"}, {""}} {
		var list [][]byte
		for _, key := range keys {
			list = append(list, []byte(key))
		}
		if checkSplitKeys(region, list) == nil {
			t.Errorf("split at %q", keys)
		}
	}
}

// A split proposed on an old epoch is refused when it is applied.
func TestSplitTwice(t *testing.T) {
	c := newCluster(t, clusterOptions{seed: 9})
	s := c.waitLeader("")
	refused, done, running := 0, 0, 2
	for range 2 {
		c.w.Go("split", func(t env.Task) {
			_, regionErr, err := s.SplitRegion(t, s.context("m"), [][]byte{[]byte("m")}, time.Second)
			switch {
			case err != nil:
				c.t.Error(err)
			case regionErr == nil:
				done++
			case regionErr.GetEpochNotMatch() != nil:
				refused++
			}
			running--
		})
	}
	c.until("splits", func() bool { return running == 0 })
	if done != 1 || refused != 1 {
		t.Errorf("%d done, %d refused", done, refused)
	}
	c.converged()
}
