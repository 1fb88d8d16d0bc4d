package rpc

import "simrun/nodes/invariant"

// lateMarks returns a mark for each kind of request that waits for an answer: one
// was executed, and its caller heard of that too late, if at all. What a caller
// does then is particular to each kind.
func lateMarks() (marks [numMethods]*invariant.Mark) {
	for m := range numMethods {
		if !m.known() {
			continue
		}
		switch m {
		case Raft, RaftSnapshot, ReportRegion: // wait for none
		default:
			marks[m] = invariant.NewMark("rpc: response to " + m.String() + " came late")
		}
	}
	return marks
}
