package raftstore

import (
	"slices"

	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_serverpb"

	"simrun/nodes/engine"
	"simrun/nodes/invariant"
)

// applySnapshot replaces the region's data by that of a snapshot, in one synced
// batch: what was there before is cleared, and the states that describe the
// data change with it. The batch also holds the raft state that the log is to
// get afterwards. If the process ends before that, the next start completes it
// (loadLog). Raft hands out no entries to apply meanwhile.
func (p *peer) applySnapshot(r *receivedSnapshot) {
	s := p.s
	invariant.Check(r.index > p.applied, "raftstore: %s: snapshot at %d, applied %d", p, r.index, p.applied)
	b := s.eng.KV.NewBatch()
	defer b.Close()
	p.replaceMerged(b, r)
	other := s.overlappingOther(p, r.region)
	invariant.Check(other == nil, "raftstore: %s: snapshot of %v overlaps %s", p, r.region, other)
	old := p.region
	if initialised(old) {
		// The region may have been larger. What is outside of it now must go too:
		// if another region gets the range, it brings its own data.
		markSnapshotShrank.Sometimes(!containsRange(r.region, old.GetStartKey(), old.GetEndKey()))
		clearRange(b, old)
	}
	clearRange(b, r.region)
	for _, records := range r.records {
		ok := eachRecord(records, func(cf engine.CF, key, value []byte) {
			invariant.Check(cf != engine.Raft && contains(r.region, key), "raftstore: %s: snapshot holds %s %q", p, cf, key)
			b.Put(cf, key, value)
		})
		invariant.Check(ok, "raftstore: %s: damaged snapshot", p)
	}
	delete(s.tombstones, p.regionID)
	p.log.putSnapshotState(b, r)
	s.setRegion(p, r.region)
	p.stopWaiting()
	p.merge.state, p.merge.told, p.merge.records = nil, nil, r.merged
	p.putState(b)
	p.applied, p.appliedTerm = r.index, r.term
	p.size, p.measured = uint64(r.size), false
	p.proposals.hidden(r.index, r.term)
	if s.failed(s.eng.KV.Write(b)) {
		return
	}
	r.records = nil
}

// putSnapshotState writes the apply state of a snapshot, and the raft state
// that the log is to get. The log itself is still the old one.
func (l *logStorage) putSnapshotState(b *engine.Batch, r *receivedSnapshot) {
	putApplyState(b, r.region.GetId(), raft_serverpb.RaftApplyState{
		AppliedIndex: r.index, CommitIndex: r.index, CommitTerm: r.term,
		TruncatedState: &raft_serverpb.RaftTruncatedState{Index: r.index, Term: r.term},
	})
	h := l.hard
	h.commit = r.index
	b.Put(engine.Raft, snapStateKey(nil, r.region.GetId()), marshal(h.localState(r.index)))
}

// snapshotApplied is called when snapshot and log are durable.
func (p *peer) snapshotApplied(r *receivedSnapshot) {
	markSnapshotApplied.Reached()
	p.s.cfg.Observer.SnapshotApplied(p.regionID, r.index, p.s.id)
	p.s.cfg.Auditor.RegionChanged(r.region, p.id, r.index)
	if p.s.env.Log.Enabled() {
		p.s.env.Log.Logf("region %d: restored from a snapshot at %d", p.regionID, r.index)
	}
	p.releaseReads()
	p.s.unpark()
}

// clearRange deletes a region's data.
func clearRange(b *engine.Batch, r *metapb.Region) {
	for _, cf := range dataCFs() {
		b.DeleteRange(cf, r.GetStartKey(), orNil(r.GetEndKey()))
	}
}

// overlappingOther returns a peer other than p whose region overlaps r.
func (s *Store) overlappingOther(p *peer, r *metapb.Region) *peer {
	for _, q := range s.ranges {
		if q != p && overlaps(q.region.GetStartKey(), q.region.GetEndKey(), r.GetStartKey(), r.GetEndKey()) {
			return q
		}
	}
	return nil
}

// claimed reports whether a part of a range is about to be another region's:
// one that a split has made, or one of a snapshot that raft has accepted. Both
// take their range only when what they need is durable.
func (s *Store) claimed(region uint64, start, end []byte) bool {
	claims := func(r *metapb.Region) bool {
		return r.GetId() != region && overlaps(r.GetStartKey(), r.GetEndKey(), start, end)
	}
	for _, b := range s.applier.births {
		if claims(b.region) {
			return true
		}
	}
	for _, p := range s.peers {
		for _, r := range p.received {
			if claims(r.region) {
				return true
			}
		}
	}
	for _, t := range slices.Concat(s.appender.waiting, s.appender.current) {
		if t.snapshot != nil && !t.p.destroyed && claims(t.snapshot.region) {
			return true
		}
	}
	return false
}
