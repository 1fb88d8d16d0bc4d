package raftstore

import (
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// The fields of a raft message are pointers, and a general decoder allocates
// each of them. These structs hold a message or an entry together with what it
// points to.

type messageBlock struct {
	msg    raftpb.Message
	kind   raftpb.MessageType
	reject bool

	to, from, term, logTerm, index, commit, vote, rejectHint uint64
}

type entryBlock struct {
	entry       raftpb.Entry
	kind        raftpb.EntryType
	term, index uint64
}

// Field numbers of raftpb.Message and raftpb.Entry.
const (
	msgType       protowire.Number = 1
	msgTo         protowire.Number = 2
	msgFrom       protowire.Number = 3
	msgTerm       protowire.Number = 4
	msgLogTerm    protowire.Number = 5
	msgIndex      protowire.Number = 6
	msgEntries    protowire.Number = 7
	msgCommit     protowire.Number = 8
	msgReject     protowire.Number = 10
	msgRejectHint protowire.Number = 11
	msgContext    protowire.Number = 12
	msgVote       protowire.Number = 13

	entryType  protowire.Number = 1
	entryTerm  protowire.Number = 2
	entryIndex protowire.Number = 3
	entryData  protowire.Number = 4
)

// decodeMessage decodes a message that came from another store. Its entries own
// their data. Fields that such a message does not have are left to the general
// decoder.
func decodeMessage(buf []byte) (*raftpb.Message, error) {
	b := &messageBlock{}
	m := &b.msg
	for rest := buf; len(rest) > 0; {
		f, n := consumeField(rest)
		if n < 0 {
			return nil, errMalformed
		}
		rest = rest[n:]
		switch {
		case f.num == msgEntries && f.typ == protowire.BytesType:
			e, err := decodeLogEntry(f.value)
			if err != nil {
				return nil, err
			}
			m.Entries = append(m.Entries, e)
		case f.num == msgContext && f.typ == protowire.BytesType:
			m.Context = append(make([]byte, 0, len(f.value)), f.value...)
		case f.typ == protowire.VarintType && b.set(f.num, f.number):
		default:
			m = &raftpb.Message{}
			return m, proto.Unmarshal(buf, m)
		}
	}
	return m, nil
}

// set sets a numeric field; it reports false if there is no such field.
func (b *messageBlock) set(num protowire.Number, number uint64) bool {
	m := &b.msg
	switch num {
	case msgType:
		b.kind = raftpb.MessageType(number) // as the general decoder does
		m.Type = &b.kind
	case msgTo:
		m.To = place(&b.to, number)
	case msgFrom:
		m.From = place(&b.from, number)
	case msgTerm:
		m.Term = place(&b.term, number)
	case msgLogTerm:
		m.LogTerm = place(&b.logTerm, number)
	case msgIndex:
		m.Index = place(&b.index, number)
	case msgCommit:
		m.Commit = place(&b.commit, number)
	case msgVote:
		m.Vote = place(&b.vote, number)
	case msgRejectHint:
		m.RejectHint = place(&b.rejectHint, number)
	case msgReject:
		b.reject = number != 0
		m.Reject = &b.reject
	default:
		return false
	}
	return true
}

// place sets a field of a block, to which a message refers.
func place(field *uint64, number uint64) *uint64 {
	*field = number
	return field
}

// decodeLogEntry decodes an entry, which owns its data.
func decodeLogEntry(buf []byte) (*raftpb.Entry, error) {
	b := &entryBlock{}
	e := &b.entry
	for rest := buf; len(rest) > 0; {
		f, n := consumeField(rest)
		if n < 0 {
			return nil, errMalformed
		}
		rest = rest[n:]
		switch {
		case f.num == entryData && f.typ == protowire.BytesType:
			e.Data = append(make([]byte, 0, len(f.value)), f.value...)
		case f.num == entryType && f.typ == protowire.VarintType:
			b.kind = raftpb.EntryType(f.number) // as the general decoder does
			e.Type = &b.kind
		case f.num == entryTerm && f.typ == protowire.VarintType:
			e.Term = place(&b.term, f.number)
		case f.num == entryIndex && f.typ == protowire.VarintType:
			e.Index = place(&b.index, f.number)
		default:
			e = &raftpb.Entry{}
			return e, proto.Unmarshal(buf, e)
		}
	}
	return e, nil
}

// field is a field of an encoded message; value refers to the encoding.
type field struct {
	num    protowire.Number
	typ    protowire.Type
	number uint64
	value  []byte
}

// consumeField reads the first field of buf and returns its length, or a
// negative number if it is malformed.
func consumeField(buf []byte) (f field, n int) {
	num, typ, tag := protowire.ConsumeTag(buf)
	if tag < 0 {
		return f, tag
	}
	f.num, f.typ = num, typ
	switch typ {
	case protowire.VarintType:
		f.number, n = protowire.ConsumeVarint(buf[tag:])
	case protowire.BytesType:
		f.value, n = protowire.ConsumeBytes(buf[tag:])
	default:
		n = protowire.ConsumeFieldValue(num, typ, buf[tag:])
	}
	if n < 0 {
		return f, n
	}
	return f, tag + n
}
