package txn

import (
	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/env"
	"simrun/nodes/mvcc"
)

// TxnHeartBeat extends the life of a transaction's primary lock. It never
// shortens it, so that heartbeats may arrive in any order.
func (s *Scheduler) TxnHeartBeat(t env.Task, req *kvrpcpb.TxnHeartBeatRequest) *kvrpcpb.TxnHeartBeatResponse {
	keys := encodeKeys([][]byte{req.PrimaryLock})
	var ttl uint64
	o := s.runAbove(t, req.Context, closed, req.StartVersion, keys, func(snapshot Snapshot, b *batch) error {
		r := mvcc.NewReader(snapshot, keys[0], keys[0])
		defer r.Close()
		lock, err := r.LoadLock(keys[0])
		switch {
		case err != nil:
			return err
		case lock == nil || lock.StartTS != req.StartVersion:
			return txnNotFoundError(req.StartVersion, req.PrimaryLock)
		case !isPrimary(keys[0], lock):
			return primaryMismatchError(req.PrimaryLock, lock)
		}
		changed := false
		if lock.TTL < req.AdviseLockTtl {
			lock.TTL, changed = req.AdviseLockTtl, true
		}
		if lock.MinCommitTS != 0 && !lock.UseAsyncCommit && lock.MinCommitTS < req.MinCommitTs {
			lock.MinCommitTS, changed = req.MinCommitTs, true
		}
		if changed {
			b.putLock(keys[0], lock)
		}
		ttl = lock.TTL
		return nil
	})
	if o.unknown {
		return nil
	}
	resp := &kvrpcpb.TxnHeartBeatResponse{RegionError: o.region, Error: o.key}
	if o.region == nil && o.key == nil {
		resp.LockTtl = ttl
	}
	return resp
}
