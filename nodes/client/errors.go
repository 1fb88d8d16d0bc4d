package client

import (
	"errors"
	"fmt"

	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"
)

// The two ways in which an operation can end other than well. Every error that
// the package returns is exactly one of them.
var (
	// ErrFailed is the class of errors after which the operation has definitely
	// had no effect and never will.
	ErrFailed = errors.New("failed without effect")
	// ErrUndetermined is the class of errors after which the operation may or may
	// not have taken effect, or may do so later.
	ErrUndetermined = errors.New("outcome unknown")
)

// Reasons of failures, found in an error by errors.Is.
var (
	// ErrDeadline: the operation's time ran out.
	ErrDeadline = errors.New("deadline exceeded")
	// ErrWriteConflict: another transaction committed a key after this one began.
	// Errors of type *WriteConflictError say which.
	ErrWriteConflict = errors.New("write conflict")
	// ErrRolledBack: somebody who was waiting for the transaction's locks rolled it
	// back after their TTL.
	ErrRolledBack = errors.New("transaction was rolled back by another one")
	// ErrDeadlock: a pessimistic transaction and others wait for each other's locks, and
	// what the others wait for was locked by an earlier statement. It is to be rolled back,
	// so that the others can go on. Errors of type *DeadlockError say which.
	ErrDeadlock = errors.New("deadlock")
	// ErrLockWait: a statement met locks for longer than it was to wait (errors 3572
	// and 1205 of TiDB). It alone has failed: the transaction may go on.
	ErrLockWait = errors.New("lock wait timeout")
	// ErrKeyExists: Insert of a key that exists. Errors of type *KeyExistsError
	// say which.
	ErrKeyExists = errors.New("key exists")
	// ErrTooLarge: the transaction, or one value in it, is larger than Config allows.
	ErrTooLarge = errors.New("too large")
	// ErrRejected: a store refuses the request for good.
	ErrRejected = errors.New("rejected by the store")
	// ErrPartial: some regions executed their part of a raw batch, others did not.
	ErrPartial = errors.New("executed in part")
)

var errOptimisticReadCommitted = errors.New("read committed needs a pessimistic transaction")

// Error is the type of all errors that operations return.
type Error struct {
	Op      string // the operation, for people
	Unknown bool   // the outcome is unknown, not failed
	Err     error  // the reason
}

func (e *Error) Error() string {
	class := ErrFailed
	if e.Unknown {
		class = ErrUndetermined
	}
	return fmt.Sprintf("%s: %v: %v", e.Op, class, e.Err)
}

// Is makes the error one of its class.
func (e *Error) Is(target error) bool {
	return target == ErrUndetermined && e.Unknown || target == ErrFailed && !e.Unknown
}

func (e *Error) Unwrap() error { return e.Err }

// failed returns err as the reason of a definite failure, or nil for nil.
func failed(op string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Op: op, Err: err}
}

func undetermined(op string, err error) error {
	return &Error{Op: op, Unknown: true, Err: err}
}

// WriteConflictError says which key was written by whom. It is ErrWriteConflict.
type WriteConflictError struct {
	Key              []byte
	StartTS          uint64 // of the transaction that fails
	ConflictStartTS  uint64 // of the one that stands in its way
	ConflictCommitTS uint64 // 0: it has not committed yet
}

func (e *WriteConflictError) Error() string {
	if e.ConflictCommitTS == 0 {
		return fmt.Sprintf("write conflict: %q is locked by %d, to which %d gives way", e.Key, e.ConflictStartTS, e.StartTS)
	}
	return fmt.Sprintf("write conflict: %q was written by %d at %d, after %d began",
		e.Key, e.ConflictStartTS, e.ConflictCommitTS, e.StartTS)
}

// Is makes the error an ErrWriteConflict.
func (e *WriteConflictError) Is(target error) bool { return target == ErrWriteConflict }

// KeyExistsError names the key that an Insert found. It is ErrKeyExists.
type KeyExistsError struct{ Key []byte }

func (e *KeyExistsError) Error() string { return fmt.Sprintf("key exists: %q", e.Key) }

// Is makes the error an ErrKeyExists.
func (e *KeyExistsError) Is(target error) bool { return target == ErrKeyExists }

// DeadlockError says for whose lock a transaction waited, and by whom it was
// waited for. It is ErrDeadlock.
type DeadlockError struct {
	Key     []byte // that is locked
	StartTS uint64 // of the transaction that holds it
	// Chain are the transactions that wait, each for the next one, from that one on.
	Chain []uint64
	// WaitedAt is the key at which the last of them waits.
	WaitedAt []byte
}

func (e *DeadlockError) Error() string {
	return fmt.Sprintf("deadlock: %q is locked by %d, and in turn wait %v, at last for %q", e.Key, e.StartTS, e.Chain, e.WaitedAt)
}

// Is makes the error an ErrDeadlock.
func (e *DeadlockError) Is(target error) bool { return target == ErrDeadlock }

// regionErr wraps a region error as a Go error.
type regionErr struct {
	kind regionErrorKind
	err  *errorpb.Error
}

func (e *regionErr) Error() string {
	if e.err.Message == "" {
		return "region error " + e.kind.String()
	}
	return "region error " + e.kind.String() + ": " + e.err.Message
}

// keyError translates what a store says about a key. Locked keys are the
// business of the lock resolver, not an error.
func keyError(ke *kvrpcpb.KeyError) error {
	switch {
	case ke.Conflict != nil && ke.Conflict.Reason == kvrpcpb.WriteConflict_SelfRolledBack:
		return ErrRolledBack
	case ke.Conflict != nil:
		return &WriteConflictError{
			Key: ke.Conflict.Key, StartTS: ke.Conflict.StartTs,
			ConflictStartTS: ke.Conflict.ConflictTs, ConflictCommitTS: ke.Conflict.ConflictCommitTs,
		}
	case ke.Deadlock != nil:
		d := &DeadlockError{Key: ke.Deadlock.LockKey, StartTS: ke.Deadlock.LockTs, WaitedAt: ke.Deadlock.DeadlockKey}
		for _, e := range ke.Deadlock.WaitChain {
			d.Chain = append(d.Chain, e.Txn)
		}
		return d
	case ke.AlreadyExist != nil:
		return &KeyExistsError{ke.AlreadyExist.Key}
	case ke.TxnNotFound != nil:
		return fmt.Errorf("%w: no lock or record of %d at %q", ErrRejected, ke.TxnNotFound.StartTs, ke.TxnNotFound.PrimaryKey)
	case ke.Abort != "":
		return fmt.Errorf("%w: %s", ErrRejected, ke.Abort)
	case ke.Retryable != "":
		return fmt.Errorf("%w: %s", ErrRejected, ke.Retryable)
	}
	return fmt.Errorf("%w: %v", ErrRejected, ke)
}
