package client

import (
	"cmp"
	"fmt"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/codec"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/nodes/rpc"
)

//nolint:gochecknoglobals // marks register once
var (
	markPrewriteLost    = invariant.NewMark("client: prewrite of unknown outcome")
	markPrewriteResent  = invariant.NewMark("client: prewrite sent again")
	markPrewriteBlocked = invariant.NewMark("client: prewrite waited for a lock")
	markImpatient       = invariant.NewMark("client: optimistic transaction gave way to a pessimistic one")
	markCommitGaveWay   = invariant.NewMark("client: commit of a pessimistic transaction gave way to an older one")
	markCommitLeftOver  = invariant.NewMark("client: commit of a pessimistic transaction gave way to a younger one, which did not")
	markDerivedWaited   = invariant.NewMark("client: commit of a pessimistic transaction met a lock at a key that another one stands for")
	markOutlived        = invariant.NewMark("client: prewrite outlived the first TTL of its primary, which heartbeats kept alive")
	markPrewriteBatches = invariant.NewMark("client: keys of one region prewritten by several requests")
	markPrewriteSplit   = invariant.NewMark("client: keys of one prewrite found in several regions")
)

// prewrite locks all keys.
func (x *committer) prewrite(t env.Task) error {
	parts, err := x.requests(t, &x.backoff, span{0, len(x.keys)})
	if err != nil {
		return err
	}
	if x.client.cfg.PrimaryFirst {
		x.rounds += x.prewritePart(t, parts[0])
		parts = parts[1:]
	}
	longest := 0
	if len(parts) > 0 && x.failure == nil {
		x.client.inParallel(t, "prewrite", len(parts), func(t env.Task, i int) {
			longest = max(longest, x.prewritePart(t, parts[i]))
		})
	}
	x.rounds += longest
	// The TTL of async commit's pessimistic locks is longer.
	outlived := x.failure == nil && !x.choice.async && x.client.env.Clock.Monotonic()-x.lockedAt > x.client.cfg.LockTTL
	markOutlived.Sometimes(outlived && x.choice.committedAt == 0)
	return x.failure
}

// prewritePart locks the keys of s, with one request if they still lie in one
// region. It stops when another part has failed. It returns the number of
// requests.
func (x *committer) prewritePart(t env.Task, s span) (rounds int) {
	b := x.backoff.fork()
	ctx := &kvrpcpb.Context{}
	resp := &kvrpcpb.PrewriteResponse{}
	sent := s.lo // keys before were sent at least once
	for s.lo < s.hi && x.failure == nil {
		r, err := x.client.locate(t, &b, x.bounds[s.lo])
		if err != nil {
			x.fail(err)
			return rounds
		}
		rounds++
		now := span{s.lo, x.reach(r, s)}
		x.spread(now)
		markPrewriteSplit.Sometimes(now.hi < s.hi && sent > now.hi)
		// Whatever was the fate of the earlier attempt, a store that has to be
		// asked again must first look whether it has executed it.
		ctx.IsRetryRequest = markPrewriteResent.Sometimes(sent > now.lo)
		sent = max(sent, now.hi)
		size := x.keysIn(r)
		markPrewriteBatches.Sometimes(size > now.hi-now.lo)
		req := x.prewriteRequest(ctx, now, size)
		v := x.client.attempt(t, &b, r, call{rpc.KvPrewrite, ctx, req, resp})
		switch {
		case v.fate == answered && len(resp.Errors) == 0:
			x.noteLocks(now)
			x.accept(req, resp)
			if now.lo == 0 {
				x.tx.heartbeat.locked(x.tx)
			}
			s.lo = now.hi
			continue
		case v.fate == answered:
			err = x.onPrewriteErrors(t, &b, resp.Errors)
		case v.fate == lost:
			markPrewriteLost.Reached()
			x.noteLocks(now)
			x.lostPrewrite()
			err = b.pause(t, v)
		default:
			err = b.pause(t, v)
		}
		if err != nil {
			x.fail(err)
		}
	}
	return rounds
}

// prewriteRequest returns the request for the keys of s. Its region has txnSize keys
// of the transaction: whoever meets one of the locks decides by that whether to look
// for the others.
func (x *committer) prewriteRequest(ctx *kvrpcpb.Context, s span, txnSize int) *kvrpcpb.PrewriteRequest {
	c := &x.choice
	req := &kvrpcpb.PrewriteRequest{
		Context:      ctx,
		Mutations:    x.mutations[s.lo:s.hi],
		PrimaryLock:  x.primary(),
		StartVersion: x.startTS,
		LockTtl:      x.ttl(),
		TxnSize:      uint64(txnSize),
		ForUpdateTs:  x.tx.forUpdateTS,
		// Not 0, so that readers can push the commit beyond their timestamp instead
		// of waiting for it.
		MinCommitTs: max(x.startTS, x.tx.forUpdateTS) + 1,
	}
	if x.actions != nil {
		req.PessimisticActions = x.actions[s.lo:s.hi]
	}
	if c.async || c.onePC {
		c.attempted = true
		req.MinCommitTs, req.MaxCommitTs = max(req.MinCommitTs, c.floor), c.max
		req.TryOnePc, req.UseAsyncCommit = c.onePC, c.async && !c.onePC
	}
	if req.UseAsyncCommit && s.lo == 0 {
		req.Secondaries = x.keys[1:]
	}
	return req
}

// fail notes why the transaction cannot commit. The first reason counts.
func (x *committer) fail(err error) {
	if x.failure == nil {
		x.failure = err
	}
}

// noteLocks records that the keys of s may be locked.
func (x *committer) noteLocks(s span) {
	for i := s.lo; i < s.hi; i++ {
		x.locked[i] = true
	}
	if s.lo == 0 && x.lockedAt == 0 {
		x.lockedAt = x.client.env.Clock.Monotonic()
	}
	if s.lo == 0 && !x.choice.onePC {
		x.tx.heartbeat.start(x.tx)
	}
}

// onPrewriteErrors deals with the locks that a prewrite has met. The prewrite
// may be repeated when it returns nil.
func (x *committer) onPrewriteErrors(t env.Task, b *backoff, errs []*kvrpcpb.KeyError) error {
	locks := make([]*kvrpcpb.LockInfo, 0, len(errs))
	for _, ke := range errs {
		if ke.Locked == nil {
			return prewriteError(ke)
		}
		locks = append(locks, ke.Locked)
	}
	giveWay := x.startTS
	if x.tx.options.Pessimistic {
		giveWay = codec.MaxTS
	}
	blocked, err := x.client.resolveForWrite(t, b, giveWay, locks)
	if err != nil || blocked == nil {
		return err
	}
	if err := x.patience(blocked); err != nil {
		return err
	}
	markPrewriteBlocked.Reached()
	return blocked.wait(t, b)
}

// patience makes a transaction give way, after a while, to a pessimistic one. That one may
// wait for a lock of this one on its store, where nobody knows that this one waits too: a
// prewrite is no part of the wait-for graph, and both are kept alive by their heartbeats.
// Or it is in its own prewrite and waits for this one likewise. Then the younger of two
// pessimistic ones gives way, so that not both do: the older one is patient for twice
// as long.
func (x *committer) patience(blocked *blockage) error {
	lock := blocked.pessimistic
	switch {
	case lock == nil:
		return nil
	case x.tx.options.Pessimistic && markDerivedWaited.Sometimes(x.stoodFor(lock.Key)):
		// Who holds it had the lock of the other key before, and is committed or rolled
		// back: it does not wait for anybody.
		return nil
	}
	now := x.client.env.Clock.Monotonic()
	if x.blockedSince == 0 {
		x.blockedSince = now
	}
	limit := x.client.cfg.RPCTimeout / 2
	older := x.tx.options.Pessimistic && x.startTS < lock.LockVersion
	if older {
		limit *= 2
	}
	if left := x.blockedSince + limit - now; left > 0 {
		blocked.left = min(cmp.Or(blocked.left, left), left)
		return nil
	}
	markImpatient.Sometimes(!x.tx.options.Pessimistic)
	markCommitGaveWay.Sometimes(x.tx.options.Pessimistic && !older)
	markCommitLeftOver.Sometimes(older)
	return &WriteConflictError{Key: lock.Key, StartTS: x.startTS, ConflictStartTS: lock.LockVersion}
}

// stoodFor reports whether every writer of key locks another one first (Txn.SetDerived).
func (x *committer) stoodFor(key []byte) bool {
	w := x.tx.buffer.find(key)
	return w != nil && w.action() == kvrpcpb.PrewriteRequest_SKIP_PESSIMISTIC_CHECK
}

// prewriteError translates what a store says about a key of a prewrite.
func prewriteError(ke *kvrpcpb.KeyError) error {
	err := keyError(ke)
	switch {
	case ke.Retryable != "":
		// A pessimistic lock is gone: others have found it expired. That may be because
		// another transaction has locked the key, which can release it without a trace;
		// then a request that was sent before, and comes late, restores the lock. So
		// this says nothing about what was sent before.
		return fmt.Errorf("%w: %s", ErrRolledBack, ke.Retryable)
	case ke.Conflict == nil && ke.AlreadyExist == nil:
		return err // no statement about the key, and what was sent before
	default:
		return &refusedError{err}
	}
}
