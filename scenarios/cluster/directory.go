package cluster

import (
	"time"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/kvproto/pkg/metapb"

	"simrun/faults"
	"simrun/nodes"
	"simrun/nodes/env"
	"simrun/nodes/placement"
	"simrun/nodes/raftstore"
	"simrun/nodes/rpc"
	"simrun/sim"
	"simrun/sim/plan"
)

// Everything that an administrator may be asked for, this system has.
var (
	_ sim.Directory     = (*Cluster)(nil)
	_ sim.LeaderMover   = (*Cluster)(nil)
	_ sim.Administrator = (*Cluster)(nil)
)

// admin is the administrator's process.
type admin struct {
	env *env.Env
	ep  *rpc.Endpoint
	pd  *placement.Client
	// changes is how many changes of members it is working on.
	changes int
}

// adminTimeout limits an administrator's request.
const adminTimeout = time.Second

// Resolve implements sim.Directory: it looks at the stores' own states, as
// nobody inside the system could.
func (c *Cluster) Resolve(target faults.Target) []string {
	switch target.Kind {
	case faults.TargetAllStores:
		return c.storeNames()
	case faults.TargetAllClients:
		return c.plan.ClientNames()
	case faults.TargetPlacement:
		return c.plan.PlacementNames()
	case faults.TargetPlacementLeader:
		if m := c.placementLeader(); m != nil {
			return []string{m.node.Name()}
		}
	case faults.TargetSnapshotReceiver:
		return c.firstStore(func(s *nodes.Store) bool { _, incoming := s.SnapshotTraffic(); return incoming > 0 })
	case faults.TargetSnapshotSender:
		return c.firstStore(func(s *nodes.Store) bool { outgoing, _ := s.SnapshotTraffic(); return outgoing > 0 })
	case faults.TargetLeader:
		if s, _ := c.leader(target.Key); s != nil {
			return []string{s.node.Name()}
		}
	case faults.TargetFollower:
		return c.follower(target.Key)
	case faults.TargetMerging, faults.TargetMergeTarget:
		return c.mergeLeader(target.Kind == faults.TargetMergeTarget)
	default:
	}
	return nil
}

// firstStore returns the name of the first store that is up and for which is
// holds.
func (c *Cluster) firstStore(is func(*nodes.Store) bool) []string {
	for _, s := range c.stores {
		if s.server != nil && is(s.server) {
			return []string{s.node.Name()}
		}
	}
	return nil
}

// leader returns the store that leads the region of a key, in the highest term
// if several believe to, and the region's status there.
func (c *Cluster) leader(key string) (*store, raftstore.RegionInfo) {
	return c.leaderAt(bound(c.plan.Cluster.API, key))
}

// leaderAt is leader for a key in the space of regions' bounds.
func (c *Cluster) leaderAt(key []byte) (*store, raftstore.RegionInfo) {
	return bestLeader(c.stores, func(s *store) (raftstore.RegionInfo, bool) { return s.regionOf(key) })
}

// placementLeader returns the member that leads the placement driver, in the
// highest term if several believe to.
func (c *Cluster) placementLeader() *member {
	best, _ := bestLeader(c.members, (*member).replica)
	return best
}

// bestLeader returns whoever of all has the leader of a group, as replica tells, and
// the leader's status, nil if nobody has. If several believe to lead, as they may until
// they hear of each other, it is the one in the highest term, and the first one in that.
func bestLeader[T any](all []*T, replica func(*T) (raftstore.RegionInfo, bool)) (best *T, status raftstore.RegionInfo) {
	for _, one := range all {
		if r, ok := replica(one); ok && r.IsLeader && (best == nil || r.Term > status.Term) {
			best, status = one, r
		}
	}
	return best, status
}

// replica returns the status of the member's replica; ok is false while it does
// not serve.
func (m *member) replica() (r raftstore.RegionInfo, ok bool) {
	if m.server == nil || m.server.Server() == nil {
		return r, false
	}
	return m.server.Server().Replica(), true
}

func (c *Cluster) follower(key string) []string {
	leader, _ := c.leader(key)
	for _, s := range c.stores {
		if _, ok := s.regionOf(bound(c.plan.Cluster.API, key)); ok && s != leader {
			return []string{s.node.Name()}
		}
	}
	return nil
}

// regionOf returns the status of the region of a key on a store.
func (s *store) regionOf(key []byte) (raftstore.RegionInfo, bool) {
	if s.server == nil {
		return raftstore.RegionInfo{}, false
	}
	for _, r := range s.server.Regions() {
		if len(r.Region.Peers) > 0 && contains(r.Region, key) {
			return r, true
		}
	}
	return raftstore.RegionInfo{}, false
}

// Split implements sim.Administrator: the administrator asks the leader.
func (c *Cluster) Split(key string, happened func()) bool {
	leader, status := c.leader(key)
	if leader == nil {
		return false
	}
	req := &kvrpcpb.SplitRegionRequest{
		Context:   leader.context(status),
		SplitKeys: [][]byte{[]byte(plan.KeyBytes(key))},
		IsRawKv:   c.plan.Cluster.API == plan.Raw,
	}
	a := c.admin
	a.env.Sched.Go("split", func(t env.Task) {
		resp := &kvrpcpb.SplitRegionResponse{}
		err := rpc.Call(t, a.ep, leader.node.Addr(), rpc.SplitRegion, req, resp, adminTimeout)
		if err == nil && resp.RegionError == nil && len(resp.Regions) > 1 {
			happened()
		}
	})
	return true
}

// A transfer of leadership has happened if one of so many looks finds it, with so much
// time before each.
const (
	transferLooks = 20
	transferPause = 20 * time.Millisecond
)

// TransferLeader implements sim.LeaderMover.
func (c *Cluster) TransferLeader(key string, happened func()) bool {
	leader, status := c.leader(key)
	if leader == nil {
		return false
	}
	to := view{leader: leader, status: status}.handOver()
	if to == nil {
		return false
	}
	c.World.Go("transfer", func(t env.Task) {
		for range transferLooks {
			t.Sleep(transferPause)
			if s, _ := c.leader(key); s != nil && s.id == to.StoreId {
				happened()
				return
			}
		}
	})
	return true
}

// context addresses a request to the leader of a region.
func (s *store) context(r raftstore.RegionInfo) *kvrpcpb.Context {
	return &kvrpcpb.Context{RegionId: r.Region.Id, RegionEpoch: r.Region.RegionEpoch, Peer: &metapb.Peer{Id: r.Peer, StoreId: s.id}}
}
