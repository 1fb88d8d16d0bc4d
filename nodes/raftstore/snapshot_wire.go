package raftstore

import (
	"encoding/binary"
	"errors"

	"github.com/pingcap/kvproto/pkg/eraftpb"
	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_serverpb"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"simrun/nodes/invariant"
)

// A chunk of a snapshot carries, beside the MsgSnap that it belongs to, an
// offset in the file and the frame that begins there. Without a frame it asks
// how much the receiver has.
const chunkHeader = 8

func chunkData(offset uint64, frame []byte) []byte {
	buf := binary.LittleEndian.AppendUint64(make([]byte, 0, chunkHeader+len(frame)), offset)
	return append(buf, frame...)
}

// openChunk splits what chunkData has joined. The frame is nil if there is none.
func openChunk(data []byte) (offset uint64, frame []byte, ok bool) {
	if len(data) < chunkHeader {
		return 0, nil, false
	}
	offset, data = binary.LittleEndian.Uint64(data), data[chunkHeader:]
	if len(data) == 0 {
		return offset, nil, true
	}
	_, ok = openFrame(data)
	return offset, data, ok
}

// SnapshotAnswer is the answer to a chunk of a snapshot.
type SnapshotAnswer struct {
	// Next is the offset at which the receiver wants the snapshot to go on. That
	// of the end means that raft has got it.
	Next uint64
	// Refusal, if not nil, says why the receiver does not take the chunk. A busy
	// one may be asked again.
	Refusal *errorpb.Error
}

// Size implements rpc.Message.
func (a *SnapshotAnswer) Size() int {
	n := chunkHeader
	if a.Refusal != nil {
		n += a.Refusal.Size()
	}
	return n
}

// MarshalTo implements rpc.Message.
func (a *SnapshotAnswer) MarshalTo(buf []byte) (int, error) {
	binary.LittleEndian.PutUint64(buf, a.Next)
	if a.Refusal == nil {
		return chunkHeader, nil
	}
	n, err := a.Refusal.MarshalTo(buf[chunkHeader:])
	return chunkHeader + n, err
}

// Unmarshal implements rpc.Message.
func (a *SnapshotAnswer) Unmarshal(buf []byte) error {
	if len(buf) < chunkHeader {
		return errors.New("raftstore: answer to a chunk of a snapshot is too short")
	}
	*a = SnapshotAnswer{Next: binary.LittleEndian.Uint64(buf)}
	if buf = buf[chunkHeader:]; len(buf) == 0 {
		return nil
	}
	a.Refusal = &errorpb.Error{}
	return a.Refusal.Unmarshal(buf)
}

// refused answers a chunk that is not taken.
func refused(why *errorpb.Error) *SnapshotAnswer { return &SnapshotAnswer{Refusal: why} }

// snapshotOffer is the MsgSnap of a chunk.
type snapshotOffer struct {
	from    *metapb.Peer
	message *raftpb.Message
	region  *metapb.Region
	merged  []*raft_serverpb.MergedRecord // the regions that it has absorbed
	id      snapshotID
}

// term is the one in which the snapshot was sent.
func (o *snapshotOffer) term() uint64 { return o.message.GetTerm() }

// snapshotData describes a file in the form in which a MsgSnap carries it. One
// file holds all column families.
func (id snapshotID) snapshotData(region *metapb.Region, merged []*raft_serverpb.MergedRecord) *raft_serverpb.RaftSnapshotData {
	return &raft_serverpb.RaftSnapshotData{
		Region: region, MergedRecords: merged, FileSize: id.size,
		Meta: &raft_serverpb.SnapshotMeta{CfFiles: []*raft_serverpb.SnapshotCFFile{{Size_: id.size, Checksum: id.sum}}},
	}
}

// openOffer reads the message of a chunk.
func openOffer(m *raft_serverpb.RaftMessage) (*snapshotOffer, error) {
	o := &snapshotOffer{from: m.GetFromPeer(), message: &raftpb.Message{}}
	if err := proto.Unmarshal(marshal(m.GetMessage()), o.message); err != nil {
		return nil, err
	}
	data := &raft_serverpb.RaftSnapshotData{}
	if err := data.Unmarshal(o.message.GetSnapshot().GetData()); err != nil {
		return nil, err
	}
	files, meta := data.GetMeta().GetCfFiles(), o.message.GetSnapshot().GetMetadata()
	if o.message.GetType() != raftpb.MsgSnap || len(files) != 1 || data.GetRegion().GetId() != m.GetRegionId() {
		return nil, errors.New("raftstore: no snapshot of the region")
	}
	o.region, o.merged = data.GetRegion(), data.GetMergedRecords()
	o.id = snapshotID{o.region.GetId(), meta.GetIndex(), meta.GetTerm(), data.GetFileSize(), files[0].GetChecksum()}
	return o, nil
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
