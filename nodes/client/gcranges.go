package client

import (
	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/nodes/rpc"
)

// DroppedRange is a range of keys, End excluded, that nothing refers to any more,
// such as those of a table that was dropped.
type DroppedRange struct {
	ID         int64 // tells it from others
	Start, End []byte
}

// DroppedRanges is who knows which ranges of keys were dropped. The client knows
// nothing of tables.
//
// To remove a range loses data for good if somebody still uses it, and no store
// could tell: a table that nobody has written for long looks like one that was
// dropped. So who implements this promises of each range that Dropped returns:
// what refers to it was removed by a transaction that committed at the safe point
// or before it; who sees that, in the snapshot that it reads, neither reads nor
// writes the range, and nothing will ever refer to it again. The collector adds
// what it has done when it asks, and together that is enough:
//
//   - No reader: who reads at the safe point or later sees the removal, and every
//     store refuses to read below.
//   - No writer: who writes the range does not see the removal, and so began below
//     the safe point. Every store refuses its locks since it closed the safe point,
//     those that it had were resolved, and no store decides it any more. So what is
//     not there when the range is removed never comes.
//   - What such a writer has committed may have a timestamp above the safe point.
//     A store finds that, and refuses; a later safe point is above it.
type DroppedRanges interface {
	// Dropped returns what was dropped at the safe point or before it and is not Done.
	Dropped(t env.Task, safePoint uint64) ([]DroppedRange, error)
	// Done says that a range was removed in all regions. It does no harm to say so
	// twice, or to be wrong about an error: the range will be returned again.
	Done(t env.Task, r DroppedRange, safePoint uint64) error
}

//nolint:gochecknoglobals // marks register once
var (
	markRangeDeleted  = invariant.NewMark("client: dropped range deleted")
	markRangeRegions  = invariant.NewMark("client: dropped range deleted in several regions")
	markRangeRepeated = invariant.NewMark("client: region of a dropped range changed, the request for it repeated")
	markRangeInUse    = invariant.NewMark("client: dropped range left to a later safe point")
)

// deleteDropped removes the keys of all ranges that were dropped up to the safe
// point, which every store has settled. It comes before the collection of garbage,
// which then has less to do.
func (g *Collector) deleteDropped(t env.Task, b *backoff, safePoint uint64) error {
	if g.cfg.Dropped == nil {
		return nil
	}
	ranges, err := g.cfg.Dropped.Dropped(t, safePoint)
	if err != nil {
		return err
	}
	for _, r := range ranges {
		switch deleted, err := g.deleteRange(t, b, r); {
		case err != nil:
			return err
		case markRangeInUse.Sometimes(!deleted):
			continue
		}
		markRangeDeleted.Reached()
		if err := g.cfg.Dropped.Done(t, r, safePoint); err != nil {
			return err
		}
	}
	return nil
}

// deleteRange removes the keys of a range in one region after the other. It returns
// false if a store has refused, because the range holds what is not below its safe
// point; then a part may be gone.
func (g *Collector) deleteRange(t env.Task, b *backoff, r DroppedRange) (deleted bool, err error) {
	deleted = true
	regions, requests := 0, 0
	err = g.eachPart(t, b, r.Start, r.End, func(p part) error {
		requests++
		ctx := &kvrpcpb.Context{}
		resp := &kvrpcpb.DeleteRangeResponse{}
		req := &kvrpcpb.DeleteRangeRequest{Context: ctx, StartKey: p.lo, EndKey: p.hi}
		if asked := g.ask(t, b, p, call{rpc.KvDeleteRange, ctx, req, resp}); asked != nil {
			return asked
		}
		deleted = deleted && resp.Error == ""
		regions++
		return nil
	})
	markRangeRegions.Sometimes(err == nil && deleted && regions > 1)
	markRangeRepeated.Sometimes(err == nil && requests > regions)
	return deleted && err == nil, err
}
