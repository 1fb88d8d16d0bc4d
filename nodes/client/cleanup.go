package client

import (
	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/codec"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/nodes/rpc"
)

//nolint:gochecknoglobals // marks register once
var (
	markCleanedUp      = invariant.NewMark("client: transaction rolled back by a cleanup of its primary")
	markCleanupFound   = invariant.NewMark("client: cleanup found a committed transaction")
	markCleanupTooSoon = invariant.NewMark("client: cleanup found a lock at the primary that has not expired")
)

// cleanup rolls a transaction back by its primary, unless that is committed or its
// lock there has not expired as of now: a lock elsewhere is not told of heartbeats, and
// the transaction is left to KvCheckTxnStatus. One key without async commit says that
// there is none: who commits so locks every key so.
func (c *Client) cleanup(t env.Task, b *backoff, primary []byte, startTS, now uint64) (txnStatus, error) {
	ctx := &kvrpcpb.Context{}
	resp := &kvrpcpb.CleanupResponse{}
	req := &kvrpcpb.CleanupRequest{Context: ctx, Key: primary, StartVersion: startTS, CurrentTs: now}
	if err := c.send(t, b, codec.EncodeBytes(primary), call{rpc.KvCleanup, ctx, req, resp}); err != nil {
		return txnStatus{}, err
	}
	if markCleanupTooSoon.Sometimes(resp.Error.GetLocked() != nil) {
		return txnStatus{}, nil
	}
	if resp.Error != nil {
		return txnStatus{}, statusError(resp.Error)
	}
	if !markCleanupFound.Sometimes(resp.CommitVersion > 0) {
		markCleanedUp.Reached()
	}
	c.statuses.add(startTS, resp.CommitVersion)
	return txnStatus{ended: true, commitTS: resp.CommitVersion}, nil
}
