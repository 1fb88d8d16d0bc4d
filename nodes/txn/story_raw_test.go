package txn

import (
	"fmt"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/env"
)

func (s *story) rawGet(t env.Task) string {
	r := s.sched.RawBatchGet(t, &kvrpcpb.RawBatchGetRequest{Context: s.ctx(), Keys: s.keys(), Cf: s.str("cf", "")})
	if r.RegionError != nil {
		return formatRegionError(r.RegionError)
	}
	if len(s.words()) == 1 && s.str("cf", "") == "" {
		one := s.sched.RawGet(t, &kvrpcpb.RawGetRequest{Context: s.ctx(), Key: s.keys()[0]})
		if one.NotFound != (len(r.Pairs) == 0) || !one.NotFound && string(one.Value) != string(r.Pairs[0].Value) {
			return fmt.Sprintf("get and batch get differ: %v, %v\n", one, r)
		}
	}
	return formatPairs(r.Pairs)
}

func (s *story) rawPut(t env.Task) string {
	words := s.words()
	if len(words) == 2 {
		r := s.sched.RawPut(t, &kvrpcpb.RawPutRequest{
			Context: s.ctx(), Key: []byte(words[0]), Value: value(words[1]), Ttl: s.num("ttl", 0),
		})
		return rawResult(r == nil, func() string { return r.Error }, func() string { return result(r.RegionError, nil, "ok") })
	}
	req := &kvrpcpb.RawBatchPutRequest{Context: s.ctx()}
	for i := 0; i < len(words); i += 2 {
		req.Pairs = append(req.Pairs, &kvrpcpb.KvPair{Key: []byte(words[i]), Value: value(words[i+1])})
	}
	r := s.sched.RawBatchPut(t, req)
	return rawResult(r == nil, func() string { return r.Error }, func() string { return result(r.RegionError, nil, "ok") })
}

func rawResult(silent bool, failure, ok func() string) string {
	switch {
	case silent:
		return "no answer\n"
	case failure() != "":
		return failure() + "\n"
	default:
		return ok()
	}
}

func (s *story) rawDelete(t env.Task) string {
	if keys := s.keys(); len(keys) == 1 {
		r := s.sched.RawDelete(t, &kvrpcpb.RawDeleteRequest{Context: s.ctx(), Key: keys[0]})
		return result(r.RegionError, nil, "ok")
	}
	r := s.sched.RawBatchDelete(t, &kvrpcpb.RawBatchDeleteRequest{Context: s.ctx(), Keys: s.keys()})
	return result(r.RegionError, nil, "ok")
}

func (s *story) rawScan(t env.Task) string {
	r := s.sched.RawScan(t, &kvrpcpb.RawScanRequest{
		Context: s.ctx(), StartKey: []byte(s.str("from", "")), EndKey: []byte(s.str("to", "")),
		Limit: uint32(s.num("limit", 100)), Reverse: s.HasArg("reverse"),
	})
	if r.RegionError != nil {
		return formatRegionError(r.RegionError)
	}
	return formatPairs(r.Kvs)
}

func (s *story) rawCompareAndSwap(t env.Task) string {
	words := s.words()
	req := &kvrpcpb.RawCASRequest{Context: s.ctx(), Key: []byte(words[0]), Value: value(words[1])}
	if previous := s.str("previous", "absent"); previous == "absent" {
		req.PreviousNotExist = true
	} else {
		req.PreviousValue = []byte(previous)
	}
	r := s.sched.RawCompareAndSwap(t, req)
	switch {
	case r == nil:
		return "no answer\n"
	case r.RegionError != nil:
		return formatRegionError(r.RegionError)
	case r.PreviousNotExist:
		return fmt.Sprintf("swapped=%v, was absent\n", r.Succeed)
	default:
		return fmt.Sprintf("swapped=%v, was %q\n", r.Succeed, r.PreviousValue)
	}
}
