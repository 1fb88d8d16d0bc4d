package raftstore

import (
	"fmt"
	"slices"

	"github.com/pingcap/kvproto/pkg/eraftpb"
	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_cmdpb"
	"go.etcd.io/raft/v3/raftpb"
)

// The members of a region and how they change, as pure functions of the
// region. One change is simple: the quorums before and after it overlap. Several
// at once make a joint configuration, in which decisions need a quorum of both
// sets of voters; a further change, without members, leaves it. metapb.PeerRole
// tells the two sets apart: an IncomingVoter votes in the new set only, a
// DemotingVoter in the old one only.

// inJoint reports whether the region is in a joint configuration.
func inJoint(r *metapb.Region) bool {
	return slices.ContainsFunc(r.GetPeers(), func(p *metapb.Peer) bool {
		return p.GetRole() == metapb.PeerRole_IncomingVoter || p.GetRole() == metapb.PeerRole_DemotingVoter
	})
}

// staysVoter reports whether a member votes also after a joint configuration is
// left.
func staysVoter(p *metapb.Peer) bool {
	return p.GetRole() == metapb.PeerRole_Voter || p.GetRole() == metapb.PeerRole_IncomingVoter
}

// confStateOf returns the members in raft's form.
func confStateOf(r *metapb.Region) *raftpb.ConfState {
	cs := &raftpb.ConfState{}
	for _, p := range r.GetPeers() {
		switch p.GetRole() {
		case metapb.PeerRole_Voter:
			cs.Voters = append(cs.Voters, p.GetId())
			cs.VotersOutgoing = append(cs.VotersOutgoing, p.GetId())
		case metapb.PeerRole_IncomingVoter:
			cs.Voters = append(cs.Voters, p.GetId())
		case metapb.PeerRole_DemotingVoter:
			cs.VotersOutgoing = append(cs.VotersOutgoing, p.GetId())
			cs.LearnersNext = append(cs.LearnersNext, p.GetId())
		case metapb.PeerRole_Learner:
			cs.Learners = append(cs.Learners, p.GetId())
		}
	}
	if !inJoint(r) {
		cs.VotersOutgoing = nil
	}
	return cs
}

// changeMembers returns the region after a change of its members. No change
// leaves a joint configuration, one is simple, several enter a joint one.
func changeMembers(region *metapb.Region, changes []*raft_cmdpb.ChangePeerRequest) (*metapb.Region, error) {
	epoch := *region.GetRegionEpoch()
	next := &metapb.Region{Id: region.GetId(), StartKey: region.GetStartKey(), EndKey: region.GetEndKey(), RegionEpoch: &epoch}
	for _, p := range region.GetPeers() {
		next.Peers = append(next.Peers, &metapb.Peer{Id: p.GetId(), StoreId: p.GetStoreId(), Role: p.GetRole()})
	}
	if len(changes) == 0 {
		return leaveJoint(next)
	}
	if inJoint(region) {
		return nil, fmt.Errorf("region %d is in a joint configuration", region.GetId())
	}
	for _, c := range changes {
		if err := changeMember(next, c, len(changes) > 1); err != nil {
			return nil, err
		}
	}
	if !slices.ContainsFunc(next.Peers, staysVoter) {
		return nil, fmt.Errorf("nobody would vote in region %d", region.GetId())
	}
	epoch.ConfVer += uint64(len(changes))
	return next, nil
}

// leaveJoint makes the roles final. The configuration's version grows by the
// number of members that this concerns.
func leaveJoint(r *metapb.Region) (*metapb.Region, error) {
	changed := uint64(0)
	for _, p := range r.GetPeers() {
		switch p.GetRole() {
		case metapb.PeerRole_IncomingVoter:
			p.Role = metapb.PeerRole_Voter
			changed++
		case metapb.PeerRole_DemotingVoter:
			p.Role = metapb.PeerRole_Learner
			changed++
		case metapb.PeerRole_Voter, metapb.PeerRole_Learner:
		}
	}
	if changed == 0 {
		return nil, fmt.Errorf("region %d is in no joint configuration", r.GetId())
	}
	r.RegionEpoch.ConfVer += changed
	return r, nil
}

// changeMember makes one change to r.
func changeMember(r *metapb.Region, c *raft_cmdpb.ChangePeerRequest, joint bool) error {
	p := c.GetPeer()
	have := peerOnStore(r, p.GetStoreId())
	switch {
	case p.GetId() == 0 || p.GetStoreId() == 0:
		return fmt.Errorf("change of region %d names a peer without an id", r.GetId())
	case have == nil && peerByID(r, p.GetId()) != nil:
		return fmt.Errorf("peer %d of region %d is not on store %d", p.GetId(), r.GetId(), p.GetStoreId())
	case have != nil && have.GetId() != p.GetId():
		return fmt.Errorf("region %d has peer %d on store %d, not %d", r.GetId(), have.GetId(), p.GetStoreId(), p.GetId())
	}
	switch c.GetChangeType() {
	case eraftpb.ConfChangeType_AddNode:
		return addVoter(r, have, p, joint)
	case eraftpb.ConfChangeType_AddLearnerNode:
		return addLearner(r, have, p, joint)
	case eraftpb.ConfChangeType_RemoveNode:
		if have == nil {
			return fmt.Errorf("peer %d is no member of region %d", p.GetId(), r.GetId())
		}
		if joint && have.GetRole() != metapb.PeerRole_Learner {
			return fmt.Errorf("voter %d of region %d can only be demoted in a joint configuration", p.GetId(), r.GetId())
		}
		r.Peers = slices.DeleteFunc(r.Peers, func(q *metapb.Peer) bool { return q == have })
		return nil
	default:
		return fmt.Errorf("change of region %d is a %s", r.GetId(), c.GetChangeType())
	}
}

// addVoter adds a voter, or promotes a learner.
func addVoter(r *metapb.Region, have, p *metapb.Peer, joint bool) error {
	role := metapb.PeerRole_Voter
	if joint {
		role = metapb.PeerRole_IncomingVoter
	}
	switch {
	case have == nil:
		r.Peers = append(r.Peers, &metapb.Peer{Id: p.GetId(), StoreId: p.GetStoreId(), Role: role})
	case have.GetRole() == metapb.PeerRole_Learner:
		have.Role = role
	default:
		return fmt.Errorf("peer %d of region %d is a voter already", p.GetId(), r.GetId())
	}
	return nil
}

// addLearner adds a learner, or demotes a voter.
func addLearner(r *metapb.Region, have, p *metapb.Peer, joint bool) error {
	switch {
	case have == nil:
		r.Peers = append(r.Peers, &metapb.Peer{Id: p.GetId(), StoreId: p.GetStoreId(), Role: metapb.PeerRole_Learner})
	case have.GetRole() == metapb.PeerRole_Voter && joint:
		have.Role = metapb.PeerRole_DemotingVoter
	case have.GetRole() == metapb.PeerRole_Voter:
		have.Role = metapb.PeerRole_Learner
	default:
		return fmt.Errorf("peer %d of region %d is a learner already", p.GetId(), r.GetId())
	}
	return nil
}

// confChange returns the change in raft's form, which carries the command.
func confChange(changes []*raft_cmdpb.ChangePeerRequest, command []byte) *raftpb.ConfChangeV2 {
	cc := &raftpb.ConfChangeV2{Context: command}
	if len(changes) > 1 {
		cc.Transition = raftpb.ConfChangeTransitionJointExplicit.Enum()
	}
	for _, c := range changes {
		kind := raftpb.ConfChangeAddNode
		switch c.GetChangeType() {
		case eraftpb.ConfChangeType_AddNode:
		case eraftpb.ConfChangeType_AddLearnerNode:
			kind = raftpb.ConfChangeAddLearnerNode
		case eraftpb.ConfChangeType_RemoveNode:
			kind = raftpb.ConfChangeRemoveNode
		}
		id := c.GetPeer().GetId()
		cc.Changes = append(cc.Changes, &raftpb.ConfChangeSingle{Type: kind.Enum(), NodeId: &id})
	}
	return cc
}

// changesOf returns the changes that a command asks for; ok is false if it is no
// change of members.
func changesOf(admin *raft_cmdpb.AdminRequest) (changes []*raft_cmdpb.ChangePeerRequest, ok bool) {
	switch admin.GetCmdType() {
	case raft_cmdpb.AdminCmdType_ChangePeer:
		return []*raft_cmdpb.ChangePeerRequest{admin.GetChangePeer()}, true
	case raft_cmdpb.AdminCmdType_ChangePeerV2:
		return admin.GetChangePeerV2().GetChanges(), true
	default:
		return nil, false
	}
}

// changeRequest returns the command for some changes.
func changeRequest(changes []*raft_cmdpb.ChangePeerRequest) *raft_cmdpb.AdminRequest {
	if len(changes) == 1 {
		return &raft_cmdpb.AdminRequest{CmdType: raft_cmdpb.AdminCmdType_ChangePeer, ChangePeer: changes[0]}
	}
	return &raft_cmdpb.AdminRequest{
		CmdType:      raft_cmdpb.AdminCmdType_ChangePeerV2,
		ChangePeerV2: &raft_cmdpb.ChangePeerV2Request{Changes: changes},
	}
}
