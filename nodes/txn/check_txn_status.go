package txn

import (
	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/codec"
	"simrun/nodes/env"
	"simrun/nodes/mvcc"
)

// checkTxnStatus finds out, at the primary key, what became of a transaction
// whose lock is in somebody's way, and rolls it back if it is dead.
type checkTxnStatus struct {
	req  *kvrpcpb.CheckTxnStatusRequest
	key  []byte // the encoded primary key
	resp kvrpcpb.CheckTxnStatusResponse
}

// CheckTxnStatus decides or reports the fate of a transaction. The status is
// final (the client may cache it) if the transaction is committed or rolled
// back, and of that moment if it is still locked.
func (s *Scheduler) CheckTxnStatus(t env.Task, req *kvrpcpb.CheckTxnStatusRequest) *kvrpcpb.CheckTxnStatusResponse {
	s.raiseMaxTS(req.LockTs)
	s.raiseMaxTS(req.CallerStartTs)
	s.raiseMaxTS(req.CurrentTs)
	keys := encodeKeys([][]byte{req.PrimaryKey})
	c := &checkTxnStatus{req: req, key: keys[0]}
	o := s.runAbove(t, req.Context, inquired(req.PrimaryKey), req.LockTs, keys, c.process)
	switch {
	case o.unknown:
		return nil
	case o.region != nil || o.key != nil:
		return &kvrpcpb.CheckTxnStatusResponse{RegionError: o.region, Error: o.key}
	default:
		return &c.resp
	}
}

func (c *checkTxnStatus) process(snapshot Snapshot, b *batch) error {
	r := mvcc.NewReader(snapshot, c.key, c.key)
	defer r.Close()
	lock, err := r.LoadLock(c.key)
	switch {
	case err != nil:
		return err
	case lock == nil || lock.StartTS != c.req.LockTs:
		return c.missing(r, b, lock)
	case !isPrimary(c.key, lock):
		return c.mismatch(r, b, lock)
	default:
		return c.locked(r, b, lock)
	}
}

// mismatch handles a lock of the transaction that names another primary: this
// key does not decide. A pessimistic transaction may have changed its primary
// and left the lock behind.
func (c *checkTxnStatus) mismatch(r *mvcc.Reader, b *batch, lock *mvcc.Lock) error {
	markCheckMismatch.Reached()
	if lock.Type != mvcc.LockPessimistic || c.req.ResolvingPessimisticLock {
		return primaryMismatchError(c.req.PrimaryKey, lock)
	}
	b.deleteLock(c.key)
	return c.missing(r, b, nil)
}

// locked handles a transaction that still holds its primary lock.
func (c *checkTxnStatus) locked(r *mvcc.Reader, b *batch, lock *mvcc.Lock) error {
	if lock.UseAsyncCommit && !c.req.ForceSyncCommit {
		// It may be committed already, namely if all its keys are locked: the
		// caller has to look at the other keys.
		c.report(lock)
		return nil
	}
	if expired(lock, c.req.CurrentTs) {
		if lock.Type == mvcc.LockPessimistic && c.req.ResolvingPessimisticLock {
			b.deleteLock(c.key)
			c.resp.Action = kvrpcpb.Action_TTLExpirePessimisticRollback
			return nil
		}
		markCheckExpired.Reached()
		c.resp.Action = kvrpcpb.Action_TTLExpireRollback
		return rollbackLock(r, b, c.key, lock, true)
	}
	c.push(b, lock)
	c.report(lock)
	caller := c.req.CallerStartTs
	if caller == codec.MaxTS || caller != 0 && lock.MinCommitTS > caller {
		c.resp.Action = kvrpcpb.Action_MinCommitTSPushed
	}
	return nil
}

// push makes the transaction commit above the caller's timestamp, so that the
// caller can read past its locks. Only a client that knows of the bound, and
// said so by giving one, can cope with it.
func (c *checkTxnStatus) push(b *batch, lock *mvcc.Lock) {
	caller := c.req.CallerStartTs
	if lock.MinCommitTS == 0 || caller == codec.MaxTS || caller < lock.MinCommitTS {
		return
	}
	markCheckPushed.Reached()
	lock.MinCommitTS = max(caller+1, c.req.CurrentTs)
	b.putLock(c.key, lock)
}

// report tells the caller of a transaction that is alive.
func (c *checkTxnStatus) report(lock *mvcc.Lock) {
	c.resp.LockTtl = lock.TTL
	c.resp.LockInfo = lockInfo(c.req.PrimaryKey, lock)
}

// missing handles a transaction without a primary lock: it is finished, or its
// prewrite has not arrived yet. The key may be locked by another one.
func (c *checkTxnStatus) missing(r *mvcc.Reader, b *batch, other *mvcc.Lock) error {
	rec, err := r.CommitRecord(c.key, c.req.LockTs)
	switch {
	case err != nil:
		return err
	case rec.Fate == mvcc.FateCommitted:
		c.resp.CommitVersion = rec.CommitTS
		return nil
	case rec.Fate == mvcc.FateRolledBack:
		return nil
	case !c.req.RollbackIfNotExist:
		return txnNotFoundError(c.req.LockTs, c.req.PrimaryKey)
	case c.req.ResolvingPessimisticLock:
		c.resp.Action = kvrpcpb.Action_LockNotExistDoNothing
		return nil
	}
	// The record makes the answer final: a prewrite that is still under way will
	// find it.
	markCheckMissing.Reached()
	c.resp.Action = kvrpcpb.Action_LockNotExistRollback
	return rollbackMissing(r, b, c.key, c.req.LockTs, other, rec)
}
