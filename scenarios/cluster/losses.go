package cluster

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pingcap/kvproto/pkg/metapb"
)

// loss is a disk that was lost, and what was on it.
type loss struct {
	at      int64
	node    string
	storeID uint64
	regions []*metapb.Region // of which it had a replica with data
}

// lose notes that a store is losing its disk.
func (c *Cluster) lose(s *store) {
	l := loss{at: c.World.Now(), node: s.node.Name(), storeID: s.id}
	if s.server != nil {
		for _, r := range s.server.Regions() {
			if len(r.Region.Peers) > 0 {
				l.regions = append(l.regions, r.Region)
			}
		}
	}
	c.losses = append(c.losses, l)
	c.regionPromises.ledger.Lost(l.node)
}

// isLost reports whether the disk of the store that had this identity was lost.
func (c *Cluster) isLost(storeID uint64) bool { return c.lossAt(storeID) >= 0 }

// lossAt returns the position in losses of that of a store, negative if there is none.
func (c *Cluster) lossAt(storeID uint64) int {
	return slices.IndexFunc(c.losses, func(l loss) bool { return l.storeID == storeID })
}

// lossOf returns how a member was lost, nil if it was not.
func (c *Cluster) lossOf(p *metapb.Peer) *loss {
	i := c.lossAt(p.StoreId)
	if i < 0 {
		return nil
	}
	return &c.losses[i]
}

// beyondRecovery reports whether the lost disks have taken a region: its newest
// configuration has no quorum of members that have their data, and would have
// one with the members whose disks were lost. What else keeps a region from
// serving is not excused by a loss.
func (c *Cluster) beyondRecovery(v *regionView) bool {
	alive := votesOf(v.newest, v.alive)
	whole := votesOf(v.newest, func(p *metapb.Peer) bool { return v.alive(p) || c.lossOf(p) != nil })
	return !alive.quorum() && whole.quorum()
}

// describeLoss tells when which members of a region were lost.
func (c *Cluster) describeLoss(v *regionView) string {
	var lost []string
	for _, p := range v.newest.Peers {
		if l := c.lossOf(p); l != nil {
			lost = append(lost, fmt.Sprintf("peer %d with the disk of %s at %v", p.Id, l.node, time.Duration(l.at)))
		}
	}
	n := votesOf(v.newest, v.alive)
	return fmt.Sprintf("%s; of %s %s left, which is no quorum", strings.Join(lost, ", "), voters(n.had), are(n.have))
}

// voters counts the voters of a configuration in words.
func voters(n [2]int) string {
	if n[0] == n[1] {
		return fmt.Sprintf("%d voters", n[0])
	}
	return fmt.Sprintf("%d incoming and %d outgoing voters", n[0], n[1])
}

func are(n [2]int) string {
	switch {
	case n[0] != n[1]:
		return fmt.Sprintf("%d and %d are", n[0], n[1])
	case n[0] == 1:
		return "1 is"
	}
	return fmt.Sprintf("%d are", n[0])
}
