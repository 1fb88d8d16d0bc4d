package client

import (
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

// heartbeat keeps the primary lock of a transaction alive while its commit
// takes long. Only the primary's TTL counts.
type heartbeat struct {
	started, stopped bool
	timer            env.Timer
}

// start begins to keep x alive once its primary is locked.
func (h *heartbeat) start(x *committer) {
	if !h.started {
		h.started = true
		h.arm(x)
	}
}

func (h *heartbeat) stop() {
	h.stopped = true
	h.timer.Stop()
}

// arm makes the next heartbeat follow when half of the TTL has passed.
func (h *heartbeat) arm(x *committer) {
	if h.stopped {
		return
	}
	c := x.client
	h.timer = c.env.Sched.After(c.cfg.LockTTL/2, func() {
		c.env.Sched.Go("heartbeat", func(t env.Task) { h.beat(t, x) })
	})
}

// beat extends the TTL once, unless the commit has ended meanwhile.
func (h *heartbeat) beat(t env.Task, x *committer) {
	if h.stopped {
		return
	}
	c := x.client
	b := c.newBackoff(c.cfg.LockTTL / 2)
	ctx := &kvrpcpb.Context{}
	resp := &kvrpcpb.TxnHeartBeatResponse{}
	req := &kvrpcpb.TxnHeartBeatRequest{
		Context: ctx, PrimaryLock: x.primary(), StartVersion: x.startTS, AdviseLockTtl: x.lockTTL(),
	}
	markHeartbeat.Reached()
	err := c.send(t, &b, x.bounds[0], call{rpc.KvTxnHeartBeat, ctx, req, resp})
	if err == nil && resp.Error != nil {
		// Committed or rolled back; the commit will find out which.
		markHeartbeatGone.Reached()
		return
	}
	h.arm(x)
}
