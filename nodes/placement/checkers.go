package placement

import (
	"cmp"
	"slices"

	"github.com/pingcap/kvproto/pkg/metapb"

	"simrun/nodes/invariant"
)

//nolint:gochecknoglobals // marks register once
var (
	markReplaceDown    = invariant.NewMark("placement: replica on a store that is down replaced")
	markReplaceOffline = invariant.NewMark("placement: replica moved away from a store that is being emptied")
	markReuseLearner   = invariant.NewMark("placement: learner that was left behind takes the place of a lost replica")
	markAddReplica     = invariant.NewMark("placement: replica added where one was missing")
	markRemoveExtra    = invariant.NewMark("placement: replica removed where there was one too many")
	markRemoveLearner  = invariant.NewMark("placement: learner that nobody needs removed")
	markPromoteLearner = invariant.NewMark("placement: learner that was left behind promoted")
	markLeaveJoint     = invariant.NewMark("placement: joint configuration found and left")
	markToldAgain      = invariant.NewMark("placement: region told to split that did not when it was told before")
	markTooLarge       = invariant.NewMark("placement: region that is far too large told to split")
)

// check returns what has to be done about a region, nil if nothing has. The order
// is that of urgency: first what makes everything else possible, then the loss of
// replicas, then what is left over.
func (s *scheduler) check(r *regionInfo) *operator {
	if !s.l.s.cfg.Scheduling.ReplicaCheck {
		return s.checkSize(r)
	}
	for _, checker := range []func(*regionInfo) *operator{
		s.checkJoint, s.checkLost, s.checkMissing, s.checkLearner, s.checkExtra, s.checkSize,
	} {
		if op := checker(r); op != nil {
			return op
		}
		if r.inJoint() {
			return nil
		}
	}
	return nil
}

// checkJoint leaves a joint configuration that nobody leaves.
func (s *scheduler) checkJoint(r *regionInfo) *operator {
	if !r.inJoint() {
		return nil
	}
	var members []*metapb.Peer
	for _, p := range r.meta.Peers {
		if p.Role == metapb.PeerRole_IncomingVoter || p.Role == metapb.PeerRole_DemotingVoter {
			members = append(members, p)
		}
	}
	markLeaveJoint.Reached()
	return newOperator(LeaveJoint, r, leaveJoint{members})
}

// isLost reports whether a peer is on a store on which nothing should be. One that
// nobody knows has yet to register.
func (s *scheduler) isLost(p *metapb.Peer) bool {
	info := s.l.stores.stores[p.StoreId]
	return info != nil && !s.l.stores.keeps(info, s.now)
}

// checkLost replaces one peer on a store that is down, being emptied or gone.
func (s *scheduler) checkLost(r *regionInfo) *operator {
	i := slices.IndexFunc(r.meta.Peers, s.isLost)
	if i < 0 {
		return nil
	}
	lost := r.meta.Peers[i]
	if !isVoter(lost) {
		return newOperator(ReplaceReplica, r, removePeer{lost})
	}
	if len(r.voters()) > s.l.s.cfg.Scheduling.Replicas {
		return s.remove(r, lost)
	}
	to, isLearner := s.learner(r), true
	if to == nil {
		home := s.home(r)
		if home == nil {
			return nil
		}
		to, isLearner = s.newPeer(home.id), false
	}
	markReuseLearner.Sometimes(isLearner)
	state := s.l.stores.stores[lost.StoreId].meta.State
	markReplaceDown.Sometimes(state == metapb.StoreState_Up)
	markReplaceOffline.Sometimes(state == metapb.StoreState_Offline)
	return newOperator(ReplaceReplica, r, moveSteps(lost, to, isLearner)...)
}

// learner returns a learner that can become a voter, nil if there is none.
func (s *scheduler) learner(r *regionInfo) *metapb.Peer {
	for _, p := range r.meta.Peers {
		if p.Role == metapb.PeerRole_Learner && !r.isPending(p.Id) && s.isTarget(p.StoreId) {
			return p
		}
	}
	return nil
}

// checkMissing brings a region up to the number of replicas.
func (s *scheduler) checkMissing(r *regionInfo) *operator {
	if len(r.voters()) >= s.l.s.cfg.Scheduling.Replicas {
		return nil
	}
	if p := s.learner(r); p != nil {
		markPromoteLearner.Reached()
		return newOperator(PromoteLearner, r, promoteLearner{p})
	}
	home := s.home(r)
	if home == nil {
		return nil
	}
	markAddReplica.Reached()
	p := s.newPeer(home.id)
	return newOperator(AddReplica, r, addLearner{p}, promoteLearner{p})
}

// checkLearner removes learners that nobody needs.
func (s *scheduler) checkLearner(r *regionInfo) *operator {
	i := slices.IndexFunc(r.meta.Peers, func(p *metapb.Peer) bool { return p.Role == metapb.PeerRole_Learner })
	if i < 0 || len(r.voters()) < s.l.s.cfg.Scheduling.Replicas {
		return nil
	}
	markRemoveLearner.Reached()
	return newOperator(RemoveReplica, r, removePeer{r.meta.Peers[i]})
}

// checkExtra removes a voter that is one too many: one that lags behind, else the
// one on the store with the highest score.
func (s *scheduler) checkExtra(r *regionInfo) *operator {
	voters := r.voters()
	if len(voters) <= s.l.s.cfg.Scheduling.Replicas {
		return nil
	}
	worst := slices.MaxFunc(voters, func(a, b *metapb.Peer) int {
		return cmp.Compare(s.burden(r, a), s.burden(r, b))
	})
	markRemoveExtra.Reached()
	return s.remove(r, worst)
}

// burden is higher the sooner a peer is to be removed.
func (s *scheduler) burden(r *regionInfo, p *metapb.Peer) int64 {
	const pending = 1 << 40
	burden := int64(0)
	if l := s.load(p.StoreId); l != nil {
		burden = 2 * l.regions
	}
	if r.isPending(p.Id) {
		burden += pending
	}
	if p.Id == r.leader.Id {
		burden-- // of two equal ones, not the leader
	}
	return burden
}

// remove takes a voter away, after its leadership if it leads. It is demoted
// first: one that is removed at once might be elected before it knows, and be gone
// before anybody else does.
func (s *scheduler) remove(r *regionInfo, p *metapb.Peer) *operator {
	if p.Id != r.leader.Id {
		return newOperator(RemoveReplica, r, demoteVoter{p}, removePeer{p})
	}
	_, heir := s.heir(r)
	if heir == nil {
		return nil
	}
	return newOperator(RemoveReplica, r, transferLeader{to: heir}, demoteVoter{p}, removePeer{p})
}

// checkSize splits a region that is far too large, and has been for a while. Its
// store should have done so long ago. It may be unable to, for a single key has
// all of the versions that make the region large: it is told less and less often.
func (s *scheduler) checkSize(r *regionInfo) *operator {
	if r.inJoint() || r.large == 0 {
		return nil
	}
	if s.now-r.large < s.l.s.cfg.Scheduling.SplitDelay<<min(r.told, splitPatience) {
		s.later = true
		return nil
	}
	markTooLarge.Reached()
	markToldAgain.Sometimes(r.told > 0)
	r.large = s.now
	r.told++
	return newOperator(SplitRegion, r, splitRegion{version: r.version()})
}

// splitPatience is how often the time doubles after which a region is told again
// to split.
const splitPatience = 6
