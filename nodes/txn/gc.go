package txn

import (
	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/nodes/mvcc"
)

//nolint:gochecknoglobals // marks register once
var (
	markGCRemoved = invariant.NewMark("txn: garbage of a key collected")
	markGCPartial = invariant.NewMark("txn: garbage of a key left to the next proposal")
)

// gcBatch is how many records one proposal of garbage collection removes, and how
// many keys it latches, at most.
const gcBatch = 128

// GC removes from a region what no read at or above SafePoint sees. It goes
// through the log like any other write, under the latches of the keys, so that
// replicas stay equal and no reader meets half of it (TiKV up to version 4; a
// filter in each store's own compaction, as in later ones, needs the fence of a
// record whose overlapped rollback is lost). If it fails on the way it has done a
// part; it may be asked for again and again.
func (s *Scheduler) GC(t env.Task, req *kvrpcpb.GCRequest) *kvrpcpb.GCResponse {
	c := &collection{s: s, ctx: req.Context, safePoint: req.SafePoint}
	for {
		keys, err := c.next(t)
		if err != nil {
			resp := &kvrpcpb.GCResponse{}
			resp.Error, resp.RegionError = splitError(err)
			return resp
		}
		if len(keys) == 0 {
			return &kvrpcpb.GCResponse{}
		}
		o := s.run(t, req.Context, keys, c.process)
		if o.unknown {
			return nil
		}
		if o.region != nil || o.key != nil {
			return &kvrpcpb.GCResponse{RegionError: o.region, Error: o.key}
		}
	}
}

// collection is one GC under way.
type collection struct {
	s         *Scheduler
	ctx       *kvrpcpb.Context
	safePoint uint64
	keys      [][]byte // that the present proposal is about
}

// next returns keys with garbage, none if there are none left. What it sees may
// be out of date; process looks again.
func (c *collection) next(t env.Task) ([][]byte, error) {
	if err := c.allowed(); err != nil {
		return nil, err
	}
	c.keys = nil
	key, region := c.s.read(t, c.ctx, func(snapshot Snapshot) error {
		region := snapshot.Region()
		return mvcc.KeysWithGarbage(snapshot, orNil(region.StartKey), orNil(region.EndKey), c.safePoint, func(key []byte) bool {
			c.keys = append(c.keys, key)
			return len(c.keys) < gcBatch
		})
	})
	switch {
	case region != nil:
		return nil, &regionError{region}
	case key != nil:
		return nil, &keyError{pb: *key}
	}
	return c.keys, nil
}

// allowed makes sure that this store, too, has settled the safe point. Whoever
// asks has made sure that all have.
func (c *collection) allowed() error {
	p := &c.s.safe
	if err := p.checkKnown(); err != nil {
		return err
	}
	if c.safePoint > p.Settled {
		return abort("garbage collection below %d, and only %d is settled", c.safePoint, p.Settled)
	}
	return nil
}

func (c *collection) process(snapshot Snapshot, b *batch) error {
	first, last := bounds(c.keys)
	r := mvcc.NewReader(snapshot, first, last)
	defer r.Close()
	for _, key := range c.keys {
		lock, err := r.LoadLock(key)
		if err != nil {
			return err
		}
		invariant.Check(lock == nil || lock.StartTS >= c.safePoint,
			"txn: key %x is locked by transaction %v, below the safe point %d", key, lock, c.safePoint)
		garbage, err := r.Garbage(key, c.safePoint)
		if err != nil {
			return err
		}
		for _, g := range garbage {
			if markGCPartial.Sometimes(len(b.reqs) >= gcBatch) {
				return nil
			}
			b.deleteWrite(key, g.CommitTS)
			if g.Long {
				b.deleteValue(key, g.StartTS)
			}
		}
		markGCRemoved.Sometimes(len(garbage) > 0)
	}
	return nil
}
