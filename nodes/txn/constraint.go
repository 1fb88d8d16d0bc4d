package txn

import (
	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/codec"
	"simrun/nodes/mvcc"
)

// check decides whether the i-th key may be locked. It returns the
// transaction's own pessimistic lock, which is to be replaced, if there is one;
// done says that the key is prewritten already.
func (p *prewrite) check(r *mvcc.Reader, i int, m *kvrpcpb.Mutation) (own *mvcc.Lock, done bool, err error) {
	key, action := p.keys[i], p.action(i)
	lock, err := r.LoadLock(key)
	if err != nil {
		return nil, false, err
	}
	if lock != nil {
		own, done, err = p.checkLock(lock, action, m.Key)
		switch {
		case err != nil, done:
			return own, done, err
		case action != kvrpcpb.PrewriteRequest_DO_CONSTRAINT_CHECK:
			// The lock does not say what it has been taken for. (TiKV does not look, and
			// relies on a client that knows what it found when it locked the key.)
			if m.Op == kvrpcpb.Op_Insert {
				err = p.checkNotExists(r, key, m.Key)
			}
			return own, false, err
		}
		// A statement that failed has left its lock, which proves nothing.
		markPrewriteLeft.Reached()
	}
	switch {
	case action == kvrpcpb.PrewriteRequest_DO_PESSIMISTIC_CHECK:
		err = p.amend(r, key, m.Key)
	case p.pessimistic() && action == kvrpcpb.PrewriteRequest_SKIP_PESSIMISTIC_CHECK && !p.req.Context.GetIsRetryRequest():
		// Another key, which is locked, keeps others from writing this one. But this
		// request may have been long under way: the one that was sent in its place was
		// executed, and the transaction committed or rolled back since.
		err = p.checkOwnEnd(r, key, m.Key)
	default:
		err = p.checkConflict(r, key, m.Key)
	}
	if err != nil {
		return nil, false, err
	}
	if m.Op == kvrpcpb.Op_Insert {
		err = p.checkNotExists(r, key, m.Key)
	}
	return own, false, err
}

// checkLock handles a key that is locked. A prewritten lock of this transaction
// is the work of an earlier attempt, and is left as it is: it may have been
// pushed.
func (p *prewrite) checkLock(
	lock *mvcc.Lock, action kvrpcpb.PrewriteRequest_PessimisticAction, raw []byte,
) (own *mvcc.Lock, done bool, err error) {
	switch {
	case lock.StartTS != p.req.StartVersion && action == kvrpcpb.PrewriteRequest_DO_PESSIMISTIC_CHECK:
		markPrewriteLockLost.Reached()
		return nil, false, pessimisticLockNotFoundError(p.req.StartVersion, raw)
	case lock.StartTS != p.req.StartVersion:
		markPrewriteLocked.Reached()
		return nil, false, lockedError(raw, lock)
	case lock.Type == mvcc.LockPessimistic && !p.pessimistic():
		return nil, false, abort("optimistic prewrite of key %q, which is locked pessimistically", raw)
	case lock.Type == mvcc.LockPessimistic:
		return lock, false, nil
	default:
		markPrewriteIdempotent.Reached()
		p.choice.found(lock)
		return nil, true, nil
	}
}

// amend lets a pessimistic prewrite go on whose lock is gone, if it cannot have
// made a difference: nobody has finished on the key since the transaction
// started. (A lock that its transaction has lost is found by others as the lack
// of one.)
func (p *prewrite) amend(r *mvcc.Reader, key, raw []byte) error {
	newest, ok, err := r.SeekWrite(key, codec.MaxTS)
	if err != nil {
		return err
	}
	if ok && newest.CommitTS >= p.req.StartVersion {
		markPrewriteLockLost.Reached()
		return pessimisticLockNotFoundError(p.req.StartVersion, raw)
	}
	markPrewriteAmended.Reached()
	return nil
}

// checkConflict makes sure that no transaction has finished on the key since
// this one started, or, if it is pessimistic, since its last statement. Records
// that do not change the key count as well: a Lock record is what SELECT FOR
// UPDATE relies upon, and a newer Rollback may have collapsed this transaction's
// own.
func (p *prewrite) checkConflict(r *mvcc.Reader, key, raw []byte) error {
	if p.pessimistic() {
		return p.checkUnlocked(r, key, raw)
	}
	newest, ok, err := r.SeekWrite(key, codec.MaxTS)
	if err != nil || !ok {
		return err
	}
	startTS := p.req.StartVersion
	switch {
	case newest.CommitTS > startTS:
		markPrewriteConflict.Reached()
		markPrewriteConflictLock.Sometimes(newest.Type == mvcc.WriteLock || newest.Type == mvcc.WriteRollback)
		return conflictError(startTS, newest, raw, p.req.PrimaryLock, kvrpcpb.WriteConflict_Optimistic)
	case newest.CommitTS == startTS && (newest.Type == mvcc.WriteRollback || newest.OverlappedRollback):
		markPrewriteRolledBack.Reached()
		return conflictError(startTS, newest, raw, p.req.PrimaryLock, kvrpcpb.WriteConflict_SelfRolledBack)
	default:
		return nil
	}
}

// checkUnlocked is checkConflict for a key that a pessimistic transaction has not
// locked. It compares with for_update_ts: what was committed before the transaction's
// last statement that locked something is no conflict, as it is none for the keys of that
// statement. (TiKV, as far as is known, compares with start_ts where it is asked for this
// check, as of an optimistic transaction, and so refuses more.) Newer Rollbacks are those
// of transactions that never had a claim on the key, so that they are passed over; the
// transaction's own one may lie below.
func (p *prewrite) checkUnlocked(r *mvcc.Reader, key, raw []byte) error {
	startTS := p.req.StartVersion
	v, ok, err := r.SeekWrite(key, codec.MaxTS)
	for ; err == nil && ok && v.CommitTS > p.req.ForUpdateTs; v, ok, err = r.NextWrite(key) {
		if v.Type != mvcc.WriteRollback {
			markUnlockedConflict.Reached()
			return conflictError(startTS, v, raw, p.req.PrimaryLock, kvrpcpb.WriteConflict_LazyUniquenessCheck)
		}
		markUnlockedRollback.Reached()
	}
	if err != nil {
		return err
	}
	return p.checkOwnEnd(r, key, raw)
}

// checkOwnEnd makes sure that the transaction has not ended on the key.
func (p *prewrite) checkOwnEnd(r *mvcc.Reader, key, raw []byte) error {
	startTS := p.req.StartVersion
	rec, err := r.CommitRecord(key, startTS)
	switch {
	case err != nil || rec.Fate == mvcc.FateUnknown:
		return err
	case rec.Fate == mvcc.FateCommitted:
		return conflictError(startTS, mvcc.Version{CommitTS: rec.CommitTS}, raw, p.req.PrimaryLock, kvrpcpb.WriteConflict_LazyUniquenessCheck)
	default:
		markPrewriteRolledBack.Reached()
		return conflictError(startTS, mvcc.Version{CommitTS: startTS}, raw, p.req.PrimaryLock, kvrpcpb.WriteConflict_SelfRolledBack)
	}
}

// checkNotExists makes sure that the key has no value.
func (p *prewrite) checkNotExists(r *mvcc.Reader, key, raw []byte) error {
	v, ok, err := r.NewestChange(key, p.readTS())
	if err != nil || !ok || v.Type != mvcc.WritePut {
		return err
	}
	markPrewriteExists.Reached()
	return alreadyExistError(raw)
}
