package client

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/nodes/rpc"
)

//nolint:gochecknoglobals // marks register once
var (
	markStatementRetried = invariant.NewMark("client: statement repeated at a later timestamp")
	markStatementUndone  = invariant.NewMark("client: locks of a failed statement released")
	markStatementLost    = invariant.NewMark("client: pessimistic lock of unknown outcome")
	markStatementBlocked = invariant.NewMark("client: pessimistic lock waited for a lock")
	markDeadlock         = invariant.NewMark("client: statement ended by a deadlock")
	markOwnDeadlock      = invariant.NewMark("client: statement repeated, for a lock of its own had closed a circle of waits")
	markUnlockLost       = invariant.NewMark("client: release of pessimistic locks left to those who meet them")
	markWaitRefused      = invariant.NewMark("client: statement that was not to wait met a lock")
	markWaitOver         = invariant.NewMark("client: statement waited for locks for as long as it was to")
	markWaitedThere      = invariant.NewMark("client: pessimistic lock asked for again at once, for a store had waited for it")
)

// LockWait is after which time a statement gives up that meets the lock of another
// transaction where it wants to lock, counted from its beginning: reads, attempts in vain,
// elections and requests that were lost count like waiting. It finds out in any case
// whether who holds the lock is alive, and fails only if so. It bounds nothing else: what
// the statement reads before it locks waits as all reads do, for keys that others commit
// asynchronously or in one phase, until they are done or the TTL of their lock is over.
type LockWait time.Duration

const (
	// WaitAlways waits until the operation's time is over.
	WaitAlways LockWait = 0
	// NoWait fails at the first lock of a transaction that is alive, where it locks.
	NoWait LockWait = -1
)

// String returns the wait as FOR UPDATE has it.
func (w LockWait) String() string {
	switch {
	case w == WaitAlways:
		return "ALWAYS"
	case w < 0:
		return "NOWAIT"
	}
	return "WAIT " + time.Duration(w).String()
}

// headStart is what a statement that has released locks in favour of others leaves them to
// lock the same keys.
const headStart = 5 * time.Millisecond

// statement is one locking read of a pessimistic transaction: all its keys are
// locked and read as of one timestamp, or none is locked. If somebody has
// committed a key after that timestamp, or the locks of the statement have closed a
// circle of waits, the statement is repeated at a later one; that is its business alone,
// not that of the whole transaction.
type statement struct {
	tx     *Txn
	keys   [][]byte // sorted, distinct
	bounds [][]byte // in the form of region bounds
	insert []bool   // by key: it has to be absent
	locks  bool     // it has keys to lock, or such as the transaction has locked before
	values []batchItem
	// read, if set, reads what is newest as of ts and sets the keys anew (Statement).
	read func() error
	// sent says which keys may have been locked in this attempt.
	sent    []bool
	ts      uint64 // for_update_ts of this attempt
	backoff backoff
	failure error

	wait  LockWait
	began time.Duration // monotonic, of the first attempt
}

// lockStatement locks keys and returns what they hold, in their sorted order.
func (tx *Txn) lockStatement(t env.Task, keys [][]byte, insert func(key []byte) bool) ([]batchItem, error) {
	fresh, held := tx.unlocked(keys)
	st := tx.newStatement(WaitAlways)
	st.setKeys(fresh, insert)
	st.locks = len(keys) > 0
	if err := st.run(t); err != nil {
		st.abandon()
		return nil, err
	}
	values, err := st.withHeld(t, held, insert)
	if err != nil {
		st.undo()
		st.abandon()
		return nil, err
	}
	st.keep()
	return values, nil
}

func (tx *Txn) newStatement(wait LockWait) *statement {
	return &statement{
		tx: tx, backoff: tx.client.newBackoff(tx.client.cfg.OpTimeout),
		wait: wait, began: tx.client.env.Clock.Monotonic(),
	}
}

// setKeys says which keys are to be locked.
func (st *statement) setKeys(keys [][]byte, insert func(key []byte) bool) {
	st.values = newBatch(keys, txnBounds)
	n := len(st.values)
	st.keys, st.bounds, st.insert, st.sent = make([][]byte, n), make([][]byte, n), make([]bool, n), make([]bool, n)
	for i := range st.values {
		// The keys outlive the statement, and the caller's need not.
		st.keys[i], st.bounds[i] = bytes.Clone(st.values[i].key), st.values[i].bound
		st.insert[i] = insert(st.keys[i])
	}
}

// withHeld adds keys that were locked before to the values, read as of the
// statement.
func (st *statement) withHeld(t env.Task, held [][]byte, insert func(key []byte) bool) ([]batchItem, error) {
	if len(held) == 0 {
		return st.values, nil
	}
	items := newBatch(held, txnBounds)
	snapshot := st.tx.client.Snapshot(st.ts)
	if err := st.tx.client.readBatch(t, &st.backoff, items, snapshot.batchGetPart); err != nil {
		return nil, err
	}
	for _, it := range items {
		if it.found && insert(it.key) {
			return nil, &KeyExistsError{it.key}
		}
	}
	all := append(items, st.values...)
	slices.SortFunc(all, func(x, y batchItem) int { return bytes.Compare(x.key, y.key) })
	return all, nil
}

// run attempts the statement until it succeeds.
func (st *statement) run(t env.Task) error {
	for {
		ts, err := st.tx.client.timestamp(t, &st.backoff)
		if err != nil {
			return err
		}
		st.ts, st.failure = ts, nil
		st.tx.triedTS = ts
		if st.read != nil {
			if err = st.read(); err != nil {
				return err
			}
			st.leavePrimary()
		}
		if err = st.attempt(t); err == nil {
			return nil
		}
		released := st.undo()
		var conflict *WriteConflictError
		var circle *DeadlockError
		switch {
		case errors.As(err, &conflict):
			markStatementRetried.Reached()
			err = st.backoff.wait(t, causeConflict, 0, err)
		case errors.As(err, &circle) && st.closed(circle):
			err = st.leaveCircle(t, circle, released)
		default:
			markDeadlock.Sometimes(circle != nil)
			return err
		}
		if err != nil {
			return err
		}
	}
}

// closed reports whether it is a lock of this statement that has closed the circle of waits.
// When it is released the circle is open, whatever the transaction has locked before.
func (st *statement) closed(circle *DeadlockError) bool {
	_, ok := slices.BinarySearchFunc(st.keys, circle.WaitedAt, bytes.Compare)
	return ok
}

// leaveCircle waits until the locks have been released by which the statement was part of a
// circle of waits, and for as long as who waited for one of them may take to lock it. It
// says if the statement is not to be repeated: then it has failed because of locks, and
// not of a deadlock, which would end the transaction.
func (st *statement) leaveCircle(t env.Task, circle *DeadlockError, released *env.Future[struct{}]) error {
	if err := st.waitOver(circle.Key); err != nil {
		return err
	}
	markOwnDeadlock.Reached()
	// If that takes too long there is no time for another attempt either.
	_, _ = released.Await(t, st.backoff.left())
	reason := circle.Error() // and not the error, which would end the transaction
	return st.backoff.wait(t, causeConflict, headStart, fmt.Errorf("%w: %s", errLocked, reason))
}

// attempt locks all keys at the statement's timestamp. The primary goes first if
// it is among them: who meets another lock asks there.
func (st *statement) attempt(t env.Task) error {
	tx := st.tx
	rest := []span{{0, len(st.keys)}}
	if tx.primary == nil && len(st.keys) > 0 {
		tx.primary = st.keys[0]
	}
	if at, ok := slices.BinarySearchFunc(st.keys, tx.primary, bytes.Compare); ok {
		st.lockPart(t, span{at, at + 1})
		rest = []span{{0, at}, {at + 1, len(st.keys)}}
	}
	var parts []span
	for _, s := range rest {
		more, err := st.partition(t, s)
		if err != nil {
			return err
		}
		parts = append(parts, more...)
	}
	if st.failure == nil && len(parts) > 0 {
		tx.client.inParallel(t, "pessimistic lock", len(parts), func(t env.Task, i int) { st.lockPart(t, parts[i]) })
	}
	return st.failure
}

// partition cuts the keys of s into those of single regions.
func (st *statement) partition(t env.Task, s span) ([]span, error) {
	parts, err := st.tx.client.partition(t, &st.backoff, s.hi-s.lo, func(i int) []byte { return st.bounds[s.lo+i] })
	for i := range parts {
		parts[i].lo += s.lo
		parts[i].hi += s.lo
	}
	return parts, err
}

// lockPart locks the keys of s, with one request if they still lie in one region.
func (st *statement) lockPart(t env.Task, s span) {
	c := st.tx.client
	b := st.backoff.fork()
	ctx := &kvrpcpb.Context{}
	resp := &kvrpcpb.PessimisticLockResponse{}
	for s.lo < s.hi && st.failure == nil {
		r, err := c.locate(t, &b, st.bounds[s.lo])
		if err != nil {
			st.fail(err)
			return
		}
		now := span{s.lo, s.lo + 1}
		for now.hi < s.hi && r.endsAfter(st.bounds[now.hi]) {
			now.hi++
		}
		req, sent := st.request(ctx, now), c.env.Clock.Monotonic()
		v := c.attempt(t, &b, r, call{rpc.KvPessimisticLock, ctx, req, resp})
		switch {
		case v.fate == answered && len(resp.Errors) == 0:
			st.note(now, resp)
			s.lo = now.hi
			continue
		case v.fate == answered:
			err = st.onErrors(t, &b, resp.Errors, hasWaited(req, c.env.Clock.Monotonic()-sent))
		case v.fate == lost:
			markStatementLost.Reached()
			st.noteSent(now)
			err = b.pause(t, v)
		default:
			err = b.pause(t, v)
		}
		if err != nil {
			st.fail(err)
		}
	}
}

func (st *statement) request(ctx *kvrpcpb.Context, s span) *kvrpcpb.PessimisticLockRequest {
	tx := st.tx
	req := &kvrpcpb.PessimisticLockRequest{
		Context: ctx, PrimaryLock: tx.primary, StartVersion: tx.snapshot.ts, ForUpdateTs: st.ts, LockTtl: tx.lockTTL(),
		IsFirstLock:  tx.lockCount == 0 && len(st.keys) == 1,
		WaitTimeout:  st.waitTimeout(),
		ReturnValues: true, MinCommitTs: st.ts + 1,
	}
	for i := s.lo; i < s.hi; i++ {
		m := &kvrpcpb.Mutation{Op: kvrpcpb.Op_PessimisticLock, Key: st.keys[i]}
		if st.insert[i] {
			m.Assertion = kvrpcpb.Assertion_NotExist
		}
		req.Mutations = append(req.Mutations, m)
	}
	return req
}

// onErrors deals with a request that was executed in vain, after the store has waited
// or not. It may be repeated when it returns nil.
func (st *statement) onErrors(t env.Task, b *backoff, errs []*kvrpcpb.KeyError, waited bool) error {
	var locks []*kvrpcpb.LockInfo
	for _, ke := range errs {
		if ke.Locked == nil {
			return keyError(ke)
		}
		locks = append(locks, ke.Locked)
	}
	blocked, err := st.tx.client.resolveForLock(t, b, locks)
	if err != nil || blocked == nil {
		return err
	}
	markStatementBlocked.Reached()
	return st.waitFor(t, b, blocked, waited)
}

// waitTimeout is for how long a store may wait on behalf of one request, in
// milliseconds; -1: not at all. The answer has to come before the request counts as
// lost.
func (st *statement) waitTimeout() int64 {
	longest := max(int64(st.tx.client.cfg.RPCTimeout/2/time.Millisecond), 1)
	switch {
	case st.wait < 0:
		return -1
	case st.wait == WaitAlways:
		return longest
	}
	return min(longest, max(int64(st.waitLeft()/time.Millisecond), 1))
}

// waitLeft is how much is left of a limited wait.
func (st *statement) waitLeft() time.Duration {
	return st.began + time.Duration(st.wait) - st.tx.client.env.Clock.Monotonic()
}

// hasWaited reports whether the store that answered a request so much later has waited for
// the lock in its way, or the answer took as long as if it had. It need not be all that
// it was to wait: stores have limits of their own, and clocks drift.
func hasWaited(req *kvrpcpb.PessimisticLockRequest, took time.Duration) bool {
	return took >= min(time.Duration(req.WaitTimeout)*time.Millisecond, backoffs[causeLocked].limit)/2
}

// waitFor waits for locks that no store has waited for long enough, if the statement
// is to wait at all (ErrLockWait). Where a store has just waited, the client does not:
// only while it stands in the queue it keeps its place there, and is in the wait-for graph,
// of which a circle has to be seen whole.
func (st *statement) waitFor(t env.Task, b *backoff, blocked *blockage, waited bool) error {
	if err := st.waitOver(blocked.key); err != nil {
		return err
	}
	switch {
	case markWaitedThere.Sometimes(waited && b.remaining() > 0):
		return nil
	case st.wait > 0:
		blocked.left = min(cmp.Or(blocked.left, st.waitLeft()), st.waitLeft())
	}
	return blocked.wait(t, b)
}

// waitOver returns ErrLockWait if the statement waits for the lock of key no longer.
func (st *statement) waitOver(key []byte) error {
	if markWaitRefused.Sometimes(st.wait < 0) || st.wait > 0 && markWaitOver.Sometimes(st.waitLeft() <= 0) {
		return fmt.Errorf("%w (%v): %q: %w", ErrLockWait, st.wait, key, errLocked)
	}
	return nil
}

// fail notes why the statement cannot go on. The first reason counts.
func (st *statement) fail(err error) {
	if st.failure == nil {
		st.failure = err
	}
}

func (st *statement) noteSent(s span) {
	for i := s.lo; i < s.hi; i++ {
		st.sent[i] = true
	}
	if bytes.Equal(st.keys[s.lo], st.tx.primary) {
		st.tx.heartbeat.start(st.tx)
	}
}

// note takes over the answer of a store.
func (st *statement) note(s span, resp *kvrpcpb.PessimisticLockResponse) {
	st.noteSent(s)
	if bytes.Equal(st.keys[s.lo], st.tx.primary) {
		st.tx.heartbeat.locked(st.tx)
	}
	invariant.Check(len(resp.Values) == s.hi-s.lo && len(resp.NotFounds) == s.hi-s.lo,
		"client: %d keys locked, %d values returned", s.hi-s.lo, len(resp.Values))
	for i := s.lo; i < s.hi; i++ {
		st.values[i].found = !resp.NotFounds[i-s.lo]
		st.values[i].value = valueOf(resp.Values[i-s.lo], resp.NotFounds[i-s.lo])
	}
}

// keep makes the locks those of the transaction. Only now its for_update_ts moves, by
// which stores decide who was first on a key without a lock: of what a statement saw that
// failed, or that found nothing to lock, the transaction has kept nothing.
func (st *statement) keep() {
	if st.locks {
		st.tx.forUpdateTS = st.ts
	}
	for _, key := range st.keys {
		st.tx.buffer.at(key).locked = true
	}
	st.tx.lockCount += len(st.keys)
	st.tx.statements++
	st.tx.readTS = st.ts
}

// undo releases in the background what an attempt that failed has locked. A lock
// that the next attempt takes is of a later timestamp, which the release respects. The
// future is resolved when the release has come to its end.
func (st *statement) undo() *env.Future[struct{}] {
	var keys [][]byte
	for i, sent := range st.sent {
		if sent {
			keys = append(keys, st.keys[i])
		}
	}
	clear(st.sent)
	if st.tx.lockCount == 0 {
		st.tx.heartbeat.released()
	}
	if len(keys) == 0 {
		done := &env.Future[struct{}]{}
		done.Resolve(struct{}{}, nil)
		return done
	}
	markStatementUndone.Reached()
	return st.tx.client.unlockInBackground(keys, st.tx.snapshot.ts, st.ts)
}

// abandon gives up the primary if no lock is held that names it.
func (st *statement) abandon() {
	if tx := st.tx; tx.lockCount == 0 {
		tx.heartbeat.stop()
		tx.heartbeat = heartbeat{}
		tx.primary = nil // the heartbeat that is under way ends by this
	}
}

// unlockInBackground releases pessimistic locks of the transaction startTS on
// sorted keys, up to those that were taken at forUpdateTS. The future is resolved at its end.
func (c *Client) unlockInBackground(keys [][]byte, startTS, forUpdateTS uint64) *env.Future[struct{}] {
	done := &env.Future[struct{}]{}
	c.inBackground("release pessimistic locks", func(t env.Task, b *backoff) {
		err := c.unlock(t, b, keys, startTS, forUpdateTS)
		markUnlockLost.Sometimes(err != nil)
		done.Resolve(struct{}{}, nil)
	})
	return done
}

// unlock releases pessimistic locks.
func (c *Client) unlock(t env.Task, b *backoff, keys [][]byte, startTS, forUpdateTS uint64) error {
	ctx := &kvrpcpb.Context{}
	resp := &kvrpcpb.PessimisticRollbackResponse{}
	for len(keys) > 0 {
		r, err := c.locate(t, b, txnBounds(keys[0]))
		if err != nil {
			return err
		}
		n := 1
		for n < len(keys) && r.endsAfter(txnBounds(keys[n])) {
			n++
		}
		req := &kvrpcpb.PessimisticRollbackRequest{Context: ctx, StartVersion: startTS, ForUpdateTs: forUpdateTS, Keys: keys[:n]}
		v := c.attempt(t, b, r, call{rpc.KVPessimisticRollback, ctx, req, resp})
		switch {
		case v.fate == answered && len(resp.Errors) > 0:
			return fmt.Errorf("release of pessimistic locks of %d: %w", startTS, keyError(resp.Errors[0]))
		case v.fate == answered:
			keys = keys[n:]
			continue
		}
		if err := b.pause(t, v); err != nil {
			return err
		}
	}
	return nil
}
