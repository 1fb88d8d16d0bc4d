package txn

import "simrun/nodes/invariant"

// The rare branches of the transaction rules, each of which a test of this
// package reaches by name.
//
//nolint:gochecknoglobals // marks register once
var (
	markLatchWait            = invariant.NewMark("txn: command waited for a latch")
	markTermChanged          = invariant.NewMark("txn: term changed before an answer was confirmed")
	markUnknownOutcome       = invariant.NewMark("txn: proposal with unknown outcome left unanswered")
	markPrewriteIdempotent   = invariant.NewMark("txn: prewrite found its own lock")
	markPrewriteLocked       = invariant.NewMark("txn: prewrite met the lock of another transaction")
	markPrewriteConflict     = invariant.NewMark("txn: prewrite met a newer commit")
	markPrewriteConflictLock = invariant.NewMark("txn: prewrite met a newer record that changes nothing")
	markPrewriteRolledBack   = invariant.NewMark("txn: prewrite met its own rollback")
	markPrewriteCommitted    = invariant.NewMark("txn: prewrite found itself committed")
	markPrewriteExists       = invariant.NewMark("txn: insert found a value")
	markCommitAgain          = invariant.NewMark("txn: commit found itself committed")
	markCommitNoLock         = invariant.NewMark("txn: commit found neither lock nor record")
	markCommitExpired        = invariant.NewMark("txn: commit below the minimal commit timestamp")
	markCommitOverlap        = invariant.NewMark("txn: commit took over a rollback at its timestamp")
	markRollbackProtected    = invariant.NewMark("txn: protected rollback written")
	markRollbackCollapsed    = invariant.NewMark("txn: older rollback collapsed")
	markRollbackOverlapped   = invariant.NewMark("txn: rollback noted in the commit of another transaction")
	markRollbackInLock       = invariant.NewMark("txn: rollback noted in the lock of another transaction")
	markRollbackCommitted    = invariant.NewMark("txn: rollback found a commit")
	markRollbackAgain        = invariant.NewMark("txn: rollback found itself done")
	markCheckExpired         = invariant.NewMark("txn: transaction rolled back because its lock expired")
	markCheckMissing         = invariant.NewMark("txn: transaction rolled back because it left no trace")
	markCheckPushed          = invariant.NewMark("txn: minimal commit timestamp pushed")
	markCheckMismatch        = invariant.NewMark("txn: lock to check names another primary")
	markCasFailed            = invariant.NewMark("txn: compare-and-swap found another value")
)
