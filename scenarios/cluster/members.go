package cluster

import (
	"slices"
	"time"

	"github.com/pingcap/kvproto/pkg/eraftpb"
	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_cmdpb"

	"simrun/faults"
	"simrun/nodes/env"
	"simrun/nodes/raftstore"
	"simrun/nodes/rpc"
)

// The administrator changes the members of regions as a placement driver would:
// a step at a time, each decided by what the region is then. Two of them that
// want different things of one region may well meet.

const (
	changePause = 25 * time.Millisecond // between two looks at a region
	changeMax   = 4 * time.Second       // after which a change is given up
)

// intent is what the administrator wants of a region's members. It returns the
// next changes, none while it has to wait; over says that nothing is left to do.
type intent func(v view) (changes []*raft_cmdpb.ChangePeerRequest, over bool)

// view is a region as its leader sees it.
type view struct {
	leader *store
	status raftstore.RegionInfo
	newID  uint64 // of a peer, should one be added
}

func (v view) region() *metapb.Region { return v.status.Region }

func (v view) on(storeID uint64) *metapb.Peer {
	i := slices.IndexFunc(v.region().Peers, func(p *metapb.Peer) bool { return p.StoreId == storeID })
	if i < 0 {
		return nil
	}
	return v.region().Peers[i]
}

// joint reports whether a change of several members is under way.
func (v view) joint() bool {
	return slices.ContainsFunc(v.region().Peers, func(p *metapb.Peer) bool {
		return p.Role == metapb.PeerRole_IncomingVoter || p.Role == metapb.PeerRole_DemotingVoter
	})
}

func (v view) voters() (n int) {
	for _, p := range v.region().Peers {
		if p.Role != metapb.PeerRole_Learner {
			n++
		}
	}
	return n
}

func oneChange(kind eraftpb.ConfChangeType, p *metapb.Peer) *raft_cmdpb.ChangePeerRequest {
	return &raft_cmdpb.ChangePeerRequest{ChangeType: kind, Peer: &metapb.Peer{Id: p.Id, StoreId: p.StoreId}}
}

// add makes a store a voter of a region, by way of a learner.
func add(storeID uint64) intent {
	return func(v view) ([]*raft_cmdpb.ChangePeerRequest, bool) {
		p := v.on(storeID)
		switch {
		case v.joint():
			return nil, false
		case p == nil:
			return []*raft_cmdpb.ChangePeerRequest{
				oneChange(eraftpb.ConfChangeType_AddLearnerNode, &metapb.Peer{Id: v.newID, StoreId: storeID}),
			}, false
		case p.Role == metapb.PeerRole_Voter:
			return nil, true
		case v.leader.server.CaughtUp(v.region().Id, p.Id):
			return []*raft_cmdpb.ChangePeerRequest{oneChange(eraftpb.ConfChangeType_AddNode, p)}, false
		default:
			return nil, false
		}
	}
}

// remove takes a store out of a region, as long as more than atLeast vote there.
// One of an even number of voters is demoted first: see raftstore.
func remove(storeID uint64, atLeast int) intent {
	return func(v view) ([]*raft_cmdpb.ChangePeerRequest, bool) {
		p := v.on(storeID)
		switch {
		case p == nil:
			return nil, true
		case v.joint():
			return nil, false
		case v.leader.id == storeID:
			v.handOver() // if it comes to nothing, the next look will tell
			return nil, false
		case p.Role == metapb.PeerRole_Voter && v.voters() <= atLeast:
			return nil, false
		case p.Role == metapb.PeerRole_Voter && v.voters()%2 == 0:
			return []*raft_cmdpb.ChangePeerRequest{oneChange(eraftpb.ConfChangeType_AddLearnerNode, p)}, false
		default:
			return []*raft_cmdpb.ChangePeerRequest{oneChange(eraftpb.ConfChangeType_RemoveNode, p)}, false
		}
	}
}

// move makes one store a voter of a region in the place of another: in a joint
// configuration, so that the number of voters is never another one. Both may vote
// already, in a region that has come by merges or splits to be that of the key:
// then one is removed as long as more than atLeast vote.
func move(from, to uint64, atLeast int) intent {
	return func(v view) ([]*raft_cmdpb.ChangePeerRequest, bool) {
		old, p := v.on(from), v.on(to)
		switch {
		case v.joint():
			return nil, false
		case p == nil || p.Role == metapb.PeerRole_Voter:
			if old == nil && p != nil {
				return nil, true
			}
			if p != nil {
				return remove(from, atLeast)(v)
			}
			return add(to)(v)
		case old == nil || old.Role != metapb.PeerRole_Voter:
			return add(to)(v)
		case v.leader.server.CaughtUp(v.region().Id, p.Id):
			return []*raft_cmdpb.ChangePeerRequest{
				oneChange(eraftpb.ConfChangeType_AddNode, p), oneChange(eraftpb.ConfChangeType_AddLearnerNode, old),
			}, false
		default:
			return nil, false
		}
	}
}

// handOver asks the leader to hand over to another voter, each term to the next
// one. The request reaches it like any other event of its process: if that is
// paused, not before it goes on, and never if it ends. It may lead no longer by
// then; nothing happens in that case. The result is nil if nobody can be asked.
func (v view) handOver() (to *metapb.Peer) {
	others := slices.DeleteFunc(slices.Clone(v.region().Peers), func(p *metapb.Peer) bool {
		return p.StoreId == v.leader.id || p.Role != metapb.PeerRole_Voter
	})
	if len(others) == 0 {
		return nil
	}
	to = others[int(v.status.Term)%len(others)]
	if !v.leader.node.Do(func() { _ = v.leader.server.TransferLeader(v.region().Id, to.Id) }) {
		return nil
	}
	return to
}

// change works on the region of a key, in the space of regions' bounds, until
// the intent is fulfilled, or too much time has passed.
func (c *Cluster) change(t env.Task, key []byte, want intent) (done bool) {
	deadline := c.World.Now() + int64(changeMax)
	for c.World.Now() < deadline {
		id, err := c.admin.pd.AllocID(t)
		if err != nil {
			continue // it has tried for a while
		}
		leader, status := c.leaderAt(key)
		if leader == nil {
			t.Sleep(changePause)
			continue
		}
		v := view{leader, status, id}
		changes, over := want(v)
		if over {
			return true
		}
		if c.toLost(v, changes) {
			return false
		}
		if len(changes) > 0 {
			c.propose(t, leader, status, changes)
		}
		t.Sleep(changePause)
	}
	return false
}

// toLost reports whether changes give a peer or a vote to a store that is lost.
func (c *Cluster) toLost(v view, changes []*raft_cmdpb.ChangePeerRequest) bool {
	return slices.ContainsFunc(changes, func(cp *raft_cmdpb.ChangePeerRequest) bool {
		demotes := cp.ChangeType == eraftpb.ConfChangeType_AddLearnerNode && v.on(cp.Peer.StoreId) != nil
		return cp.ChangeType != eraftpb.ConfChangeType_RemoveNode && !demotes && c.isLost(cp.Peer.StoreId)
	})
}

// propose asks the leader for changes. Whether they have come about is seen in
// the region.
func (c *Cluster) propose(t env.Task, leader *store, status raftstore.RegionInfo, changes []*raft_cmdpb.ChangePeerRequest) {
	c.command(t, rpc.ChangePeers, leader, status, &raft_cmdpb.AdminRequest{
		CmdType:      raft_cmdpb.AdminCmdType_ChangePeerV2,
		ChangePeerV2: &raft_cmdpb.ChangePeerV2Request{Changes: changes},
	})
}

// command sends an administrator's command to the leader of a region, in the
// epoch in which it was seen.
func (c *Cluster) command(t env.Task, m rpc.Method, leader *store, status raftstore.RegionInfo, admin *raft_cmdpb.AdminRequest) {
	req := &raft_cmdpb.RaftCmdRequest{
		Header: &raft_cmdpb.RaftRequestHeader{
			RegionId: status.Region.Id, RegionEpoch: status.Region.RegionEpoch,
			Peer: &metapb.Peer{Id: status.Peer, StoreId: leader.id},
		},
		AdminRequest: admin,
	}
	_ = rpc.Call(t, c.admin.ep, leader.node.Addr(), m, req, &raft_cmdpb.RaftCmdResponse{}, adminTimeout)
}

// AddPeer implements sim.Administrator.
func (c *Cluster) AddPeer(key, storeName string, happened func()) bool {
	s, v, ok := c.regionAndStore(key, storeName)
	if !ok {
		return false
	}
	if p := v.on(s.id); p != nil && p.Role == metapb.PeerRole_Voter {
		return false
	}
	return c.begin("add peer", key, add(s.id), happened)
}

// fewestVoters is how many voters the administrator leaves a region. Where disks
// get lost it is the number of replicas: with fewer, the loss of one store while
// a removal is under way could be the loss of a quorum.
func (c *Cluster) fewestVoters() int {
	if c.losesDisks() {
		return c.plan.Cluster.Replicas
	}
	return min(2, c.plan.Cluster.Replicas)
}

// fewestMoved is how many voters a move leaves a region that has both stores for
// voters: any number, unless disks get lost.
func (c *Cluster) fewestMoved() int {
	if c.losesDisks() {
		return c.plan.Cluster.Replicas
	}
	return 0
}

// losesDisks reports whether the plan takes a store's data away.
func (c *Cluster) losesDisks() bool {
	return slices.ContainsFunc(c.plan.Faults, func(f faults.Fault) bool { return f.Kind == faults.Wipe || f.Kind == faults.Destroy })
}

// RemovePeer implements sim.Administrator.
func (c *Cluster) RemovePeer(key, storeName string, happened func()) bool {
	s, v, ok := c.regionAndStore(key, storeName)
	if !ok || v.on(s.id) == nil || v.on(s.id).Role == metapb.PeerRole_Voter && v.voters() <= c.fewestVoters() {
		return false
	}
	return c.begin("remove peer", key, remove(s.id, c.fewestVoters()), happened)
}

// MovePeer implements sim.Administrator.
func (c *Cluster) MovePeer(key, from, to string, happened func()) bool {
	s, v, ok := c.regionAndStore(key, from)
	target := c.storeNamed(to)
	if !ok || target == nil || target.absent() || target.id == 0 || v.on(s.id) == nil || v.on(target.id) != nil {
		return false
	}
	return c.begin("move peer", key, move(s.id, target.id, c.fewestMoved()), happened)
}

// regionAndStore finds what an operation is about.
func (c *Cluster) regionAndStore(key, storeName string) (*store, view, bool) {
	s := c.storeNamed(storeName)
	leader, status := c.leader(key)
	if s == nil || s.absent() || s.id == 0 || leader == nil {
		return nil, view{}, false
	}
	return s, view{leader: leader, status: status}, true
}

func (c *Cluster) begin(name, key string, want intent, happened func()) bool {
	at := bound(c.plan.Cluster.API, key)
	c.admin.changes++
	c.admin.env.Sched.Go(name, func(t env.Task) {
		done := c.change(t, at, want)
		c.admin.changes--
		if done {
			happened()
		}
	})
	return true
}

func (c *Cluster) storeNamed(name string) *store {
	i := slices.IndexFunc(c.stores, func(s *store) bool { return s.node.Name() == name })
	if i < 0 {
		return nil
	}
	return c.stores[i]
}
