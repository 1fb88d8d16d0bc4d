package raftstore

import (
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/eraftpb"
	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/raft_cmdpb"
	"github.com/pingcap/kvproto/pkg/raft_serverpb"

	"simrun/nodes/env"
	"simrun/sim/disk"
)

// preparedOnly is a cluster in which the source has applied PrepareMerge on two
// stores and the target, whose leader is cut off, cannot answer for a while.
func preparedOnly(t *testing.T, seed uint64, raft Config) (c *cluster, heal func()) {
	c = twoRegions(t, seed, raft)
	c.do(func(t env.Task) {
		c.moveLeader(t, "z", c.stores[0])
		c.moveLeader(t, "a", c.stores[1])
	})
	c.run(time.Second)
	target := c.stores[0].byRegion[1].region
	heal = c.isolate(c.stores[1])
	c.do(func(t env.Task) {
		s := c.stores[0]
		if regionErr, err := s.MergeRegion(t, s.context("z"), target, time.Second); regionErr != nil || err != nil {
			c.t.Errorf("prepare: %v, %v", regionErr, err)
		}
	})
	c.soon("prepare", func() bool { return c.stores[0].byRegion[5].merging() && c.stores[2].byRegion[5].merging() })
	return c, heal
}

// A source that is merging takes nothing and serves nobody, on whatever epoch and
// in whatever way it is asked.
func TestMergingServesNobody(t *testing.T) {
	for _, lease := range []bool{false, true} {
		c, heal := preparedOnly(t, 70, Config{LeaderLease: lease})
		s, follower := c.stores[0], c.stores[2]
		old := s.context("z")
		old.RegionEpoch = withEpoch(s.byRegion[5].region, ^uint64(0), ^uint64(0)).RegionEpoch // one less
		is := func(what string, e *errorpb.Error, merging bool) {
			t.Helper()
			if merging && e.GetProposalInMergingMode() == nil || !merging && e.GetEpochNotMatch() == nil {
				c.t.Errorf("lease %t: %s: %v", lease, what, e)
			}
		}
		c.do(func(t env.Task) {
			for _, ctx := range []struct {
				merging bool
				epoch   string
			}{{true, "new"}, {false, "old"}} {
				at := old
				if ctx.merging {
					at = s.context("z")
				}
				e, _ := s.Propose(t, at, 0, []*raft_cmdpb.Request{putRequest("z", "x")}, time.Second)
				is(ctx.epoch+" write", e, ctx.merging)
				_, e = s.ReadSnapshot(t, at)
				is(ctx.epoch+" read", e, ctx.merging)
				_, e = s.LeaderSnapshot(at)
				is(ctx.epoch+" unconfirmed read", e, ctx.merging)
				replica := follower.context("z")
				replica.ReplicaRead, replica.RegionEpoch = true, at.RegionEpoch
				_, e = follower.ReadSnapshot(t, replica)
				is(ctx.epoch+" follower read", e, ctx.merging)
				_, e, _ = s.SplitRegion(t, at, [][]byte{[]byte("q")}, time.Second)
				is(ctx.epoch+" split", e, ctx.merging)
				_, e, _ = s.ChangePeers(t, at, []*raft_cmdpb.ChangePeerRequest{change(eraftpb.ConfChangeType_AddLearnerNode, 900, 4)}, time.Second)
				is(ctx.epoch+" change of members", e, ctx.merging)
			}
			if _, leased := s.Leased(5); leased {
				c.t.Error("it holds its lease")
			}
		})
		if s.byRegion[5].reshaping() == false || s.byRegion[5].lease.preparing {
			t.Error("the lease may be renewed, or a PrepareMerge is awaited still")
		}
		if _, err := s.byRegion[5].generateSnapshot(); err == nil {
			t.Error("it makes a snapshot")
		}
		heal()
		c.checkMerged(map[string]string{"a": "old", "z": "old"})
		c.w.Close()
	}
}

// A source that was merging when all processes ended goes on with that.
func TestMergingRestarts(t *testing.T) {
	reloaded := reached("start with a region that is merging")
	c, heal := preparedOnly(t, 71, Config{})
	for _, kind := range []disk.CrashKind{disk.PowerLoss, disk.ProcessKill} {
		for _, s := range c.stores {
			s.node.Crash(kind)
		}
		c.w.StartAll()
		if !c.stores[0].byRegion[5].merging() {
			c.run(400 * time.Millisecond) // the power has taken what was not synced; the log has it
		}
	}
	heal()
	c.checkMerged(map[string]string{"a": "old", "z": "old"})
	if reloaded() == 0 {
		t.Error("no state of a merge was loaded")
	}
}

// A leader rolls back on the word of a follower that has proof, if that is about
// this merge.
func TestMergeRollsBackWhenAsked(t *testing.T) {
	asked := reached("leader asked to roll its merge back")
	c, heal := preparedOnly(t, 72, Config{})
	s := c.stores[0]
	source := s.byRegion[5]
	say := func(index uint64) {
		from := peerOnStore(source.region, 3)
		s.OnRaftBatch(appendBytes(nil, batchMessages, marshal(&raft_serverpb.RaftMessage{
			RegionId: 5, FromPeer: from, ToPeer: source.meta, RegionEpoch: source.region.RegionEpoch,
			ExtraMsg: &raft_serverpb.ExtraMessage{Type: raft_serverpb.ExtraMessageType_MsgWantRollbackMerge, Index: index},
		})))
	}
	commit := source.merge.state.Commit
	say(commit - 1)
	if asked() != 0 || c.rollbacks != 0 {
		t.Errorf("asked %d times about another merge", asked())
	}
	say(commit)
	say(commit)
	c.soon("rollback", func() bool { return !source.merging() })
	say(commit) // late
	heal()
	c.until("rollback everywhere", func() bool { return c.rollbacks == 3 })
	if n := asked(); n != 2 {
		t.Errorf("asked %d times", n)
	}
	c.do(func(t env.Task) { c.put(t, "z", "new") })
}

// A source whose log does not reach back to what the slowest peer may lack leaves
// the merge to others: it hands the leadership of the target over.
func TestMergeLacksEntries(t *testing.T) {
	lacks := reached("source lacks entries that its merge has to carry")
	c, heal := preparedOnly(t, 73, Config{})
	// As if this peer had been restored by a snapshot in the middle of what is to be
	// carried.
	c.stores[2].byRegion[5].merge.state.MinIndex = 1
	heal()
	c.do(func(t env.Task) {
		for range 20 {
			if s := c.leaderOf("a"); s != nil && s != c.stores[2] && len(s.Regions()) == 2 {
				region, _ := s.RegionOf([]byte("a"))
				s.TransferLeader(region.GetId(), peerOnStore(region, 3).GetId())
			}
			t.Sleep(10 * time.Millisecond)
		}
	})
	c.checkMerged(map[string]string{"a": "old", "z": "old"})
	if lacks() == 0 {
		t.Error("no source lacked entries")
	}
}

// What another leader has proposed behind a PrepareMerge that it did not know of:
// the log is not compacted, for the merge may have to carry the entries, and what
// is still undecided when the source ends is refused for good.
func TestMergeDecidesWhatComesAfterPrepare(t *testing.T) {
	keeps, decided := reached("log not compacted, the region is merging"), reached("proposals decided by the end of their region")
	c, heal := preparedOnly(t, 74, Config{})
	p := c.stores[0].byRegion[5]
	first := p.log.truncatedIndex
	term, err := p.log.Term(p.applied)
	if err != nil {
		t.Fatal(err)
	}
	c.do(func(t env.Task) {
		pr, _ := p.proposeAdmin(&raft_cmdpb.AdminRequest{
			CmdType:    raft_cmdpb.AdminCmdType_CompactLog,
			CompactLog: &raft_cmdpb.CompactLogRequest{CompactIndex: p.applied, CompactTerm: term},
		})
		if e, err := pr.await(t, time.Second); e != nil || err != nil {
			c.t.Errorf("compaction: %v, %v", e, err)
		}
	})
	if keeps() == 0 || p.log.truncatedIndex != first {
		t.Errorf("the log begins after %d, not %d", p.log.truncatedIndex, first)
	}
	late := &proposal{term: p.term(), index: p.log.lastIndex + 100}
	p.proposals.logged = append(p.proposals.logged, late)
	heal()
	c.do(func(t env.Task) {
		if e, err := late.await(t, 10*time.Second); e.GetEpochNotMatch() == nil || err != nil {
			c.t.Errorf("a proposal of the source ends with %v, %v", e, err)
		}
	})
	if decided() != 1 {
		t.Errorf("%d proposals decided", decided())
	}
	c.checkMerged(map[string]string{"a": "old", "z": "old"})
}
