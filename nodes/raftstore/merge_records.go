package raftstore

import (
	"math"
	"slices"

	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_serverpb"

	"simrun/nodes/engine"
	"simrun/nodes/invariant"
)

// A region remembers the regions that it has absorbed, and those that these had
// absorbed: in its state, in its snapshots, and in its tombstone if it has ended
// by its own log. So a store can tell, whatever way its peer of the target took
// to where it is, whether a source that is still merging here has been absorbed
// (it is then replaced by the snapshot that skipped the CommitMerge) or has been
// left alone (it is then rolled back). Ids of regions are not given again.
//
// Only the last recordsMax are kept. In the place of what was dropped stands a
// record without a source, which says up to which version of a target the
// records are not complete.

// recordsMax bounds the records of a region.
const recordsMax = 64

func mergedRecord(target *metapb.Region, source *peer, index uint64) *raft_serverpb.MergedRecord {
	return &raft_serverpb.MergedRecord{
		SourceRegionId: source.regionID, SourceEpoch: source.region.GetRegionEpoch(),
		TargetRegionId: target.GetId(), TargetEpoch: target.GetRegionEpoch(),
		Index: index, SourceIndex: source.merge.state.GetCommit(),
	}
}

// appendRecords returns the records of a target after those of its source, and
// the source itself, have been added.
func appendRecords(records, inherited []*raft_serverpb.MergedRecord, last *raft_serverpb.MergedRecord) []*raft_serverpb.MergedRecord {
	dropped := max(droppedUpTo(records), droppedUpTo(inherited))
	all := append(slices.Concat(records, inherited), last)
	all = slices.DeleteFunc(all, func(r *raft_serverpb.MergedRecord) bool { return r.GetSourceRegionId() == 0 })
	for len(all) > recordsMax {
		markRecordsDropped.Reached()
		dropped = max(dropped, all[0].GetTargetEpoch().GetVersion())
		all = all[1:]
	}
	if dropped == 0 {
		return all
	}
	return slices.Insert(all, 0, incomplete(dropped))
}

// incomplete is the record of what is not known.
func incomplete(version uint64) *raft_serverpb.MergedRecord {
	return &raft_serverpb.MergedRecord{TargetEpoch: &metapb.RegionEpoch{Version: version}}
}

// unknownRecords are those of a peer that was removed without having applied all
// that its region went through.
func unknownRecords() []*raft_serverpb.MergedRecord {
	return []*raft_serverpb.MergedRecord{incomplete(math.MaxUint64)}
}

// droppedUpTo is the version of a target up to which records are incomplete, that
// version included, 0 if they are complete.
func droppedUpTo(records []*raft_serverpb.MergedRecord) uint64 {
	if len(records) > 0 && records[0].GetSourceRegionId() == 0 {
		return records[0].GetTargetEpoch().GetVersion()
	}
	return 0
}

// absorbed reports whether records name a region.
func absorbed(records []*raft_serverpb.MergedRecord, source uint64) bool {
	return slices.ContainsFunc(records, func(r *raft_serverpb.MergedRecord) bool { return r.GetSourceRegionId() == source })
}

// givesWayTo reports whether a peer ends with a snapshot of another region: that
// has absorbed its region, as the records in the snapshot say, or the tombstone of
// another peer if they do not reach back as far.
func (p *peer) givesWayTo(r *receivedSnapshot) bool {
	if p.destroyed || !initialised(p.region) || p.regionID == r.region.GetId() {
		return false
	}
	told := p.merge.told
	return absorbed(r.merged, p.regionID) ||
		told.GetId() == r.region.GetId() && !staleEpoch(r.region.GetRegionEpoch(), told.GetRegionEpoch())
}

// obstacle returns a peer that overlaps a snapshot for p and does not give way to
// it, nil if there is none.
func (s *Store) obstacle(p *peer, r *receivedSnapshot) *peer {
	for _, q := range s.within(r.region.GetStartKey(), r.region.GetEndKey()) {
		if q != p && !q.givesWayTo(r) {
			return q
		}
	}
	return nil
}

// replaceMerged ends the peers that give way to a snapshot, in its batch.
func (p *peer) replaceMerged(b *engine.Batch, r *receivedSnapshot) {
	for _, q := range slices.Clone(p.s.ranges) {
		if !q.givesWayTo(r) {
			continue
		}
		markMergeReplaced.Reached()
		q.bury(b, grave{epoch: q.region.GetRegionEpoch(), others: q.region.GetPeers(), into: r.region, records: unknownRecords()})
		p.s.removeRange(q)
		r.replaced = append(r.replaced, q)
	}
}

// eraseReplaced completes the end of the peers that have given way to the
// snapshots of the current batch, which are durable.
func (a *appender) eraseReplaced() {
	if a.s.dead {
		return
	}
	for i := range a.current {
		if r := a.current[i].snapshot; r != nil {
			for _, q := range r.replaced {
				q.erase()
			}
			r.replaced = nil
		}
	}
}

// neverMerged reports whether the records of a target that has gone beyond an
// epoch prove that it has not absorbed a source there. Those that are incomplete
// at that epoch prove nothing: the record of a source has the epoch on which the
// target was before, the expected one. What an absorption drops is older than the
// union, so it hides nothing from those that want to go into that.
func neverMerged(records []*raft_serverpb.MergedRecord, source *peer, expected *metapb.RegionEpoch) bool {
	invariant.Check(!absorbed(records, source.regionID), "raftstore: %s: alive beside the region that has absorbed it", source)
	return droppedUpTo(records) < expected.GetVersion()
}
