package raftstore

import (
	"errors"
	"slices"

	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_serverpb"
	"go.etcd.io/raft/v3/raftpb"

	"simrun/nodes/engine"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
)

// A snapshot is applied in three durable steps. It is begun by one batch of the
// key-value database that records the peer as Applying, with the state that it
// will have, and clears its range; from then on the file is the region's data.
// The log is reset next, whereupon the leader hears that this peer has all up to
// the snapshot: nothing that ends the process can take that back. Then the data
// is read from the file into the database, frame by frame, and the last
// batch records the peer as Normal. Raft is told only now, so it hands out no
// entries to apply meanwhile. A start finds any of these states and completes
// what is left: see loadLog and completeSnapshot.

// receivedSnapshot is a snapshot whose file is complete and durable.
type receivedSnapshot struct {
	id     snapshotID
	region *metapb.Region
	// merged are the regions that the region has absorbed, replaced the peers of
	// such regions that this one takes the place of.
	merged   []*raft_serverpb.MergedRecord
	replaced []*peer
	// held are what is to be told to raft when it is applied, in this order: that
	// it is, and that entries are stable which have come meanwhile.
	held []*raftpb.Message
}

// acceptSnapshot gives the message of a snapshot to raft.
func (p *peer) acceptSnapshot(o *snapshotOffer) {
	if p.member(o.from.GetId()) == nil {
		p.strangers = append(p.strangers, o.from)
	}
	p.heard(o.message)
	p.contact = p.s.ticks
	p.stirBy(o.message)
	p.catchUp()
	_ = p.node.Step(o.message)
	// At once, since raft has the members of the snapshot from now on, and entries
	// that are about to be applied may change those of before.
	p.handleReady()
	p.s.markDirty(p)
}

// receive notes a snapshot for which raft is about to be asked.
func (p *peer) receive(r *receivedSnapshot) {
	p.received = append(p.received, r)
	if !slices.Contains(p.s.claimants, p) {
		p.s.claimants = append(p.s.claimants, p)
	}
}

// takeReceived returns the file of a snapshot that raft has accepted.
func (p *peer) takeReceived(snapshot *raftpb.Snapshot) *receivedSnapshot {
	if snapshot == nil {
		return nil
	}
	meta := snapshot.GetMetadata()
	for i, r := range p.received {
		if r.id.index == meta.GetIndex() && r.id.term == meta.GetTerm() {
			p.received = slices.Delete(p.received, i, i+1)
			invariant.Check(p.restored == nil, "raftstore: %s: snapshot at %d while another is being applied", p, r.id.index)
			p.restoring, p.restored = r.id.index, r
			return r
		}
	}
	invariant.Fail("raftstore: %s: raft accepted a snapshot at %d that was not received", p, meta.GetIndex())
	return nil
}

// beginSnapshot records that the peer is to have the state of a snapshot. The
// batch also holds the raft state that the log is to get afterwards. If the
// process ends before that, the next start completes it (loadLog).
func (p *peer) beginSnapshot(r *receivedSnapshot) {
	s := p.s
	invariant.Check(r.id.index > p.applied, "raftstore: %s: snapshot at %d, applied %d", p, r.id.index, p.applied)
	b := s.eng.KV.NewBatch()
	defer b.Close()
	p.replaceMerged(b, r)
	other := s.overlappingOther(p, r.region)
	invariant.Check(other == nil, "raftstore: %s: snapshot of %v overlaps %s", p, r.region, other)
	if old := p.region; initialised(old) {
		// The region may have been larger. What is outside of it now must go too:
		// if another region gets the range, it brings its own data.
		markSnapshotShrank.Sometimes(!containsRange(r.region, old.GetStartKey(), old.GetEndKey()))
		clearRange(b, old)
	}
	clearRange(b, r.region)
	delete(s.tombstones, p.regionID)
	p.log.putSnapshotState(b, r)
	s.setRegion(p, r.region)
	p.stopWaiting()
	p.merge.state, p.merge.told, p.merge.records = nil, nil, r.merged
	p.putApplying(b)
	p.applied, p.appliedTerm = r.id.index, r.id.term
	p.size, p.measured = r.id.size, false
	p.proposals.hidden(r.id.index, r.id.term)
	s.failed(s.eng.KV.Write(b))
}

// putSnapshotState writes the apply state of a snapshot, and the raft state
// that the log is to get. The log itself is still the old one.
func (l *logStorage) putSnapshotState(b *engine.Batch, r *receivedSnapshot) {
	putInitialApplyState(b, r.id.region, r.id.index, r.id.term)
	h := l.hard
	h.commit = r.id.index
	b.Put(engine.Raft, snapStateKey(r.id.region), marshal(h.localState(r.id.index)))
}

// fillRegion begins to read the data of a snapshot into the database, after the
// log was reset. Each frame is durable before the next one is read, so that a
// slow disk, or a stalled engine, sets the pace.
func (p *peer) fillRegion(r *receivedSnapshot) {
	s := p.s
	s.env.Sched.Go("apply snapshot", func(t env.Task) {
		applied, err := p.readSnapshot(r, func() bool { return s.durable(t) && s.admitted(t) && !p.destroyed })
		if err != nil || !applied {
			s.failed(err)
			return // if the peer is destroyed, erase deletes the file
		}
		p.snapshotApplied(r)
	})
}

// snapshotApplied is called when the peer is durably Normal.
func (p *peer) snapshotApplied(r *receivedSnapshot) {
	s := p.s
	markSnapshotApplied.Reached()
	s.snaps.remove(r.id.name(incomingFile))
	p.restored = nil
	for _, m := range r.held {
		p.stepLocal(m)
	}
	s.cfg.Observer.SnapshotApplied(p.regionID, r.id.index)
	s.cfg.Auditor.RegionChanged(r.region, p.id, r.id.index)
	s.logf("region %d: restored from a snapshot at %d", p.regionID, r.id.index)
	p.releaseReads()
	s.unpark()
}

// completeSnapshot applies a snapshot that an earlier process has begun to
// apply, before the peer does anything else. What it writes is durable together:
// if the power fails before, the next start does it again, for the file stays
// until then.
func (p *peer) completeSnapshot(st localStates) error {
	s := p.s
	truncated := st.apply.GetTruncatedState()
	r := &receivedSnapshot{region: p.region}
	names, err := SnapshotFiles(s.snaps.fs)
	if err != nil {
		return err
	}
	for _, name := range names {
		kind, id, ok := parseSnapshotName(name)
		if ok && kind == incomingFile && id.region == p.regionID && id.index == truncated.GetIndex() && id.term == truncated.GetTerm() {
			r.id = id
		}
	}
	invariant.Check(r.id.region != 0, "raftstore: %s: recorded as applying a snapshot at %d/%d that is not there", p, truncated.GetIndex(), truncated.GetTerm())
	markSnapshotCompleted.Reached()
	p.size = r.id.size
	if _, err := p.readSnapshot(r, func() bool { return true }); err != nil {
		return err
	}
	p.completing = r.id
	name := r.id.name(incomingFile)
	s.env.Disk.Barrier(func() { s.snaps.remove(name) })
	return nil
}

// readSnapshot writes the data of a snapshot and records the peer as Normal.
// After every batch it asks whether to go on, and reports whether it came to the
// end.
func (p *peer) readSnapshot(r *receivedSnapshot, next func() bool) (bool, error) {
	f, err := p.s.snaps.read(r.id.name(incomingFile))
	if err != nil {
		return false, err
	}
	defer f.Close() //nolint:errcheck // it was read only
	sum := uint32(0)
	for at := uint64(0); at < r.id.size; {
		frame, err := readFrame(f, at, r.id.size)
		invariant.Check(!errors.Is(err, errDamagedFrame), "raftstore: %s: its snapshot at %d is damaged at byte %d", p, r.id.index, at)
		if err != nil {
			return false, err
		}
		first := at == 0
		at += uint64(len(frame))
		sum = addSum(sum, frame)
		if first {
			continue // the region, which is recorded
		}
		if err := p.writeRecords(frame[frameHeader:]); err != nil {
			return false, err
		}
		markSnapshotFrame.Reached()
		if !next() {
			return false, nil
		}
	}
	invariant.Check(sum == r.id.sum, "raftstore: %s: its snapshot at %d is damaged", p, r.id.index)
	b := p.s.eng.KV.NewBatch()
	defer b.Close()
	p.putState(b)
	if err := p.s.eng.KV.Write(b); err != nil {
		return false, err
	}
	return next(), nil
}

// writeRecords writes the records of a frame.
func (p *peer) writeRecords(records []byte) error {
	b := p.s.eng.KV.NewBatch()
	defer b.Close()
	ok := eachRecord(records, func(cf engine.CF, key, value []byte) {
		invariant.Check(cf != engine.Raft && contains(p.region, key), "raftstore: %s: snapshot holds %s %q", p, cf, key)
		b.Put(cf, key, value)
	})
	invariant.Check(ok, "raftstore: %s: damaged records in its snapshot", p)
	return p.s.eng.KV.Write(b)
}

// dropSnapshots deletes what the peer, which is gone, was to become.
func (p *peer) dropSnapshots() {
	if p.restored != nil {
		markSnapshotDropped.Reached()
		p.s.snaps.remove(p.restored.id.name(incomingFile))
	}
	p.s.receiver.forget(p.regionID)
}

// readable is the index up to which the data of the peer can be read. While a
// snapshot is being applied there is none.
func (p *peer) readable() uint64 {
	if p.restored != nil {
		return 0
	}
	return p.applied
}

// clearRange deletes a region's data.
func clearRange(b *engine.Batch, r *metapb.Region) {
	for _, cf := range dataCFs() {
		b.DeleteRange(cf, r.GetStartKey(), orNil(r.GetEndKey()))
	}
}

// overlappingOther returns a peer other than p whose region overlaps r.
func (s *Store) overlappingOther(p *peer, r *metapb.Region) *peer {
	for _, q := range s.within(r.GetStartKey(), r.GetEndKey()) {
		if q != p {
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
	s.claimants = slices.DeleteFunc(s.claimants, func(p *peer) bool {
		return s.byRegion[p.regionID] != p || len(p.received) == 0 && p.restored == nil
	})
	for _, p := range s.claimants {
		for _, r := range p.received {
			if claims(r.region) {
				return true
			}
		}
		if !p.destroyed && p.restored != nil && claims(p.restored.region) {
			return true
		}
	}
	return false
}
