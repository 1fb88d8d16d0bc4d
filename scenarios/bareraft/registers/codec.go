package registers

import (
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// The messages of raft travel in their own wire format, that of raft.proto. It
// is written and read here by hand: a run consists of little else than these
// messages, and the protobuf library finds its way through reflection and
// allocates every optional number for itself. A test compares the two.

// Fields of raftpb.Message.
const (
	messageType       = 1
	messageTo         = 2
	messageFrom       = 3
	messageTerm       = 4
	messageLogTerm    = 5
	messageIndex      = 6
	messageEntries    = 7
	messageCommit     = 8
	messageSnapshot   = 9
	messageReject     = 10
	messageRejectHint = 11
	messageContext    = 12
	messageVote       = 13
)

// messageNumbers is how many fields of raftpb.Message are an uint64.
const messageNumbers = 8

// Fields of raftpb.Entry.
const (
	entryType  = 1
	entryTerm  = 2
	entryIndex = 3
	entryData  = 4
)

// appendMessage encodes a message. Responses, with which raft instructs its
// storage, never travel.
func appendMessage(b []byte, m *raftpb.Message) ([]byte, error) {
	if m.Type != nil {
		b = appendNumber(b, messageType, uint64(*m.Type))
	}
	b = appendOptional(b, messageTo, m.To)
	b = appendOptional(b, messageFrom, m.From)
	b = appendOptional(b, messageTerm, m.Term)
	b = appendOptional(b, messageLogTerm, m.LogTerm)
	b = appendOptional(b, messageIndex, m.Index)
	for _, e := range m.Entries {
		b = protowire.AppendTag(b, messageEntries, protowire.BytesType)
		b = protowire.AppendVarint(b, uint64(sizeOfEntry(e)))
		b = appendEntry(b, e)
	}
	b = appendOptional(b, messageCommit, m.Commit)
	if m.Snapshot != nil {
		encoded, err := proto.Marshal(m.Snapshot)
		if err != nil {
			return nil, err
		}
		b = appendBytes(b, messageSnapshot, encoded)
	}
	if m.Reject != nil {
		b = appendNumber(b, messageReject, uint64(boolByte(*m.Reject)))
	}
	b = appendOptional(b, messageRejectHint, m.RejectHint)
	if m.Context != nil {
		b = appendBytes(b, messageContext, m.Context)
	}
	return appendOptional(b, messageVote, m.Vote), nil
}

func appendEntry(b []byte, e *raftpb.Entry) []byte {
	if e.Type != nil {
		b = appendNumber(b, entryType, uint64(*e.Type))
	}
	b = appendOptional(b, entryTerm, e.Term)
	b = appendOptional(b, entryIndex, e.Index)
	if e.Data != nil {
		b = appendBytes(b, entryData, e.Data)
	}
	return b
}

func sizeOfEntry(e *raftpb.Entry) int {
	n := 0
	if e.Type != nil {
		n += protowire.SizeTag(entryType) + protowire.SizeVarint(uint64(*e.Type))
	}
	if e.Term != nil {
		n += protowire.SizeTag(entryTerm) + protowire.SizeVarint(*e.Term)
	}
	if e.Index != nil {
		n += protowire.SizeTag(entryIndex) + protowire.SizeVarint(*e.Index)
	}
	if e.Data != nil {
		n += protowire.SizeTag(entryData) + protowire.SizeBytes(len(e.Data))
	}
	return n
}

func appendNumber(b []byte, field protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}

func appendOptional(b []byte, field protowire.Number, v *uint64) []byte {
	if v == nil {
		return b
	}
	return appendNumber(b, field, *v)
}

func appendBytes(b []byte, field protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), v)
}
