package cluster

import (
	"slices"

	"github.com/pingcap/kvproto/pkg/metapb"

	"simrun/nodes/invariant"
	"simrun/nodes/raftstore"
)

//nolint:gochecknoglobals // marks register once
var markSpareLater = invariant.NewMark("cluster: no store can be spared, members are about to change")

// Spare returns the names of the stores of which any one, but not two, may be away now:
// whatever becomes of it, every region keeps a quorum, and so can serve. The placement
// driver keeps its own, for it has machines of its own.
//
// No store can be spared while members are about to change: the administrator takes
// those away that he was told to, and may leave a region with two, of which he needs both.
func (c *Cluster) Spare() (names []string) {
	if markSpareLater.Sometimes(c.changing()) {
		return nil
	}
	for _, s := range c.stores {
		if c.dispensable(s) && !c.growsOn(s) {
			names = append(names, s.node.Name())
		}
	}
	return names
}

// growsOn reports whether a region is about to need a store.
func (c *Cluster) growsOn(s *store) bool {
	return slices.ContainsFunc(c.present(), func(other *store) bool {
		return slices.ContainsFunc(other.server.Regions(), func(r raftstore.RegionInfo) bool { return growing(r.Region, s.id) })
	})
}

// growing reports whether a region that has less than three voters has a peer on a store
// that is no voter yet. The placement driver is about to make it one, and then the region
// cannot do without that store.
func growing(r *metapb.Region, storeID uint64) bool {
	voters := votesOf(r, func(*metapb.Peer) bool { return true }).had
	p := view{status: raftstore.RegionInfo{Region: r}}.on(storeID)
	return p != nil && p.Role != metapb.PeerRole_Voter && max(voters[0], voters[1]) < 3
}

// changing reports whether the administrator is at a change of members, or a log holds
// one that is not applied.
func (c *Cluster) changing() bool {
	return c.admin.changes > 0 || slices.ContainsFunc(c.present(), func(s *store) bool { return s.server == nil || s.server.Changing() })
}
