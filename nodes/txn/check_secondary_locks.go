package txn

import (
	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/env"
	"simrun/nodes/mvcc"
)

// checkSecondaryLocks looks at secondary keys of an async-commit transaction. If
// all of them are locked the transaction is committed; one that is not keeps it
// from ever being so.
type checkSecondaryLocks struct {
	req  *kvrpcpb.CheckSecondaryLocksRequest
	keys [][]byte
	resp kvrpcpb.CheckSecondaryLocksResponse
}

// CheckSecondaryLocks returns the locks of a transaction on the given keys. If
// one of them is committed it returns the commit timestamp instead, and if one is
// neither locked nor committed, nothing: then the transaction is rolled back, and
// a prewrite of that key that is still under way will find it so.
func (s *Scheduler) CheckSecondaryLocks(t env.Task, req *kvrpcpb.CheckSecondaryLocksRequest) *kvrpcpb.CheckSecondaryLocksResponse {
	s.raiseMaxTS(req.StartVersion)
	c := &checkSecondaryLocks{req: req, keys: encodeKeys(req.Keys)}
	o := s.runAbove(t, req.Context, inquired(req.Keys[0]), req.StartVersion, c.keys, c.process)
	switch {
	case o.unknown:
		return nil
	case o.region != nil || o.key != nil:
		return &kvrpcpb.CheckSecondaryLocksResponse{RegionError: o.region, Error: o.key}
	default:
		return &c.resp
	}
}

func (c *checkSecondaryLocks) process(snapshot Snapshot, b *batch) error {
	if hasDuplicates(c.keys) {
		return abort("check of a secondary key twice")
	}
	first, last := bounds(c.keys)
	r := mvcc.NewReader(snapshot, first, last)
	defer r.Close()
	for i, key := range c.keys {
		lock, err := r.LoadLock(key)
		if err != nil {
			return err
		}
		own := lock != nil && lock.StartTS == c.req.StartVersion
		if own && lock.Type != mvcc.LockPessimistic {
			c.resp.Locks = append(c.resp.Locks, lockInfo(c.req.Keys[i], lock))
			continue
		}
		if own {
			// It was locked by a statement and never prewritten.
			markSecondaryPessimistic.Reached()
			b.deleteLock(key)
			lock = nil
		}
		c.resp.Locks = nil
		return c.missing(r, b, key, lock)
	}
	return nil
}

// missing handles a key without a prewritten lock of the transaction: it decides.
func (c *checkSecondaryLocks) missing(r *mvcc.Reader, b *batch, key []byte, other *mvcc.Lock) error {
	rec, err := r.CommitRecord(key, c.req.StartVersion)
	switch {
	case err != nil:
		return err
	case rec.Fate == mvcc.FateCommitted:
		markSecondaryCommitted.Reached()
		c.resp.CommitTs = rec.CommitTS
		return nil
	case rec.Fate == mvcc.FateRolledBack:
		markSecondaryRolledBack.Reached()
		return nil
	default:
		markSecondaryMissing.Reached()
		return rollbackMissing(r, b, key, c.req.StartVersion, other, rec)
	}
}
