package txn

import (
	"bytes"

	"simrun/nodes/codec"
	"simrun/nodes/invariant"
	"simrun/nodes/mvcc"
)

// A rollback leaves a record, so that a prewrite that is late finds it. The
// record of a secondary key may be collapsed - taken away - by a later rollback
// on the same key: a late prewrite of a secondary does no harm, for the primary
// decides. So the record on a primary must stay: it is protected. If there was
// no lock one cannot know which kind of key it is, and protects the record too.

// isPrimary reports whether the lock on the encoded key is its transaction's
// primary one.
func isPrimary(key []byte, lock *mvcc.Lock) bool {
	return len(key) == codec.EncodedLen(len(lock.Primary)) && bytes.Equal(key, codec.EncodeBytes(lock.Primary))
}

// expired reports whether others may roll back the lock's transaction. Only
// timestamps of the oracle are compared: the local clock may be wrong.
func expired(lock *mvcc.Lock, currentTS uint64) bool {
	start, now := codec.PhysicalTS(lock.StartTS), codec.PhysicalTS(currentTS)
	return now > start && now-start > lock.TTL
}

// rollbackKey rolls back the transaction startTS on one key, whether or not it
// has a lock there, and whatever the lock's age. It returns the commit
// timestamp instead if the transaction is committed. decides says that the caller takes
// this key for the primary.
func rollbackKey(r *mvcc.Reader, b *batch, key []byte, startTS uint64, decides bool) (commitTS uint64, err error) {
	lock, err := r.LoadLock(key)
	if err != nil {
		return 0, err
	}
	if lock != nil && lock.StartTS == startTS {
		return 0, rollbackLock(r, b, key, lock, decides)
	}
	rec, err := r.CommitRecord(key, startTS)
	if err != nil {
		return 0, err
	}
	switch rec.Fate {
	case mvcc.FateCommitted:
		markRollbackCommitted.Reached()
		return rec.CommitTS, nil
	case mvcc.FateRolledBack:
		markRollbackAgain.Reached()
		return 0, nil
	default:
		return 0, rollbackMissing(r, b, key, startTS, lock, rec)
	}
}

// rollbackLock removes a transaction's lock and value and leaves a Rollback. That of the
// key that decides is protected even if the lock names another primary: a statement that
// failed may have left it, and its transaction has chosen this key since.
func rollbackLock(r *mvcc.Reader, b *batch, key []byte, lock *mvcc.Lock, decides bool) error {
	rec, err := r.CommitRecord(key, lock.StartTS)
	if err != nil {
		return err
	}
	invariant.Check(rec.Fate != mvcc.FateCommitted,
		"txn: key %x is locked by transaction %d, which is committed on it at %d", key, lock.StartTS, rec.CommitTS)
	if lock.Type == mvcc.LockPut && lock.ShortValue == nil {
		b.deleteValue(key, lock.StartTS)
	}
	b.deleteLock(key)
	if rec.Fate == mvcc.FateRolledBack {
		return nil
	}
	primary := isPrimary(key, lock)
	markRollbackLeft.Sometimes(decides && !primary)
	return writeRollback(r, b, key, lock.StartTS, primary || decides, rec.Overlapped)
}

// rollbackMissing leaves a Rollback for a transaction that has neither a lock
// nor a record on the key. The key may be locked by another one.
func rollbackMissing(r *mvcc.Reader, b *batch, key []byte, startTS uint64, other *mvcc.Lock, rec mvcc.Record) error {
	// Only a transaction with async commit can commit at the start timestamp of
	// another one, since its commit timestamp does not come from the oracle. It
	// would overwrite the Rollback, so it has to know of it.
	if other != nil && rec.Overlapped == nil && other.UseAsyncCommit && other.MinCommitTS <= startTS {
		markRollbackInLock.Reached()
		noted := *other
		noted.RollbackTS = append(noted.RollbackTS[:len(noted.RollbackTS):len(noted.RollbackTS)], startTS)
		b.putLock(key, &noted)
	}
	return writeRollback(r, b, key, startTS, true, rec.Overlapped)
}

// writeRollback writes the Rollback itself, or notes it in the record whose
// place it would take.
func writeRollback(r *mvcc.Reader, b *batch, key []byte, startTS uint64, protected bool, overlapped *mvcc.Write) error {
	if overlapped != nil {
		markRollbackOverlapped.Reached()
		noted := *overlapped
		noted.OverlappedRollback = true
		b.putWrite(key, startTS, &noted)
		return nil
	}
	markRollbackProtected.Sometimes(protected)
	w := mvcc.NewRollback(startTS, protected)
	b.putWrite(key, startTS, &w)
	return collapse(r, b, key, startTS)
}

// collapse removes the record before a new Rollback if it is an unprotected
// Rollback, so that a key that many transactions fail to change does not gather
// records.
func collapse(r *mvcc.Reader, b *batch, key []byte, startTS uint64) error {
	v, ok, err := r.SeekWrite(key, startTS)
	if err != nil || !ok {
		return err
	}
	if markRollbackCollapsed.Sometimes(v.Type == mvcc.WriteRollback && !v.IsProtected()) {
		b.deleteWrite(key, v.CommitTS)
	}
	return nil
}
