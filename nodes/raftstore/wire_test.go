package raftstore

import (
	"bytes"
	"testing"

	"github.com/pingcap/kvproto/pkg/eraftpb"
	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_cmdpb"
	"github.com/pingcap/kvproto/pkg/raft_serverpb"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

func drawMessage(t *rapid.T) *raftpb.Message {
	number := rapid.Uint64()
	optional := func(name string) *uint64 {
		if rapid.Bool().Draw(t, "has "+name) {
			return proto.Uint64(number.Draw(t, name))
		}
		return nil
	}
	m := &raftpb.Message{
		To: optional("to"), From: optional("from"), Term: optional("term"), LogTerm: optional("logTerm"),
		Index: optional("index"), Commit: optional("commit"), Vote: optional("vote"), RejectHint: optional("hint"),
	}
	if rapid.Bool().Draw(t, "has type") {
		m.Type = raftpb.MessageType(rapid.IntRange(0, 22).Draw(t, "type")).Enum()
	}
	if rapid.Bool().Draw(t, "has reject") {
		m.Reject = proto.Bool(rapid.Bool().Draw(t, "reject"))
	}
	if rapid.Bool().Draw(t, "has context") {
		m.Context = rapid.SliceOf(rapid.Byte()).Draw(t, "context")
	}
	for range rapid.IntRange(0, 3).Draw(t, "entries") {
		e := &raftpb.Entry{Term: optional("entry term"), Index: optional("entry index"), Data: rapid.SliceOf(rapid.Byte()).Draw(t, "data")}
		if rapid.Bool().Draw(t, "has entry type") {
			e.Type = raftpb.EntryType(rapid.IntRange(0, 2).Draw(t, "entry type")).Enum()
		}
		m.Entries = append(m.Entries, e)
	}
	if rapid.IntRange(0, 9).Draw(t, "snapshot") == 0 {
		m.Snapshot = &raftpb.Snapshot{Data: []byte("data")}
	}
	return m
}

// The decoder of messages agrees with the general one on everything that can be
// encoded.
func TestDecodeMessage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawMessage(t)
		buf, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeMessage(buf)
		if err != nil || !proto.Equal(got, m) {
			t.Fatalf("%v\n%v\n%v", err, got, m)
		}
		for i := range buf {
			buf[i] = 0xFF // the message owns what it holds
		}
		if !proto.Equal(got, m) {
			t.Fatal("the message refers to its encoding")
		}
	})
}

// It agrees with the general one on arbitrary bytes, too: both refuse, or both
// accept and see the same.
func FuzzDecodeMessage(f *testing.F) {
	buf, _ := proto.Marshal(&raftpb.Message{
		Type: raftpb.MsgApp.Enum(), To: proto.Uint64(1), Term: proto.Uint64(300), Context: []byte("context"),
		Entries: []*raftpb.Entry{{Term: proto.Uint64(5), Index: proto.Uint64(6), Data: []byte("data")}},
	})
	f.Add(buf)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, buf []byte) {
		want := &raftpb.Message{}
		wantErr := proto.Unmarshal(buf, want)
		got, err := decodeMessage(buf)
		if wantErr == nil && (err != nil || !proto.Equal(got, want)) {
			t.Fatalf("%v\n%v\n%v", err, got, want)
		}
	})
}

// A batch is what TiKV's protocol says: kvproto's own types decode it, with the
// raft message of eraftpb inside.
func TestEnvelopeIsRaftMessage(t *testing.T) {
	region := testRegions(3)[0]
	region.StartKey, region.EndKey = []byte("a"), []byte("m")
	sender := &peer{regionID: region.Id, region: region, meta: region.Peers[0]}
	m := &raftpb.Message{
		Type: raftpb.MsgHeartbeat.Enum(), From: proto.Uint64(2), To: proto.Uint64(3), Term: proto.Uint64(6), Context: []byte("c"),
		Entries: []*raftpb.Entry{{Type: raftpb.EntryNormal.Enum(), Term: proto.Uint64(6), Index: proto.Uint64(7), Data: []byte("d")}},
	}
	batch := appendEnvelope(nil, appendHeader(nil, sender, region.Peers[1]), m, region.StartKey, region.EndKey)
	f, n := consumeField(batch)
	if n != len(batch) || f.num != batchMessages {
		t.Fatalf("batch of %d bytes begins with %d", len(batch), n)
	}
	got := &raft_serverpb.RaftMessage{}
	if err := got.Unmarshal(f.value); err != nil {
		t.Fatal(err)
	}
	want := &raft_serverpb.RaftMessage{
		RegionId: region.Id, FromPeer: region.Peers[0], ToPeer: region.Peers[1], RegionEpoch: region.RegionEpoch,
		StartKey: []byte("a"), EndKey: []byte("m"),
		Message: &eraftpb.Message{
			MsgType: eraftpb.MessageType_MsgHeartbeat, From: 2, To: 3, Term: 6, Context: []byte("c"),
			Entries: []*eraftpb.Entry{{Term: 6, Index: 7, Data: []byte("d")}},
		},
	}
	if !bytes.Equal(marshal(got), marshal(want)) {
		t.Errorf("got %v\nwant %v", got, want)
	}
	var ev envelope
	if err := ev.decode(f.value); err != nil || ev.regionID != region.Id || ev.from.Id != 2 || ev.to.StoreId != 2 ||
		ev.epoch.Version != 1 || string(ev.startKey) != "a" || string(ev.endKey) != "m" {
		t.Errorf("%+v, %v", ev, err)
	}
}

// So are the messages that are none of raft's.
func TestExtraIsRaftMessage(t *testing.T) {
	region := testRegions(3)[0]
	sender := &peer{regionID: region.Id, region: region, meta: region.Peers[0]}
	header := appendHeader(nil, sender, region.Peers[1])
	for _, want := range []*raft_serverpb.ExtraMessage{
		{Type: raft_serverpb.ExtraMessageType_MsgRegionWakeUp},
		{Type: raft_serverpb.ExtraMessageType_MsgHibernateRequest, Index: 1 << 40},
		{Type: raft_serverpb.ExtraMessageType_MsgHibernateResponse},
	} {
		batch := appendExtra(nil, header, want.Type, want.Index)
		f, n := consumeField(batch)
		got := &raft_serverpb.RaftMessage{}
		if err := got.Unmarshal(f.value); err != nil || n != len(batch) {
			t.Fatal(err, n, len(batch))
		}
		if got.ExtraMsg == nil || !bytes.Equal(marshal(got.ExtraMsg), marshal(want)) || got.RegionId != region.Id {
			t.Errorf("got %v, want %v", got, want)
		}
		var ev envelope
		if err := ev.decode(f.value); err != nil || !ev.extra || ev.extraType != want.Type || ev.extraIndex != want.Index {
			t.Errorf("%+v, %v", ev, err)
		}
	}
}

// Damaged batches are recognised, never misread.
func FuzzEnvelope(f *testing.F) {
	region := testRegions(3)[0]
	sender := &peer{regionID: region.Id, region: region, meta: region.Peers[0]}
	header := appendHeader(nil, sender, region.Peers[1])
	f.Add(appendEnvelope(nil, header, &raftpb.Message{Type: raftpb.MsgApp.Enum()}, []byte("a"), nil)[2:])
	f.Add(appendExtra(nil, header, raft_serverpb.ExtraMessageType_MsgHibernateRequest, 7)[2:])
	f.Fuzz(func(t *testing.T, raw []byte) {
		var ev envelope
		if ev.decode(raw) == nil {
			got := &raft_serverpb.RaftMessage{}
			if err := got.Unmarshal(raw); err == nil && (got.RegionId != ev.regionID || (got.ExtraMsg != nil) != ev.extra) {
				t.Fatalf("region %d, not %d; %v", ev.regionID, got.RegionId, got.ExtraMsg)
			}
		}
	})
}

// The decoder of commands agrees with the general one.
func TestDecodeCommand(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SliceOf(rapid.Byte())
		families := rapid.SampledFrom([]string{"", "default", "lock", "write"})
		cmd := &raft_cmdpb.RaftCmdRequest{Header: &raft_cmdpb.RaftRequestHeader{
			RegionId: rapid.Uint64().Draw(t, "region"), Uuid: text.Draw(t, "uuid"),
			RegionEpoch: &metapb.RegionEpoch{Version: rapid.Uint64().Draw(t, "version"), ConfVer: 3},
			Peer:        &metapb.Peer{Id: 3}, Term: 7,
		}}
		for range rapid.IntRange(0, 4).Draw(t, "requests") {
			cf, key, value := families.Draw(t, "cf"), text.Draw(t, "key"), text.Draw(t, "value")
			req := &raft_cmdpb.Request{}
			switch rapid.IntRange(0, 2).Draw(t, "kind") {
			case 0:
				req.CmdType, req.Put = raft_cmdpb.CmdType_Put, &raft_cmdpb.PutRequest{Cf: cf, Key: key, Value: value}
			case 1:
				req.CmdType, req.Delete = raft_cmdpb.CmdType_Delete, &raft_cmdpb.DeleteRequest{Cf: cf, Key: key}
			case 2:
				req.CmdType = raft_cmdpb.CmdType_DeleteRange
				req.DeleteRange = &raft_cmdpb.DeleteRangeRequest{Cf: cf, StartKey: key, EndKey: value}
			}
			cmd.Requests = append(cmd.Requests, req)
		}
		var got command
		if err := got.decode(marshal(cmd)); err != nil {
			t.Fatal(err)
		}
		if got.regionID != cmd.Header.RegionId || got.epoch.Version != cmd.Header.RegionEpoch.Version ||
			!bytes.Equal(got.uuid, cmd.Header.Uuid) || len(got.writes) != len(cmd.Requests) || got.admin != nil {
			t.Fatalf("%+v\n%v", got, cmd)
		}
		for i, req := range cmd.Requests {
			w := got.writes[i]
			cf, _ := dataFamily(req.GetPut().GetCf() + req.GetDelete().GetCf() + req.GetDeleteRange().GetCf())
			key := string(req.GetPut().GetKey()) + string(req.GetDelete().GetKey()) + string(req.GetDeleteRange().GetStartKey())
			value := string(req.GetPut().GetValue()) + string(req.GetDeleteRange().GetEndKey())
			if w.kind != req.CmdType || w.cf != cf || string(w.key) != key || string(w.value) != value {
				t.Fatalf("%+v\n%v", w, req)
			}
		}
	})
}

// A command with anything unknown in it is not applied in part.
func TestDecodeCommandStrictly(t *testing.T) {
	for _, cmd := range []*raft_cmdpb.RaftCmdRequest{
		{StatusRequest: &raft_cmdpb.StatusRequest{}},
		{Requests: []*raft_cmdpb.Request{{CmdType: raft_cmdpb.CmdType_Get, Get: &raft_cmdpb.GetRequest{}}}},
		{Requests: []*raft_cmdpb.Request{{CmdType: raft_cmdpb.CmdType_Put, Put: &raft_cmdpb.PutRequest{Cf: "raft"}}}},
	} {
		var c command
		if c.decode(marshal(cmd)) == nil {
			t.Errorf("%v is accepted", cmd)
		}
	}
}
