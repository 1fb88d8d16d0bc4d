package raftstore

import (
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_serverpb"
	"go.etcd.io/raft/v3/raftpb"

	"simrun/nodes/env"
	"simrun/sim/disk"
)

// A message to a peer that was removed does not bring it back, unless it is for
// a later peer and comes from one that knows of the removal.
func TestTombstone(t *testing.T) {
	dropped, created := reached("message to a removed peer dropped"), reached("peer created by a message")
	regions := testRegions(3)
	regions[0].EndKey = []byte("p")
	c := newCluster(t, clusterOptions{seed: 1, regions: regions})
	s := c.waitLeader("")
	removed := &metapb.Region{
		Id: 50, StartKey: []byte("x"), RegionEpoch: &metapb.RegionEpoch{ConfVer: 1, Version: 2},
		Peers: []*metapb.Peer{{Id: 60, StoreId: s.id}, {Id: 61, StoreId: 99}},
	}
	b := s.eng.KV.NewBatch()
	putRegionState(b, removed, raft_serverpb.PeerState_Tombstone)
	if err := s.eng.KV.Write(b); err != nil {
		t.Fatal(err)
	}
	s.node.Crash(disk.ProcessKill)
	s.node.Start()
	from := &metapb.Peer{Id: 61, StoreId: s.id%3 + 1}
	for _, peerID := range []uint64{59, 60} {
		s.OnRaftBatch(voteRequest(50, from, &metapb.Peer{Id: peerID, StoreId: s.id}, 9, "x", ""))
	}
	c.run(100 * time.Millisecond)
	if s.byRegion[50] != nil || dropped() != 2 || created() != 0 {
		t.Errorf("peer %v, %d dropped, %d created", s.byRegion[50], dropped(), created())
	}
	s.OnRaftBatch(voteRequest(50, from, &metapb.Peer{Id: 70, StoreId: s.id}, 9, "x", ""))
	c.run(100 * time.Millisecond)
	if s.byRegion[50] == nil || created() != 1 {
		t.Errorf("peer %v, %d created", s.byRegion[50], created())
	}
	// An uninitialised peer is gone after a restart, but not what it has promised.
	s.node.Crash(disk.PowerLoss)
	s.node.Start()
	if h := hardStateOf(t, s.eng, 50); h != (hardState{term: 9, vote: 61}) || s.byRegion[50] != nil {
		t.Errorf("hard state %+v, peer %v", h, s.byRegion[50])
	}
}

// Messages for another store, another peer, or from a peer that is no member
// have no effect.
func TestStalePeers(t *testing.T) {
	dropped := reached("message between stale peers dropped")
	c := newCluster(t, clusterOptions{seed: 2})
	s := c.waitLeader("")
	c.run(time.Second)
	region, _ := s.RegionOf(nil)
	here, member := peerOnStore(region, s.id), peerOnStore(region, s.id%3+1)
	before := s.Regions()[0]
	for _, m := range []struct{ from, to *metapb.Peer }{
		{member, &metapb.Peer{Id: here.Id, StoreId: 99}},
		{member, &metapb.Peer{Id: 99, StoreId: s.id}},
		{&metapb.Peer{Id: 99, StoreId: 2}, here},
	} {
		s.OnRaftBatch(voteRequest(region.Id, m.from, m.to, before.Term+10, "", ""))
	}
	c.run(100 * time.Millisecond)
	if after := s.Regions()[0]; after.Term != before.Term || dropped() != 3 {
		t.Errorf("term %d after %d, %d dropped", after.Term, before.Term, dropped())
	}
}

// Snapshots, proposals and local messages do not come in a batch.
func TestAdmissible(t *testing.T) {
	admitted := 0
	for number, name := range raftpb.MessageType_name {
		kind := raftpb.MessageType(number)
		if admissible(kind) {
			admitted++
			if kind == raftpb.MsgSnap || kind == raftpb.MsgProp || kind == raftpb.MsgHup || kind == raftpb.MsgStorageAppendResp {
				t.Errorf("%s is admissible", name)
			}
		}
	}
	if admitted != 12 {
		t.Errorf("%d types are admissible", admitted)
	}
}

// The place for parked messages is bounded, and a newer message of a kind
// replaces the older one.
func TestParkingLot(t *testing.T) {
	var l parkingLot
	for i := range uint64(parkedMax + 10) {
		ev := &envelope{regionID: i}
		l.park(ev, raftpb.MsgVote)
		l.park(ev, raftpb.MsgVote)
		l.park(ev, raftpb.MsgPreVote)
	}
	if n := len(l.messages); n != parkedMax {
		t.Errorf("%d messages", n)
	}
	if first := l.messages[0].region; first != (parkedMax+10)-parkedMax/2 {
		t.Errorf("oldest message is for region %d", first)
	}
}

// Open refuses a store that is another one, and a configuration that makes no
// sense; a second bootstrap changes nothing.
func TestOpenChecks(t *testing.T) {
	c := newCluster(t, clusterOptions{seed: 4})
	c.do(func(t env.Task) { c.put(t, "k", "v") })
	s := c.stores[0]
	if err := Bootstrap(s.eng, s.id, testRegions(3, "other")); err != nil || len(s.Regions()) != 1 {
		t.Errorf("second bootstrap: %v", err)
	}
	if Bootstrap(s.eng, s.id+1, nil) == nil {
		t.Error("bootstrap of another store")
	}
	if _, err := Open(s.env, Config{StoreID: s.id + 1}, s.eng, nil, nil); err == nil {
		t.Error("open of another store")
	}
	for _, cfg := range []Config{
		{},
		{StoreID: 1, TickInterval: -1},
		{StoreID: 1, ElectionTick: 2, HeartbeatTick: 2},
		{StoreID: 1, MaxInflightMsgs: -1},
		{StoreID: 1, LogGCThreshold: 10, LogGCCountLimit: 9},
		{StoreID: 1, SnapshotSendsMax: -1},
	} {
		if _, err := Open(s.env, cfg, s.eng, nil, nil); err == nil {
			t.Errorf("%+v is accepted", cfg)
		}
	}
	for _, r := range []*metapb.Region{
		{},
		{Id: 1},
		{Id: 1, RegionEpoch: &metapb.RegionEpoch{ConfVer: 1, Version: 1}, Peers: []*metapb.Peer{{Id: 1}}},
		{Id: 1, RegionEpoch: &metapb.RegionEpoch{ConfVer: 1, Version: 1}, Peers: []*metapb.Peer{{Id: 1, StoreId: 1}, {Id: 2, StoreId: 1}}},
	} {
		if checkNewRegion(r) == nil {
			t.Errorf("region %v is accepted", r)
		}
	}
}
