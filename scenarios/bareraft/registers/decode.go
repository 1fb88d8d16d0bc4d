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
	numbers [messageVote + 1]uint64 // by field
}

// parseMessage decodes a message, which shares its data with encoded.
func parseMessage(encoded []byte) (*raftpb.Message, error) {
	b := &messageBlock{}
	if err := eachField(encoded, b.setNumber, b.setBytes); err != nil {
		return nil, fmt.Errorf("message: %w", err)
	}
	return &b.message, nil
}

func (b *messageBlock) setNumber(field protowire.Number, v uint64) error {
	m := &b.message
	switch field {
	case messageType:
		b.typ = raftpb.MessageType(v)
		m.Type = &b.typ
		return nil
	case messageReject:
		b.reject = v != 0
		m.Reject = &b.reject
		return nil
	}
	if field > messageVote {
		return errField
	}
	at := &b.numbers[field]
	*at = v
	switch field {
	case messageTo:
		m.To = at
	case messageFrom:
		m.From = at
	case messageTerm:
		m.Term = at
	case messageLogTerm:
		m.LogTerm = at
	case messageIndex:
		m.Index = at
	case messageCommit:
		m.Commit = at
	case messageRejectHint:
		m.RejectHint = at
	case messageVote:
		m.Vote = at
	default:
		return errField
	}
	return nil
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
	if err := eachField(encoded, b.setNumber, b.setBytes); err != nil {
		return nil, fmt.Errorf("entry: %w", err)
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

// eachField hands every field of an encoded message to the function for its
// kind.
func eachField(b []byte, number func(protowire.Number, uint64) error, bytes func(protowire.Number, []byte) error) error {
	for len(b) > 0 {
		field, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		var err error
		switch kind {
		case protowire.VarintType:
			var v uint64
			if v, n = protowire.ConsumeVarint(b); n >= 0 {
				err = number(field, v)
			}
		case protowire.BytesType:
			var v []byte
			if v, n = protowire.ConsumeBytes(b); n >= 0 {
				err = bytes(field, v)
			}
		default:
			err = errField
		}
		switch {
		case n < 0:
			return protowire.ParseError(n)
		case err != nil:
			return err
		}
		b = b[n:]
	}
	return nil
}
