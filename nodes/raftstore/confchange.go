package raftstore

import (
	"time"

	"github.com/pingcap/kvproto/pkg/eraftpb"
	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_cmdpb"
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/confchange"
	"go.etcd.io/raft/v3/quorum"
	"go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
	"google.golang.org/protobuf/proto"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
)

// ChangePeers changes the members of a region and returns the region as it is
// then. One change is carried out at once. Several enter a joint configuration,
// which the leader leaves by itself; without any, the joint configuration is
// left now. A new member should begin as a learner, and be promoted when
// CaughtUp says so. Errors are those of Propose.
func (s *Store) ChangePeers(
	t env.Task, ctx *kvrpcpb.Context, changes []*raft_cmdpb.ChangePeerRequest, limit time.Duration,
) (*metapb.Region, *errorpb.Error, error) {
	p, regionErr := s.leaderPeer(ctx)
	if regionErr != nil {
		return nil, regionErr, nil
	}
	if regionErr = checkEpoch(p.region, ctx.GetRegionEpoch()); regionErr != nil {
		markEpochAtPropose.Reached()
		return nil, regionErr, nil
	}
	if regionErr = p.refuseProposal(); regionErr != nil {
		return nil, regionErr, nil
	}
	next, pr, regionErr := p.proposeChange(changes)
	if regionErr != nil {
		return nil, regionErr, nil
	}
	if regionErr, err := pr.await(t, limit); regionErr != nil || err != nil {
		return nil, regionErr, err
	}
	return next, nil, nil
}

// CaughtUp reports whether a member of a region that this store leads follows
// the leader's log, so that it may become a voter without delaying anybody.
func (s *Store) CaughtUp(region, peer uint64) bool {
	p := s.byRegion[region]
	if p == nil || p.destroyed || !p.isLeader() {
		return false
	}
	caught := false
	p.node.WithProgress(func(id uint64, _ raft.ProgressType, pr tracker.Progress) {
		if id == peer {
			caught = pr.State == tracker.StateReplicate && pr.Match >= p.applied
		}
	})
	return caught
}

// proposeChange queues a change of members, unless it is unsafe now.
func (p *peer) proposeChange(changes []*raft_cmdpb.ChangePeerRequest) (*metapb.Region, *proposal, *errorpb.Error) {
	markWokenByChange.Sometimes(p.asleep())
	next, why := p.checkChange(changes)
	if why != "" {
		markChangeRefused.Reached()
		return nil, nil, errStaleCommand(why)
	}
	pr, regionErr := p.proposeAdmin(changeRequest(changes))
	if regionErr != nil {
		return nil, nil, regionErr
	}
	data, err := proto.Marshal(confChange(changes, pr.data))
	invariant.Check(err == nil, "raftstore: %s: cannot encode a change of members: %v", p, err)
	p.proposals.queuedBytes += len(data) - len(pr.data)
	pr.data, pr.confChange = data, true
	return next, pr, nil
}

// checkChange returns the region after a change, or why the change must not be
// proposed now. What depends on the region alone cannot be otherwise when the
// change is applied, for it is applied only if the epoch is still the same.
func (p *peer) checkChange(changes []*raft_cmdpb.ChangePeerRequest) (next *metapb.Region, why string) {
	switch {
	case markMergeRefuses.Sometimes(p.lease.preparing || p.merging()):
		return nil, "the region is merging"
	case p.appliedTerm != p.term():
		// What other leaders have left may hold a change of members.
		return nil, "nothing is applied in this term"
	case p.changing():
		return nil, "another change of members is under way"
	}
	next, err := changeMembers(p.region, changes)
	if err != nil {
		return nil, err.Error()
	}
	if why := p.checkLeader(next, len(changes)); why != "" {
		return nil, why
	}
	for i, c := range changes {
		for _, other := range changes[:i] {
			if other.GetPeer().GetId() == c.GetPeer().GetId() {
				return nil, "two changes of one peer"
			}
		}
	}
	if len(changes) > 1 && !inJoint(next) {
		return nil, "several changes of learners only"
	}
	if why := checkRemoval(p.region, next); why != "" {
		return nil, why
	}
	return next, p.checkQuorum(confChange(changes, nil))
}

// changing reports whether a change of members was proposed in this term and is
// not decided yet.
func (p *peer) changing() bool {
	for _, list := range [][]*proposal{p.proposals.queued, p.proposals.logged} {
		for _, pr := range list {
			if pr.confChange && pr.term == p.term() {
				return true
			}
		}
	}
	return false
}

// checkLeader refuses a change after which the leader could not lead. It has to
// hand its leadership over first; in a joint configuration it does so by itself.
func (p *peer) checkLeader(next *metapb.Region, changes int) string {
	here := peerByID(next, p.id)
	switch {
	case here == nil:
		return "the leader cannot be removed"
	case here.GetRole() != metapb.PeerRole_Learner:
		return ""
	case changes == 0:
		return "the joint configuration cannot be left by a leader that is demoted"
	default:
		return "the leader cannot be demoted"
	}
}

// checkRemoval refuses the removal of one of an even number of voters in a single
// step. Should the one to be removed become leader before that is committed, it
// commits it and is gone. The others, who may not know, would still need its
// vote if one more of them were lost, though a quorum of those who are left is
// there: of four voters, three have to vote. A learner votes if it is asked, so
// the voter is demoted first; with an odd number the quorum is the same without
// it.
func checkRemoval(region, next *metapb.Region) string {
	voters, removed := 0, false
	for _, p := range region.GetPeers() {
		if p.GetRole() == metapb.PeerRole_Voter {
			voters++
			removed = removed || peerByID(next, p.GetId()) == nil
		}
	}
	if removed && voters%2 == 0 {
		return "one of an even number of voters has to be demoted before it is removed"
	}
	return ""
}

// checkQuorum refuses a change after which no quorum would have the leader's
// log: new voters would have to be fed by snapshots before anything could be
// committed.
func (p *peer) checkQuorum(cc *raftpb.ConfChangeV2) string {
	status := p.node.Status()
	if markChangeDeposed.Sometimes(status.RaftState != raft.StateLeader) {
		return "leadership was lost in this turn" // and raft knows nothing of the others any more
	}
	trk := tracker.MakeProgressTracker(p.s.cfg.MaxInflightMsgs, 0)
	trk.Config, trk.Progress = status.Config, tracker.ProgressMap{}
	for _, id := range memberIDs(p.region) {
		if pr, ok := status.Progress[id]; ok {
			trk.Progress[id] = &pr
		}
	}
	singleton := trk.IsSingleton()
	changer := confchange.Changer{Tracker: trk, LastIndex: p.log.lastIndex}
	var err error
	switch auto, joint := cc.EnterJoint(); {
	case cc.LeaveJoint():
		trk.Config, trk.Progress, err = changer.LeaveJoint()
	case joint:
		trk.Config, trk.Progress, err = changer.EnterJoint(auto, cc.Changes...)
	default:
		trk.Config, trk.Progress, err = changer.Simple(cc.Changes...)
	}
	// Raft's text would depend on the order of a map.
	invariant.Check(err == nil, "raftstore: %s: raft refuses a change of members that the region allows", p)
	if !singleton && trk.Config.Voters.CommittedIndex(matched(trk.Progress)) < quorum.Index(p.log.truncatedIndex) {
		return "too few of the voters would have the log"
	}
	return ""
}

// matched tells what members have of the log.
type matched tracker.ProgressMap

// AckedIndex implements quorum.AckedIndexer.
func (m matched) AckedIndex(id uint64) (quorum.Index, bool) {
	pr, ok := m[id]
	if !ok {
		return 0, false
	}
	return quorum.Index(pr.Match), true
}

func memberIDs(r *metapb.Region) []uint64 {
	ids := make([]uint64, len(r.GetPeers()))
	for i, p := range r.GetPeers() {
		ids[i] = p.GetId()
	}
	return ids
}

// decodeConfChange takes a change of members out of its entry; the command in
// it refers to the entry.
func decodeConfChange(e *raftpb.Entry) (*raftpb.ConfChangeV2, error) {
	cc := &raftpb.ConfChangeV2{}
	return cc, proto.Unmarshal(e.GetData(), cc)
}

// confResult is a change of members that raft has yet to hear of.
type confResult struct {
	p      *peer
	index  uint64
	change *raftpb.ConfChangeV2
	region *metapb.Region
}

// applyChange adds a change of members to the batch. Raft hears of it when the
// batch is written: it may answer by taking a snapshot, which has to agree with
// the region.
func (p *peer) applyChange(a *applier, e *raftpb.Entry, cc *raftpb.ConfChangeV2, epoch *metapb.RegionEpoch, admin *raft_cmdpb.AdminRequest) *errorpb.Error {
	if stale := checkEpoch(p.region, epoch); stale != nil {
		markChangeStale.Reached()
		return stale
	}
	invariant.Check(!p.merging(), "raftstore: %s: change of members %v while the region is merging", p, admin)
	changes, ok := changesOf(admin)
	next, err := changeMembers(p.region, changes)
	invariant.Check(ok && err == nil, "raftstore: %s: change of members %v: %v", p, admin, err)
	markChange(p.region, next, changes)
	a.changes = append(a.changes, confResult{p, e.GetIndex(), cc, next})
	if peerByID(next, p.id) == nil {
		markRemoved.Reached()
		p.bury(a.batch, grave{epoch: next.GetRegionEpoch(), others: next.GetPeers(), records: p.merge.records})
		a.deaths = append(a.deaths, p)
		return nil
	}
	p.s.setRegion(p, next)
	p.putState(a.batch)
	if len(changes) > 0 && inJoint(next) {
		p.jointTerm = p.term()
	}
	p.s.cfg.Observer.PeersChanged(next)
	if p.isLeader() {
		p.reportRegion()
	}
	return nil
}

// markChange tells what sort of change it is.
func markChange(before, after *metapb.Region, changes []*raft_cmdpb.ChangePeerRequest) {
	switch {
	case inJoint(after):
		markEnterJoint.Reached()
	case inJoint(before):
		markLeaveJoint.Reached()
	default:
		markSimpleChange.Reached()
	}
	for _, c := range changes {
		have := peerByID(before, c.GetPeer().GetId())
		markPromoted.Sometimes(c.GetChangeType() == eraftpb.ConfChangeType_AddNode && have != nil)
		markDemoted.Sometimes(have.GetRole() == metapb.PeerRole_Voter && peerByID(after, have.GetId()).GetRole() == metapb.PeerRole_Learner)
	}
}

// tell informs raft of a change whose batch is written. Raft takes the members
// out of a snapshot when it accepts it; if that is newer, it knows better.
func (c confResult) tell() {
	p := c.p
	if p.destroyed || markChangeSuperseded.Sometimes(p.restoring > c.index) {
		return
	}
	p.stir()
	p.catchUp()
	cs := p.node.ApplyConfChange(c.change)
	err := cs.Equivalent(confStateOf(c.region))
	invariant.Check(err == nil, "raftstore: %s: raft has other members than the region: %v", p, err)
	p.s.markDirty(p)
}
