package registers

import (
	"slices"
	"testing"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"pgregory.net/rapid"
)

// drawMessage draws a message in which every field but the responses may be
// set, to any value.
func drawMessage(t *rapid.T) *raftpb.Message {
	m := &raftpb.Message{
		Type: drawOptional(t, "type", rapid.SampledFrom([]raftpb.MessageType{raftpb.MsgHup, raftpb.MsgApp, raftpb.MsgSnap, raftpb.MsgForgetLeader})),
		To:   drawNumber(t, "to"), From: drawNumber(t, "from"), Term: drawNumber(t, "term"),
		LogTerm: drawNumber(t, "log term"), Index: drawNumber(t, "index"), Commit: drawNumber(t, "commit"),
		Vote: drawNumber(t, "vote"), RejectHint: drawNumber(t, "hint"),
		Reject:  drawOptional(t, "reject", rapid.Bool()),
		Context: drawBytes(t, "context"),
	}
	for range rapid.IntRange(0, 3).Draw(t, "entries") {
		m.Entries = append(m.Entries, &raftpb.Entry{
			Type: drawOptional(t, "entry type", rapid.SampledFrom([]raftpb.EntryType{raftpb.EntryNormal, raftpb.EntryConfChangeV2})),
			Term: drawNumber(t, "entry term"), Index: drawNumber(t, "entry index"), Data: drawBytes(t, "data"),
		})
	}
	if rapid.Bool().Draw(t, "snapshot") {
		m.Snapshot = &raftpb.Snapshot{Data: drawBytes(t, "state"), Metadata: &raftpb.SnapshotMetadata{
			Index: drawNumber(t, "snapshot index"), ConfState: &raftpb.ConfState{Voters: []uint64{1, 2, 3}},
		}}
	}
	return m
}

func drawOptional[T any](t *rapid.T, name string, g *rapid.Generator[T]) *T {
	return rapid.Ptr(g, true).Draw(t, name)
}

func drawNumber(t *rapid.T, name string) *uint64 { return drawOptional(t, name, rapid.Uint64()) }

func drawBytes(t *rapid.T, name string) []byte {
	if !rapid.Bool().Draw(t, name+" is there") {
		return nil
	}
	return append([]byte{}, rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, name)...)
}

// What is encoded by hand is what the protobuf library encodes, and both decode
// it to the same message.
func TestCodecAgreesWithLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawMessage(t)
		encoded, err := appendMessage(nil, m)
		if err != nil {
			t.Fatal(err)
		}
		byLibrary, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if len(encoded) != len(byLibrary) {
			t.Fatalf("%d bytes, the library has %d", len(encoded), len(byLibrary))
		}
		for _, b := range [][]byte{encoded, byLibrary} {
			var want raftpb.Message
			if err := proto.Unmarshal(b, &want); err != nil {
				t.Fatal(err)
			}
			got, err := parseMessage(b)
			if err != nil {
				t.Fatal(err)
			}
			if !proto.Equal(m, &want) || !proto.Equal(m, got) {
				t.Fatalf("%v\nbecomes %v\nand %v", m, &want, got)
			}
		}
	})
}

// Every field of the messages that travel is one that the codec knows: a newer
// raft with another field fails here.
func TestCodecIsComplete(t *testing.T) {
	for _, c := range []struct {
		message protoreflect.ProtoMessage
		known   []protoreflect.FieldNumber
	}{
		{&raftpb.Message{}, []protoreflect.FieldNumber{
			messageType, messageTo, messageFrom, messageTerm, messageLogTerm, messageIndex, messageEntries, messageCommit,
			messageSnapshot, messageReject, messageRejectHint, messageContext, messageVote, 14, // responses
		}},
		{&raftpb.Entry{}, []protoreflect.FieldNumber{entryType, entryTerm, entryIndex, entryData}},
	} {
		fields := c.message.ProtoReflect().Descriptor().Fields()
		for i := range fields.Len() {
			if f := fields.Get(i); !slices.Contains(c.known, f.Number()) {
				t.Errorf("%v: field %v is not known", f.Parent().Name(), f.Name())
			}
		}
	}
}

// No bytes make a decoder panic, and what it accepts it can write again.
func FuzzParse(f *testing.F) {
	q := request{id: attemptID{1, 2}, incarnation: 3, op: opCompareAndSwap, key: "k", value: optional{"v", true}}
	f.Add(q.appendTo(nil))
	a := response{id: attemptID{1, 2}, incarnation: 3, refused: true, leader: 2}
	f.Add(a.appendTo(nil))
	m, err := appendMessage(nil, &raftpb.Message{Type: raftpb.MsgApp.Enum(), Term: new(uint64(7)), Entries: []*raftpb.Entry{{Data: []byte("x")}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(m)
	f.Fuzz(func(t *testing.T, b []byte) {
		if q, err := parseRequest(b); err == nil {
			if again, err := parseRequest(q.appendTo(nil)); err != nil || again != q {
				t.Errorf("%+v becomes %+v, %v", q, again, err)
			}
		}
		if a, err := parseResponse(b); err == nil {
			if again, err := parseResponse(a.appendTo(nil)); err != nil || again != a {
				t.Errorf("%+v becomes %+v, %v", a, again, err)
			}
		}
		if m, err := parseMessage(b); err == nil {
			encoded, err := appendMessage(nil, m)
			if err != nil {
				t.Fatal(err)
			}
			if again, err := parseMessage(encoded); err != nil || !proto.Equal(again, m) {
				t.Errorf("%v becomes %v, %v", m, again, err)
			}
		}
	})
}
