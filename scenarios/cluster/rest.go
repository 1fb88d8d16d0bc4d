package cluster

import (
	"fmt"
	"maps"
	"slices"

	"github.com/pingcap/kvproto/pkg/metapb"

	"simrun/checker"
	"simrun/checker/state"
	"simrun/nodes/raftstore"
)

// Quiet reports whether nothing moves any more: every region has one leader, all
// its replicas have applied the same index, and the placement driver has heard
// of it all. The first call starts the clock of waiting (awaited): the merges that
// are judged begin a while after it, and operators are told of that have ended since.
func (c *Cluster) Quiet() bool {
	c.await()
	return c.Unrest() == ""
}

// Unrest tells what still moves, or waits; "" if nothing does. It keeps the clock
// of rest (resting), which says how long the placement driver has had to think things
// over: a look that finds replicas changing, or something that the placement driver has
// under way, sets it back, and the next one that does not starts it. A look that is only
// meant to tell people moves it too.
func (c *Cluster) Unrest() string {
	if c.mourned() {
		return "a region has a member on a store that is lost"
	}
	groups, text := c.groups()
	if text == "" {
		text = groups.unrest(changing)
	}
	if text == "" {
		text = c.schedulingUnrest()
	}
	if text != "" {
		c.resting = 0
		return text
	}
	if c.resting == 0 {
		c.resting = c.World.Now()
	}
	if text := groups.unrest(applying); text != "" {
		return text // of garbage that is collected, say; the rest is waited for meanwhile
	}
	if text := c.snapshotUnrest(); text != "" {
		return text
	}
	rested := c.World.Now() - c.resting
	if rested < c.deliberation() {
		return "the placement driver may have something in mind"
	}
	listing, ok := c.listing()
	if !ok {
		return "no placement member serves"
	}
	d := state.Directory(listing, c.storeNames(), c.replicas())
	if rested > c.reportLimit() {
		return "" // what is wrong now is found by CheckState
	}
	if len(d.Findings) > 0 {
		return "the placement driver has not heard all: " + d.Findings[0].Message
	}
	if placed := c.placed(c.replicas()); len(placed.Findings) > 0 {
		return "the placement driver has not done all: " + placed.Findings[0].Message
	}
	return ""
}

// placed judges how the replicas are distributed, if the placement driver is to
// see to it.
func (c *Cluster) placed(replicas []state.Replica) checker.Result {
	if !c.plan.Scheduling.Repairs() {
		return checker.Result{}
	}
	r := state.Placement(replicas, c.wanted())
	c.unmerged(&r)
	return r
}

// reportLimit is how long the stores have to be at rest until the placement
// driver must have heard how things are: some heartbeats may be lost.
func (c *Cluster) reportLimit() int64 {
	k := &c.plan.Knobs
	return int64(10*max(k.StoreHeartbeat, k.RegionHeartbeat)) + 5*c.deliberation()
}

// groups are the replicas of the raft groups: those of the stores, by region, and
// that of the placement driver.
type groups struct {
	regions   map[uint64][]raftstore.RegionInfo
	placement []raftstore.RegionInfo
}

// groups collects what all nodes have, or tells who is not there.
func (c *Cluster) groups() (g groups, unrest string) {
	g.regions = map[uint64][]raftstore.RegionInfo{}
	for _, s := range c.stores {
		switch {
		case s.absent() && s.server != nil:
			return g, s.node.Name() + " was removed, and runs"
		case s.absent():
			continue
		case !s.opened():
			return g, s.node.Name() + " is down"
		}
		for _, r := range s.server.Regions() {
			g.regions[r.Region.Id] = append(g.regions[r.Region.Id], r)
		}
	}
	for _, m := range c.members {
		r, ok := m.replica()
		if !ok {
			return g, m.node.Name() + " is down"
		}
		g.placement = append(g.placement, r)
	}
	return g, ""
}

// unrest tells of the first group that is not at rest, in the eyes of of.
func (g *groups) unrest(of func(replicas []raftstore.RegionInfo) string) string {
	for _, id := range slices.Sorted(maps.Keys(g.regions)) {
		if text := of(g.regions[id]); text != "" {
			return fmt.Sprintf("region %d %s", id, text)
		}
	}
	if text := of(g.placement); text != "" {
		return "the placement driver " + text
	}
	return ""
}

// newestOf returns the replica whose region has the latest epoch.
func newestOf(replicas []raftstore.RegionInfo) raftstore.RegionInfo {
	return slices.MaxFunc(replicas, func(a, b raftstore.RegionInfo) int {
		return compareEpoch(a.Region.GetRegionEpoch(), b.Region.GetRegionEpoch())
	})
}

// changing tells what about the replicas of a group is not as it is to be.
func changing(replicas []raftstore.RegionInfo) string {
	newest := newestOf(replicas)
	leaders := 0
	for _, r := range replicas {
		if r.IsLeader {
			leaders++
		}
	}
	switch {
	case leaders != 1:
		return fmt.Sprintf("has %d leaders", leaders)
	case (view{status: newest}).joint():
		return "is in a joint configuration"
	case slices.ContainsFunc(replicas, func(r raftstore.RegionInfo) bool { return r.Applying }):
		return "is being restored from a snapshot"
	case newest.Merging:
		return fmt.Sprintf("is merging into region %d", newest.Into)
	case len(replicas) < len(newest.Region.Peers):
		return fmt.Sprintf("has %d of %d replicas", len(replicas), len(newest.Region.Peers))
	}
	for _, r := range replicas {
		switch {
		case !slices.ContainsFunc(newest.Region.Peers, func(p *metapb.Peer) bool { return p.Id == r.Peer }):
			return fmt.Sprintf("has peer %d alive, which is no member", r.Peer)
		case len(r.Region.Peers) == 0:
			return fmt.Sprintf("has peer %d, which has no data yet", r.Peer)
		}
	}
	return ""
}

// applying tells of entries of a group that are under way.
func applying(replicas []raftstore.RegionInfo) string {
	newest := newestOf(replicas)
	for _, r := range replicas {
		switch {
		case r.Applied != newest.Applied:
			return fmt.Sprintf("has applied index %d on one store and %d on another", r.Applied, newest.Applied)
		case r.Applied != r.Last:
			return fmt.Sprintf("has %d entries that are not applied", r.Last-r.Applied)
		}
	}
	return ""
}
