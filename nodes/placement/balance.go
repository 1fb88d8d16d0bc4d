package placement

import (
	"cmp"
	"slices"

	"github.com/pingcap/kvproto/pkg/metapb"

	"simrun/nodes/invariant"
)

//nolint:gochecknoglobals // marks register once
var (
	markEvictOffline   = invariant.NewMark("placement: leader evicted from a store that is being emptied")
	markEvictSlow      = invariant.NewMark("placement: leader evicted from a slow store")
	markSlow           = invariant.NewMark("placement: store found to be slow")
	markRecovered      = invariant.NewMark("placement: slow store has recovered")
	markBalanceLeader  = invariant.NewMark("placement: leader moved to a store with fewer")
	markBalanceRegion  = invariant.NewMark("placement: peer moved to a store with fewer")
	markBalanceBlocked = invariant.NewMark("placement: stores differ, but nothing can be moved between them")
	markMerge          = invariant.NewMark("placement: merge of two small regions begun")
	markMergeUnknown   = invariant.NewMark("placement: region not merged, for its size is not known")
	markMergePrepared  = invariant.NewMark("placement: region that is to be merged waits for its neighbour")
)

// The scores are whole numbers, and what is moved from a store to another never
// makes the second one the heavier: the sum of the squares of all scores goes
// down with every move, so that balancing comes to an end, and a balanced cluster
// is left alone.

// worthwhile reports whether a move of some weight leaves the source no lighter
// than the target, by more than what is tolerated.
func (s *scheduler) worthwhile(source, target, weight int64) bool {
	return source-target >= 2*weight+int64(s.l.s.cfg.Scheduling.Tolerance)
}

// whole reports whether a region has all its replicas, and none that lags behind:
// what is not is for the checkers.
func (s *scheduler) whole(r *regionInfo) bool {
	return s.ready(r) && len(r.pending) == 0 && !r.inJoint() &&
		len(r.meta.Peers) == s.l.s.cfg.Scheduling.Replicas && len(r.voters()) == len(r.meta.Peers) &&
		!slices.ContainsFunc(r.meta.Peers, s.isLost)
}

// evictLeader takes one leader away from a store that is being emptied or slow.
func (s *scheduler) evictLeader() *operator {
	s.findSlow()
	for _, r := range s.l.regions.byStart {
		if !s.ready(r) || r.inJoint() {
			continue
		}
		l := s.load(r.leader.StoreId)
		offline := l != nil && l.info.meta.State == metapb.StoreState_Offline
		if !offline && (l == nil || l.id != s.slow) {
			continue
		}
		if _, heir := s.heir(r); heir != nil {
			markEvictOffline.Sometimes(offline)
			markEvictSlow.Sometimes(!offline)
			return newOperator(EvictLeader, r, transferLeader{to: heir})
		}
	}
	return nil
}

// Scores of slowness, as stores report them: 1 is a healthy one, slowScoreMax a
// store that hardly works.
const (
	slowScoreMax       = 100
	slowScoreRecovered = 1
)

// findSlow looks which store is slow: one whose score is the highest possible,
// until it has recovered altogether. If there are several it is none: all cannot
// be relieved, and the reason is elsewhere (PD,
// server/schedule/schedulers/evict_slow_store.go).
func (s *scheduler) findSlow() {
	if !s.l.s.cfg.Scheduling.EvictSlow {
		return
	}
	var slow []uint64
	for _, l := range s.stores {
		score := l.info.stats.GetSlowScore()
		if l.target && (score >= slowScoreMax || l.id == s.slow && score > slowScoreRecovered) {
			slow = append(slow, l.id)
		}
	}
	before := s.slow
	s.slow = 0
	if len(slow) == 1 {
		s.slow = slow[0]
	}
	markSlow.Sometimes(s.slow != 0 && s.slow != before)
	markRecovered.Sometimes(before != 0 && s.slow == 0)
}

// balanceLeader moves the leader whose store leads most compared with another
// voter's.
func (s *scheduler) balanceLeader() *operator {
	if !s.l.s.cfg.Scheduling.BalanceLeaders {
		return nil
	}
	var best []*operator
	most := int64(0)
	for _, r := range s.l.regions.byStart {
		if !s.whole(r) {
			continue
		}
		source := s.load(r.leader.StoreId)
		target, heir := s.heir(r)
		if target == nil || !s.worthwhile(source.leaders, target.leaders, 1) {
			continue
		}
		difference := source.leaders - target.leaders
		if difference > most {
			best, most = best[:0], difference
		}
		if difference == most {
			best = append(best, newOperator(BalanceLeader, r, transferLeader{to: heir}))
		}
	}
	markBalanceLeader.Sometimes(len(best) > 0)
	return s.anyOf(best)
}

// anyOf draws one of the operators, nil if there is none.
func (s *scheduler) anyOf(list []*operator) *operator {
	if len(list) == 0 {
		return nil
	}
	return list[s.rand.IntN(len(list))]
}

// balanceRegion moves a peer from one of the heaviest stores to one of the
// lightest.
func (s *scheduler) balanceRegion() *operator {
	if !s.l.s.cfg.Scheduling.BalanceRegions || !s.spare() {
		return nil
	}
	order := slices.Clone(s.stores)
	slices.SortStableFunc(order, func(a, b *storeLoad) int { return cmp.Compare(b.regions, a.regions) })
	for _, source := range order {
		if !s.l.stores.keeps(source.info, s.now) || !s.mayMove(source) {
			continue
		}
		for _, target := range slices.Backward(order) {
			if !target.target || target.id == s.slow || !s.worthwhile(source.regions, target.regions, 1) || !s.mayMove(target) {
				continue
			}
			if op := s.moveBetween(source, target); op != nil {
				markBalanceRegion.Reached()
				return op
			}
			markBalanceBlocked.Reached()
		}
	}
	return nil
}

// moveBetween moves one peer from a store to another, nil if no region's can be.
// It draws among the regions, lest it always be the first ones that move.
func (s *scheduler) moveBetween(source, target *storeLoad) *operator {
	var movable []*regionInfo
	for _, r := range s.l.regions.byStart {
		if s.whole(r) && peerOn(r.meta, source.id) != nil && peerOn(r.meta, target.id) == nil &&
			s.worthwhile(source.regions, target.regions, s.weight(r)) {
			movable = append(movable, r)
		}
	}
	if len(movable) == 0 {
		return nil
	}
	r := movable[s.rand.IntN(len(movable))]
	return newOperator(BalanceRegion, r, moveSteps(peerOn(r.meta, source.id), s.newPeer(target.id), false)...)
}

// merge joins two neighbours that are small. The one whose peers have to move is
// the one that is absorbed.
func (s *scheduler) merge() *operator {
	regions := s.l.regions.byStart
	for i := 1; i < len(regions); i++ {
		left, right := regions[i-1], regions[i]
		if !s.small(left) || !s.small(right) || !left.beyond(right.start()) || string(left.end()) != string(right.start()) {
			continue
		}
		steps, ok := s.align(right, left)
		if !ok {
			continue
		}
		markMerge.Reached()
		op := newOperator(MergeRegions, right, append(steps, mergeRegion{target: left.meta, version: right.version()})...)
		op.absorbing = left.meta.Id
		return op
	}
	return nil
}

// small reports whether a region may be merged: one whose size is not known may
// not.
func (s *scheduler) small(r *regionInfo) bool {
	cfg := &s.l.s.cfg.Scheduling
	switch {
	case !cfg.merges(), markMergeUnknown.Sometimes(r.heard && !r.measured):
		return false
	case cfg.MergeSize > 0 && r.size > cfg.MergeSize, cfg.MergeKeys > 0 && r.keys > cfg.MergeKeys:
		return false
	}
	if !s.whole(r) {
		return false
	}
	young := r.reshaped != 0 && s.now-r.reshaped < cfg.MergeDelay
	s.later = s.later || young
	return !young
}

// align returns the steps that move the peers of a region to the stores of
// another one: only regions with equal members can be merged.
func (s *scheduler) align(r, with *regionInfo) (steps []step, ok bool) {
	var leaving []*metapb.Peer
	for _, p := range r.meta.Peers {
		if peerOn(with.meta, p.StoreId) == nil {
			leaving = append(leaving, p)
		}
	}
	for _, q := range with.meta.Peers {
		if peerOn(r.meta, q.StoreId) != nil {
			continue
		}
		target := s.load(q.StoreId)
		if len(leaving) == 0 || target == nil || !target.target || !s.mayMove(target) || !s.spare() {
			return nil, false
		}
		steps = append(steps, moveSteps(leaving[0], s.newPeer(q.StoreId), false)...)
		leaving = leaving[1:]
	}
	return steps, len(leaving) == 0
}
