package raftstore

import (
	"github.com/pingcap/kvproto/pkg/raft_cmdpb"
	"go.etcd.io/raft/v3/raftpb"

	"simrun/nodes/invariant"
)

// Rare branches of processes that take up what an earlier one has left in the
// middle of a step. What has become of an earlier process cannot be seen; that it
// had the entry of a step in its log can, and so can a state that only the step
// leads to.
//
//nolint:gochecknoglobals // marks register once
var (
	markSplitRepeated    = invariant.NewMark("raftstore: split applied that an earlier process had in its log")
	markSplitFound       = invariant.NewMark("raftstore: start with a region of a split that has written no log")
	markJointReloaded    = invariant.NewMark("raftstore: start in a joint configuration")
	markEnterRepeated    = invariant.NewMark("raftstore: joint configuration entered that an earlier process had in its log")
	markLeaveRepeated    = invariant.NewMark("raftstore: joint configuration left that an earlier process had in its log")
	markChangeRepeated   = invariant.NewMark("raftstore: single change of members that an earlier process had in its log")
	markPrepareRepeated  = invariant.NewMark("raftstore: merge prepared that an earlier process had in its log")
	markCommitRepeated   = invariant.NewMark("raftstore: merge committed that an earlier process had in its log")
	markRollbackRepeated = invariant.NewMark("raftstore: merge rolled back that an earlier process had in its log")
	markWaitRepeated     = invariant.NewMark("raftstore: target waits for its source again after a start")
	markCatchUpRepeated  = invariant.NewMark("raftstore: source caught up again after a start")
)

// found reports whether an entry is one that the process has found in its log.
func (l *logStorage) found(e *raftpb.Entry) bool { return e.GetIndex() <= l.foundIndex }

// markRepeated tells of a step that was applied just now and that an earlier
// process had in its log: that one may have applied it too, without having it
// durable.
func (p *peer) markRepeated(e *raftpb.Entry, step *raft_cmdpb.AdminRequest) {
	if !p.log.found(e) {
		return
	}
	switch step.GetCmdType() {
	case raft_cmdpb.AdminCmdType_BatchSplit:
		markSplitRepeated.Reached()
	case raft_cmdpb.AdminCmdType_PrepareMerge:
		markPrepareRepeated.Reached()
	case raft_cmdpb.AdminCmdType_CommitMerge:
		markCommitRepeated.Reached()
	case raft_cmdpb.AdminCmdType_RollbackMerge:
		markRollbackRepeated.Reached()
	case raft_cmdpb.AdminCmdType_ChangePeer:
		markChangeRepeated.Reached()
	case raft_cmdpb.AdminCmdType_ChangePeerV2:
		markEnterRepeated.Sometimes(inJoint(p.region))
		markLeaveRepeated.Sometimes(!inJoint(p.region))
	default:
	}
}

// markFound tells of a region that a start has found in the middle of a step.
func (p *peer) markFound(st localStates) {
	markJointReloaded.Sometimes(inJoint(p.region))
	// A region without a log comes from the first start of the cluster, when its
	// version is the first; from a snapshot, before the log was reset; or from a
	// split.
	markSplitFound.Sometimes(st.raft.GetLastIndex() == 0 && st.snapshot == nil && p.region.GetRegionEpoch().GetVersion() > 1)
}
