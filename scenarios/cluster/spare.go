package cluster

import (
	"slices"

	"simrun/nodes/invariant"
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
		if c.dispensable(s) {
			names = append(names, s.node.Name())
		}
	}
	return names
}

// changing reports whether the administrator is at a change of members, or a log holds
// one that is not applied.
func (c *Cluster) changing() bool {
	return c.admin.changes > 0 || slices.ContainsFunc(c.present(), func(s *store) bool { return s.server == nil || s.server.Changing() })
}
