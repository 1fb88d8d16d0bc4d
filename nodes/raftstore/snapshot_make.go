package raftstore

import (
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/pingcap/kvproto/pkg/metapb"
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
	"google.golang.org/protobuf/proto"

	"simrun/nodes/engine"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
)

// outgoing is a snapshot of a region that this store has made, or is making. It
// is a file, so that whoever has half of it can have the other half, from a later
// process too, and that the engine need not keep a view as long as it is
// sent.
type outgoing struct {
	p      *peer
	id     snapshotID // without size and checksum until it is ready
	region *metapb.Region
	ready  bool
	sends  int           // under way
	used   time.Duration // when somebody last had a use for it
	// stale: it is not offered any more, and goes with its last send. failed: it
	// could not be made.
	stale, failed bool
}

// generateSnapshot is called by raft when a follower needs entries that are no
// longer in the log. If there is no snapshot that would do, one is begun, of what
// is applied now; raft asks again with the next answer to a heartbeat.
func (p *peer) generateSnapshot() (*raftpb.Snapshot, error) {
	if markMergeNoSnapshot.Sometimes(p.merging()) {
		// Who lags will get the entries from another leader or with the merge, or a
		// snapshot from here if it is rolled back.
		p.merge.refused = true
		return nil, raft.ErrSnapshotTemporarilyUnavailable
	}
	o := p.outgoing
	if o != nil && (o.stale || !o.serves()) {
		markSnapshotStale.Reached()
		p.outgoing, o.stale = nil, true
		o = nil
	}
	if o != nil && !o.ready {
		return nil, raft.ErrSnapshotTemporarilyUnavailable
	}
	if p.s.sending+len(p.offered) >= p.s.cfg.SnapshotSendsMax {
		markSnapshotDeferred.Reached()
		return nil, raft.ErrSnapshotTemporarilyUnavailable
	}
	if o == nil {
		p.makeSnapshot()
		return nil, raft.ErrSnapshotTemporarilyUnavailable
	}
	o.used = p.s.env.Clock.Monotonic()
	p.offered = append(p.offered, o)
	return &raftpb.Snapshot{
		Data: marshal(o.id.snapshotData(o.region, p.merge.records)),
		Metadata: &raftpb.SnapshotMetadata{
			ConfState: confStateOf(o.region), Index: proto.Uint64(o.id.index), Term: proto.Uint64(o.id.term),
		},
	}, nil
}

// serves reports whether the snapshot can still bring a follower up to date: it
// has the members and the range that the region has, and so has absorbed the same
// regions, and the log goes on from it.
func (o *outgoing) serves() bool {
	epoch, now := o.region.GetRegionEpoch(), o.p.region.GetRegionEpoch()
	return epoch.GetVersion() == now.GetVersion() && epoch.GetConfVer() == now.GetConfVer() &&
		o.id.index >= o.p.log.truncatedIndex
}

// makeSnapshot begins to write a snapshot of what is applied now.
func (p *peer) makeSnapshot() {
	s := p.s
	o := &outgoing{
		p: p, region: p.region, used: s.env.Clock.Monotonic(),
		id: snapshotID{region: p.regionID, index: p.applied, term: p.appliedTerm},
	}
	p.outgoing = o
	s.outgoing = append(s.outgoing, o)
	s.sending++
	view := s.eng.KV.NewSnapshot()
	s.env.Sched.Go("make snapshot", func(t env.Task) {
		defer view.Close()
		err := o.write(t, view)
		s.sending--
		if err != nil {
			// Nothing is lost but this attempt: raft asks again.
			markSnapshotUnmade.Reached()
			s.logf("region %d: cannot make a snapshot at %d: %v", o.id.region, o.id.index, err)
			o.stale, o.failed = true, true
			return
		}
		markSnapshotMade.Reached()
		o.used = s.env.Clock.Monotonic()
		o.ready = true
	})
}

// write makes the file. It gets its name when it is complete, and is made
// durable so that the next process can go on with it.
func (o *outgoing) write(t env.Task, view *engine.Snapshot) (err error) {
	s := o.p.s
	id := o.id
	making := id.name(makingFile)
	f, err := s.snaps.create(making)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // it was synced, or is of no use
	defer func() {
		if err != nil {
			s.snaps.remove(making)
		}
	}()
	w := &frameWriter{s: s, f: f, frame: newFrame(s.cfg.SnapshotChunkSize)}
	w.frame = append(w.frame, marshal(o.region)...)
	if err = w.flush(t); err != nil {
		return err
	}
	for _, cf := range dataCFs() {
		if err = w.family(t, view, cf, o.region); err != nil {
			return err
		}
	}
	if err = w.flush(t); err != nil {
		return err
	}
	id.size, id.sum = w.size, w.sum
	if err = f.Sync(); err != nil {
		return err
	}
	if err = s.snaps.rename(making, id.name(outgoingFile)); err != nil {
		return err
	}
	o.id = id
	s.durable(t)
	return nil
}

// frameWriter writes the frames of a snapshot; of its data it holds one frame.
type frameWriter struct {
	s     *Store
	f     vfs.File
	frame []byte
	size  uint64
	sum   uint32
}

// family writes the region's keys in one column family. The iterator is closed
// also when the task is unwound.
func (w *frameWriter) family(t env.Task, view *engine.Snapshot, cf engine.CF, region *metapb.Region) error {
	it, err := view.NewIter(cf, engine.IterOptions{Lower: region.GetStartKey(), Upper: orNil(region.GetEndKey())})
	if err != nil {
		return err
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		w.frame = appendRecord(w.frame, cf, it.Key(), it.Value())
		if len(w.frame) < w.s.cfg.SnapshotChunkSize {
			continue
		}
		if err := w.flush(t); err != nil {
			return err
		}
	}
	return it.Error()
}

// flush writes the frame unless it is empty, and lets others have their turn.
func (w *frameWriter) flush(t env.Task) error {
	if len(w.frame) == frameHeader {
		return nil
	}
	sealFrame(w.frame)
	if _, err := w.f.Write(w.frame); err != nil {
		return err
	}
	w.size += uint64(len(w.frame))
	w.sum = addSum(w.sum, w.frame)
	w.frame = w.frame[:frameHeader]
	t.Sleep(0)
	return nil
}

// takeOffered returns the snapshot of a MsgSnap that raft was given in this turn.
func (p *peer) takeOffered(index uint64) *outgoing {
	i := slices.IndexFunc(p.offered, func(o *outgoing) bool { return o.id.index == index })
	invariant.Check(i >= 0, "raftstore: %s: MsgSnap at %d was not offered", p, index)
	o := p.offered[i]
	p.offered = slices.Delete(p.offered, i, i+1)
	return o
}

// discardSnapshots forgets what was offered to raft or received for it and was
// not used.
func (p *peer) discardSnapshots() {
	p.offered = p.offered[:0]
	for _, r := range p.received {
		markSnapshotIgnored.Reached()
		p.s.snaps.remove(r.id.name(incomingFile))
	}
	p.received = nil
}

// pins returns the index from which on the log is needed: a follower that gets a
// snapshot goes on with the entries after it. One that nobody has fetched yet
// counts for a while.
func (p *peer) pins(index uint64) uint64 {
	now := p.s.env.Clock.Monotonic()
	for _, o := range p.s.outgoing {
		if o.p == p && (o.sends > 0 || !o.ready || now-o.used <= p.s.cfg.SnapshotIdle) {
			index = min(index, o.id.index)
		}
	}
	return index
}

// sendsSnapshot reports whether a snapshot of the region is being made or sent, or
// about to be.
func (p *peer) sendsSnapshot() bool {
	return len(p.offered) > 0 || slices.ContainsFunc(p.s.outgoing, func(o *outgoing) bool {
		return o.p == p && (o.sends > 0 || !o.ready && !o.failed)
	})
}

// collectOutgoing deletes the snapshots that nobody needs. The file of one that was
// made anew has the name of the one before if nothing was applied in between; it
// goes with the last that has the name.
func (s *Store) collectOutgoing() {
	if len(s.outgoing) == 0 {
		return
	}
	now := s.env.Clock.Monotonic()
	var done []snapshotID
	s.outgoing = slices.DeleteFunc(s.outgoing, func(o *outgoing) bool {
		if o.sends > 0 || slices.Contains(o.p.offered, o) || !o.ready && !o.failed {
			return false
		}
		if !o.stale && now-o.used <= s.cfg.SnapshotKeep && o.serves() && o.p.needsSnapshot(o.id.index) {
			return false
		}
		if o.p.outgoing == o {
			o.p.outgoing = nil
		}
		done = append(done, o.id)
		return true
	})
	for _, id := range done {
		if markSnapshotNameKept.Sometimes(slices.ContainsFunc(s.outgoing, func(o *outgoing) bool { return o.id == id })) {
			continue
		}
		markSnapshotErased.Reached()
		s.snaps.remove(id.name(outgoingFile))
	}
}

// needsSnapshot reports whether a follower may need a snapshot at an index. One
// who does not lead cannot know, unless another does.
func (p *peer) needsSnapshot(index uint64) bool {
	if p.destroyed {
		return false
	}
	if !p.isLeader() {
		return p.leader == 0
	}
	needed := false
	p.node.WithProgress(func(id uint64, _ raft.ProgressType, pr tracker.Progress) {
		needed = needed || id != p.id && pr.Match < index
	})
	return needed
}
