package placement

import (
	"errors"

	"simrun/nodes/invariant"
	"simrun/nodes/rpc"
)

// resentMarks count, for each kind of request that is repeated, those that were sent
// again after one of unknown outcome: the member that was asked may have executed
// that one, or may execute it yet. Heartbeats are not repeated: the next one says more.
//
//nolint:gochecknoglobals // marks register once
var resentMarks = func() map[rpc.Method]*invariant.Mark {
	marks := map[rpc.Method]*invariant.Mark{}
	for _, m := range []rpc.Method{
		rpc.PdTso, rpc.PdAllocID, rpc.PdGetRegion, rpc.PdGetRegionByID, rpc.PdGetStore, rpc.PdGetAllStores,
		rpc.PdPutStore, rpc.PdAskBatchSplit,
		rpc.PdGetGCSafePoint, rpc.PdUpdateGCSafePoint, rpc.PdUpdateServiceGCSafePoint,
	} {
		marks[m] = invariant.NewMark("placement: " + m.String() + " sent again after no answer")
	}
	return marks
}()

// again notes that a request of the kind is about to be repeated because of err.
func again(m rpc.Method, err error) {
	markRetry.Reached()
	var refusal *Error
	if errors.As(err, &refusal) || errors.Is(err, rpc.ErrRefused) {
		return // it was not executed
	}
	mark := resentMarks[m]
	invariant.Check(mark != nil, "placement: %s is repeated and has no mark", m)
	mark.Reached()
}
