package client

import (
	"bytes"
	"time"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/nodes/rpc"
)

//nolint:gochecknoglobals // marks register once
var (
	markHeartbeat      = invariant.NewMark("client: primary lock kept alive")
	markHeartbeatGone  = invariant.NewMark("client: primary lock gone at heartbeat")
	markHeartbeatEarly = invariant.NewMark("client: primary not yet locked at heartbeat")
)

// heartbeat keeps the primary lock of a transaction alive: of a pessimistic one
// from its first lock on, of an optimistic one while its commit takes long. Only
// the primary's TTL counts.
type heartbeat struct {
	started, stopped bool
	timer            env.Timer
	// since is the monotonic instant at which a store has told that the primary is
	// locked, and as far as is known nobody has released it; zero if none has.
	since time.Duration
}

// start begins to keep tx alive once its primary may be locked.
func (h *heartbeat) start(tx *Txn) {
	if !h.started {
		h.started = true
		h.arm(tx)
	}
}

// locked notes that a store has locked the primary.
func (h *heartbeat) locked(tx *Txn) { h.since = tx.client.env.Clock.Monotonic() }

// released notes that the primary's lock is being released.
func (h *heartbeat) released() { h.since = 0 }

func (h *heartbeat) stop() {
	h.stopped = true
	h.timer.Stop()
}

// arm makes the next heartbeat follow when half of the TTL has passed.
func (h *heartbeat) arm(tx *Txn) {
	if h.stopped {
		return
	}
	c := tx.client
	h.timer = c.env.Sched.After(c.cfg.LockTTL/2, func() {
		c.env.Sched.Go("heartbeat", func(t env.Task) { h.beat(t, tx) })
	})
}

// beat extends the TTL once, unless the transaction has ended meanwhile. That there is no
// lock means this only if there was one before: the lock may still be on its way, or be
// held up by another one, or a statement runs again and takes it anew.
func (h *heartbeat) beat(t env.Task, tx *Txn) {
	primary, since := tx.primary, h.since
	if h.stopped || primary == nil {
		return
	}
	c := tx.client
	markHeartbeat.Reached()
	// lockTTL has to know what others take for the present. Without an answer it counts
	// on with what it knows: nobody else gets a timestamp either.
	b := c.newBackoff(c.cfg.LockTTL / 4)
	_, _ = c.timestamp(t, &b)
	if h.stopped || !bytes.Equal(tx.primary, primary) {
		return
	}
	b = c.newBackoff(c.cfg.LockTTL / 2)
	resp, err := tx.askPrimary(t, &b, primary, tx.lockTTL())
	gone := err == nil && resp.Error != nil
	if gone && since != 0 && since == h.since {
		// Committed or rolled back; the commit will find out which.
		markHeartbeatGone.Reached()
		return
	}
	markHeartbeatEarly.Sometimes(gone)
	if bytes.Equal(tx.primary, primary) {
		h.arm(tx)
	}
}

// askPrimary asks the primary for its lock, which lasts for the TTL from the start of the
// transaction on from then, if that is longer than it does already.
func (tx *Txn) askPrimary(t env.Task, b *backoff, primary []byte, ttl uint64) (*kvrpcpb.TxnHeartBeatResponse, error) {
	ctx := &kvrpcpb.Context{}
	resp := &kvrpcpb.TxnHeartBeatResponse{}
	req := &kvrpcpb.TxnHeartBeatRequest{Context: ctx, PrimaryLock: primary, StartVersion: tx.snapshot.ts, AdviseLockTtl: ttl}
	return resp, tx.client.send(t, b, txnBounds(primary), call{rpc.KvTxnHeartBeat, ctx, req, resp})
}
