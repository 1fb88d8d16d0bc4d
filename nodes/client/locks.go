package client

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/codec"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/nodes/rpc"
)

// errLocked is the reason for which an operation that waits for locks gives up.
var errLocked = errors.New("locked by a living transaction")

//nolint:gochecknoglobals // marks register once
var (
	markRolledBack     = invariant.NewMark("client: transaction rolled back by us on expiry of its lock")
	markNoPrimary      = invariant.NewMark("client: transaction rolled back by us because its primary was missing")
	markPrimaryLate    = invariant.NewMark("client: lock met whose primary has not arrived yet")
	markFoundCommitted = invariant.NewMark("client: lock met of a committed transaction")
	markFoundRollback  = invariant.NewMark("client: lock met of a transaction already rolled back")
	markPushed         = invariant.NewMark("client: commit timestamp of a lock's owner pushed past the reader")
	markStatusCached   = invariant.NewMark("client: fate of a lock's owner was known")
	markUnlockKnown    = invariant.NewMark("client: pessimistic lock met whose transaction was found to be gone by another one")
	markNotPrimary     = invariant.NewMark("client: lock names a primary that denies it")
	markAsyncLock      = invariant.NewMark("client: lock of an async-commit transaction met")
	markYounger        = invariant.NewMark("client: gave way to the lock of a younger transaction")
)

// statusCacheSize is how many ended transactions a client remembers.
const statusCacheSize = 2048

// statusCache remembers how transactions ended. Only a determined end is noted:
// it never changes, whereas a lock that is alive now may be gone at once.
type statusCache struct {
	commitTS map[uint64]uint64 // by start timestamp; 0: rolled back
	order    []uint64          // start timestamps, a ring once it is full
	oldest   int
}

func (sc *statusCache) add(startTS, commitTS uint64) {
	if known, ok := sc.commitTS[startTS]; ok {
		invariant.Check(known == commitTS, "client: transaction %d ended twice: at %d and at %d (0: rolled back)",
			startTS, known, commitTS)
		return
	}
	if len(sc.order) < statusCacheSize {
		sc.order = append(sc.order, startTS)
	} else {
		delete(sc.commitTS, sc.order[sc.oldest])
		sc.order[sc.oldest] = startTS
		sc.oldest = (sc.oldest + 1) % statusCacheSize
	}
	sc.commitTS[startTS] = commitTS
}

// txnStatus is what the primary of a transaction says about it.
type txnStatus struct {
	ended    bool
	commitTS uint64 // if it has ended; 0: rolled back
	// unlock: the pessimistic lock in hand may be released, whatever becomes of the
	// transaction.
	unlock bool
	// async is the lock of the primary if the transaction may be committed by its
	// locks alone.
	async *kvrpcpb.LockInfo
	// If it has not ended: how long its lock is respected from now on, and
	// whether it can only commit after the timestamp of the reader who asked.
	left   time.Duration
	pushed bool
}

// blockage is a wait for the locks of living transactions.
type blockage struct {
	left time.Duration // the shortest rest of a TTL; 0: not known
	key  []byte
	// pessimistic is the lock of a pessimistic transaction among them, nil if there
	// is none.
	pessimistic *kvrpcpb.LockInfo
}

// wait sleeps, but not much beyond the end of the TTL.
func (bl *blockage) wait(t env.Task, b *backoff) error {
	err := fmt.Errorf("%q: %w", bl.key, errLocked)
	if bl.left <= 0 {
		return b.wait(t, causeLocked, 0, err)
	}
	return b.waitWithin(t, causeLocked, 0, bl.left, err)
}

// join returns the blockage that is over first.
func (bl *blockage) join(status txnStatus, lock *kvrpcpb.LockInfo) *blockage {
	if bl == nil {
		bl = &blockage{left: status.left, key: lock.Key}
	}
	if status.left < bl.left {
		bl.left, bl.key = status.left, lock.Key
	}
	if lock.LockForUpdateTs != 0 {
		bl.pessimistic = lock
	}
	return bl
}

// resolveForRead deals with locks that are in the way of reads at s.ts. It
// returns a blockage if some have to be waited for.
func (c *Client) resolveForRead(t env.Task, b *backoff, s *Snapshot, locks []*kvrpcpb.LockInfo) (*blockage, error) {
	var blocked *blockage
	var visible, invisible resolutions
	inq := inquiry{callerTS: s.ts}
	for _, lock := range locks {
		status, err := c.statusOf(t, b, lock, &inq)
		if err != nil {
			return nil, err
		}
		switch {
		case status.ended && (status.commitTS == 0 || status.commitTS > s.ts):
			// Whatever becomes of the lock, this snapshot does not see the write.
			s.pass(lock.LockVersion)
			invisible.add(lock, status)
		case status.ended:
			visible.add(lock, status)
		case status.pushed:
			markPushed.Reached()
			s.pass(lock.LockVersion)
		default:
			blocked = blocked.join(status, lock)
		}
	}
	if len(invisible) > 0 {
		c.inBackground("resolve locks", func(t env.Task, b *backoff) {
			// What fails is left to the next one who meets the lock.
			_ = c.resolve(t, b, invisible)
		})
	}
	return blocked, c.resolve(t, b, visible)
}

// resolveForWrite deals with locks that are in the way of the prewrite of a
// transaction, which gives way to those that began after startTS.
func (c *Client) resolveForWrite(t env.Task, b *backoff, startTS uint64, locks []*kvrpcpb.LockInfo) (*blockage, error) {
	blocked, ended, err := c.judge(t, b, startTS, locks)
	if err != nil {
		return nil, err
	}
	return blocked, c.resolve(t, b, ended)
}

// judge finds out which locks can be removed and which have to be waited for, on
// behalf of a transaction that gives way to those that began after startTS.
func (c *Client) judge(t env.Task, b *backoff, startTS uint64, locks []*kvrpcpb.LockInfo) (*blockage, resolutions, error) {
	var blocked *blockage
	var ended resolutions
	// A write has to wait anyhow, so the commit of the owner need not be pushed
	// beyond any caller.
	var inq inquiry
	for _, lock := range locks {
		// Of two transactions that wait for each other's locks the older one gives
		// way, so that the younger one passes.
		if lock.LockVersion > startTS {
			markYounger.Reached()
			return nil, nil, &WriteConflictError{Key: lock.Key, StartTS: startTS, ConflictStartTS: lock.LockVersion}
		}
		status, err := c.statusOf(t, b, lock, &inq)
		if err != nil {
			return nil, nil, err
		}
		if status.ended || status.unlock {
			ended.add(lock, status)
		} else {
			blocked = blocked.join(status, lock)
		}
	}
	return blocked, ended, nil
}

// resolveForLock deals with locks that are in the way of a statement that locks
// its keys. Nobody gives way: the detector finds those who wait in a circle.
func (c *Client) resolveForLock(t env.Task, b *backoff, locks []*kvrpcpb.LockInfo) (*blockage, error) {
	return c.resolveForWrite(t, b, codec.MaxTS, locks)
}

// inquiry is what one operation finds out about the locks that it has met.
type inquiry struct {
	callerTS uint64 // the timestamp of the reader; 0 for a writer
	// now is a timestamp got when it is first needed. The age of a lock is
	// measured by placement's clock, which its start timestamp comes from, never
	// by the client's own.
	now uint64
	// alive holds what was learnt of transactions that have not ended: good for
	// this moment only. unlocked holds those of which it was learnt on behalf of a
	// pessimistic lock that such locks, once they have expired, may be released: a
	// transaction that locked hundreds of keys, and is gone, is asked for once.
	alive    []aliveTxn
	unlocked []aliveTxn

	// How the primary of one transaction is asked: on behalf of a pessimistic lock,
	// and whether the primary alone decides although its lock is one of async commit.
	pessimistic, forceSync bool
}

type aliveTxn struct {
	startTS uint64
	primary []byte
	status  txnStatus
}

// mayUnlock reports whether it is known that an expired pessimistic lock may be released.
func (inq *inquiry) mayUnlock(lock *kvrpcpb.LockInfo) bool {
	return slices.ContainsFunc(inq.unlocked, func(known aliveTxn) bool {
		return known.startTS == lock.LockVersion && bytes.Equal(known.primary, lock.PrimaryLock)
	})
}

// statusOf finds out what has become of the transaction that owns lock.
func (c *Client) statusOf(t env.Task, b *backoff, lock *kvrpcpb.LockInfo, inq *inquiry) (txnStatus, error) {
	if commitTS, ok := c.statuses.commitTS[lock.LockVersion]; ok {
		markStatusCached.Reached()
		return txnStatus{ended: true, commitTS: commitTS}, nil
	}
	for _, known := range inq.alive {
		if known.startTS == lock.LockVersion {
			return known.status, nil
		}
	}
	if inq.now == 0 {
		now, err := c.timestamp(t, b)
		if err != nil {
			return txnStatus{}, err
		}
		inq.now = now
	}
	left := int64(codec.PhysicalTS(lock.LockVersion)+lock.LockTtl) - int64(codec.PhysicalTS(inq.now))
	// Without lock or record at the primary the transaction may only just have
	// begun. Once the lock in hand has expired it is rolled back: the store
	// leaves a record, so that a prewrite of the primary that is still under way
	// finds it.
	expired := left < 0
	inq.pessimistic, inq.forceSync = lock.LockType == kvrpcpb.Op_PessimisticLock, false
	if inq.pessimistic && expired && markUnlockKnown.Sometimes(inq.mayUnlock(lock)) {
		return txnStatus{unlock: true}, nil
	}
	var status txnStatus
	var err error
	if c.cfg.Cleanup && expired && !inq.pessimistic && !lock.UseAsyncCommit {
		status, err = c.cleanup(t, b, lock.PrimaryLock, lock.LockVersion, inq.now)
	}
	if err == nil && !status.ended {
		status, err = c.checkTxnStatus(t, b, lock.PrimaryLock, lock.LockVersion, inq, expired)
	}
	if err == nil && status.async != nil && status.left <= 0 {
		status, err = c.recoverAsync(t, b, status.async, inq)
	}
	switch {
	case errors.Is(err, errTxnNotFound):
		markPrimaryLate.Reached()
		status = txnStatus{left: time.Duration(max(left, 0)+1) * time.Millisecond}
	case errors.Is(err, errNotPrimary):
		markNotPrimary.Reached()
		// A pessimistic lock of an earlier statement, which nobody will prewrite.
		status = txnStatus{unlock: inq.pessimistic && expired}
	case err != nil:
		return status, err
	}
	status.left = max(status.left, 0)
	switch known := (aliveTxn{lock.LockVersion, lock.PrimaryLock, status}); {
	case status.unlock:
		inq.unlocked = append(inq.unlocked, known)
	case !status.ended:
		inq.alive = append(inq.alive, known)
	}
	return status, nil
}

// What CheckTxnStatus may say instead of a status. There is also neither lock nor record of
// what is settled by garbage collection: the lock in hand is gone as well.
var (
	errTxnNotFound = errors.New("transaction has neither lock nor record at its primary")
	errNotPrimary  = errors.New("lock at the primary names another primary")
)

// checkTxnStatus asks the primary of a transaction what has become of it, and
// rolls it back if its lock has expired or, at will, if there is none.
func (c *Client) checkTxnStatus(
	t env.Task, b *backoff, primary []byte, startTS uint64, inq *inquiry, rollbackIfNotExist bool,
) (txnStatus, error) {
	ctx := &kvrpcpb.Context{}
	resp := &kvrpcpb.CheckTxnStatusResponse{}
	req := &kvrpcpb.CheckTxnStatusRequest{
		Context: ctx, PrimaryKey: primary, LockTs: startTS, CallerStartTs: inq.callerTS, CurrentTs: inq.now,
		RollbackIfNotExist: rollbackIfNotExist, VerifyIsPrimary: true,
		ResolvingPessimisticLock: inq.pessimistic, ForceSyncCommit: inq.forceSync,
	}
	if err := c.send(t, b, codec.EncodeBytes(primary), call{rpc.KvCheckTxnStatus, ctx, req, resp}); err != nil {
		return txnStatus{}, err
	}
	if resp.Error != nil {
		return txnStatus{}, statusError(resp.Error)
	}
	return c.readStatus(resp, startTS, inq.now), nil
}

// statusError translates the refusal to tell the fate of a transaction.
func statusError(ke *kvrpcpb.KeyError) error {
	switch {
	case ke.TxnNotFound != nil:
		return errTxnNotFound
	case ke.PrimaryMismatch != nil:
		return errNotPrimary
	}
	return keyError(ke)
}

// readStatus translates the answer of CheckTxnStatus and notes a determined one.
func (c *Client) readStatus(resp *kvrpcpb.CheckTxnStatusResponse, startTS, now uint64) txnStatus {
	switch {
	case resp.LockTtl > 0:
		left := int64(codec.PhysicalTS(startTS)+resp.LockTtl) - int64(codec.PhysicalTS(now))
		status := txnStatus{
			left:   time.Duration(left+1) * time.Millisecond,
			pushed: resp.Action == kvrpcpb.Action_MinCommitTSPushed,
		}
		if markAsyncLock.Sometimes(resp.LockInfo.GetUseAsyncCommit()) {
			// The end of such a transaction is not decided by its primary alone.
			status.async = resp.LockInfo
		}
		return status
	case resp.CommitVersion > 0:
		markFoundCommitted.Reached()
		c.statuses.add(startTS, resp.CommitVersion)
		return txnStatus{ended: true, commitTS: resp.CommitVersion}
	}
	switch resp.Action {
	case kvrpcpb.Action_TTLExpireRollback:
		markRolledBack.Reached()
	case kvrpcpb.Action_LockNotExistRollback:
		markNoPrimary.Reached()
	case kvrpcpb.Action_NoAction, kvrpcpb.Action_MinCommitTSPushed:
		markFoundRollback.Reached()
	case kvrpcpb.Action_TTLExpirePessimisticRollback, kvrpcpb.Action_LockNotExistDoNothing:
		// The lock in hand means nothing any more, but the transaction may go on:
		// nothing is determined.
		return txnStatus{unlock: true}
	}
	c.statuses.add(startTS, 0)
	return txnStatus{ended: true}
}
