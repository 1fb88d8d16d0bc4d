package client

import (
	"simrun/nodes/invariant"
	"simrun/nodes/rpc"
)

// resentMarks count, for each kind of request that a client sends to stores, those that were sent
// again after one of unknown outcome: the store may have executed that one, or may
// execute it yet.
//
//nolint:gochecknoglobals // marks register once
var resentMarks = func() (marks [rpc.RawCompareAndSwap + 1]*invariant.Mark) {
	for _, m := range []rpc.Method{
		rpc.KvGet, rpc.KvBatchGet, rpc.KvScan, rpc.KvPrewrite, rpc.KvCommit, rpc.KvBatchRollback, rpc.KvCleanup, rpc.KvCheckTxnStatus,
		rpc.KvResolveLock, rpc.KvTxnHeartBeat, rpc.KvPessimisticLock, rpc.KVPessimisticRollback,
		rpc.KvCheckSecondaryLocks,
		rpc.KvScanLock, rpc.KvGC, rpc.KvDeleteRange, rpc.CloseSafePoint, rpc.SettleSafePoint, // of garbage collection
		rpc.RawGet, rpc.RawBatchGet, rpc.RawScan, // a raw write is not repeated unless it was not executed
	} {
		marks[m] = invariant.NewMark("client: " + m.String() + " sent again after no answer")
	}
	return marks
}()

// sending notes that a request of the kind is about to be sent.
func (b *backoff) sending(m rpc.Method) {
	if b.lost && b.lostMethod == m && resentMarks[m] != nil {
		resentMarks[m].Reached()
	}
	b.lost = false
}

// unanswered notes that it was not answered and may have been executed.
func (b *backoff) unanswered(m rpc.Method) { b.lost, b.lostMethod = true, m }
