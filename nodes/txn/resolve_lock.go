package txn

import (
	"bytes"
	"maps"
	"slices"

	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/env"
	"simrun/nodes/mvcc"
)

// resolveBatch is how many locks a region-wide ResolveLock finishes with one
// proposal.
const resolveBatch = 256

// ResolveLock finishes transactions whose fate is decided: it commits or rolls
// back their locks, on the given keys or in the whole region. The caller has
// learnt the fate at the primary.
func (s *Scheduler) ResolveLock(t env.Task, req *kvrpcpb.ResolveLockRequest) *kvrpcpb.ResolveLockResponse {
	var o outcome
	if req.CommitVersion == 0 {
		s.raiseMaxTS(req.StartVersion)
	}
	for _, info := range req.TxnInfos {
		if info.Status == 0 {
			s.raiseMaxTS(info.Txn)
		}
	}
	if len(req.Keys) > 0 {
		o = s.resolveKeys(t, req)
	} else {
		o = s.resolveRegion(t, req)
	}
	if o.unknown {
		return nil
	}
	return &kvrpcpb.ResolveLockResponse{RegionError: o.region, Error: o.key}
}

// resolveKeys resolves the locks of one transaction on the keys of the request.
func (s *Scheduler) resolveKeys(t env.Task, req *kvrpcpb.ResolveLockRequest) outcome {
	keys := encodeKeys(req.Keys)
	if hasDuplicates(keys) {
		return outcome{key: &kvrpcpb.KeyError{Abort: "resolve of a key twice"}}
	}
	return s.runAbove(t, req.Context, known, req.StartVersion, keys, func(snapshot Snapshot, b *batch) error {
		if s.safe.isGone(req.StartVersion) {
			return nil
		}
		if req.CommitVersion == 0 {
			return rollbackKeys(snapshot, b, keys, req.StartVersion)
		}
		first, last := bounds(keys)
		r := mvcc.NewReader(snapshot, first, last)
		defer r.Close()
		for _, key := range keys {
			if _, err := commitKey(r, b, key, req.StartVersion, req.CommitVersion); err != nil {
				return err
			}
		}
		return nil
	})
}

// resolveRegion resolves all locks of the region that belong to a transaction of
// the request, in batches.
func (s *Scheduler) resolveRegion(t env.Task, req *kvrpcpb.ResolveLockRequest) outcome {
	fates := fatesOf(req)
	oldest := slices.Sorted(maps.Keys(fates))[0]
	var from []byte
	for {
		// The batch is found on a confirmed snapshot, so that finding none is an
		// answer, and outside the latches, since the keys are not known before.
		keys, regionErr := s.findLocks(t, req.Context, from, fates)
		if regionErr != nil {
			return outcome{region: regionErr}
		}
		if len(keys) == 0 {
			return outcome{}
		}
		o := s.runAbove(t, req.Context, known, oldest, keys, func(snapshot Snapshot, b *batch) error {
			maps.DeleteFunc(fates, func(startTS, _ uint64) bool { return s.safe.isGone(startTS) })
			return resolveFound(snapshot, b, keys, fates)
		})
		if o.unknown || o.region != nil || o.key != nil || len(keys) < resolveBatch {
			return o
		}
		markResolveBatches.Reached()
		from = append(bytes.Clone(keys[len(keys)-1]), 0)
	}
}

// fatesOf returns the commit timestamps by start timestamp, zero for a
// transaction that is rolled back.
func fatesOf(req *kvrpcpb.ResolveLockRequest) map[uint64]uint64 {
	fates := make(map[uint64]uint64, len(req.TxnInfos)+1)
	for _, info := range req.TxnInfos {
		fates[info.Txn] = info.Status
	}
	if len(req.TxnInfos) == 0 {
		fates[req.StartVersion] = req.CommitVersion
	}
	return fates
}

// findLocks returns the next keys from the encoded key from on that are locked
// by one of the transactions.
func (s *Scheduler) findLocks(t env.Task, ctx *kvrpcpb.Context, from []byte, fates map[uint64]uint64) ([][]byte, *errorpb.Error) {
	var keys [][]byte
	_, regionErr := s.read(t, ctx, func(snapshot Snapshot) error {
		lower, upper := from, snapshot.Region().EndKey
		if bytes.Compare(lower, snapshot.Region().StartKey) < 0 {
			lower = snapshot.Region().StartKey
		}
		return mvcc.ScanLocks(snapshot, orNil(lower), orNil(upper), func(key []byte, lock *mvcc.Lock) bool {
			if _, ok := fates[lock.StartTS]; ok {
				keys = append(keys, key)
			}
			return len(keys) < resolveBatch
		})
	})
	return keys, regionErr
}

// resolveFound resolves the locks that are still there: others may have been
// faster.
func resolveFound(snapshot Snapshot, b *batch, keys [][]byte, fates map[uint64]uint64) error {
	first, last := bounds(keys)
	r := mvcc.NewReader(snapshot, first, last)
	defer r.Close()
	for _, key := range keys {
		lock, err := r.LoadLock(key)
		if err != nil {
			return err
		}
		if lock == nil {
			continue
		}
		commitTS, ok := fates[lock.StartTS]
		switch {
		case !ok:
		case commitTS == 0:
			err = rollbackLock(r, b, key, lock, false)
		default:
			_, err = commitKey(r, b, key, lock.StartTS, commitTS)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
