package txn

import (
	"errors"
	"fmt"

	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/codec"
	"simrun/nodes/invariant"
	"simrun/nodes/mvcc"
)

// keyError is an answer by the rules of transactions.
type keyError struct {
	pb kvrpcpb.KeyError
	// lockLost: a pessimistic lock is not there.
	lockLost bool
}

func (e *keyError) Error() string { return e.pb.String() }

// regionError is an answer that says that nothing was done here.
type regionError struct{ pb *errorpb.Error }

func (e *regionError) Error() string { return e.pb.Message }

// splitError sorts an error into what the client is told. An error of the
// storage is no statement about the transaction: the client gets an error of
// the region, which says that nothing was done and that it may try again.
func splitError(err error) (*kvrpcpb.KeyError, *errorpb.Error) {
	var key *keyError
	var region *regionError
	var locked *mvcc.LockedError
	switch {
	case errors.As(err, &key):
		return &key.pb, nil
	case errors.As(err, &region):
		return nil, region.pb
	case errors.As(err, &locked):
		return &kvrpcpb.KeyError{Locked: lockInfo(locked.Key, locked.Lock)}, nil
	case errors.Is(err, codec.ErrMalformed):
		invariant.Fail("txn: stored data: %v", err)
		return nil, nil
	default:
		return nil, &errorpb.Error{
			Message:      fmt.Sprintf("storage: %v", err),
			ServerIsBusy: &errorpb.ServerIsBusy{Reason: "storage error"},
		}
	}
}

// opOf is the operation that a lock of type t was prewritten with.
func opOf(t mvcc.LockType) kvrpcpb.Op {
	switch t {
	case mvcc.LockPut:
		return kvrpcpb.Op_Put
	case mvcc.LockDelete:
		return kvrpcpb.Op_Del
	case mvcc.LockPessimistic:
		return kvrpcpb.Op_PessimisticLock
	default:
		return kvrpcpb.Op_Lock
	}
}

// lockInfo describes a lock on a decoded key to a client.
func lockInfo(key []byte, l *mvcc.Lock) *kvrpcpb.LockInfo {
	return &kvrpcpb.LockInfo{
		PrimaryLock:     l.Primary,
		LockVersion:     l.StartTS,
		Key:             key,
		LockTtl:         l.TTL,
		TxnSize:         l.TxnSize,
		LockType:        opOf(l.Type),
		LockForUpdateTs: l.ForUpdateTS,
		UseAsyncCommit:  l.UseAsyncCommit,
		MinCommitTs:     l.MinCommitTS,
		Secondaries:     l.Secondaries,
	}
}

// abort is a failure that trying again does not mend.
func abort(format string, args ...any) error {
	return &keyError{pb: kvrpcpb.KeyError{Abort: fmt.Sprintf(format, args...)}}
}

// Keys in errors are decoded ones, as the client knows them.

func lockedError(key []byte, l *mvcc.Lock) error {
	return &mvcc.LockedError{Key: key, Lock: l}
}

// committedError answers a rollback of what is committed.
func committedError(startTS, commitTS uint64, key []byte) error {
	return abort("transaction %d cannot be rolled back: key %q is committed at %d", startTS, key, commitTS)
}

func conflictError(startTS uint64, v mvcc.Version, key, primary []byte, reason kvrpcpb.WriteConflict_Reason) error {
	return &keyError{pb: kvrpcpb.KeyError{Conflict: &kvrpcpb.WriteConflict{
		StartTs: startTS, ConflictTs: v.StartTS, ConflictCommitTs: v.CommitTS,
		Key: key, Primary: primary, Reason: reason,
	}}}
}

func alreadyExistError(key []byte) error {
	return &keyError{pb: kvrpcpb.KeyError{AlreadyExist: &kvrpcpb.AlreadyExist{Key: key}}}
}

func txnNotFoundError(startTS uint64, primary []byte) error {
	return &keyError{pb: kvrpcpb.KeyError{TxnNotFound: &kvrpcpb.TxnNotFound{StartTs: startTS, PrimaryKey: primary}}}
}

func commitTSExpiredError(l *mvcc.Lock, commitTS uint64, key []byte) error {
	return &keyError{pb: kvrpcpb.KeyError{CommitTsExpired: &kvrpcpb.CommitTsExpired{
		StartTs: l.StartTS, AttemptedCommitTs: commitTS, Key: key, MinCommitTs: l.MinCommitTS,
	}}}
}

// lockNotFoundError answers a commit whose lock is gone and that was not
// committed. The transaction as a whole may be tried again from its start.
func lockNotFoundError(startTS, commitTS uint64, key []byte) error {
	return &keyError{pb: kvrpcpb.KeyError{Retryable: fmt.Sprintf(
		"lock not found: transaction %d cannot commit key %q at %d", startTS, key, commitTS)}}
}

// pessimisticLockNotFoundError answers a prewrite that relies on a pessimistic
// lock which is gone. The transaction as a whole may be tried again from its
// start.
func pessimisticLockNotFoundError(startTS uint64, key []byte) error {
	return &keyError{lockLost: true, pb: kvrpcpb.KeyError{Retryable: fmt.Sprintf(
		"pessimistic lock not found: transaction %d has lost its lock on key %q", startTS, key)}}
}

func primaryMismatchError(key []byte, l *mvcc.Lock) error {
	return &keyError{pb: kvrpcpb.KeyError{PrimaryMismatch: &kvrpcpb.PrimaryMismatch{LockInfo: lockInfo(key, l)}}}
}
