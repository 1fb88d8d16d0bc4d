package placement

import (
	"slices"

	"github.com/pingcap/kvproto/pkg/metapb"
)

// situation is all that a round's decisions depend on but time. In the situation in which
// a round has begun nothing, used nothing up and put nothing off, the next one would do the
// same; so it is left out. Else a thousand regions that sleep would cost in every round what
// they cost in use.
//
// (PD goes over its regions in small portions, server/cluster/coordinator.go, patrolRegions:
// with more regions it does not cost more but takes longer.)
type situation struct {
	regions, operators uint64 // their changes
	stores             []storeSituation
}

// storeSituation is what is made of a store.
type storeSituation struct {
	id            uint64
	state         metapb.StoreState
	usable, keeps bool
	slowness      uint64
}

// situation returns what it is now.
func (s *scheduler) situation() *situation {
	now := &situation{regions: s.l.regions.changes, operators: s.l.operators.changes}
	for _, id := range s.l.stores.ids() {
		info := s.l.stores.stores[id]
		now.stores = append(now.stores, storeSituation{
			id, info.meta.State, s.l.stores.usable(info, s.now), s.l.stores.keeps(info, s.now), info.stats.GetSlowScore(),
		})
	}
	return now
}

// equal compares situations of one leadership; nil is equal to none.
func (a *situation) equal(b *situation) bool {
	return b != nil && a.regions == b.regions && a.operators == b.operators && slices.Equal(a.stores, b.stores)
}
