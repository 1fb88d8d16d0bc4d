package client

import (
	"bytes"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/nodes/rpc"
)

//nolint:gochecknoglobals // marks register once
var (
	markHeartbeat     = invariant.NewMark("client: primary lock kept alive")
	markHeartbeatGone = invariant.NewMark("client: primary lock gone at heartbeat")
)

// heartbeat keeps the primary lock of a transaction alive: of a pessimistic one
// from its first lock on, of an optimistic one while its commit takes long. Only
// the primary's TTL counts.
type heartbeat struct {
	started, stopped bool
	timer            env.Timer
}

// start begins to keep tx alive once its primary is locked.
func (h *heartbeat) start(tx *Txn) {
	if !h.started {
		h.started = true
		h.arm(tx)
	}
}

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

// beat extends the TTL once, unless the transaction has ended meanwhile.
func (h *heartbeat) beat(t env.Task, tx *Txn) {
	primary := tx.primary
	if h.stopped || primary == nil {
		return
	}
	c := tx.client
	b := c.newBackoff(c.cfg.LockTTL / 2)
	ctx := &kvrpcpb.Context{}
	resp := &kvrpcpb.TxnHeartBeatResponse{}
	req := &kvrpcpb.TxnHeartBeatRequest{
		Context: ctx, PrimaryLock: primary, StartVersion: tx.snapshot.ts, AdviseLockTtl: tx.lockTTL(),
	}
	markHeartbeat.Reached()
	err := c.send(t, &b, txnBounds(primary), call{rpc.KvTxnHeartBeat, ctx, req, resp})
	if err == nil && resp.Error != nil && !tx.unlockedYet() {
		// Committed or rolled back; the commit will find out which.
		markHeartbeatGone.Reached()
		return
	}
	if bytes.Equal(tx.primary, primary) {
		h.arm(tx)
	}
}

// unlockedYet reports whether the primary's lock may only be on its way.
func (tx *Txn) unlockedYet() bool { return tx.options.Pessimistic && tx.lockCount == 0 }
