package raftstore

import (
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/raft_serverpb"

	"simrun/nodes/env"
)

// receiver collects the chunks of snapshots in files, one for each region. What
// it has survives the process, and as far as the disk has kept it also the power;
// a file is synced only when it is complete.
type receiver struct {
	s       *Store
	streams []*incoming // in the order in which they began
}

// incoming is a snapshot that raft has not got yet, because chunks are missing or
// because there is no room for it.
type incoming struct {
	id   snapshotID
	term uint64 // of the message that came last
	file vfs.File
	have uint64 // bytes of whole frames
	sum  uint32 // of these
	seen time.Duration
	// live: a sender has spoken of it not long ago. Of others the file is kept for
	// a while, but they do not count.
	live bool
	// syncing: it is complete and being made durable; synced: it is durable.
	syncing, synced bool
	// discarded: somebody has deleted it, who need not wait for the sync.
	discarded bool
}

// OnSnapshotChunk takes a chunk that another store's SendSnapshotChunk carried.
// The answer says where to go on. The whole snapshot is accepted when raft has
// got it, which is before it is applied.
func (s *Store) OnSnapshotChunk(t env.Task, chunk *raft_serverpb.SnapshotChunk) *SnapshotAnswer {
	answer := s.takeChunk(t, chunk)
	if answer.Refusal != nil {
		s.cfg.Observer.SnapshotMoved(chunk.GetMessage().GetRegionId(), SnapshotRefused)
		s.logf("region %d: snapshot refused: %s", chunk.GetMessage().GetRegionId(), answer.Refusal.GetMessage())
	}
	return answer
}

func (s *Store) takeChunk(t env.Task, chunk *raft_serverpb.SnapshotChunk) *SnapshotAnswer {
	if s.dead {
		return refused(errServerIsBusy("shutting down"))
	}
	m := chunk.GetMessage()
	p := s.byRegion[m.GetRegionId()]
	if p == nil || p.destroyed || p.id != m.GetToPeer().GetId() || m.GetToPeer().GetStoreId() != s.id {
		return refused(errRegionNotFound(m.GetRegionId()))
	}
	o, err := openOffer(m)
	offset, frame, ok := openChunk(chunk.GetData())
	if err != nil || !ok {
		markSnapshotDamaged.Reached()
		return refused(errStaleCommand("damaged chunk of a snapshot"))
	}
	if o.term() < p.term() {
		markSnapshotDeposed.Reached()
		return refused(errStaleCommand("snapshot of a leader that was deposed"))
	}
	if o.id.index <= p.commit() {
		markSnapshotKnown.Reached()
		p.acceptSnapshot(o) // raft ignores it, and tells the leader where to go on
		return &SnapshotAnswer{Next: o.id.size}
	}
	if refusal := s.admitSnapshot(p, o); refusal != nil {
		return refused(refusal)
	}
	in, refusal := s.receiver.admit(o)
	if refusal != nil {
		return refused(refusal)
	}
	if frame != nil && offset == in.have {
		if err := in.append(frame); err != nil {
			markSnapshotUnwritten.Reached()
			s.logf("region %d: %v", o.id.region, err)
			s.receiver.discard(in)
			return refused(errServerIsBusy("the snapshot cannot be written"))
		}
	}
	if in.have < in.id.size {
		return &SnapshotAnswer{Next: in.have}
	}
	return s.receiver.complete(t, p, o, in)
}

// append writes a frame after the others.
func (in *incoming) append(frame []byte) error {
	if uint64(len(frame)) > in.id.size-in.have {
		return errDamagedFrame
	}
	if _, err := in.file.WriteAt(frame, int64(in.have)); err != nil {
		return err
	}
	in.have += uint64(len(frame))
	in.sum = addSum(in.sum, frame)
	return nil
}

// admitSnapshot decides whether a snapshot could be accepted now.
func (s *Store) admitSnapshot(p *peer, o *snapshotOffer) *errorpb.Error {
	switch {
	case p.destroyed:
		return errRegionNotFound(p.regionID)
	case peerOnStore(o.region, s.id).GetId() != p.id:
		return errEpochNotMatch(o.region)
	case p.restored != nil:
		markSnapshotApplying.Reached()
		return errServerIsBusy("another snapshot is being applied")
	}
	if q := s.obstacle(p, &receivedSnapshot{region: o.region, merged: o.merged}); q != nil {
		// The other region has yet to apply the split that makes room, or the
		// snapshot is from before a split that is applied here.
		markSnapshotRefused.Reached()
		return errEpochNotMatch(q.region)
	}
	if s.applier.unborn(p.regionID) {
		return errServerIsBusy("the region is being made by a split")
	}
	if s.claimed(p.regionID, o.region.GetStartKey(), o.region.GetEndKey()) {
		markSnapshotRefused.Reached()
		return errServerIsBusy("another region is about to take a part of the range")
	}
	return nil
}

func (r *receiver) find(region uint64) *incoming {
	i := slices.IndexFunc(r.streams, func(in *incoming) bool { return in.id.region == region })
	if i < 0 {
		return nil
	}
	return r.streams[i]
}

// live counts the snapshots that are being received.
func (r *receiver) live() int {
	n := 0
	for _, in := range r.streams {
		if in.live {
			n++
		}
	}
	return n
}

// admit finds or begins what a chunk belongs to. A region has one snapshot at a
// time: that of a newer leader, or a newer one of the same leader, takes the
// place of another; an older one has to wait until its like is forgotten.
func (r *receiver) admit(o *snapshotOffer) (*incoming, *errorpb.Error) {
	s := r.s
	in := r.find(o.id.region)
	switch {
	case in == nil:
	case in.syncing:
		return nil, errServerIsBusy("the snapshot is being made durable")
	case in.id != o.id && in.live && (o.term() < in.term || o.term() == in.term && o.id.index <= in.id.index):
		markSnapshotOlder.Reached()
		return nil, errStaleCommand("chunk of an older snapshot")
	case in.id != o.id:
		markSnapshotSuperseded.Reached()
		r.discard(in)
		in = nil
	}
	if (in == nil || !in.live) && r.live() >= s.cfg.SnapshotReceivesMax {
		markSnapshotBusy.Reached()
		return nil, errServerIsBusy("too many snapshots")
	}
	if in == nil {
		if !s.snaps.hasRoom(o.id.size) {
			markSnapshotNoSpace.Reached()
			return nil, errServerIsBusy("the disk is full")
		}
		file, err := s.snaps.create(o.id.name(incomingFile))
		if err == nil {
			err = s.snaps.dir.Sync() // or nothing of it would survive the power
		}
		if err != nil {
			markSnapshotUnwritten.Reached()
			return nil, errServerIsBusy("the snapshot cannot be written")
		}
		in = &incoming{id: o.id, file: file}
		r.streams = append(r.streams, in)
	}
	in.live, in.term, in.seen = true, max(in.term, o.term()), s.env.Clock.Monotonic()
	return in, nil
}

// complete makes a complete file durable, and then gives it to raft. Only what is
// durable may be recorded as the source of the region's data.
func (r *receiver) complete(t env.Task, p *peer, o *snapshotOffer, in *incoming) *SnapshotAnswer {
	s := r.s
	if in.sum != in.id.sum {
		markSnapshotDamaged.Reached()
		r.discard(in)
		return refused(errStaleCommand("the snapshot is damaged"))
	}
	if !in.synced {
		if err := s.snaps.sync(in.file); err != nil {
			// What the disk has of it is not known any more.
			markSnapshotUnwritten.Reached()
			r.discard(in)
			return refused(errServerIsBusy("the snapshot cannot be written"))
		}
		in.syncing = true
		if !s.durable(t) || in.discarded {
			return refused(errRegionNotFound(o.id.region))
		}
		in.syncing, in.synced = false, true
		markSnapshotStored.Reached()
		// Time has passed.
		if refusal := s.admitSnapshot(p, o); refusal != nil {
			return refused(refusal)
		}
	}
	r.remove(in)
	p.receive(&receivedSnapshot{id: in.id, region: o.region, merged: o.merged})
	p.acceptSnapshot(o)
	return &SnapshotAnswer{Next: o.id.size}
}

// remove forgets a snapshot whose file stays.
func (r *receiver) remove(in *incoming) {
	_ = in.file.Close() // an error would have shown at its sync
	r.streams = slices.DeleteFunc(r.streams, func(other *incoming) bool { return other == in })
}

// discard forgets a snapshot, and its file.
func (r *receiver) discard(in *incoming) {
	in.discarded = true
	r.remove(in)
	r.s.snaps.remove(in.id.name(incomingFile))
}

// forget discards what there is of a region's snapshot, since its peer is gone.
func (r *receiver) forget(region uint64) {
	if in := r.find(region); in != nil {
		r.discard(in)
	}
}

// collect looks for snapshots whose sender has fallen silent, and deletes those
// that are of no use any more.
func (r *receiver) collect() {
	now := r.s.env.Clock.Monotonic()
	for i := 0; i < len(r.streams); i++ {
		in := r.streams[i]
		if in.syncing {
			continue
		}
		if in.live && now-in.seen > r.s.cfg.SnapshotIdle {
			markSnapshotExpired.Reached()
			in.live = false
		}
		p := r.s.byRegion[in.id.region]
		if overtaken := p != nil && in.id.index <= p.applied; overtaken || now-in.seen > r.s.cfg.SnapshotKeep {
			markSnapshotErased.Reached()
			r.discard(in)
			i--
		}
	}
}
