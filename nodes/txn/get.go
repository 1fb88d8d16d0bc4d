package txn

import (
	"errors"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/codec"
	"simrun/nodes/env"
	"simrun/nodes/mvcc"
)

// Get reads one key as of a timestamp.
func (s *Scheduler) Get(t env.Task, req *kvrpcpb.GetRequest) *kvrpcpb.GetResponse {
	key := codec.EncodeBytes(req.Key)
	resp := &kvrpcpb.GetResponse{}
	resp.Error, resp.RegionError = s.readAt(t, req.Context, req.Version, key, nextKey(key), func(snapshot Snapshot) error {
		if regionErr := checkInRegion(snapshot.Region(), key, key); regionErr != nil {
			return &regionError{regionErr}
		}
		opts := mvcc.ReadOptions{TS: req.Version, Bypass: req.Context.GetResolvedLocks(), SkipPrimary: true}
		if err := s.memory.check(key, opts); err != nil {
			return err
		}
		r := mvcc.NewReader(snapshot, key, key)
		defer r.Close()
		value, err := r.Get(key, opts)
		resp.Value, resp.NotFound = value.Data, err == nil && value.Data == nil
		if req.NeedCommitTs {
			resp.CommitTs = value.CommitTS
		}
		return err
	})
	return resp
}

// BatchGet reads several keys as of one timestamp. Absent keys are left out of
// the answer; a key that is locked carries its error.
func (s *Scheduler) BatchGet(t env.Task, req *kvrpcpb.BatchGetRequest) *kvrpcpb.BatchGetResponse {
	resp := &kvrpcpb.BatchGetResponse{}
	if len(req.Keys) == 0 {
		return resp
	}
	keys := encodeKeys(req.Keys)
	first, last := bounds(keys)
	resp.Error, resp.RegionError = s.readAt(t, req.Context, req.Version, first, nextKey(last), func(snapshot Snapshot) error {
		if regionErr := checkInRegion(snapshot.Region(), first, last); regionErr != nil {
			return &regionError{regionErr}
		}
		r := mvcc.NewReader(snapshot, first, last)
		defer r.Close()
		opts := mvcc.ReadOptions{TS: req.Version, Bypass: req.Context.GetResolvedLocks()}
		for i, key := range keys {
			var value mvcc.Value
			err := s.memory.check(key, opts)
			if err == nil {
				value, err = r.Get(key, opts)
			}
			pair, err := pairOf(req.Keys[i], value, err, req.NeedCommitTs)
			if err != nil {
				return err
			}
			if pair != nil {
				resp.Pairs = append(resp.Pairs, pair)
			}
		}
		return nil
	})
	if resp.Error != nil || resp.RegionError != nil {
		resp.Pairs = nil
	}
	return resp
}

// pairOf makes the result for one key of several: nil if it is absent.
func pairOf(key []byte, value mvcc.Value, err error, needCommitTS bool) (*kvrpcpb.KvPair, error) {
	var locked *mvcc.LockedError
	switch {
	case errors.As(err, &locked):
		return &kvrpcpb.KvPair{Key: key, Error: &kvrpcpb.KeyError{Locked: lockInfo(locked.Key, locked.Lock)}}, nil
	case err != nil || value.Data == nil:
		return nil, err
	}
	pair := &kvrpcpb.KvPair{Key: key, Value: value.Data}
	if needCommitTS {
		pair.CommitTs = value.CommitTS
	}
	return pair, nil
}
