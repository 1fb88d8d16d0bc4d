package client

import (
	"errors"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/codec"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
)

//nolint:gochecknoglobals // marks register once
var (
	markAsyncCommitted  = invariant.NewMark("client: committed asynchronously")
	markAsyncFellBack   = invariant.NewMark("client: async commit fell back to two phases")
	markAsyncTooLarge   = invariant.NewMark("client: transaction too large for async commit")
	markOnePCCommitted  = invariant.NewMark("client: committed in one phase")
	markOnePCSpread     = invariant.NewMark("client: transaction too large for one request, no one-phase commit")
	markOnePCFellBack   = invariant.NewMark("client: one-phase commit fell back to two phases")
	markOnePCFound      = invariant.NewMark("client: unanswered one-phase commit found to have succeeded")
	markPrewriteUnknown = invariant.NewMark("client: async or one-phase commit of unknown outcome")
	markUnaskedOver     = invariant.NewMark("client: too late to commit without being asked, two phases")
	markUnaskedChosen   = invariant.NewMark("client: stores committed without asking")
	markAskedAfter      = invariant.NewMark("client: stores found no timestamp to commit at without asking, two phases")
)

// choice is how a transaction is committed by its prewrites.
//
// Async commit: the transaction is committed once all its keys are locked, each
// with the list of all at the primary, and a minimal commit timestamp that the
// store has chosen; the greatest of them is the commit timestamp. One-phase
// commit: one request has all keys, and the store commits them at once.
//
// The timestamps have to agree with real time. The transaction may have been
// begun long before others committed that touched none of its keys; so before
// the first prewrite the client takes a timestamp of the oracle, and the stores
// choose later ones only.
//
// Whoever decides the transaction, its client or one that meets its locks later,
// it commits at max or before. A store leaves no lock of async commit with a minimal
// commit timestamp above max, and nothing raises that of such a lock afterwards: a
// reader that meets it raises max_ts of its store, which bounds locks to come. (A
// reader that has the primary decide alone may push it; but then another key is
// locked for two phases, by which the client learns that its transaction is not
// committed yet.) One-phase commit commits at the chosen timestamps or not at all,
// and a prewrite that comes late bears the same max.
type choice struct {
	async, onePC bool // as long as it did not fall back
	// attempted: a prewrite was sent by which the transaction may be committed, if
	// not by itself.
	attempted bool
	// onePCSent: a one-phase commit was sent that was not answered.
	onePCSent bool
	floor     uint64 // the least commit timestamp
	max       uint64 // the greatest one that the stores may choose
	minTS     uint64 // the greatest of those that they have chosen
	// committedAt is set when a store says that the transaction is committed.
	committedAt uint64
}

// prepare decides in which mode to try.
func (x *committer) prepare(t env.Task) error {
	mode := x.tx.options.Commit
	asks := x.tx.beforeCommit != nil
	if mode == TwoPhase || asks && x.tx.unasked == 0 {
		return nil
	}
	ts, err := x.client.timestamp(t, &x.backoff)
	if err != nil {
		return err
	}
	window := uint64(x.client.cfg.CommitWindow.Milliseconds())
	floor, last := ts+1, codec.ComposeTS(codec.PhysicalTS(ts)+window, 0)
	if asks {
		if last = min(last, x.tx.unasked); markUnaskedOver.Sometimes(last < floor) {
			return nil
		}
	}
	x.choice = choice{
		async: !markAsyncTooLarge.Sometimes(x.tooLargeForAsync()), onePC: mode == OnePhase,
		floor: floor, max: last,
	}
	return nil
}

func (x *committer) tooLargeForAsync() bool {
	size := 0
	for _, key := range x.keys {
		size += len(key)
	}
	return len(x.keys) > x.client.cfg.AsyncKeys || size > x.client.cfg.AsyncBytes
}

// spread makes a transaction that does not fit into one request do without
// one-phase commit.
func (x *committer) spread(now span) {
	if markOnePCSpread.Sometimes(x.choice.onePC && (now.lo != 0 || now.hi != len(x.keys))) {
		x.choice.onePC = false
	}
}

// ttl returns the TTL of the locks. A pessimistic lock that expired before its
// key is prewritten would be taken away by others, while the remaining keys still
// get locks by which the transaction counts as committed: so it must not before
// those are refused for their timestamp.
func (x *committer) ttl() uint64 {
	ttl := x.tx.lockTTL()
	if x.tx.options.Pessimistic && x.choice.async {
		ttl = max(ttl, codec.PhysicalTS(x.choice.max)-codec.PhysicalTS(x.startTS)+1)
	}
	return ttl
}

// lostPrewrite notes that a prewrite of the current mode was not answered.
func (x *committer) lostPrewrite() {
	x.choice.onePCSent = x.choice.onePCSent || x.choice.onePC
}

// accept takes the answer to a successful prewrite into account.
func (x *committer) accept(req *kvrpcpb.PrewriteRequest, resp *kvrpcpb.PrewriteResponse) {
	c := &x.choice
	switch {
	case req.TryOnePc && resp.OnePcCommitTs != 0:
		c.committedAt = resp.OnePcCommitTs
	case req.TryOnePc:
		markOnePCFellBack.Reached()
		c.onePC, c.async = false, false
		x.tx.heartbeat.start(x.tx)
	case req.UseAsyncCommit && resp.MinCommitTs != 0:
		c.minTS = max(c.minTS, resp.MinCommitTs)
	case req.UseAsyncCommit:
		markAsyncFellBack.Reached()
		c.async = false
	case resp.MinCommitTs != 0:
		// Locks for two phases have no timestamp; this is that of a commit record.
		invariant.Check(c.attempted, "client: transaction %d, which nobody was asked to commit, is committed at %d",
			x.startTS, resp.MinCommitTs)
		markOnePCFound.Reached()
		c.committedAt = resp.MinCommitTs
	}
}

// decided reports whether the prewrites have committed the transaction; err is
// why they have failed, if they have.
func (x *committer) decided(err error) bool {
	c := &x.choice
	switch {
	case c.committedAt != 0:
		// The word of a store, whatever came after it.
		markOnePCCommitted.Reached()
		x.commitTS = c.committedAt
	case c.async && err == nil:
		markAsyncCommitted.Reached()
		x.commitTS = c.minTS
	default:
		return false
	}
	invariant.Check(x.commitTS > x.startTS && x.commitTS >= c.floor && x.commitTS <= c.max,
		"client: transaction %d, which must commit from %d to %d, is committed at %d", x.startTS, c.floor, c.max, x.commitTS)
	markUnaskedChosen.Sometimes(x.tx.beforeCommit != nil)
	x.chosen = true
	if !c.onePC {
		x.commitSecondaries(0)
	}
	return true
}

// mayBeCommitted reports whether the transaction may be committed, or may come to
// be, although its prewrites have failed. A store that refuses a key by the rules
// of transactions has made sure that it did not commit the transaction on it; then
// the key has no lock, and so nobody commits.
func (x *committer) mayBeCommitted(err error) bool {
	c := &x.choice
	var refused *refusedError
	switch {
	case errors.As(err, &refused):
		return false
	case c.onePCSent:
	case c.async && x.allLocked():
	default:
		return false
	}
	markPrewriteUnknown.Reached()
	x.chosen = true // at a timestamp that is not known
	return true
}

// allLocked reports whether every key may have a lock.
func (x *committer) allLocked() bool {
	for _, locked := range x.locked {
		if !locked {
			return false
		}
	}
	return true
}

// refusedError is an answer of a store that settles the fate of a transaction: a
// key of it is not locked, and cannot be any more.
type refusedError struct{ error }

func (e *refusedError) Unwrap() error { return e.error }
