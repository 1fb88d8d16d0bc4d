package txn

import (
	"bytes"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/engine"
	"simrun/nodes/env"
)

// RawCompareAndSwap writes one key if it has the expected value. The latches
// keep it apart from all other writes to the key, which therefore take them
// too.
func (s *Scheduler) RawCompareAndSwap(t env.Task, req *kvrpcpb.RawCASRequest) *kvrpcpb.RawCASResponse {
	resp := &kvrpcpb.RawCASResponse{Error: checkRaw(req.Cf, req.Ttl)}
	if resp.Error != "" {
		return resp
	}
	o := s.run(t, req.Context, [][]byte{req.Key}, func(snapshot Snapshot, b *batch) error {
		previous, err := snapshot.Get(engine.Default, req.Key)
		if err != nil {
			return err
		}
		resp.PreviousValue, resp.PreviousNotExist = previous, previous == nil
		if req.PreviousNotExist {
			resp.Succeed = previous == nil
		} else {
			resp.Succeed = previous != nil && bytes.Equal(previous, req.PreviousValue)
		}
		if resp.Succeed {
			b.put(engine.Default, req.Key, req.Value)
		} else {
			markCasFailed.Reached()
		}
		return nil
	})
	switch {
	case o.unknown:
		return nil
	case o.region != nil:
		return &kvrpcpb.RawCASResponse{RegionError: o.region}
	default:
		return resp
	}
}
