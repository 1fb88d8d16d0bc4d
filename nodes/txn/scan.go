package txn

import (
	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/codec"
	"simrun/nodes/env"
	"simrun/nodes/mvcc"
)

// encodeBound encodes a bound of a range; an empty one stays empty: no bound.
func encodeBound(key []byte) []byte {
	if len(key) == 0 {
		return nil
	}
	return codec.EncodeBytes(key)
}

// orNil turns an empty bound into the nil that iterators take for none.
func orNil(bound []byte) []byte {
	if len(bound) == 0 {
		return nil
	}
	return bound
}

// Scan reads up to Limit keys of a range as of one timestamp, in ascending
// order from StartKey, or in descending order from below StartKey if Reverse is
// set. It ends at the region's border: the client goes on in the next region. A
// key that is locked carries its error in the place of its value, and counts.
func (s *Scheduler) Scan(t env.Task, req *kvrpcpb.ScanRequest) *kvrpcpb.ScanResponse {
	resp := &kvrpcpb.ScanResponse{}
	from, to := encodeBound(req.StartKey), encodeBound(req.EndKey)
	if req.Reverse {
		from, to = to, from
	}
	resp.Error, resp.RegionError = s.readAt(t, req.Context, req.Version, from, to, func(snapshot Snapshot) error {
		lower, upper, regionErr := scanRange(snapshot.Region(), from, to, req.Reverse)
		if regionErr != nil {
			return &regionError{regionErr}
		}
		opts := mvcc.ReadOptions{TS: req.Version, Bypass: req.Context.GetResolvedLocks()}
		err := s.memory.checkRange(lower, upper, func(key []byte, lock *mvcc.Lock) bool { return lock.Blocks(key, opts) })
		if err != nil {
			return err
		}
		resp.Pairs, err = scanPairs(snapshot, int(req.Limit), mvcc.ScanOptions{
			ReadOptions: opts, Lower: lower, Upper: upper, Reverse: req.Reverse,
		})
		return err
	})
	if resp.Error != nil || resp.RegionError != nil {
		resp.Pairs = nil
	}
	return resp
}

func scanPairs(snapshot Snapshot, limit int, opts mvcc.ScanOptions) ([]*kvrpcpb.KvPair, error) {
	scanner, err := mvcc.NewScanner(snapshot, opts)
	if err != nil {
		return nil, err
	}
	defer scanner.Close()
	var pairs []*kvrpcpb.KvPair
	for len(pairs) < limit {
		p, ok, err := scanner.Next()
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		pair := &kvrpcpb.KvPair{Key: p.Key, Value: p.Data}
		if p.Lock != nil {
			pair.Error = &kvrpcpb.KeyError{Locked: lockInfo(p.Key, p.Lock)}
		}
		pairs = append(pairs, pair)
	}
	return pairs, nil
}

// ScanLock returns the locks of transactions that started at or before
// MaxVersion. A Limit of zero is no limit.
func (s *Scheduler) ScanLock(t env.Task, req *kvrpcpb.ScanLockRequest) *kvrpcpb.ScanLockResponse {
	s.raiseMaxTS(req.MaxVersion)
	resp := &kvrpcpb.ScanLockResponse{}
	resp.Error, resp.RegionError = s.read(t, req.Context, func(snapshot Snapshot) error {
		lower, upper, regionErr := scanRange(snapshot.Region(), encodeBound(req.StartKey), encodeBound(req.EndKey), false)
		if regionErr != nil {
			return &regionError{regionErr}
		}
		// A lock that is only in memory may be applied below MaxVersion yet.
		err := s.memory.checkRange(lower, upper, func(_ []byte, lock *mvcc.Lock) bool { return lock.StartTS <= req.MaxVersion })
		if err != nil {
			return err
		}
		return mvcc.ScanLocks(snapshot, lower, upper, func(key []byte, lock *mvcc.Lock) bool {
			if lock.StartTS <= req.MaxVersion {
				resp.Locks = append(resp.Locks, lockInfo(decoded(key), lock))
			}
			return req.Limit == 0 || len(resp.Locks) < int(req.Limit)
		})
	})
	if resp.RegionError != nil || resp.Error != nil {
		resp.Locks = nil
	}
	return resp
}
