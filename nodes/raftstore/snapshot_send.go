package raftstore

import (
	"encoding/binary"
	"slices"

	"github.com/cespare/xxhash/v2"
	"github.com/pingcap/kvproto/pkg/eraftpb"
	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_serverpb"
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"simrun/nodes/engine"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
)

// generatedSnapshot is a consistent view of a region at an applied index.
type generatedSnapshot struct {
	region *metapb.Region
	index  uint64
	data   *engine.Snapshot
}

// generateSnapshot is called by raft when a follower needs entries that are no
// longer in the log. The data is not read now: a view of the engine is taken, at
// the index that is applied in it, and the MsgSnap that follows in this turn
// starts a task that sends it.
func (p *peer) generateSnapshot() (*raftpb.Snapshot, error) {
	if markMergeNoSnapshot.Sometimes(p.merging()) {
		// Who lags will get the entries with the merge, or from here if it is rolled
		// back.
		return nil, raft.ErrSnapshotTemporarilyUnavailable
	}
	if p.s.sending+len(p.generated) >= p.s.cfg.SnapshotSendsMax {
		markSnapshotDeferred.Reached()
		return nil, raft.ErrSnapshotTemporarilyUnavailable
	}
	p.generated = append(p.generated, &generatedSnapshot{p.region, p.applied, p.s.eng.KV.NewSnapshot()})
	return &raftpb.Snapshot{
		Data: marshal(&raft_serverpb.RaftSnapshotData{Region: p.region, MergedRecords: p.merge.records}),
		Metadata: &raftpb.SnapshotMetadata{
			ConfState: p.confState(), Index: proto.Uint64(p.applied), Term: proto.Uint64(p.appliedTerm),
		},
	}, nil
}

// discardSnapshots frees what was generated or received and not used.
func (p *peer) discardSnapshots() {
	for _, g := range p.generated {
		g.data.Close()
	}
	p.generated = p.generated[:0]
	if len(p.received) > 0 {
		markSnapshotIgnored.Reached()
		p.received = nil
	}
}

// sendSnapshot starts to send the snapshot of a MsgSnap.
func (p *peer) sendSnapshot(m *raftpb.Message) {
	index := m.GetSnapshot().GetMetadata().GetIndex()
	to := peerByID(p.region, m.GetTo())
	i := slices.IndexFunc(p.generated, func(g *generatedSnapshot) bool { return g.index == index })
	invariant.Check(i >= 0, "raftstore: %s: MsgSnap to %d at %d was not generated", p, m.GetTo(), index)
	g := p.generated[i]
	p.generated = slices.Delete(p.generated, i, i+1)
	if markSnapshotRemoved.Sometimes(to == nil) {
		g.data.Close() // it was removed since raft has asked for the snapshot
		return
	}
	p.s.nextStream++
	out := &snapshotStream{
		s: p.s, message: p.snapshotMessage(m, to), snapshot: g, store: to.GetStoreId(),
		header: chunkHeader{stream: p.s.boot ^ p.s.nextStream},
	}
	p.s.sending++
	p.pinned = append(p.pinned, index)
	p.s.env.Sched.Go("snapshot", func(t env.Task) {
		defer g.data.Close()
		err := out.send(t)
		p.snapshotSent(m.GetTo(), index, err)
	})
}

// snapshotMessage returns the message that accompanies each chunk.
func (p *peer) snapshotMessage(m *raftpb.Message, to *metapb.Peer) *raft_serverpb.RaftMessage {
	buf, err := proto.Marshal(m)
	inner := &eraftpb.Message{}
	if err == nil {
		err = inner.Unmarshal(buf)
	}
	invariant.Check(err == nil, "raftstore: %s: cannot encode MsgSnap: %v", p, err)
	return &raft_serverpb.RaftMessage{
		RegionId: p.regionID, FromPeer: p.meta, ToPeer: to, Message: inner, RegionEpoch: p.region.GetRegionEpoch(),
	}
}

// snapshotSent tells raft what became of a snapshot, so that it goes on.
func (p *peer) snapshotSent(to, index uint64, err error) {
	p.s.sending--
	i := slices.Index(p.pinned, index)
	p.pinned = slices.Delete(p.pinned, i, i+1)
	if p.destroyed || p.s.dead {
		return
	}
	p.stir()
	p.catchUp()
	status := raft.SnapshotFinish
	if err != nil {
		markSnapshotFailed.Reached()
		status = raft.SnapshotFailure
		p.node.ReportUnreachable(to)
		if p.s.env.Log.Enabled() {
			p.s.env.Log.Logf("region %d: snapshot at %d to peer %d: %v", p.regionID, index, to, err)
		}
	} else {
		markSnapshotSent.Reached()
	}
	p.node.ReportSnapshot(to, status)
	p.s.markDirty(p)
}

// A chunk is a header and a sequence of records: column family, key, value. The
// checksum covers the rest of the header and the records.
//
//	checksum 8, stream 8, sequence 4, last 1
const chunkHeaderSize = 8 + 8 + 4 + 1

type chunkHeader struct {
	stream   uint64 // distinguishes attempts
	sequence uint32
	last     bool
}

// sealChunk fills in the header of a chunk whose records begin after it.
func sealChunk(chunk []byte, h chunkHeader) {
	binary.LittleEndian.PutUint64(chunk[8:], h.stream)
	binary.LittleEndian.PutUint32(chunk[16:], h.sequence)
	chunk[20] = 0
	if h.last {
		chunk[20] = 1
	}
	binary.LittleEndian.PutUint64(chunk, xxhash.Sum64(chunk[8:]))
}

// openChunk checks a chunk and splits it.
func openChunk(chunk []byte) (h chunkHeader, records []byte, ok bool) {
	if len(chunk) < chunkHeaderSize || binary.LittleEndian.Uint64(chunk) != xxhash.Sum64(chunk[8:]) {
		return h, nil, false
	}
	h.stream = binary.LittleEndian.Uint64(chunk[8:])
	h.sequence = binary.LittleEndian.Uint32(chunk[16:])
	h.last = chunk[20] == 1
	return h, chunk[chunkHeaderSize:], true
}

func appendRecord(buf []byte, cf engine.CF, key, value []byte) []byte {
	buf = append(buf, byte(cf))
	buf = append(binary.AppendUvarint(buf, uint64(len(key))), key...)
	return append(binary.AppendUvarint(buf, uint64(len(value))), value...)
}

// eachRecord calls fn for every record; it reports whether all were well formed.
func eachRecord(records []byte, fn func(cf engine.CF, key, value []byte)) bool {
	for len(records) > 0 {
		cf := engine.CF(records[0])
		key, rest, ok := cutString(records[1:])
		if !ok {
			return false
		}
		value, rest, ok := cutString(rest)
		if !ok {
			return false
		}
		fn(cf, key, value)
		records = rest
	}
	return true
}

func cutString(buf []byte) (value, rest []byte, ok bool) {
	n, size := binary.Uvarint(buf)
	if size <= 0 || n > uint64(len(buf)-size) {
		return nil, nil, false
	}
	buf = buf[size:]
	return buf[:n], buf[n:], true
}

// snapshotStream sends one snapshot, a chunk at a time.
type snapshotStream struct {
	s        *Store
	store    uint64
	message  *raft_serverpb.RaftMessage
	snapshot *generatedSnapshot
	header   chunkHeader
	chunk    []byte
}

func (o *snapshotStream) send(t env.Task) error {
	o.begin()
	for _, cf := range dataCFs() {
		if err := o.sendFamily(t, cf); err != nil {
			return err
		}
	}
	o.header.last = true
	return o.flush(t)
}

// sendFamily sends the region's keys in one column family. The iterator is
// closed also when the task is unwound.
func (o *snapshotStream) sendFamily(t env.Task, cf engine.CF) error {
	region := o.snapshot.region
	it, err := o.snapshot.data.NewIter(cf, engine.IterOptions{Lower: region.GetStartKey(), Upper: orNil(region.GetEndKey())})
	if err != nil {
		return err
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		o.chunk = appendRecord(o.chunk, cf, it.Key(), it.Value())
		if len(o.chunk) < o.s.cfg.SnapshotChunkSize {
			continue
		}
		if err := o.flush(t); err != nil {
			return err
		}
	}
	return it.Error()
}

func (o *snapshotStream) begin() { o.chunk = make([]byte, chunkHeaderSize, o.s.cfg.SnapshotChunkSize) }

func (o *snapshotStream) flush(t env.Task) error {
	sealChunk(o.chunk, o.header)
	chunk := &raft_serverpb.SnapshotChunk{Message: o.message, Data: o.chunk}
	if err := o.s.transport.SendSnapshotChunk(t, o.store, chunk); err != nil {
		return err
	}
	o.header.sequence++
	o.begin()
	return nil
}

// dataCFs are the column families that belong to regions.
func dataCFs() []engine.CF { return []engine.CF{engine.Default, engine.Lock, engine.Write} }
