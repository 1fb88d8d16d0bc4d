package txn

import (
	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/env"
	"simrun/nodes/mvcc"
)

// BatchRollback rolls back a transaction on the given keys. It is what the
// transaction's own client asks for.
func (s *Scheduler) BatchRollback(t env.Task, req *kvrpcpb.BatchRollbackRequest) *kvrpcpb.BatchRollbackResponse {
	keys := encodeKeys(req.Keys)
	if hasDuplicates(keys) {
		key, _ := splitError(abort("rollback of a key twice"))
		return &kvrpcpb.BatchRollbackResponse{Error: key}
	}
	s.raiseMaxTS(req.StartVersion)
	o := s.runAbove(t, req.Context, settled, req.StartVersion, keys, func(snapshot Snapshot, b *batch) error {
		return rollbackKeys(snapshot, b, keys, req.StartVersion)
	})
	if o.unknown {
		return nil
	}
	return &kvrpcpb.BatchRollbackResponse{RegionError: o.region, Error: o.key}
}

// rollbackKeys rolls back several keys, or none if one of them is committed.
func rollbackKeys(snapshot Snapshot, b *batch, keys [][]byte, startTS uint64) error {
	first, last := bounds(keys)
	r := mvcc.NewReader(snapshot, first, last)
	defer r.Close()
	for _, key := range keys {
		commitTS, err := rollbackKey(r, b, key, startTS, false)
		if err != nil {
			return err
		}
		if commitTS != 0 {
			return committedError(startTS, commitTS, decoded(key))
		}
	}
	return nil
}

// Cleanup rolls back a transaction on one key, by which its fate is decided, if its lock
// there has expired at CurrentTs; a CurrentTs of zero means at once. A committed
// transaction is reported by CommitVersion.
func (s *Scheduler) Cleanup(t env.Task, req *kvrpcpb.CleanupRequest) *kvrpcpb.CleanupResponse {
	keys := encodeKeys([][]byte{req.Key})
	var commitTS uint64
	s.raiseMaxTS(req.StartVersion)
	o := s.runAbove(t, req.Context, inquired(req.Key), req.StartVersion, keys, func(snapshot Snapshot, b *batch) error {
		r := mvcc.NewReader(snapshot, keys[0], keys[0])
		defer r.Close()
		lock, err := r.LoadLock(keys[0])
		if err != nil {
			return err
		}
		own := lock != nil && lock.StartTS == req.StartVersion
		if own && req.CurrentTs != 0 && !expired(lock, req.CurrentTs) {
			return lockedError(req.Key, lock)
		}
		commitTS, err = rollbackKey(r, b, keys[0], req.StartVersion, true)
		return err
	})
	if o.unknown {
		return nil
	}
	resp := &kvrpcpb.CleanupResponse{RegionError: o.region, Error: o.key}
	if o.region == nil {
		resp.CommitVersion = commitTS
	}
	return resp
}
