package placement

import (
	"slices"
	"time"

	"github.com/pingcap/kvproto/pkg/metapb"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
)

//nolint:gochecknoglobals // marks register once
var (
	markUnprepared = invariant.NewMark("placement: balancing waits until most regions are heard of")
	markNoTarget   = invariant.NewMark("placement: no store can take a replica")
	markStoreLimit = invariant.NewMark("placement: store has as many peers under way as it may")
	markJudged     = invariant.NewMark("placement: round left out, for it would find nothing to do, as the last one")
)

// spareIDs is how many ids of peers are taken before deciding, so that deciding
// needs no waiting: what was decided is still true when it is begun.
const spareIDs = 16

// schedule looks at all regions now and then, as long as the leadership lasts.
func (l *leadership) schedule(t env.Task) {
	s := &scheduler{l: l, rand: l.s.env.Streams.Stream("placement scheduling")}
	for !l.ended {
		t.Sleep(l.s.cfg.Scheduling.Interval)
		if l.ended || !s.reserve(t) {
			continue
		}
		s.round(l.s.env.Clock.Monotonic())
	}
}

// scheduler makes operators. The checkers look at one region each, for what is
// wrong with it; after them the schedulers look at all, for what could be better.
type scheduler struct {
	l    *leadership
	rand env.Rand
	ids  []uint64 // for new peers
	// slow is the store whose leaders are evicted because it is slow, 0 if none is.
	slow uint64
	// judged is the situation in which the last round found nothing to do, nil if it did.
	judged *situation

	// The rest is of one round.
	now    time.Duration
	stores []*storeLoad // by id
	// later: some region will be judged otherwise when time has passed.
	later bool
}

// reserve sees to it that there are spare ids, and that nobody was given higher
// ones since. A store takes the peer with the higher id for the later one, and what
// was removed from it for earlier than what is to come: a peer with an id from long
// ago would never come to life where a later one has been.
func (s *scheduler) reserve(t env.Task) bool {
	if len(s.ids) >= spareIDs/2 && s.l.ids.isLast(s.ids[len(s.ids)-1]) {
		return true
	}
	s.ids = s.ids[:0]
	first, err := s.l.takeIDs(t, spareIDs)
	if err != nil {
		return false
	}
	for i := range uint64(spareIDs) {
		s.ids = append(s.ids, first+i)
	}
	return !s.l.ended
}

// round is one look at everything.
func (s *scheduler) round(now time.Duration) {
	s.now = now
	s.l.operators.tend(now)
	s.l.operators.ask(now)
	s.l.bury()
	cfg := &s.l.s.cfg.Scheduling
	before := s.situation()
	if !cfg.everyRound && markJudged.Sometimes(before.equal(s.judged)) {
		return
	}
	s.judged, s.later = nil, false
	ids, slow := len(s.ids), s.slow
	s.judge()
	begun := s.l.operators.changes != before.operators
	if !begun && !s.later && len(s.ids) == ids && s.slow == slow {
		s.judged = before
	}
}

// judge looks at all regions and begins what has to be done.
func (s *scheduler) judge() {
	s.weigh()
	cfg := &s.l.s.cfg.Scheduling
	for _, r := range s.l.regions.byStart {
		if s.free(cfg.OperatorLimit) && s.ready(r) {
			s.begin(s.check(r))
		}
	}
	half := (cfg.OperatorLimit + 1) / 2
	if !s.prepared() {
		markUnprepared.Reached()
		return
	}
	for _, next := range []func() *operator{s.evictLeader, s.balanceLeader, s.balanceRegion, s.merge} {
		for s.free(half) && s.begin(next()) {
		}
	}
}

// free reports whether another operator may begin.
func (s *scheduler) free(limit int) bool { return len(s.l.operators.running) < limit }

// ready reports whether enough is known of a region to decide about it, and
// nothing is under way.
func (s *scheduler) ready(r *regionInfo) bool {
	return r.heard && r.leader != nil && !s.l.operators.busy(r.meta.Id)
}

// prepared reports whether this leadership has heard of most regions: with less,
// all stores that are slow to report would seem empty (PD,
// server/cluster/prepare_checker.go).
func (s *scheduler) prepared() bool {
	heard := 0
	for _, r := range s.l.regions.byStart {
		if r.heard {
			heard++
		}
	}
	return 5*heard >= 4*len(s.l.regions.byStart)
}

// begin starts an operator, if there is one.
func (s *scheduler) begin(op *operator) bool {
	if op == nil {
		return false
	}
	s.l.operators.begin(op, s.now)
	s.weigh()
	return true
}

// newPeer returns a peer for a store with an id that nobody else has.
func (s *scheduler) newPeer(store uint64) *metapb.Peer {
	id := s.ids[0]
	s.ids = s.ids[1:]
	return &metapb.Peer{Id: id, StoreId: store}
}

// spare reports whether there are ids left for new peers in this round.
func (s *scheduler) spare() bool { return len(s.ids) > 0 }

// storeLoad is what a store carries, and will carry when what is under way is
// done.
type storeLoad struct {
	id   uint64
	info *storeInfo
	// target: it may get peers and leaders.
	target bool
	// leaders and regions are its scores: the number of leaders, each of which costs
	// the same in heartbeats and elections, and the weight of regions.
	leaders, regions int64
	moving           int // peers that it is about to get or to give away
}

// weigh computes the loads of all stores.
func (s *scheduler) weigh() {
	s.stores = s.stores[:0]
	for _, id := range s.l.stores.ids() {
		info := s.l.stores.stores[id]
		s.stores = append(s.stores, &storeLoad{id: id, info: info, target: s.l.stores.usable(info, s.now)})
	}
	for _, r := range s.l.regions.byStart {
		for _, p := range r.meta.Peers {
			s.add(p.StoreId, 0, s.weight(r), 0)
		}
		op := s.l.operators.running[r.meta.Id]
		leader := r.leader.GetStoreId()
		if op != nil && op.region == r.meta.Id {
			for _, store := range op.adds(r) {
				s.add(store, 0, s.weight(r), 1)
			}
			for _, store := range op.removes(r) {
				s.add(store, 0, -s.weight(r), 1)
			}
			if to := op.leads(); to != 0 {
				leader = to
			}
		}
		s.add(leader, 1, 0, 0)
	}
}

func (s *scheduler) add(store uint64, leaders, regions int64, moving int) {
	if l := s.load(store); l != nil {
		l.leaders += leaders
		l.regions += regions
		l.moving += moving
	}
}

// load returns the load of a store, nil if it is not known.
func (s *scheduler) load(store uint64) *storeLoad {
	i, found := slices.BinarySearchFunc(s.stores, store, func(l *storeLoad, id uint64) int {
		switch {
		case l.id < id:
			return -1
		case l.id > id:
			return 1
		}
		return 0
	})
	if !found {
		return nil
	}
	return s.stores[i]
}

// weight is what a region counts on a store: one, or its size in KiB.
func (s *scheduler) weight(r *regionInfo) int64 {
	if s.l.s.cfg.Scheduling.BySize {
		return 1 + int64(r.size>>10)
	}
	return 1
}

// isTarget reports whether a store may get peers and leaders.
func (s *scheduler) isTarget(store uint64) bool {
	l := s.load(store)
	return l != nil && l.target
}

// mayMove reports whether a store may get or give away one more peer.
func (s *scheduler) mayMove(l *storeLoad) bool {
	return !markStoreLimit.Sometimes(l.moving >= s.l.s.cfg.Scheduling.StoreLimit)
}

// home returns the store with the lowest score that can take a peer of a region,
// nil if there is none.
func (s *scheduler) home(r *regionInfo) (best *storeLoad) {
	for _, l := range s.stores {
		if l.target && l.id != s.slow && peerOn(r.meta, l.id) == nil && s.mayMove(l) && s.spare() &&
			(best == nil || l.regions < best.regions) {
			best = l
		}
	}
	markNoTarget.Sometimes(best == nil)
	return best
}

// heir returns the store with the lowest score that can lead a region, other than
// the one that does, nil if there is none.
func (s *scheduler) heir(r *regionInfo) (best *storeLoad, peer *metapb.Peer) {
	for _, p := range r.voters() {
		l := s.load(p.StoreId)
		if l != nil && l.target && l.id != s.slow && p.Id != r.leader.Id && !r.isPending(p.Id) && (best == nil || l.leaders < best.leaders) {
			best, peer = l, p
		}
	}
	return best, peer
}
