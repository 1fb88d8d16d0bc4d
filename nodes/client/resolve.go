package client

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/codec"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/nodes/rpc"
)

//nolint:gochecknoglobals // marks register once
var (
	markResolvedWide = invariant.NewMark("client: locks of a large transaction resolved by their region")
	markResolvedOnce = invariant.NewMark("client: several locks of a large transaction met, and their region resolved once")
)

// resolution is the fate of a transaction that has ended and locks that it left.
type resolution struct {
	startTS, commitTS uint64 // commitTS 0: rolled back
	keys              [][]byte
	pessimistic       bool // the locks were never prewritten: they are just released
	// wide: the transaction has many locks where these are. Their regions are resolved
	// as a whole.
	wide bool
}

// wideFrom is the number of keys of a transaction in one region from which on a lock
// is not resolved by itself, but with all others that the transaction left in the
// region (client-go, bigTxnThreshold): to meet them one by one costs a round trip
// each, and to look for them a scan of the region's locks.
const wideFrom = 16

// resolutions are locks to remove, a resolution for each transaction.
type resolutions []resolution

func (rs *resolutions) add(lock *kvrpcpb.LockInfo, status txnStatus) {
	pessimistic := lock.LockType == kvrpcpb.Op_PessimisticLock
	wide := !pessimistic && lock.TxnSize >= wideFrom
	i := slices.IndexFunc(*rs, func(r resolution) bool {
		return r.startTS == lock.LockVersion && r.pessimistic == pessimistic && r.wide == wide
	})
	if i < 0 {
		i = len(*rs)
		*rs = append(*rs, resolution{startTS: lock.LockVersion, commitTS: status.commitTS, pessimistic: pessimistic, wide: wide})
	}
	(*rs)[i].keys = append((*rs)[i].keys, lock.Key)
}

// resolve removes locks of transactions that have ended: they become commit
// records of the ones that committed and rollbacks of the others.
func (c *Client) resolve(t env.Task, b *backoff, rs resolutions) error {
	for _, r := range rs {
		slices.SortFunc(r.keys, bytes.Compare)
		if r.pessimistic {
			if err := c.unlock(t, b, r.keys, r.startTS, codec.MaxTS); err != nil {
				return err
			}
			continue
		}
		for len(r.keys) > 0 {
			n, err := c.resolvePart(t, b, r)
			if err != nil {
				return err
			}
			r.keys = r.keys[n:]
		}
	}
	return nil
}

// resolvePart removes the locks in the region of the first key and returns how
// many of the keys those were on. A region that is resolved as a whole is so once,
// however many of the keys it holds; not once for all, since a prewrite that was on
// its way may lock another key after that.
func (c *Client) resolvePart(t env.Task, b *backoff, res resolution) (int, error) {
	ctx := &kvrpcpb.Context{}
	resp := &kvrpcpb.ResolveLockResponse{}
	bound := codec.EncodeBytes(res.keys[0])
	for {
		r, err := c.locate(t, b, bound)
		if err != nil {
			return 0, err
		}
		n := 1
		for n < len(res.keys) && r.endsAfter(codec.EncodeBytes(res.keys[n])) {
			n++
		}
		req := &kvrpcpb.ResolveLockRequest{
			Context: ctx, StartVersion: res.startTS, CommitVersion: res.commitTS,
		}
		if !res.wide {
			req.Keys = res.keys[:n]
		}
		v := c.attempt(t, b, r, call{rpc.KvResolveLock, ctx, req, resp})
		// This says that there is neither lock nor commit record.
		invariant.Check(resp.Error.GetRetryable() == "" || res.commitTS == 0,
			"client: transaction %d is committed at %d, but one of its keys is rolled back: %s",
			res.startTS, res.commitTS, resp.Error.GetRetryable())
		if v.fate == answered && resp.Error != nil {
			return 0, fmt.Errorf("resolve locks of transaction %d: %w", res.startTS, keyError(resp.Error))
		}
		if v.fate == answered {
			if markResolvedWide.Sometimes(res.wide) {
				markResolvedOnce.Sometimes(n > 1)
			}
			return n, nil
		}
		if err := b.pause(t, v); err != nil {
			return 0, err
		}
	}
}
