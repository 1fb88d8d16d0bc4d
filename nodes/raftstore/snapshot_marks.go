package raftstore

import "simrun/nodes/invariant"

// Rare branches of snapshots, in the order of their lives. Each must be reached by
// a test or a scenario.
//
//nolint:gochecknoglobals // marks register once
var (
	markSnapshotMade          = invariant.NewMark("raftstore: snapshot made")
	markSnapshotUnmade        = invariant.NewMark("raftstore: snapshot could not be made")
	markSnapshotStale         = invariant.NewMark("raftstore: snapshot made anew, the region or its log has changed")
	markSnapshotErased        = invariant.NewMark("raftstore: snapshot that nobody needs deleted")
	markSnapshotDeferred      = invariant.NewMark("raftstore: snapshot deferred, too many under way")
	markSnapshotRemoved       = invariant.NewMark("raftstore: snapshot to a removed peer dropped")
	markSnapshotSent          = invariant.NewMark("raftstore: snapshot sent")
	markSnapshotFailed        = invariant.NewMark("raftstore: snapshot not delivered")
	markSnapshotVoid          = invariant.NewMark("raftstore: snapshot given up by its sender")
	markSnapshotResumed       = invariant.NewMark("raftstore: snapshot resumed in the middle")
	markSnapshotBroken        = invariant.NewMark("raftstore: snapshot stream broken")
	markSnapshotBackedOff     = invariant.NewMark("raftstore: sender of a snapshot waits for a busy receiver")
	markSnapshotThrottled     = invariant.NewMark("raftstore: sender of a snapshot throttled")
	markSnapshotUnreadable    = invariant.NewMark("raftstore: snapshot to be sent is damaged")
	markSnapshotKnown         = invariant.NewMark("raftstore: snapshot offered that is behind the receiver")
	markSnapshotDeposed       = invariant.NewMark("raftstore: snapshot of a deposed leader refused")
	markSnapshotApplying      = invariant.NewMark("raftstore: snapshot refused while another is applied")
	markSnapshotRefused       = invariant.NewMark("raftstore: snapshot refused, its range is not free")
	markSnapshotOlder         = invariant.NewMark("raftstore: snapshot refused, a newer one is coming")
	markSnapshotSuperseded    = invariant.NewMark("raftstore: half a snapshot superseded by a newer one")
	markSnapshotBusy          = invariant.NewMark("raftstore: snapshot refused, too many are coming")
	markSnapshotNoSpace       = invariant.NewMark("raftstore: snapshot refused, the disk is full")
	markSnapshotUnwritten     = invariant.NewMark("raftstore: snapshot refused, it could not be written")
	markSnapshotDamaged       = invariant.NewMark("raftstore: damaged snapshot refused")
	markSnapshotExpired       = invariant.NewMark("raftstore: half a snapshot not heard of any more")
	markSnapshotStored        = invariant.NewMark("raftstore: received snapshot made durable")
	markSnapshotIgnored       = invariant.NewMark("raftstore: snapshot ignored by raft")
	markSnapshotStalled       = invariant.NewMark("raftstore: application of a snapshot waits for a stalled engine")
	markSnapshotFrame         = invariant.NewMark("raftstore: part of a snapshot applied")
	markSnapshotHeld          = invariant.NewMark("raftstore: entries stored while a snapshot was applied")
	markSnapshotApplied       = invariant.NewMark("raftstore: snapshot applied")
	markSnapshotShrank        = invariant.NewMark("raftstore: snapshot shrank its region")
	markSnapshotDropped       = invariant.NewMark("raftstore: peer destroyed while it applied a snapshot")
	markSnapshotLeftover      = invariant.NewMark("raftstore: useless snapshot file found at start")
	markSnapshotHalfFound     = invariant.NewMark("raftstore: half a received snapshot found at start")
	markSnapshotWholeFound    = invariant.NewMark("raftstore: received snapshot that raft has not got found at start")
	markSnapshotOutgoingFound = invariant.NewMark("raftstore: snapshot of an earlier process offered again")
	markSnapshotLogReset      = invariant.NewMark("raftstore: log reset completed after a crash")
	markSnapshotCompleted     = invariant.NewMark("raftstore: application of a snapshot completed after a crash")
)
