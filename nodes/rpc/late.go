package rpc

import "simrun/nodes/invariant"

// lateMarks returns a mark for each kind of request of a user's operations: one
// was executed, and its caller heard of that too late, if at all. What a caller
// does then is particular to each kind.
func lateMarks() (marks [numMethods]*invariant.Mark) {
	for m := KvGet; m <= RawCompareAndSwap; m++ {
		switch m {
		case KvCleanup, KvScanLock, DetectDeadlock, KvGC, KvDeleteRange, CloseSafePoint, SettleSafePoint: // not of a user's operations
		default:
			marks[m] = invariant.NewMark("rpc: response to " + m.String() + " came late")
		}
	}
	return marks
}
