package raftstore

import (
	"fmt"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_serverpb"

	"simrun/nodes/env"
	"simrun/sim/disk"
)

// prepareBehind lets the leader of a source prepare its merge into a target whose
// epoch changes at the same moment, so that the merge cannot be committed.
func (c *cluster) prepareBehind(source string, change func(t env.Task)) {
	c.t.Helper()
	s := c.leaderOf(source)
	before := c.rollbacks
	c.do(func(t env.Task) {
		region, _ := s.RegionOf([]byte("a"))
		c.w.Go("change", change)
		if regionErr, err := s.MergeRegion(t, s.context(source), region, time.Second); regionErr != nil || err != nil {
			c.t.Errorf("prepare: %v, %v", regionErr, err)
		}
	})
	c.until("rollback", func() bool { return c.rollbacks >= before+3 })
}

// A target that splits, or changes its members, before it has heard of the merge
// has left the epoch for which the merge is meant: the source is revived, and can
// be written again.
func TestMergeRollsBack(t *testing.T) {
	for i, what := range []string{"split", "members", "merge"} {
		c := newCluster(t, clusterOptions{seed: uint64(30 + i), stores: 4, regions: testRegions(3, "m")})
		c.waitLeader("a")
		c.waitLeader("z")
		c.do(func(t env.Task) { c.put(t, "z", "old") })
		epoch := *c.leaderOf("z").byRegion[5].region.RegionEpoch
		c.prepareBehind("z", map[string]func(t env.Task){
			"split":   func(t env.Task) { c.split(t, "c") },
			"members": func(t env.Task) { c.change(t, "a", learner(900, 4)) },
			// The target wants to go into the source: both are revived, or the other
			// merge comes about.
			"merge": func(t env.Task) {
				s := c.leaderOf("a")
				region, _ := s.RegionOf([]byte("z"))
				_, _ = s.MergeRegion(t, s.context("a"), region, time.Second)
			},
		}[what])
		c.do(func(t env.Task) {
			if got := c.get(t, "z"); got != "old" {
				c.t.Errorf("%s: z = %q", what, got)
			}
			c.put(t, "z", "new")
		})
		region, _ := c.leaderOf("z").RegionOf([]byte("z"))
		if got := region.RegionEpoch; got.Version != epoch.Version+2 || got.ConfVer != epoch.ConfVer+1 {
			t.Errorf("%s: epoch %v after %v", what, got, epoch)
		}
		c.w.Close()
	}
}

// lateStore is a cluster of two regions whose third store is cut off while, on the
// others, the source gets some writes and goes into the target. With prepared, it
// has applied PrepareMerge before.
func lateStore(t *testing.T, seed uint64, raft Config) (c *cluster, late *testStore, heal func()) {
	c = twoRegions(t, seed, raft)
	late = c.stores[2]
	c.do(func(t env.Task) {
		c.moveLeader(t, "z", c.stores[0])
		c.moveLeader(t, "a", c.stores[1])
	})
	heal = c.isolate(late)
	c.do(func(t env.Task) {
		for i := range 2 {
			c.put(t, fmt.Sprintf("p%d", i), "late")
		}
		c.merge(t, "z", "a")
	})
	return c, late, heal
}

// A peer of the source that lacks entries gets them with CommitMerge, when there
// is nobody left of its group who could send them.
func TestMergeCatchesUp(t *testing.T) {
	waited, caughtUp := reached("target waited for its source to catch up"), reached("source caught up from the entries of its merge")
	c, _, heal := lateStore(t, 40, Config{})
	heal()
	c.checkMerged(map[string]string{"p0": "late", "p1": "late", "n": "old"})
	if waited() == 0 || caughtUp() == 0 {
		t.Errorf("waited %d times, caught up %d times", waited(), caughtUp())
	}
}

// The same with the end of the process, or the loss of power, at any point of the
// catching up: it is begun again and completed.
func TestMergeCatchUpCrash(t *testing.T) {
	for step := range steps(80) {
		c, late, heal := lateStore(t, 41, Config{})
		heal()
		c.run(time.Duration(step) * 100 * time.Millisecond / 10)
		kind := disk.PowerLoss
		if step%2 == 1 {
			kind = disk.ProcessKill
		}
		late.node.Crash(kind)
		c.run(50 * time.Millisecond)
		late.node.Start()
		c.checkMerged(map[string]string{"p0": "late", "n": "old"})
		c.w.Close()
	}
}

// A source that begins again after a power loss comes first to a merge that was
// rolled back, while its target waits for a later one, of which it has the
// CommitMerge. The target goes on waiting, and the source says nothing to others
// meanwhile.
func TestMergeOnceMore(t *testing.T) {
	again := reached("source rolls a merge back before it comes to the one that its target waits for")
	for seed := range uint64(steps(16)) {
		c := newCluster(t, clusterOptions{seed: seed, stores: 4, regions: testRegions(3, "m")})
		c.waitLeader("a")
		c.waitLeader("z")
		late := c.stores[2]
		c.do(func(t env.Task) {
			c.put(t, "z", "old")
			c.moveLeader(t, "z", c.stores[0])
			c.moveLeader(t, "a", c.stores[1])
			t.Sleep(time.Second)
		})
		c.prepareBehind("z", func(t env.Task) { c.change(t, "a", learner(900, 4)) })
		c.do(func(t env.Task) {
			c.change(t, "a", removal(900, 4))
			t.Sleep(time.Second)
		})
		late.node.Crash(disk.PowerLoss) // it has the logs, but not all that it had applied
		c.do(func(t env.Task) { c.merge(t, "z", "a") })
		late.node.Start()
		c.agreed()
		if a, b := dumpData(t, late.eng), dumpData(t, c.stores[0].eng); a != b || len(late.Regions()) != 1 {
			t.Errorf("seed %d: %d regions, data\n%s\nof\n%s", seed, len(late.Regions()), a, b)
		}
		c.w.Close()
	}
	if again() == 0 {
		t.Error("no source came to an earlier merge")
	}
}

// A target that has to be restored by a snapshot which includes the source takes
// the place of the source's peer, whether that has heard of the merge or not; also
// if the target has been split again, so that the snapshot does not cover it.
func TestMergeReplacedBySnapshot(t *testing.T) {
	for i, again := range []bool{false, true} {
		replaced := reached("source replaced by a snapshot of its target")
		c, _, heal := lateStore(t, uint64(50+i), eagerGC())
		c.do(func(t env.Task) {
			if again {
				c.split(t, "m")
			}
			for i := range 60 {
				c.put(t, "b", fmt.Sprint(i))
				c.put(t, "n", fmt.Sprint(i))
			}
		})
		heal()
		c.converged()
		if again {
			c.do(func(t env.Task) { c.merge(t, "z", "a") })
		}
		c.checkMerged(map[string]string{"b": "59", "n": "59", "p0": "late"})
		if replaced() != 1 {
			t.Errorf("split again %t: %d peers replaced", again, replaced())
		}
		c.w.Close()
	}
}

// The same with the loss of power at any point.
func TestMergeReplacedBySnapshotCrash(t *testing.T) {
	for step := range steps(40) {
		c, late, heal := lateStore(t, 52, eagerGC())
		c.do(func(t env.Task) {
			for i := range 60 {
				c.put(t, "b", fmt.Sprint(i))
			}
		})
		heal()
		c.run(time.Duration(step) * 10 * time.Millisecond)
		late.node.Crash(disk.PowerLoss)
		late.node.Start()
		c.checkMerged(map[string]string{"b": "59", "p0": "late"})
		c.w.Close()
	}
}

// A source's peer is left over when the target is removed from its store before
// it has applied the merge there. The others tell it, and it goes with its data.
func TestMergeLeftOver(t *testing.T) {
	told, leftOver := reached("peer of a merged region told of it"), reached("source left over, its target was removed")
	c, late, heal := lateStore(t, 60, Config{})
	c.do(func(t env.Task) {
		region, p := c.member("a", late.id)
		if len(region.Peers) != 3 {
			c.t.Errorf("members are %v", region.Peers)
		}
		c.change(t, "a", removal(p.Id, late.id))
	})
	heal()
	c.until("end of the peers left over", func() bool { return len(late.Regions()) == 0 })
	if told() == 0 || leftOver() != 1 {
		t.Errorf("told %d times, left over %d", told(), leftOver())
	}
	if got := dumpData(t, late.eng); got != "" {
		t.Errorf("data is left:\n%s", got)
	}
	state := late.tombstones[5]
	if state.GetMergeState().GetTarget().GetId() != 1 || droppedUpTo(state.MergedRecords) == 0 {
		t.Errorf("tombstone %v", state)
	}
}

// A target may not have a peer yet on a store of its source: the split that makes
// it was skipped there by a snapshot. The peer is made beside the source that it
// has absorbed and takes its place; or, if it was removed before that, the source
// goes nevertheless.
func TestMergeIntoTargetThatWasNeverMade(t *testing.T) {
	for _, removed := range []bool{false, true} {
		room, never := reached("target made beside a source that it has absorbed"), reached("source left over, its target was removed before it was made")
		c := newCluster(t, clusterOptions{seed: 62, regions: testRegions(3, "m"), raft: eagerGC()})
		c.waitLeader("a")
		c.waitLeader("z")
		late := c.stores[2]
		c.do(func(t env.Task) {
			c.moveLeader(t, "a", c.stores[0])
			c.moveLeader(t, "z", c.stores[0])
		})
		heal := c.isolate(late)
		c.do(func(t env.Task) {
			c.split(t, "g")
			for i := range 60 {
				c.put(t, "a", fmt.Sprint(i))
			}
			c.merge(t, "z", "h")
			if removed {
				_, p := c.member("h", late.id)
				c.change(t, "h", removal(p.Id, late.id))
			}
		})
		heal()
		if !removed {
			c.converged()
		}
		c.until("end of the source", func() bool { return late.byRegion[5] == nil })
		c.do(func(t env.Task) { c.put(t, "z", "new") })
		if (room() > 0) == removed || (never() == 1) != removed {
			t.Errorf("removed %t: made beside its source %d times, never made %d times", removed, room(), never())
		}
		c.w.Close()
	}
}

// A peer that was removed without hearing of it finds out also if its region has
// been merged since, into one that never had a peer on its store.
func TestMergeOfWhatRemovedPeersBelongTo(t *testing.T) {
	c := newCluster(t, clusterOptions{seed: 61, stores: 4, regions: testRegions(3, "m")})
	c.waitLeader("a")
	c.waitLeader("z")
	late := c.stores[3]
	var heal func()
	c.do(func(t env.Task) {
		c.change(t, "z", learner(900, late.id))
		region, _ := c.member("z", late.id)
		c.catchUp(t, "z", region.Id, 900)
		heal = c.isolate(late)
		c.change(t, "z", removal(900, late.id))
		c.merge(t, "z", "a")
	})
	c.run(time.Second)
	if len(late.Regions()) != 1 {
		t.Fatalf("regions are %v", late.Regions())
	}
	heal()
	c.until("end of the removed peer", func() bool { return len(late.Regions()) == 0 })
}

// A peer that was removed before it had any data, and whose region was merged,
// knows no members whom it could ask, and the placement driver knows nothing of
// the region any more. It asks those from whom it has heard.
func TestMergeOfWhatPeersWithoutDataBelongTo(t *testing.T) {
	c := newCluster(t, clusterOptions{seed: 61, stores: 4, regions: testRegions(3, "m")})
	c.waitLeader("a")
	c.waitLeader("z")
	late := c.stores[3]
	c.dropChunk = func(*testStore, *raft_serverpb.SnapshotChunk) bool { return true }
	c.do(func(t env.Task) { c.change(t, "z", learner(900, late.id)) })
	c.until("a peer without data", func() bool { return len(late.Regions()) == 1 })
	heal := c.isolate(late)
	c.do(func(t env.Task) {
		c.change(t, "z", removal(900, late.id))
		c.merge(t, "z", "a")
	})
	c.pdDown = true
	heal()
	c.until("end of the removed peer", func() bool { return len(late.Regions()) == 0 })
}

// Records are bounded, and say how far back they reach.
func TestMergeRecords(t *testing.T) {
	var records []*raft_serverpb.MergedRecord
	record := func(id, version uint64) *raft_serverpb.MergedRecord {
		return &raft_serverpb.MergedRecord{SourceRegionId: id, TargetRegionId: 1, TargetEpoch: &metapb.RegionEpoch{Version: version}}
	}
	source := &peer{s: &Store{}, regionID: 1000}
	for i := range uint64(recordsMax) {
		records = appendRecords(records, nil, record(10+i, 100+i))
	}
	if len(records) != recordsMax || !neverMerged(records, source, &metapb.RegionEpoch{Version: 1}) {
		t.Fatalf("%d records: %v", len(records), records)
	}
	records = appendRecords(records, []*raft_serverpb.MergedRecord{record(500, 150)}, record(501, 200))
	if len(records) != recordsMax+1 || absorbed(records, 10) || absorbed(records, 11) || !absorbed(records, 12) || !absorbed(records, 500) {
		t.Fatalf("%d records: %v", len(records), records)
	}
	for version, want := range map[uint64]bool{100: false, 101: false, 102: true, 200: true} {
		if neverMerged(records, source, &metapb.RegionEpoch{Version: version}) != want {
			t.Errorf("records prove something as of version %d: %t", version, !want)
		}
	}
	// What was not known to a source is not known to its target.
	records = appendRecords(nil, unknownRecords(), record(502, 300))
	if neverMerged(records, source, &metapb.RegionEpoch{Version: 400}) {
		t.Error("a target that has absorbed an unknown past proves something")
	}
}

// However many others a target absorbs after a source, it never proves that it has
// left that source alone; and of one that it has left alone after all these, it
// does prove it.
func TestMergeRecordDroppedIsNoProof(t *testing.T) {
	dropped := reached("record of a merge dropped")
	region := func(id, version uint64, start, end string) *metapb.Region {
		return &metapb.Region{
			Id: id, StartKey: []byte(start), EndKey: []byte(end),
			RegionEpoch: &metapb.RegionEpoch{Version: version, ConfVer: 1},
		}
	}
	s := &Store{}
	var records []*raft_serverpb.MergedRecord
	target := region(1, 100, "", "b")
	// absorb is what CommitMerge does to a target, whose end is split off again.
	absorb := func(id, version uint64) *peer {
		source := &peer{s: s, regionID: id, region: region(id, version, "b", "c")}
		source.merge.state = &raft_serverpb.MergeState{Commit: 20}
		inherited := []*raft_serverpb.MergedRecord{mergedRecord(region(id, version-1, "b", "c"), &peer{regionID: id + 1000, region: region(id+1000, 1, "", ""), merge: source.merge}, 7)}
		records = appendRecords(records, inherited, mergedRecord(target, source, 9))
		version = union(target, source.region).RegionEpoch.Version
		target = region(1, version+1, "", "b")
		return source
	}
	expected := target.RegionEpoch
	first := absorb(10, 50)
	for i := range uint64(2 * recordsMax) {
		absorb(11+i, target.RegionEpoch.Version-1+i%3)
		if !absorbed(records, first.regionID) && neverMerged(records, first, expected) {
			t.Fatalf("after %d others the target of version %d proves that it has not absorbed region %d", i+1, expected.Version, first.regionID)
		}
		alone := &peer{s: s, regionID: 9999}
		if !neverMerged(records, alone, &metapb.RegionEpoch{Version: target.RegionEpoch.Version - 1}) {
			t.Fatalf("after %d others, incomplete up to %d, the union of version %d proves nothing", i+1, droppedUpTo(records), target.RegionEpoch.Version-1)
		}
	}
	if dropped() == 0 || absorbed(records, first.regionID) {
		t.Error("the record of the source was never dropped")
	}
}
