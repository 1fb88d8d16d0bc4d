package raftstore

import (
	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_cmdpb"
	"github.com/pingcap/kvproto/pkg/raft_serverpb"

	"simrun/nodes/invariant"
)

// A source may be revived only if nobody can apply its CommitMerge. The proof is
// in the state of the target on any one store: it is beyond the epoch that
// CommitMerge asks for, and its records do not name the source. Then the target
// has left that epoch by another change, on all stores, and does not come back to
// it. TiKV asks for the word of a quorum of the source's peers, because there the
// epoch alone is looked at: a peer of the target that was removed without
// hearing of the merge, or was restored by a snapshot after the target has split
// again, is beyond the epoch too, and proves nothing. Here such a peer keeps
// silent, and the word of one that has proof is enough.

// targetWentOn is called when the target is beyond the epoch that the merge is
// for, with what it has absorbed.
func (p *peer) targetWentOn(records []*raft_serverpb.MergedRecord) {
	st := p.merge.state
	if markMergeUnproven.Sometimes(!neverMerged(records, p, st.GetTarget().GetRegionEpoch())) {
		return
	}
	if p.isLeader() {
		p.proposeRollback()
		return
	}
	if p.leader != 0 {
		markMergeWantsRollback.Reached()
		p.sendExtra(p.leader, raft_serverpb.ExtraMessageType_MsgWantRollbackMerge, st.GetCommit())
	}
}

// onWantRollback is told by a follower that it has proof.
func (p *peer) onWantRollback(index uint64) {
	if !p.merging() || p.merge.state.GetCommit() != index || !p.isLeader() {
		return // it will be told again as long as it matters
	}
	markMergeAskedToRollBack.Reached()
	p.proposeRollback()
}

func (p *peer) proposeRollback() {
	for _, list := range [][]*proposal{p.proposals.queued, p.proposals.logged} {
		for _, pr := range list {
			if pr.rollsBack && pr.term == p.term() {
				return
			}
		}
	}
	pr, regionErr := p.proposeAdmin(&raft_cmdpb.AdminRequest{
		CmdType:       raft_cmdpb.AdminCmdType_RollbackMerge,
		RollbackMerge: &raft_cmdpb.RollbackMergeRequest{Commit: p.merge.state.GetCommit()},
	})
	if regionErr == nil {
		pr.rollsBack = true
	}
}

// applyRollbackMerge revives a source. Its version grows, so that what was
// proposed while it was merging has no effect.
func (p *peer) applyRollbackMerge(a *applier, epoch *metapb.RegionEpoch, req *raft_cmdpb.RollbackMergeRequest) *errorpb.Error {
	if stale := checkEpoch(p.region, epoch); stale != nil {
		markMergeStale.Reached()
		return stale // another one came before
	}
	st := p.merge.state
	invariant.Check(st != nil && st.GetCommit() == req.GetCommit() && (p.merge.target == nil || p.merge.awaited > st.GetCommit()),
		"raftstore: %s: rolls back the merge of %d, merging as of %d, with %s waiting", p, req.GetCommit(), st.GetCommit(), p.merge.target)
	markMergeRolledBack.Reached()
	markMergeOnceMore.Sometimes(p.merge.target != nil)
	p.merge.state, p.merge.told = nil, nil
	p.s.setRegion(p, withEpoch(p.region, 1, 0))
	p.putState(a.batch)
	p.s.cfg.Observer.MergeRolledBack(p.region, st.GetTarget())
	if p.isLeader() {
		p.reportRegion()
	}
	return nil
}
