package raftstore

import (
	"errors"

	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_serverpb"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"simrun/nodes/invariant"
)

// A datagram between two stores is a tikvpb.BatchRaftMessages: repeated
// raft_serverpb.RaftMessage. The raft message inside is raftpb's, which has the
// encoding of eraftpb's. Both are encoded and decoded here field by field: it is
// the busiest path of a store.
const (
	batchMessages protowire.Number = 1

	fieldRegionID protowire.Number = 1
	fieldFromPeer protowire.Number = 2
	fieldToPeer   protowire.Number = 3
	fieldMessage  protowire.Number = 4
	fieldEpoch    protowire.Number = 5
	fieldStartKey protowire.Number = 7
	fieldEndKey   protowire.Number = 8

	fieldIsTombstone protowire.Number = 6
	fieldMergeTarget protowire.Number = 9
	fieldExtra       protowire.Number = 10

	extraFieldType       protowire.Number = 1
	extraFieldIndex      protowire.Number = 2
	extraFieldCheckPeers protowire.Number = 3
)

var errMalformed = errors.New("malformed raft message")

// envelope is a decoded RaftMessage whose raft message is still encoded.
type envelope struct {
	regionID         uint64
	from, to         metapb.Peer
	epoch            metapb.RegionEpoch
	startKey, endKey []byte
	message          []byte
	raw              []byte // all of it
	// tombstone: the receiver was removed. extra: this is a message of another
	// kind. Neither has a message of raft.
	tombstone, extra bool
	extraType        raft_serverpb.ExtraMessageType
	extraIndex       uint64
	// checkPeers are, of a tombstone and of an answer to who asks whether it was
	// removed, the members of the configuration of epoch.
	checkPeers []*metapb.Peer
	// mergedInto is, of a tombstone, the encoded region that has absorbed the
	// receiver's, if that is why.
	mergedInto []byte
}

// appendHeader appends what all messages from p to one peer have in common.
func appendHeader(buf []byte, p *peer, to *metapb.Peer) []byte {
	buf = protowire.AppendTag(buf, fieldRegionID, protowire.VarintType)
	buf = protowire.AppendVarint(buf, p.regionID)
	buf = appendMessage(buf, fieldFromPeer, p.meta)
	buf = appendMessage(buf, fieldToPeer, to)
	if epoch := p.region.GetRegionEpoch(); epoch != nil {
		buf = appendMessage(buf, fieldEpoch, epoch)
	}
	return buf
}

func appendMessage(buf []byte, field protowire.Number, m marshaler) []byte {
	return appendBytes(buf, field, marshal(m))
}

func appendBytes(buf []byte, field protowire.Number, value []byte) []byte {
	buf = protowire.AppendTag(buf, field, protowire.BytesType)
	return protowire.AppendBytes(buf, value)
}

// appendEnvelope appends one element of a batch.
func appendEnvelope(buf, header []byte, m *raftpb.Message, startKey, endKey []byte) []byte {
	size := proto.Size(m)
	total := len(header) + protowire.SizeTag(fieldMessage) + protowire.SizeBytes(size)
	if len(startKey) > 0 {
		total += protowire.SizeTag(fieldStartKey) + protowire.SizeBytes(len(startKey))
	}
	if len(endKey) > 0 {
		total += protowire.SizeTag(fieldEndKey) + protowire.SizeBytes(len(endKey))
	}
	buf = protowire.AppendTag(buf, batchMessages, protowire.BytesType)
	buf = protowire.AppendVarint(buf, uint64(total))
	end := len(buf) + total
	buf = append(buf, header...)
	buf = protowire.AppendTag(buf, fieldMessage, protowire.BytesType)
	buf = protowire.AppendVarint(buf, uint64(size))
	buf, err := proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(buf, m)
	if len(startKey) > 0 {
		buf = appendBytes(buf, fieldStartKey, startKey)
	}
	if len(endKey) > 0 {
		buf = appendBytes(buf, fieldEndKey, endKey)
	}
	invariant.Check(err == nil && len(buf) == end, "raftstore: cannot encode a raft message: %v", err)
	return buf
}

// eachEnvelope steps every message of a batch.
func (s *Store) eachEnvelope(batch []byte) error {
	ev := &s.envelope
	for len(batch) > 0 {
		f, n := consumeField(batch)
		if n < 0 || f.num != batchMessages || f.typ != protowire.BytesType {
			return errMalformed
		}
		batch = batch[n:]
		if err := ev.decode(f.value); err != nil {
			return err
		}
		s.step(ev)
	}
	return nil
}

// decode reads an envelope; its slices refer to raw.
func (ev *envelope) decode(raw []byte) error {
	*ev = envelope{raw: raw}
	for len(raw) > 0 {
		f, n := consumeField(raw)
		if n < 0 {
			return errMalformed
		}
		raw = raw[n:]
		if err := ev.set(f); err != nil {
			return err
		}
	}
	return nil
}

func (ev *envelope) set(f field) error {
	switch f.num {
	case fieldRegionID:
		ev.regionID = f.number
	case fieldFromPeer:
		return ev.from.Unmarshal(f.value)
	case fieldToPeer:
		return ev.to.Unmarshal(f.value)
	case fieldMessage:
		ev.message = f.value
	case fieldEpoch:
		return ev.epoch.Unmarshal(f.value)
	case fieldStartKey:
		ev.startKey = f.value
	case fieldEndKey:
		ev.endKey = f.value
	case fieldIsTombstone:
		ev.tombstone = f.number != 0
	case fieldMergeTarget:
		ev.mergedInto = f.value
	case fieldExtra:
		ev.extra = true
		return eachField(f.value, ev.setExtra)
	}
	return nil
}

func (ev *envelope) setExtra(f field) error {
	switch f.num {
	case extraFieldType:
		ev.extraType = raft_serverpb.ExtraMessageType(f.number) // as the general decoder does
	case extraFieldIndex:
		ev.extraIndex = f.number
	case extraFieldCheckPeers:
		p := &metapb.Peer{}
		ev.checkPeers = append(ev.checkPeers, p)
		return p.Unmarshal(f.value)
	}
	return nil
}

// appendExtra appends an element of a batch that is no message of raft.
func appendExtra(buf, header []byte, t raft_serverpb.ExtraMessageType, index uint64) []byte {
	size := sizeVarintField(extraFieldType, uint64(t)) + sizeVarintField(extraFieldIndex, index)
	buf = protowire.AppendTag(buf, batchMessages, protowire.BytesType)
	buf = protowire.AppendVarint(buf, uint64(len(header)+protowire.SizeTag(fieldExtra)+protowire.SizeBytes(size)))
	buf = append(buf, header...)
	buf = protowire.AppendTag(buf, fieldExtra, protowire.BytesType)
	buf = protowire.AppendVarint(buf, uint64(size))
	buf = appendVarintField(buf, extraFieldType, uint64(t))
	return appendVarintField(buf, extraFieldIndex, index)
}

// A field whose value is 0 is left out.
func sizeVarintField(num protowire.Number, v uint64) int {
	if v == 0 {
		return 0
	}
	return protowire.SizeTag(num) + protowire.SizeVarint(v)
}

func appendVarintField(buf []byte, num protowire.Number, v uint64) []byte {
	if v == 0 {
		return buf
	}
	return protowire.AppendVarint(protowire.AppendTag(buf, num, protowire.VarintType), v)
}
