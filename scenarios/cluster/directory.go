package cluster

import (
	"bytes"
	"time"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/kvproto/pkg/metapb"

	"simrun/faults"
	"simrun/nodes"
	"simrun/nodes/env"
	"simrun/nodes/placement"
	"simrun/nodes/raftstore"
	"simrun/nodes/rpc"
	"simrun/sim/plan"
)

// admin is the administrator's process.
type admin struct {
	env *env.Env
	ep  *rpc.Endpoint
	pd  *placement.Client
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
	var (
		best   *store
		status raftstore.RegionInfo
	)
	for _, s := range c.stores {
		if r, ok := s.regionOf(key); ok && r.IsLeader && (best == nil || r.Term > status.Term) {
			best, status = s, r
		}
	}
	return best, status
}

// placementLeader returns the member that leads the placement driver, in the
// highest term if several believe to.
func (c *Cluster) placementLeader() *member {
	var (
		best    *member
		highest uint64
	)
	for _, m := range c.members {
		if r, ok := m.replica(); ok && r.IsLeader && (best == nil || r.Term > highest) {
			best, highest = m, r.Term
		}
	}
	return best
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

func contains(r *metapb.Region, key []byte) bool {
	return bytes.Compare(r.StartKey, key) <= 0 && (len(r.EndKey) == 0 || bytes.Compare(key, r.EndKey) < 0)
}

// Split implements sim.Directory: the administrator asks the leader.
func (c *Cluster) Split(key string, happened func()) bool {
	leader, status := c.leader(key)
	if leader == nil {
		return false
	}
	req := &kvrpcpb.SplitRegionRequest{
		Context:   leader.context(status),
		SplitKeys: [][]byte{[]byte(plan.KeyBytes(key))},
		IsRawKv:   c.plan.Cluster.API == "raw",
	}
	c.ask("split", leader, rpc.SplitRegion, req, func() rpc.Message { return &kvrpcpb.SplitRegionResponse{} }, func(m rpc.Message) {
		if resp, ok := m.(*kvrpcpb.SplitRegionResponse); ok && resp.RegionError == nil && len(resp.Regions) > 1 {
			happened()
		}
	})
	return true
}

// TransferLeader implements sim.Directory.
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
		for range 20 {
			t.Sleep(20 * time.Millisecond)
			if s, _ := c.leader(key); s != nil && s.id == to.StoreId {
				happened()
				return
			}
		}
	})
	return true
}

// ask sends a request from the administrator's process.
func (c *Cluster) ask(name string, to *store, m rpc.Method, req rpc.Message, resp func() rpc.Message, done func(rpc.Message)) {
	a := c.admin
	a.env.Sched.Go(name, func(t env.Task) {
		answer := resp()
		if err := rpc.Call(t, a.ep, to.node.Addr(), m, req, answer, adminTimeout); err == nil {
			done(answer)
		}
	})
}

// context addresses a request to the leader of a region.
func (s *store) context(r raftstore.RegionInfo) *kvrpcpb.Context {
	return &kvrpcpb.Context{RegionId: r.Region.Id, RegionEpoch: r.Region.RegionEpoch, Peer: &metapb.Peer{Id: r.Peer, StoreId: s.id}}
}
