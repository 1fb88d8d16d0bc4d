package placement

import (
	"fmt"

	"github.com/pingcap/kvproto/pkg/eraftpb"
	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/pdpb"
)

// step is one change of a region, which its leader can carry out by one entry of
// its log.
type step interface {
	fmt.Stringer
	// finished reports whether the region shows that the step is done.
	finished(r *regionInfo) bool
	// confVerChanged is by how much the step has raised the version of the
	// configuration, as far as the region shows.
	confVerChanged(r *regionInfo) uint64
	// command asks for it, unless there is nothing left to do but to wait.
	command(r *regionInfo, resp *pdpb.RegionHeartbeatResponse)
	// needs is the store without which the step cannot be done, 0 if there is none.
	needs() uint64
}

// peerByID returns a member of the region, nil if there is none of that id.
func peerByID(r *metapb.Region, id uint64) *metapb.Peer {
	for _, p := range r.Peers {
		if p.Id == id {
			return p
		}
	}
	return nil
}

func changePeer(kind eraftpb.ConfChangeType, p *metapb.Peer) *pdpb.ChangePeer {
	return &pdpb.ChangePeer{ChangeType: kind, Peer: &metapb.Peer{Id: p.Id, StoreId: p.StoreId}}
}

// noConfChange is what steps have in common that do not change members.
type noConfChange struct{}

func (noConfChange) confVerChanged(*regionInfo) uint64 { return 0 }

// transferLeader makes another voter the leader.
type transferLeader struct {
	noConfChange
	to *metapb.Peer
}

func (s transferLeader) String() string { return fmt.Sprintf("transfer leader to %v", name(s.to)) }

func (s transferLeader) finished(r *regionInfo) bool { return r.leader.GetId() == s.to.Id }

func (s transferLeader) needs() uint64 { return s.to.StoreId }

func (s transferLeader) command(_ *regionInfo, resp *pdpb.RegionHeartbeatResponse) {
	resp.TransferLeader = &pdpb.TransferLeader{Peer: s.to}
}

// addLearner adds a learner, and is done when that follows the leader's log.
type addLearner struct{ peer *metapb.Peer }

func (s addLearner) String() string { return fmt.Sprintf("add learner %v", name(s.peer)) }

func (s addLearner) finished(r *regionInfo) bool {
	return peerByID(r.meta, s.peer.Id) != nil && !r.isPending(s.peer.Id)
}

func (s addLearner) confVerChanged(r *regionInfo) uint64 {
	return one(peerByID(r.meta, s.peer.Id) != nil)
}

func (s addLearner) needs() uint64 { return s.peer.StoreId }

func (s addLearner) command(r *regionInfo, resp *pdpb.RegionHeartbeatResponse) {
	if peerByID(r.meta, s.peer.Id) != nil {
		return // it has yet to catch up
	}
	resp.ChangePeer = changePeer(eraftpb.ConfChangeType_AddLearnerNode, s.peer)
}

// promoteLearner makes a learner a voter.
type promoteLearner struct{ peer *metapb.Peer }

func (s promoteLearner) String() string { return fmt.Sprintf("promote %v", name(s.peer)) }

func (s promoteLearner) finished(r *regionInfo) bool { return isVoter(peerByID(r.meta, s.peer.Id)) }

func (s promoteLearner) confVerChanged(r *regionInfo) uint64 { return one(s.finished(r)) }

func (s promoteLearner) needs() uint64 { return s.peer.StoreId }

func (s promoteLearner) command(_ *regionInfo, resp *pdpb.RegionHeartbeatResponse) {
	resp.ChangePeer = changePeer(eraftpb.ConfChangeType_AddNode, s.peer)
}

// demoteVoter makes a voter a learner.
type demoteVoter struct{ peer *metapb.Peer }

func (s demoteVoter) String() string { return fmt.Sprintf("demote %v", name(s.peer)) }

func (s demoteVoter) finished(r *regionInfo) bool { return !isVoter(peerByID(r.meta, s.peer.Id)) }

func (s demoteVoter) confVerChanged(r *regionInfo) uint64 { return one(s.finished(r)) }

func (demoteVoter) needs() uint64 { return 0 }

func (s demoteVoter) command(_ *regionInfo, resp *pdpb.RegionHeartbeatResponse) {
	resp.ChangePeer = changePeer(eraftpb.ConfChangeType_AddLearnerNode, s.peer)
}

// removePeer removes a member.
type removePeer struct{ peer *metapb.Peer }

func (s removePeer) String() string { return fmt.Sprintf("remove %v", name(s.peer)) }

func (s removePeer) finished(r *regionInfo) bool { return peerByID(r.meta, s.peer.Id) == nil }

func (s removePeer) confVerChanged(r *regionInfo) uint64 { return one(s.finished(r)) }

func (removePeer) needs() uint64 { return 0 }

func (s removePeer) command(_ *regionInfo, resp *pdpb.RegionHeartbeatResponse) {
	resp.ChangePeer = changePeer(eraftpb.ConfChangeType_RemoveNode, s.peer)
}

// enterJoint promotes a learner and demotes a voter at once, by way of a joint
// configuration, so that the number of voters is never another one.
type enterJoint struct{ promote, demote *metapb.Peer }

func (s enterJoint) String() string {
	return fmt.Sprintf("promote %v and demote %v", name(s.promote), name(s.demote))
}

func (s enterJoint) finished(r *regionInfo) bool {
	promoted, demoted := peerByID(r.meta, s.promote.Id), peerByID(r.meta, s.demote.Id)
	return promoted != nil && promoted.Role != metapb.PeerRole_Learner && !isVoter(demoted)
}

func (s enterJoint) confVerChanged(r *regionInfo) uint64 { return 2 * one(s.finished(r)) }

func (s enterJoint) needs() uint64 { return s.promote.StoreId }

func (s enterJoint) command(_ *regionInfo, resp *pdpb.RegionHeartbeatResponse) {
	resp.ChangePeerV2 = &pdpb.ChangePeerV2{Changes: []*pdpb.ChangePeer{
		changePeer(eraftpb.ConfChangeType_AddNode, s.promote), changePeer(eraftpb.ConfChangeType_AddLearnerNode, s.demote),
	}}
}

// leaveJoint makes the roles of a joint configuration final, of which members are
// those that it concerns. The store does so by itself, too.
type leaveJoint struct{ members []*metapb.Peer }

func (leaveJoint) String() string { return "leave the joint configuration" }

func (leaveJoint) finished(r *regionInfo) bool { return !r.inJoint() }

func (s leaveJoint) confVerChanged(r *regionInfo) uint64 {
	for _, p := range s.members {
		if q := peerByID(r.meta, p.Id); q != nil && !isVoter(q) && q.Role != metapb.PeerRole_Learner {
			return 0
		}
	}
	return uint64(len(s.members))
}

func (leaveJoint) needs() uint64 { return 0 }

func (leaveJoint) command(_ *regionInfo, resp *pdpb.RegionHeartbeatResponse) {
	resp.ChangePeerV2 = &pdpb.ChangePeerV2{}
}

// splitRegion lets the store choose where to split.
type splitRegion struct {
	noConfChange
	version uint64 // that the region has before
}

func (splitRegion) String() string { return "split" }

func (s splitRegion) finished(r *regionInfo) bool { return r.version() > s.version }

func (splitRegion) needs() uint64 { return 0 }

func (splitRegion) command(_ *regionInfo, resp *pdpb.RegionHeartbeatResponse) {
	resp.SplitRegion = &pdpb.SplitRegion{Policy: pdpb.CheckPolicy_SCAN}
}

// mergeRegion merges the region into its neighbour. The region is gone
// afterwards, so that no heartbeat of it shows the end; see operators.merged.
type mergeRegion struct {
	noConfChange
	target  *metapb.Region
	version uint64 // that the region has before
}

func (s mergeRegion) String() string { return fmt.Sprintf("merge into %d", s.target.Id) }

func (mergeRegion) finished(*regionInfo) bool { return false }

func (mergeRegion) needs() uint64 { return 0 }

// prepared reports whether the region waits for its neighbour to take it in.
func (s mergeRegion) prepared(r *regionInfo) bool { return r.version() == s.version+1 }

func (s mergeRegion) command(r *regionInfo, resp *pdpb.RegionHeartbeatResponse) {
	if !s.prepared(r) {
		resp.Merge = &pdpb.Merge{Target: s.target}
	}
}

func one(yes bool) uint64 {
	if yes {
		return 1
	}
	return 0
}

func name(p *metapb.Peer) string { return fmt.Sprintf("%d on store %d", p.Id, p.StoreId) }

// moveSteps replace a voter by a peer on another store. Nobody has to transfer
// the leadership first: a leader that is demoted hands it over by itself.
func moveSteps(old, to *metapb.Peer, isLearner bool) []step {
	var steps []step
	if !isLearner {
		steps = append(steps, addLearner{to})
	}
	return append(steps, enterJoint{to, old}, leaveJoint{[]*metapb.Peer{to, old}}, removePeer{old})
}
