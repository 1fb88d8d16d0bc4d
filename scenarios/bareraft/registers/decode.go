package registers

import (
	"fmt"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// messageBlock is a message with room for the numbers that it points to: one
// allocation instead of one for each.
type messageBlock struct {
	message raftpb.Message
	typ     raftpb.MessageType
	reject  bool
	numbers [messageNumbers]uint64
	used    int // of numbers
}

// parseMessage decodes a message, which shares its data with encoded.
func parseMessage(encoded []byte) (*raftpb.Message, error) {
	b := &messageBlock{}
	f := fields{rest: encoded}
	for f.next() {
		if f.kind == protowire.VarintType {
			f.err = b.setNumber(f.field, f.number)
		} else {
			f.err = b.setBytes(f.field, f.bytes)
		}
	}
	if f.err != nil {
		return nil, fmt.Errorf("message: %w", f.err)
	}
	return &b.message, nil
}

func (b *messageBlock) setNumber(field protowire.Number, v uint64) (err error) {
	m := &b.message
	switch field {
	case messageType:
		b.typ = raftpb.MessageType(v)
		m.Type = &b.typ
	case messageReject:
		b.reject = v != 0
		m.Reject = &b.reject
	case messageTo:
		m.To, err = b.place(v)
	case messageFrom:
		m.From, err = b.place(v)
	case messageTerm:
		m.Term, err = b.place(v)
	case messageLogTerm:
		m.LogTerm, err = b.place(v)
	case messageIndex:
		m.Index, err = b.place(v)
	case messageCommit:
		m.Commit, err = b.place(v)
	case messageRejectHint:
		m.RejectHint, err = b.place(v)
	case messageVote:
		m.Vote, err = b.place(v)
	default:
		return errField
	}
	return err
}

// place puts a number where the message can point to it. An encoder writes
// every field at most once.
func (b *messageBlock) place(v uint64) (*uint64, error) {
	if b.used == len(b.numbers) {
		return nil, errMalformed
	}
	at := &b.numbers[b.used]
	*at = v
	b.used++
	return at, nil
}

func (b *messageBlock) setBytes(field protowire.Number, v []byte) error {
	m := &b.message
	switch field {
	case messageEntries:
		e, err := parseEntry(v)
		if err != nil {
			return err
		}
		m.Entries = append(m.Entries, e)
	case messageSnapshot:
		m.Snapshot = &raftpb.Snapshot{}
		return proto.Unmarshal(v, m.Snapshot)
	case messageContext:
		m.Context = v
	default:
		return errField
	}
	return nil
}

// entryBlock is an entry with room for the numbers that it points to.
type entryBlock struct {
	entry       raftpb.Entry
	typ         raftpb.EntryType
	term, index uint64
}

func parseEntry(encoded []byte) (*raftpb.Entry, error) {
	b := &entryBlock{}
	f := fields{rest: encoded}
	for f.next() {
		if f.kind == protowire.VarintType {
			f.err = b.setNumber(f.field, f.number)
		} else {
			f.err = b.setBytes(f.field, f.bytes)
		}
	}
	if f.err != nil {
		return nil, fmt.Errorf("entry: %w", f.err)
	}
	return &b.entry, nil
}

func (b *entryBlock) setNumber(field protowire.Number, v uint64) error {
	switch field {
	case entryType:
		b.typ = raftpb.EntryType(v)
		b.entry.Type = &b.typ
	case entryTerm:
		b.term = v
		b.entry.Term = &b.term
	case entryIndex:
		b.index = v
		b.entry.Index = &b.index
	default:
		return errField
	}
	return nil
}

func (b *entryBlock) setBytes(field protowire.Number, v []byte) error {
	if field != entryData {
		return errField
	}
	b.entry.Data = v
	return nil
}

// fields walks over the fields of an encoded message.
type fields struct {
	rest []byte
	err  error

	// The current field, and its value according to its kind.
	field  protowire.Number
	kind   protowire.Type
	number uint64
	bytes  []byte
}

// next moves to the next field. It returns false at the end, and after an
// error.
func (f *fields) next() bool {
	if len(f.rest) == 0 || f.err != nil {
		return false
	}
	tag := f.varint()
	f.field, f.kind = protowire.DecodeTag(tag)
	switch f.kind {
	case protowire.VarintType:
		f.number = f.varint()
	case protowire.BytesType:
		size := f.varint()
		if size > uint64(len(f.rest)) {
			f.err = errMalformed
			return false
		}
		f.bytes = f.rest[:size:size]
		f.rest = f.rest[size:]
	default:
		f.err = errField
	}
	return f.err == nil
}

func (f *fields) varint() uint64 {
	if len(f.rest) > 0 && f.rest[0] < 0x80 { // most are short
		v := f.rest[0]
		f.rest = f.rest[1:]
		return uint64(v)
	}
	v, n := protowire.ConsumeVarint(f.rest)
	if n < 0 {
		f.err = errMalformed
		return 0
	}
	f.rest = f.rest[n:]
	return v
}
