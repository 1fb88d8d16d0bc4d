package raftstore

import (
	"errors"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_cmdpb"
	"github.com/pingcap/kvproto/pkg/raft_serverpb"
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"simrun/nodes/env"
)

// What a storm hardly ever meets is put together by hand here.

// A split does not bring back a peer of a new region that was removed before this
// store came to apply it, and leaves none of its data.
func TestSplitWithoutRemovedPeer(t *testing.T) {
	skipped := reached("split without the peer that was removed before")
	c := newCluster(t, clusterOptions{seed: 1})
	leader := c.waitLeader("")
	s := c.stores[leader.id%3]
	region, peer := c.nextID+1, c.nextID+1+s.id
	grave := &metapb.Region{
		Id: region, RegionEpoch: &metapb.RegionEpoch{ConfVer: 2, Version: 2}, Peers: []*metapb.Peer{{Id: peer, StoreId: s.id}},
	}
	s.tombstones[region] = &raft_serverpb.RegionLocalState{State: raft_serverpb.PeerState_Tombstone, Region: grave}
	c.do(func(t env.Task) {
		c.put(t, "a", "1")
		c.put(t, "z", "1")
		c.split(t, "m")
		c.put(t, "z", "2")
		t.Sleep(time.Second)
	})
	if p := s.byRegion[region]; p != nil || skipped() != 1 || dumpData(t, s.eng) != "default \"a\"=\"1\"\n" {
		t.Errorf("peer %v, %d skipped, data\n%s", p, skipped(), dumpData(t, s.eng))
	}
}

// A snapshot for a peer that was removed between its generation and its sending
// is dropped.
func TestSnapshotToRemovedPeer(t *testing.T) {
	dropped := reached("snapshot to a removed peer dropped")
	c := newCluster(t, clusterOptions{seed: 2})
	p := c.waitLeader("").byRegion[1]
	if _, err := p.generateSnapshot(); !errors.Is(err, raft.ErrSnapshotTemporarilyUnavailable) {
		t.Fatal(err)
	}
	c.until("snapshot", func() bool { return p.outgoing.ready })
	snapshot, err := p.generateSnapshot()
	if err != nil {
		t.Fatal(err)
	}
	p.sendSnapshot(&raftpb.Message{Type: raftpb.MsgSnap.Enum(), To: proto.Uint64(99), Snapshot: snapshot})
	if dropped() != 1 || len(p.offered) != 0 || p.s.sending != 0 {
		t.Errorf("%d dropped, %d offered, %d being sent", dropped(), len(p.offered), p.s.sending)
	}
}

// Of two changes in one turn raft takes the first; the second one is told so and
// never applied.
func TestChangeDroppedByRaft(t *testing.T) {
	dropped := reached("change of members dropped by raft")
	c := newCluster(t, clusterOptions{seed: 3, stores: 5, regions: onStores(1, 2, 3)})
	leader := c.waitLeader("")
	c.do(func(task env.Task) {
		p := leader.byRegion[1]
		_, first, regionErr := p.proposeChange([]*raft_cmdpb.ChangePeerRequest{learner(90, 4)})
		if regionErr != nil {
			t.Error(regionErr)
			return
		}
		first.confChange = false // the leader overlooks it
		_, second, regionErr := p.proposeChange([]*raft_cmdpb.ChangePeerRequest{learner(91, 5)})
		first.confChange = true
		if regionErr != nil {
			t.Error(regionErr)
			return
		}
		if regionErr, err := second.await(task, time.Second); regionErr.GetServerIsBusy() == nil || err != nil {
			t.Errorf("second: %v, %v", regionErr, err)
		}
		if regionErr, err := first.await(task, time.Second); regionErr != nil || err != nil {
			t.Errorf("first: %v, %v", regionErr, err)
		}
		c.put(task, "k", "v")
	})
	c.agreed()
	if region, _ := leader.RegionOf(nil); dropped() != 1 || peerByID(region, 90) == nil || peerByID(region, 91) != nil {
		t.Errorf("%d dropped, region %v", dropped(), region)
	}
}

// Raft is not told of a change that is older than the snapshot whose members it
// has.
func TestChangeSuperseded(t *testing.T) {
	superseded := reached("change of members superseded by a snapshot")
	c := newCluster(t, clusterOptions{seed: 4, stores: 4, regions: onStores(1, 2, 3)})
	leader := c.waitLeader("")
	p := c.stores[leader.id%3].byRegion[1]
	changes := []*raft_cmdpb.ChangePeerRequest{learner(90, 4)}
	next, err := changeMembers(p.region, changes)
	if err != nil {
		t.Fatal(err)
	}
	p.restoring = 100
	confResult{p: p, index: 99, change: confChange(changes, nil), region: next}.tell()
	if members := len(p.node.Status().Config.Learners); members != 0 || superseded() != 1 {
		t.Errorf("%d learners, %d superseded", members, superseded())
	}
}

// A leader that was deposed in this very turn knows nothing of the others any
// more, and changes nothing.
func TestChangeByDeposedLeader(t *testing.T) {
	deposed := reached("change of members by a leader that is none any more")
	c := newCluster(t, clusterOptions{seed: 5, stores: 4, regions: onStores(1, 2, 3)})
	leader := c.waitLeader("")
	c.do(func(task env.Task) {
		p := leader.byRegion[1]
		other := p.region.GetPeers()[leader.id%3]
		err := p.node.Step(&raftpb.Message{
			Type: raftpb.MsgHeartbeat.Enum(), From: proto.Uint64(other.GetId()), To: proto.Uint64(p.id), Term: proto.Uint64(p.term() + 1),
		})
		if err != nil {
			t.Error(err)
		}
		if _, regionErr, err := leader.ChangePeers(task, leader.context(""), []*raft_cmdpb.ChangePeerRequest{learner(90, 4)}, time.Second); regionErr == nil || err != nil {
			t.Errorf("%v, %v", regionErr, err)
		}
	})
	if deposed() != 1 {
		t.Errorf("%d changes were refused for that", deposed())
	}
}
