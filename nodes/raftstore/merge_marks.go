package raftstore

import "simrun/nodes/invariant"

// Rare branches of merges.
//
//nolint:gochecknoglobals // marks register once
var (
	markMergePrepared        = invariant.NewMark("raftstore: merge prepared")
	markMergeProposed        = invariant.NewMark("raftstore: merge proposed to its target")
	markMergeCommitted       = invariant.NewMark("raftstore: merge committed")
	markMergeRolledBack      = invariant.NewMark("raftstore: merge rolled back")
	markMergeReloaded        = invariant.NewMark("raftstore: start with a region that is merging")
	markMergeRefused         = invariant.NewMark("raftstore: merge refused")
	markMergeRefuses         = invariant.NewMark("raftstore: request refused by a region that is merging")
	markMergeStale           = invariant.NewMark("raftstore: step of a merge of another epoch at apply")
	markMergeWaited          = invariant.NewMark("raftstore: target waited for its source to catch up")
	markMergeOnceMore        = invariant.NewMark("raftstore: source rolls a merge back before it comes to the one that its target waits for")
	markMergeCaughtUp        = invariant.NewMark("raftstore: source caught up from the entries of its merge")
	markMergeOnlyApplies     = invariant.NewMark("raftstore: source had only to apply its log to be merged")
	markMergeOnlyCommits     = invariant.NewMark("raftstore: source had the log but not the commit index of its merge")
	markMergeLacksEntries    = invariant.NewMark("raftstore: source lacks entries that its merge has to carry")
	markMergePassedOn        = invariant.NewMark("raftstore: source that is merging passes its leadership on, a peer needs a snapshot")
	markMergeSkipsHeir       = invariant.NewMark("raftstore: target not passed on to a store whose source has not prepared")
	markMergeKeepsLog        = invariant.NewMark("raftstore: log not compacted, the region is merging")
	markMergeNoSnapshot      = invariant.NewMark("raftstore: snapshot deferred, the region is merging")
	markMergeReplaced        = invariant.NewMark("raftstore: source replaced by a snapshot of its target")
	markMergeWantsRollback   = invariant.NewMark("raftstore: follower wants its merge rolled back")
	markMergeAskedToRollBack = invariant.NewMark("raftstore: leader asked to roll its merge back")
	markMergeUnproven        = invariant.NewMark("raftstore: target went on, but it is not known how")
	markMergeTold            = invariant.NewMark("raftstore: peer of a merged region told of it")
	markMergeLeftOver        = invariant.NewMark("raftstore: source left over, its target was removed")
	markMergeNeverMade       = invariant.NewMark("raftstore: source left over, its target was removed before it was made")
	markMergeMakesRoom       = invariant.NewMark("raftstore: target made beside a source that it has absorbed")
	markMergeDecided         = invariant.NewMark("raftstore: proposals decided by the end of their region")
	markRecordsDropped       = invariant.NewMark("raftstore: record of a merge dropped")
)
