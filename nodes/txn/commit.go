package txn

import (
	"slices"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/env"
	"simrun/nodes/mvcc"
)

// Commit executes the second phase: it turns the locks of a transaction into
// write records. The transaction is committed once its primary is.
func (s *Scheduler) Commit(t env.Task, req *kvrpcpb.CommitRequest) *kvrpcpb.CommitResponse {
	if req.CommitVersion <= req.StartVersion {
		key, _ := splitError(abort("commit_ts %d is not above start_ts %d", req.CommitVersion, req.StartVersion))
		return &kvrpcpb.CommitResponse{Error: key}
	}
	keys := encodeKeys(req.Keys)
	commitTS := req.CommitVersion
	o := s.runAbove(t, req.Context, settled, req.StartVersion, keys, func(snapshot Snapshot, b *batch) error {
		first, last := bounds(keys)
		r := mvcc.NewReader(snapshot, first, last)
		defer r.Close()
		for _, key := range keys {
			at, err := commitKey(r, b, key, req.StartVersion, req.CommitVersion)
			if err != nil {
				return err
			}
			commitTS = at
		}
		return nil
	})
	if o.unknown {
		return nil
	}
	resp := &kvrpcpb.CommitResponse{RegionError: o.region, Error: o.key}
	if o.region == nil && o.key == nil {
		resp.CommitVersion = commitTS
	}
	return resp
}

// commitKey commits one key and returns at which timestamp it is committed.
func commitKey(r *mvcc.Reader, b *batch, key []byte, startTS, commitTS uint64) (uint64, error) {
	lock, err := r.LoadLock(key)
	if err != nil {
		return 0, err
	}
	if lock == nil || lock.StartTS != startTS {
		return committedBefore(r, key, startTS, commitTS)
	}
	if markCommitExpired.Sometimes(commitTS < lock.MinCommitTS) {
		return 0, commitTSExpiredError(lock, commitTS, decoded(key))
	}
	commitLock(b, key, lock, commitTS)
	return commitTS, nil
}

// commitLock replaces a lock by its write record.
func commitLock(b *batch, key []byte, lock *mvcc.Lock, commitTS uint64) {
	b.deleteLock(key)
	if lock.Type == mvcc.LockPessimistic {
		// It was never prewritten, so that there is nothing to commit.
		return
	}
	w := mvcc.Write{
		Type:       mvcc.CommittedType(lock.Type),
		StartTS:    lock.StartTS,
		ShortValue: lock.ShortValue,
		// The record takes the place of a Rollback of another transaction.
		OverlappedRollback: markCommitOverlap.Sometimes(slices.Contains(lock.RollbackTS, commitTS)),
	}
	b.putWrite(key, commitTS, &w)
}

// committedBefore answers a commit that finds no lock of its transaction: an
// earlier attempt has succeeded, or the transaction was rolled back.
func committedBefore(r *mvcc.Reader, key []byte, startTS, commitTS uint64) (uint64, error) {
	rec, err := r.CommitRecord(key, startTS)
	if err != nil {
		return 0, err
	}
	if rec.Fate == mvcc.FateCommitted {
		markCommitAgain.Reached()
		return rec.CommitTS, nil
	}
	markCommitNoLock.Reached()
	return 0, lockNotFoundError(startTS, commitTS, decoded(key))
}
