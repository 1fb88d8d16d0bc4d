package cluster

import (
	"slices"

	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_cmdpb"

	"simrun/nodes/env"
	"simrun/nodes/raftstore"
	"simrun/nodes/rpc"
)

// The administrator merges regions as a placement driver would: it first brings
// the peers of the source to the stores of the target, one move at a time, then
// asks the source's leader. What comes of it is seen in the regions.

// mergeLeader returns the store that leads a region which is merging, or, for
// its target, the one that leads the region which that goes into.
func (c *Cluster) mergeLeader(target bool) []string {
	source, ok := c.merging()
	if !ok {
		return nil
	}
	id := source.Region.Id
	if target {
		id = source.Into
	}
	best, _ := bestLeader(c.stores, func(s *store) (raftstore.RegionInfo, bool) { return s.regionByID(id) })
	if best == nil {
		return nil
	}
	return []string{best.node.Name()}
}

// merging returns a peer of the first region that is merging.
func (c *Cluster) merging() (first raftstore.RegionInfo, ok bool) {
	for _, s := range c.stores {
		if s.server == nil {
			continue
		}
		for _, r := range s.server.Regions() {
			if r.Merging && (!ok || r.Region.Id < first.Region.Id) {
				first, ok = r, true
			}
		}
	}
	return first, ok
}

// regionByID returns the status of a region on a store.
func (s *store) regionByID(id uint64) (raftstore.RegionInfo, bool) {
	if s.server == nil {
		return raftstore.RegionInfo{}, false
	}
	for _, r := range s.server.Regions() {
		if r.Region.Id == id && len(r.Region.Peers) > 0 {
			return r, true
		}
	}
	return raftstore.RegionInfo{}, false
}

// MergeRegions implements sim.Administrator. The neighbour is that after the region,
// or that before it, as its version wills.
func (c *Cluster) MergeRegions(key string, happened func()) bool {
	leader, status := c.leader(key)
	if leader == nil || status.Merging {
		return false
	}
	target := c.neighbour(status.Region, status.Region.RegionEpoch.Version%2 == 0)
	if target == nil {
		return false
	}
	c.admin.env.Sched.Go("merge", func(t env.Task) {
		if c.mergeInto(t, status.Region, target.Id) {
			happened()
		}
	})
	return true
}

// neighbour returns the region after a region, or before it, as its leader sees
// it; if there is none on that side, the other one.
func (c *Cluster) neighbour(of *metapb.Region, before bool) *metapb.Region {
	for range 2 {
		for _, s := range c.stores {
			if s.server == nil {
				continue
			}
			for _, r := range s.server.Regions() {
				if r.IsLeader && (before && precedes(r.Region, of) || !before && precedes(of, r.Region)) {
					return r.Region
				}
			}
		}
		before = !before
	}
	return nil
}

// mergeInto works on a merge until the target has the first key of the source, or
// the source is another one, or too much time has passed.
func (c *Cluster) mergeInto(t env.Task, source *metapb.Region, target uint64) (done bool) {
	deadline := c.World.Now() + int64(changeMax)
	for c.World.Now() < deadline {
		leader, status := c.leaderAt(source.StartKey)
		switch {
		case leader == nil || status.Merging:
		case status.Region.Id == target:
			return true
		case status.Region.Id != source.Id:
			return false
		default:
			into := c.leaderOf(target)
			if into == nil {
				break
			}
			if from, to := misplaced(status.Region, into); to != 0 {
				c.change(t, source.StartKey, move(from, to, c.fewestMoved()))
				break
			}
			c.proposeMerge(t, leader, status, into)
		}
		t.Sleep(changePause)
	}
	return false
}

// leaderOf returns a region as its leader sees it; if several believe to lead it, as the
// one on the first store does, whatever its term. So a merge may be worked on by a view of
// its target that is out of date, as that of a placement driver may be: the stores have to
// refuse what does not fit, and the next look decides anew.
func (c *Cluster) leaderOf(id uint64) *metapb.Region {
	for _, s := range c.stores {
		if r, ok := s.regionByID(id); ok && r.IsLeader {
			return r.Region
		}
	}
	return nil
}

// misplaced returns a store that has a peer of the source and none of the target,
// and one for which it is the other way round; 0 if there is none.
func misplaced(source, target *metapb.Region) (from, to uint64) {
	lacks := func(r *metapb.Region) func(p *metapb.Peer) bool {
		return func(p *metapb.Peer) bool {
			return !slices.ContainsFunc(r.Peers, func(q *metapb.Peer) bool { return q.StoreId == p.StoreId })
		}
	}
	i, j := slices.IndexFunc(source.Peers, lacks(target)), slices.IndexFunc(target.Peers, lacks(source))
	if i < 0 || j < 0 {
		return 0, 0
	}
	return source.Peers[i].StoreId, target.Peers[j].StoreId
}

// proposeMerge asks the leader of the source.
func (c *Cluster) proposeMerge(t env.Task, leader *store, status raftstore.RegionInfo, target *metapb.Region) {
	c.command(t, rpc.MergeRegion, leader, status, &raft_cmdpb.AdminRequest{
		CmdType:      raft_cmdpb.AdminCmdType_PrepareMerge,
		PrepareMerge: &raft_cmdpb.PrepareMergeRequest{Target: target},
	})
}
