package client

import (
	"bytes"
	"slices"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/nodes/rpc"
)

//nolint:gochecknoglobals // marks register once
var (
	markRecovered      = invariant.NewMark("client: async-commit transaction found committed by its locks")
	markRecoveredKey   = invariant.NewMark("client: async-commit transaction found committed at a secondary key")
	markRecoveredAbort = invariant.NewMark("client: async-commit transaction rolled back, a secondary key had no lock")
	markForcedSync     = invariant.NewMark("client: transaction that fell back from async commit decided at its primary")
)

// recovery is what the secondary keys of an async-commit transaction say.
type recovery struct {
	minTS    uint64 // the greatest of their minimal commit timestamps
	commitTS uint64 // one is committed
	missing  bool   // one is not locked, and cannot be any more
	sync     bool   // one is locked for two phases
}

// recoverAsync decides a transaction whose client has not been heard of for the
// TTL of its primary lock: it is committed if all its keys are locked. To ask a
// key that is not locked keeps it from being so, so that the answer is final.
func (c *Client) recoverAsync(t env.Task, b *backoff, primary *kvrpcpb.LockInfo, inq *inquiry) (txnStatus, error) {
	rec := recovery{minTS: primary.MinCommitTs}
	keys := slices.Clone(primary.Secondaries)
	slices.SortFunc(keys, bytes.Compare)
	for len(keys) > 0 && !rec.decided() {
		n, err := c.checkSecondaries(t, b, keys, primary.LockVersion, &rec)
		if err != nil {
			return txnStatus{}, err
		}
		keys = keys[n:]
	}
	switch {
	case rec.commitTS != 0:
		markRecoveredKey.Reached()
	case rec.missing:
		markRecoveredAbort.Reached()
	case rec.sync:
		markForcedSync.Reached()
		inq.forceSync = true
		defer func() { inq.forceSync = false }()
		return c.checkTxnStatus(t, b, primary.PrimaryLock, primary.LockVersion, inq, true)
	default:
		markRecovered.Reached()
		rec.commitTS = rec.minTS
	}
	c.statuses.add(primary.LockVersion, rec.commitTS)
	status := txnStatus{ended: true, commitTS: rec.commitTS}
	c.finishAsync(primary, status)
	return status, nil
}

// decided reports whether the keys that were not asked make no difference.
func (rec *recovery) decided() bool { return rec.commitTS != 0 || rec.missing || rec.sync }

// finishAsync resolves all keys of a transaction in the background: whoever met
// another one would have to ask all of them again.
func (c *Client) finishAsync(primary *kvrpcpb.LockInfo, status txnStatus) {
	var all resolutions
	all.add(primary, status)
	all[0].keys = append(all[0].keys, primary.Secondaries...)
	all[0].wide = false // every key is known
	c.inBackground("resolve async commit", func(t env.Task, b *backoff) {
		// What fails is left to the next one who meets the lock.
		_ = c.resolve(t, b, all)
	})
}

// checkSecondaries asks the region of the first key about those of the sorted
// keys that it holds, and returns how many those are.
func (c *Client) checkSecondaries(t env.Task, b *backoff, keys [][]byte, startTS uint64, rec *recovery) (int, error) {
	ctx := &kvrpcpb.Context{}
	resp := &kvrpcpb.CheckSecondaryLocksResponse{}
	for {
		r, err := c.locate(t, b, txnBounds(keys[0]))
		if err != nil {
			return 0, err
		}
		n := 1
		for n < len(keys) && r.endsAfter(txnBounds(keys[n])) {
			n++
		}
		req := &kvrpcpb.CheckSecondaryLocksRequest{Context: ctx, Keys: keys[:n], StartVersion: startTS}
		v := c.attempt(t, b, r, call{rpc.KvCheckSecondaryLocks, ctx, req, resp})
		if v.fate != answered {
			if err := b.pause(t, v); err != nil {
				return 0, err
			}
			continue
		}
		if resp.Error != nil {
			return 0, statusError(resp.Error)
		}
		rec.note(resp, n)
		return n, nil
	}
}

// note takes the answer about n keys into account.
func (rec *recovery) note(resp *kvrpcpb.CheckSecondaryLocksResponse, n int) {
	if len(resp.Locks) < n {
		rec.commitTS, rec.missing = resp.CommitTs, resp.CommitTs == 0
		return
	}
	for _, lock := range resp.Locks {
		rec.sync = rec.sync || !lock.UseAsyncCommit
		rec.minTS = max(rec.minTS, lock.MinCommitTs)
	}
}
