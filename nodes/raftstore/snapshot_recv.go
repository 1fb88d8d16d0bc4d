package raftstore

import (
	"slices"
	"time"

	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_serverpb"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"simrun/nodes/invariant"
)

// receiver collects the chunks of snapshots in memory.
type receiver struct {
	s       *Store
	streams []*incoming // in the order in which they began
}

// incoming is a snapshot of which not all chunks have come.
type incoming struct {
	region, stream uint64
	next           uint32
	records        [][]byte
	size           int
	seen           time.Duration // when the last chunk came
}

// receivedSnapshot is a complete snapshot.
type receivedSnapshot struct {
	region      *metapb.Region
	index, term uint64
	records     [][]byte
	size        int
	// merged are the regions that the region has absorbed, replaced the peers of
	// such regions that this one takes the place of.
	merged   []*raft_serverpb.MergedRecord
	replaced []*peer
}

func (r *receiver) init(s *Store) { r.s = s }

// OnSnapshotChunk takes a chunk that another store's SendSnapshotChunk carried.
// It returns nil if it has accepted it; otherwise the sender should give up. The
// last chunk is accepted when raft has got the snapshot, which is before it is
// applied.
func (s *Store) OnSnapshotChunk(chunk *raft_serverpb.SnapshotChunk) *errorpb.Error {
	if s.dead {
		return errServerIsBusy("shutting down")
	}
	m := chunk.GetMessage()
	region := m.GetRegionId()
	p := s.byRegion[region]
	if p == nil || p.destroyed || p.id != m.GetToPeer().GetId() || m.GetToPeer().GetStoreId() != s.id {
		return errRegionNotFound(region)
	}
	h, records, ok := openChunk(chunk.GetData())
	invariant.Check(ok, "raftstore: %s: damaged snapshot chunk", p)
	in, regionErr := s.receiver.admit(region, h)
	if regionErr != nil {
		return regionErr
	}
	if h.sequence < in.next {
		return nil // a duplicate
	}
	in.records = append(in.records, slices.Clone(records))
	in.size += len(records)
	in.next++
	in.seen = s.env.Clock.Monotonic()
	if in.size > s.cfg.SnapshotBytesMax {
		s.receiver.remove(in)
		return errServerIsBusy("snapshot too large")
	}
	if !h.last {
		return nil
	}
	s.receiver.remove(in)
	return s.receiveSnapshot(p, m, in)
}

// admit finds or begins the stream of a chunk.
func (r *receiver) admit(region uint64, h chunkHeader) (*incoming, *errorpb.Error) {
	i := slices.IndexFunc(r.streams, func(in *incoming) bool { return in.region == region })
	if i >= 0 && r.streams[i].stream != h.stream && h.sequence == 0 {
		r.streams = slices.Delete(r.streams, i, i+1) // the sender, or a new leader, begins anew
		i = -1
	}
	switch {
	case i >= 0 && r.streams[i].stream == h.stream && h.sequence <= r.streams[i].next:
		return r.streams[i], nil
	case i >= 0 || h.sequence != 0:
		return nil, errStaleCommand("chunk of another snapshot")
	case len(r.streams) >= r.s.cfg.SnapshotReceivesMax:
		return nil, errServerIsBusy("too many snapshots")
	}
	in := &incoming{region: region, stream: h.stream}
	r.streams = append(r.streams, in)
	return in, nil
}

func (r *receiver) remove(in *incoming) {
	r.streams = slices.DeleteFunc(r.streams, func(other *incoming) bool { return other == in })
}

// expire discards snapshots whose sender has fallen silent.
func (r *receiver) expire() {
	if len(r.streams) == 0 {
		return
	}
	now := r.s.env.Clock.Monotonic()
	r.streams = slices.DeleteFunc(r.streams, func(in *incoming) bool {
		return markSnapshotExpired.Sometimes(now-in.seen > r.s.cfg.SnapshotIdle)
	})
}

// receiveSnapshot gives a complete snapshot to raft, if there is room for its
// region.
func (s *Store) receiveSnapshot(p *peer, m *raft_serverpb.RaftMessage, in *incoming) *errorpb.Error {
	message := &raftpb.Message{}
	err := proto.Unmarshal(marshal(m.GetMessage()), message)
	data := &raft_serverpb.RaftSnapshotData{}
	if err == nil {
		err = data.Unmarshal(message.GetSnapshot().GetData())
	}
	region := data.GetRegion()
	invariant.Check(err == nil && message.GetType() == raftpb.MsgSnap && region.GetId() == p.regionID,
		"raftstore: %s: damaged snapshot message: %v", p, err)
	if peerOnStore(region, s.id).GetId() != p.id {
		return errEpochNotMatch(region)
	}
	r := &receivedSnapshot{region: region, records: in.records, size: in.size, merged: data.GetMergedRecords()}
	if q := s.obstacle(p, r); q != nil {
		// The other region has yet to apply the split that makes room, or the
		// snapshot is from before a split that is applied here.
		markSnapshotRefused.Reached()
		return errEpochNotMatch(q.region)
	}
	if s.applier.unborn(p.regionID) {
		return errServerIsBusy("the region is being made by a split")
	}
	if s.claimed(p.regionID, region.GetStartKey(), region.GetEndKey()) {
		markSnapshotRefused.Reached()
		return errServerIsBusy("another region is about to take a part of the range")
	}
	if p.member(m.GetFromPeer().GetId()) == nil {
		p.strangers = append(p.strangers, m.GetFromPeer())
	}
	meta := message.GetSnapshot().GetMetadata()
	r.index, r.term = meta.GetIndex(), meta.GetTerm()
	p.received = append(p.received, r)
	p.heard(message)
	p.contact = s.ticks
	p.stirBy(message)
	p.catchUp()
	_ = p.node.Step(message)
	// At once, since raft has the members of the snapshot from now on, and entries
	// that are about to be applied may change those of before.
	p.handleReady()
	s.markDirty(p)
	return nil
}

// takeReceived returns the data of a snapshot that raft has accepted.
func (p *peer) takeReceived(snapshot *raftpb.Snapshot) *receivedSnapshot {
	if snapshot == nil {
		return nil
	}
	meta := snapshot.GetMetadata()
	for i, r := range p.received {
		if r.index == meta.GetIndex() && r.term == meta.GetTerm() {
			p.received = slices.Delete(p.received, i, i+1)
			p.restoring = r.index
			return r
		}
	}
	invariant.Fail("raftstore: %s: raft accepted a snapshot at %d that was not received", p, meta.GetIndex())
	return nil
}
