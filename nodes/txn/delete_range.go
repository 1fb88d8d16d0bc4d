package txn

import (
	"bytes"
	"fmt"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/kvproto/pkg/raft_cmdpb"

	"simrun/nodes/engine"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/nodes/mvcc"
)

//nolint:gochecknoglobals // marks register once
var markRangeAlive = invariant.NewMark("txn: delete of a range refused, it holds what is not below the safe point")

// DeleteRange removes all records of the keys from StartKey to EndKey, end
// excluded, which must lie in one region: those of a table whose drop was committed
// below the safe point, so that nobody reads or locks them any more. The request
// says nothing of that, and to be wrong about it loses data for good. So the store
// looks: it has settled a safe point, and the range has no lock, and no record at
// that point or after it. Nothing comes in between, for the range is claimed (ranges).
// (TiKV's delete_range takes no latches and believes what it is told.) A table that
// lives and was not written for long looks the same: that it was dropped only the
// caller knows.
func (s *Scheduler) DeleteRange(t env.Task, req *kvrpcpb.DeleteRangeRequest) *kvrpcpb.DeleteRangeResponse {
	start, end := encodeBound(req.StartKey), encodeBound(req.EndKey)
	if len(start) == 0 || len(end) == 0 {
		return &kvrpcpb.DeleteRangeResponse{Error: "delete of a range without bounds"}
	}
	o := s.runRange(t, req.Context, keyRange{start, end}, func(snapshot Snapshot, b *batch) error {
		if region := snapshot.Region(); len(region.EndKey) > 0 && bytes.Compare(end, region.EndKey) > 0 {
			return &regionError{keyNotInRegion(region, end)}
		}
		if err := s.checkDead(snapshot, start, end); err != nil {
			return err
		}
		for _, cf := range [...]engine.CF{engine.Lock, engine.Write, engine.Default} {
			b.add(&raft_cmdpb.Request{CmdType: raft_cmdpb.CmdType_DeleteRange, DeleteRange: &raft_cmdpb.DeleteRangeRequest{
				Cf: cf.String(), StartKey: start, EndKey: end,
			}})
		}
		return nil
	})
	if o.unknown {
		return nil
	}
	resp := &kvrpcpb.DeleteRangeResponse{RegionError: o.region}
	if o.key != nil {
		resp.Error = o.key.Abort
	}
	return resp
}

// checkDead makes sure that nobody uses the keys from start to end any more.
func (s *Scheduler) checkDead(snapshot Snapshot, start, end []byte) error {
	p := &s.safe
	if err := p.checkKnown(); err != nil {
		return err
	}
	live, err := mvcc.FirstLive(snapshot, start, end, p.Settled)
	if err != nil {
		return fmt.Errorf("delete a range: %w", err)
	}
	if markRangeAlive.Sometimes(live != nil) {
		return abort("delete of a range: key %q has a lock, or a record that is not below the safe point %d", decoded(live), p.Settled)
	}
	return nil
}
