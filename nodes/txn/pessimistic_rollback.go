package txn

import (
	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/env"
	"simrun/nodes/mvcc"
)

// PessimisticRollback removes pessimistic locks of a transaction that goes on, or
// that others have found dead. It leaves no record: nothing was prewritten, and
// the transaction may lock the key again.
func (s *Scheduler) PessimisticRollback(t env.Task, req *kvrpcpb.PessimisticRollbackRequest) *kvrpcpb.PessimisticRollbackResponse {
	keys := encodeKeys(req.Keys)
	o := s.runAbove(t, req.Context, known, req.StartVersion, keys, func(snapshot Snapshot, b *batch) error {
		if s.safe.isGone(req.StartVersion) {
			return nil
		}
		if hasDuplicates(keys) {
			return abort("pessimistic rollback of a key twice")
		}
		first, last := bounds(keys)
		r := mvcc.NewReader(snapshot, first, last)
		defer r.Close()
		for _, key := range keys {
			lock, err := r.LoadLock(key)
			if err != nil {
				return err
			}
			if lock == nil || lock.StartTS != req.StartVersion || lock.Type != mvcc.LockPessimistic {
				continue
			}
			// A later statement may have locked the key again while this request was
			// under way.
			if markUnlockLate.Sometimes(lock.ForUpdateTS > req.ForUpdateTs) {
				continue
			}
			b.deleteLock(key)
		}
		return nil
	})
	if o.unknown {
		return nil
	}
	resp := &kvrpcpb.PessimisticRollbackResponse{RegionError: o.region}
	if o.key != nil {
		resp.Errors = []*kvrpcpb.KeyError{o.key}
	}
	return resp
}
