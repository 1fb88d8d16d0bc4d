package client

import (
	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/nodes/rpc"
)

//nolint:gochecknoglobals // marks register once
var (
	markCleanup     = invariant.NewMark("client: locks of a failed transaction rolled back in the background")
	markCleanupLost = invariant.NewMark("client: rollback left to those who meet the locks")
)

// rollback removes in the background the locks that a failed transaction may
// have left, so that nobody has to wait for their TTL. The primary's goes
// first: from then on whoever meets another one knows what to do with it.
func (x *committer) rollback() {
	var left []span
	for i, locked := range x.locked {
		switch n := len(left); {
		case !locked && !x.held[i]:
		case n > 0 && left[n-1].hi == i:
			left[n-1].hi++
		default:
			left = append(left, span{i, i + 1})
		}
	}
	if len(left) == 0 {
		return
	}
	markCleanup.Reached()
	x.client.inBackground("rollback", func(t env.Task, b *backoff) {
		for _, s := range left {
			ke, err := x.forEachRequest(t, b, s, x.rollbackRequest)
			markCleanupLost.Sometimes(err != nil || ke != nil)
		}
	})
}

func (x *committer) rollbackRequest(s span) (call, func() *kvrpcpb.KeyError) {
	ctx := &kvrpcpb.Context{}
	resp := &kvrpcpb.BatchRollbackResponse{}
	req := &kvrpcpb.BatchRollbackRequest{Context: ctx, StartVersion: x.startTS, Keys: x.keys[s.lo:s.hi]}
	return call{rpc.KvBatchRollback, ctx, req, resp}, resp.GetError
}
