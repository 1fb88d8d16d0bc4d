package client

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/nodes/rpc"
)

//nolint:gochecknoglobals // marks register once
var (
	markUndetermined    = invariant.NewMark("client: commit of unknown outcome")
	markCommitLost      = invariant.NewMark("client: commit of the primary not answered")
	markCommitRetried   = invariant.NewMark("client: commit of the primary sent again after no answer")
	markCommitTSExpired = invariant.NewMark("client: commit timestamp pushed by a reader, took a new one")
	markCommitChecked   = invariant.NewMark("client: primary asked for the fate of our own transaction")
	markCommitFound     = invariant.NewMark("client: unanswered commit found to have succeeded")
	markCommitTooOld    = invariant.NewMark("client: commit refused, the transaction is older than what is settled")
	markCommitRolled    = invariant.NewMark("client: our own transaction found rolled back")
	markSecondaryLost   = invariant.NewMark("client: secondary left to those who meet its lock")
)

// commitPrimary commits the primary, and with it the keys that share its
// request. It returns how many those are.
//
// Once an attempt is not answered, only the primary itself can tell what became
// of the transaction: neither a refusal of a later attempt nor the end of our
// patience says anything about the earlier one.
func (x *committer) commitPrimary(t env.Task) (int, error) {
	c, b := x.client, &x.backoff
	ctx := &kvrpcpb.Context{}
	resp := &kvrpcpb.CommitResponse{}
	req := &kvrpcpb.CommitRequest{Context: ctx, StartVersion: x.startTS}
	for {
		r, err := c.locate(t, b, x.bounds[0])
		if err != nil {
			return 0, x.giveUp(err)
		}
		n := x.reach(r, span{0, len(x.keys)})
		req.Keys, req.CommitVersion = x.keys[:n], x.commitTS
		markCommitRetried.Sometimes(x.unaccounted != nil)
		x.rounds++
		v := c.attempt(t, b, r, call{rpc.KvCommit, ctx, req, resp})
		switch {
		case v.fate == answered && resp.Error == nil:
			x.checkCommitTS(resp.CommitVersion)
			return n, nil
		case v.fate == answered:
			committed, err := x.onCommitError(t, resp.Error)
			if err != nil {
				return 0, err
			}
			if committed {
				return 1, nil // what else went with the attempt that succeeded is not known
			}
			continue
		case v.fate == lost:
			markCommitLost.Reached()
			x.unaccounted = v.err
		}
		if err := b.pause(t, v); err != nil {
			return 0, x.giveUp(err)
		}
	}
}

// giveUp returns the outcome of a commit that cannot go on because of err.
func (x *committer) giveUp(err error) error {
	if x.unaccounted != nil {
		return undetermined("commit", fmt.Errorf("%w; before: %w", err, x.unaccounted))
	}
	return failed("commit", err)
}

// onCommitError deals with an attempt to commit the primary that was executed
// in vain. It returns whether the transaction is committed nevertheless; if it
// is not and there is no error, the commit is to be repeated.
func (x *committer) onCommitError(t env.Task, ke *kvrpcpb.KeyError) (committed bool, err error) {
	if ke.CommitTsExpired != nil && bytes.Equal(ke.CommitTsExpired.Key, x.primary()) {
		return false, x.renewCommitTS(t, ke.CommitTsExpired)
	}
	if markCommitTooOld.Sometimes(ke.Abort != "" && x.unaccounted == nil) {
		// The store knows nothing of the transaction any more, and nobody else commits its
		// primary: neither this attempt nor an earlier one has, and none is under way.
		return false, failed("commit", keyError(ke))
	}
	if ke.TxnNotFound == nil && ke.Retryable == "" {
		// Not the answer of a primary that has no lock of ours. What this attempt
		// has done is as uncertain as if it had not been answered.
		x.unaccounted = keyError(ke)
	}
	// There is no lock: the transaction was rolled back, or an earlier attempt
	// of ours has committed it and the record is what we should have been told of.
	// Only the status tells, and asking for it makes it final.
	markCommitChecked.Reached()
	inq := inquiry{now: x.commitTS}
	status, err := x.client.checkTxnStatus(t, &x.backoff, x.primary(), x.startTS, &inq, true)
	switch {
	case errors.Is(err, ErrDeadline):
		return false, x.giveUp(err)
	case err != nil || !status.ended:
		if err == nil {
			err = keyError(ke)
		}
		if err = x.backoff.wait(t, causeRejected, 0, err); err != nil {
			return false, x.giveUp(err)
		}
		return false, nil
	case status.commitTS != 0:
		markCommitFound.Reached()
		x.checkCommitTS(status.commitTS)
		return true, nil
	}
	markCommitRolled.Reached()
	return false, failed("commit", fmt.Errorf("%w: %w", ErrRolledBack, keyError(ke)))
}

// checkCommitTS makes sure that the transaction was committed at the timestamp
// of which others were told. Every earlier one was refused for good.
func (x *committer) checkCommitTS(ts uint64) {
	invariant.Check(ts == x.commitTS, "client: transaction %d is committed at %d, but was to commit at %d", x.startTS, ts, x.commitTS)
}

// renewCommitTS takes a new commit timestamp after the store has refused the
// old one. The refusal shows that the primary is still locked, and that its
// lock admits none of the timestamps tried so far: no earlier attempt has
// committed it, and none that is still under way can.
func (x *committer) renewCommitTS(t env.Task, expired *kvrpcpb.CommitTsExpired) error {
	markCommitTSExpired.Reached()
	x.unaccounted = nil
	if err := x.takeCommitTS(t); err != nil {
		return failed("commit", err)
	}
	if x.commitTS < expired.MinCommitTs {
		// The reader that pushed it read in the future.
		if err := x.backoff.wait(t, causeRejected, 0, errors.New("minimal commit timestamp is in the future")); err != nil {
			return failed("commit", err)
		}
	}
	return nil
}

// commitSecondaries commits the keys from the n-th on in the background: the
// transaction is committed, and whoever meets their locks finds that out.
func (x *committer) commitSecondaries(n int) {
	if n == len(x.keys) {
		return
	}
	x.client.inBackground("commit secondaries", func(t env.Task, b *backoff) {
		parts, err := x.requests(t, b, span{n, len(x.keys)})
		if err != nil {
			markSecondaryLost.Reached()
			return
		}
		x.client.inParallel(t, "commit secondaries", len(parts), func(t env.Task, i int) {
			b := b.fork()
			ke, err := x.forEachRequest(t, &b, parts[i], x.commitRequest)
			// This says that there is neither lock nor commit record.
			invariant.Check(ke.GetRetryable() == "", "client: transaction %d is committed at %d, but one of its keys is rolled back: %s",
				x.startTS, x.commitTS, ke.GetRetryable())
			markSecondaryLost.Sometimes(err != nil || ke != nil)
		})
	})
}

func (x *committer) commitRequest(s span) (call, func() *kvrpcpb.KeyError) {
	ctx := &kvrpcpb.Context{}
	resp := &kvrpcpb.CommitResponse{}
	req := &kvrpcpb.CommitRequest{Context: ctx, StartVersion: x.startTS, CommitVersion: x.commitTS, Keys: x.keys[s.lo:s.hi]}
	return call{rpc.KvCommit, ctx, req, resp}, resp.GetError
}

// forEachRequest sends the requests that build makes for the keys of s, until
// all are answered or one is with a key error.
func (x *committer) forEachRequest(
	t env.Task, b *backoff, s span, build func(s span) (call, func() *kvrpcpb.KeyError),
) (*kvrpcpb.KeyError, error) {
	for s.lo < s.hi {
		r, err := x.client.locate(t, b, x.bounds[s.lo])
		if err != nil {
			return nil, err
		}
		now := span{s.lo, x.reach(r, s)}
		req, keyErr := build(now)
		v := x.client.attempt(t, b, r, req)
		if v.fate != answered {
			if err := b.pause(t, v); err != nil {
				return nil, err
			}
			continue
		}
		if ke := keyErr(); ke != nil {
			return ke, nil
		}
		s.lo = now.hi
	}
	return nil, nil
}
