package txn

import (
	"bytes"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/engine"
	"simrun/nodes/env"
)

// The raw interface has no transactions and no versions: each command is atomic
// and linearizable by itself. Raw keys are stored as they are, in the default
// column family; a key space is used either raw or by transactions, never both.

// checkRaw returns what is wrong with the options of a raw request, or "".
func checkRaw(cf string, ttl uint64) string {
	switch {
	case cf != "" && cf != engine.Default.String():
		return "raw access to column family " + cf + " is not supported"
	case ttl != 0:
		return "ttl is not supported"
	default:
		return ""
	}
}

// RawGet reads one key.
func (s *Scheduler) RawGet(t env.Task, req *kvrpcpb.RawGetRequest) *kvrpcpb.RawGetResponse {
	resp := &kvrpcpb.RawGetResponse{Error: checkRaw(req.Cf, 0)}
	if resp.Error != "" {
		return resp
	}
	_, resp.RegionError = s.read(t, req.Context, func(snapshot Snapshot) (err error) {
		if regionErr := checkInRegion(snapshot.Region(), req.Key, req.Key); regionErr != nil {
			return &regionError{regionErr}
		}
		resp.Value, err = snapshot.Get(engine.Default, req.Key)
		resp.NotFound = err == nil && resp.Value == nil
		return err
	})
	return resp
}

// RawBatchGet reads several keys at one instant. Absent keys are left out.
func (s *Scheduler) RawBatchGet(t env.Task, req *kvrpcpb.RawBatchGetRequest) *kvrpcpb.RawBatchGetResponse {
	resp := &kvrpcpb.RawBatchGetResponse{}
	if len(req.Keys) == 0 {
		return resp
	}
	if msg := checkRaw(req.Cf, 0); msg != "" {
		resp.Pairs = []*kvrpcpb.KvPair{{Error: &kvrpcpb.KeyError{Abort: msg}}}
		return resp
	}
	_, resp.RegionError = s.read(t, req.Context, func(snapshot Snapshot) error {
		first, last := bounds(req.Keys)
		if regionErr := checkInRegion(snapshot.Region(), first, last); regionErr != nil {
			return &regionError{regionErr}
		}
		for _, key := range req.Keys {
			value, err := snapshot.Get(engine.Default, key)
			if err != nil {
				return err
			}
			if value != nil {
				resp.Pairs = append(resp.Pairs, &kvrpcpb.KvPair{Key: key, Value: value})
			}
		}
		return nil
	})
	if resp.RegionError != nil {
		resp.Pairs = nil
	}
	return resp
}

// RawScan reads up to Limit keys of a range at one instant, ascending from
// StartKey, or descending from below StartKey if Reverse is set. It ends at the
// region's border.
func (s *Scheduler) RawScan(t env.Task, req *kvrpcpb.RawScanRequest) *kvrpcpb.RawScanResponse {
	resp := &kvrpcpb.RawScanResponse{}
	if msg := checkRaw(req.Cf, 0); msg != "" {
		resp.Kvs = []*kvrpcpb.KvPair{{Error: &kvrpcpb.KeyError{Abort: msg}}}
		return resp
	}
	_, resp.RegionError = s.read(t, req.Context, func(snapshot Snapshot) error {
		lower, upper := req.StartKey, req.EndKey
		if req.Reverse {
			lower, upper = upper, lower
		}
		lower, upper, regionErr := scanRange(snapshot.Region(), lower, upper, req.Reverse)
		if regionErr != nil {
			return &regionError{regionErr}
		}
		var err error
		resp.Kvs, err = rawPairs(snapshot, engine.IterOptions{Lower: lower, Upper: upper}, req)
		return err
	})
	return resp
}

func rawPairs(snapshot Snapshot, opts engine.IterOptions, req *kvrpcpb.RawScanRequest) ([]*kvrpcpb.KvPair, error) {
	it, err := snapshot.NewIter(engine.Default, opts)
	if err != nil {
		return nil, err
	}
	defer it.Close()
	if req.Reverse {
		it.Last()
	} else {
		it.First()
	}
	var pairs []*kvrpcpb.KvPair
	for len(pairs) < int(req.Limit) && it.Valid() {
		pairs = append(pairs, &kvrpcpb.KvPair{Key: bytes.Clone(it.Key()), Value: bytes.Clone(it.Value())})
		if req.Reverse {
			it.Prev()
		} else {
			it.Next()
		}
	}
	return pairs, it.Error()
}

// RawPut writes one key.
func (s *Scheduler) RawPut(t env.Task, req *kvrpcpb.RawPutRequest) *kvrpcpb.RawPutResponse {
	if msg := checkRaw(req.Cf, req.Ttl); msg != "" {
		return &kvrpcpb.RawPutResponse{Error: msg}
	}
	var b batch
	b.put(engine.Default, req.Key, req.Value)
	o := s.runBlind(t, req.Context, [][]byte{req.Key}, &b)
	if o.unknown {
		return nil
	}
	return &kvrpcpb.RawPutResponse{RegionError: o.region}
}

// RawBatchPut writes several keys of one region at one instant.
func (s *Scheduler) RawBatchPut(t env.Task, req *kvrpcpb.RawBatchPutRequest) *kvrpcpb.RawBatchPutResponse {
	if msg := checkRaw(req.Cf, req.Ttl); msg != "" {
		return &kvrpcpb.RawBatchPutResponse{Error: msg}
	}
	if len(req.Ttls) > 0 {
		return &kvrpcpb.RawBatchPutResponse{Error: checkRaw(req.Cf, 1)}
	}
	if len(req.Pairs) == 0 {
		return &kvrpcpb.RawBatchPutResponse{}
	}
	var b batch
	keys := make([][]byte, len(req.Pairs))
	for i, pair := range req.Pairs {
		keys[i] = pair.Key
		b.put(engine.Default, pair.Key, pair.Value)
	}
	o := s.runBlind(t, req.Context, keys, &b)
	if o.unknown {
		return nil
	}
	return &kvrpcpb.RawBatchPutResponse{RegionError: o.region}
}

// RawDelete removes one key.
func (s *Scheduler) RawDelete(t env.Task, req *kvrpcpb.RawDeleteRequest) *kvrpcpb.RawDeleteResponse {
	if msg := checkRaw(req.Cf, 0); msg != "" {
		return &kvrpcpb.RawDeleteResponse{Error: msg}
	}
	var b batch
	b.delete(engine.Default, req.Key)
	o := s.runBlind(t, req.Context, [][]byte{req.Key}, &b)
	if o.unknown {
		return nil
	}
	return &kvrpcpb.RawDeleteResponse{RegionError: o.region}
}

// RawBatchDelete removes several keys of one region at one instant.
func (s *Scheduler) RawBatchDelete(t env.Task, req *kvrpcpb.RawBatchDeleteRequest) *kvrpcpb.RawBatchDeleteResponse {
	if msg := checkRaw(req.Cf, 0); msg != "" {
		return &kvrpcpb.RawBatchDeleteResponse{Error: msg}
	}
	if len(req.Keys) == 0 {
		return &kvrpcpb.RawBatchDeleteResponse{}
	}
	var b batch
	for _, key := range req.Keys {
		b.delete(engine.Default, key)
	}
	o := s.runBlind(t, req.Context, req.Keys, &b)
	if o.unknown {
		return nil
	}
	return &kvrpcpb.RawBatchDeleteResponse{RegionError: o.region}
}
