package cluster

import (
	"slices"
	"time"

	"github.com/pingcap/kvproto/pkg/metapb"

	"simrun/nodes"
	"simrun/nodes/env"
	"simrun/nodes/placement"
	"simrun/nodes/raftstore"
	"simrun/nodes/rpc"
)

// Wipe implements sim.Directory. A store that has lost its disk has forgotten
// its votes and its log, so it must not come back under its name in raft: it
// begins anew, with an identity that the placement driver gives, and the
// administrator puts other peers in the place of those that are lost.
//
// It may happen as long as every region, as each of its replicas sees it, keeps
// a quorum without that store. One loss at a time is made good before the next.
// Regardless, it happens in any case.
func (c *Cluster) Wipe(node string, regardless bool) bool {
	s := c.storeNamed(node)
	if s == nil || s.id == 0 || s.server == nil || !regardless && !c.expendable(s) {
		return false
	}
	c.lose(s)
	c.lost = append(c.lost, s.id)
	s.last, s.id = s.id, 0
	lost := s.last
	c.admin.env.Sched.Go("replace "+node, func(t env.Task) { c.replace(t, lost) })
	return true
}

// expendable reports whether nothing is lost with the disk of a store that other
// stores could not make good.
func (c *Cluster) expendable(s *store) bool {
	if c.mourned() {
		return false
	}
	for _, other := range c.stores {
		if other.server == nil {
			return false // nobody knows what it has
		}
		for _, r := range other.server.Regions() {
			if len(r.Region.Peers) > 0 && !c.survives(r.Region, s) {
				return false
			}
		}
	}
	return true
}

// mourned reports whether a region still has a member on a store that is lost.
func (c *Cluster) mourned() bool {
	return slices.ContainsFunc(c.lost, func(id uint64) bool {
		_, ok := c.regionWith(id)
		return ok
	})
}

// regionWith returns a region, as a leader sees it, that has a member on a store.
func (c *Cluster) regionWith(storeID uint64) (view, bool) {
	for _, s := range c.stores {
		if s.server == nil {
			continue
		}
		for _, r := range s.server.Regions() {
			if v := (view{leader: s, status: r}); r.IsLeader && v.on(storeID) != nil {
				return v, true
			}
		}
	}
	return view{}, false
}

// survives reports whether a region keeps a quorum, in both sets of voters of a
// joint configuration, when a store is lost. Only peers count that are there and
// have their data.
func (c *Cluster) survives(r *metapb.Region, without *store) bool {
	return votesOf(r, func(p *metapb.Peer) bool { return p.StoreId != without.id && c.holds(p, r.Id) }).quorum()
}

// holds reports whether a member has a peer that is initialised.
func (c *Cluster) holds(p *metapb.Peer, region uint64) bool {
	i := slices.IndexFunc(c.stores, func(s *store) bool { return s.id == p.StoreId })
	return i >= 0 && c.stores[i].server != nil &&
		slices.ContainsFunc(c.stores[i].server.Regions(), func(r raftstore.RegionInfo) bool {
			return r.Region.Id == region && r.Peer == p.Id && len(r.Region.Peers) > 0
		})
}

// replace moves the peers of a lost store to others. It keeps looking: a change
// that was proposed before the loss may be carried out long after.
func (c *Cluster) replace(t env.Task, lost uint64) {
	for {
		if v, ok := c.regionWith(lost); ok {
			want := remove(lost, 0) // all other stores have a peer already
			if to := c.home(v); to != 0 {
				want = move(lost, to)
			}
			c.change(t, v.region().StartKey, want)
		}
		t.Sleep(replacePause)
	}
}

// replacePause is the time between two looks at what a lost store has left.
const replacePause = 100 * time.Millisecond

// home is a store without a peer of the region, the one with the fewest peers;
// 0 if there is none.
func (c *Cluster) home(v view) (id uint64) {
	fewest := -1
	for _, s := range c.stores {
		if s.id == 0 || s.server == nil || v.on(s.id) != nil {
			continue
		}
		if n := len(s.server.Regions()); fewest < 0 || n < fewest {
			id, fewest = s.id, n
		}
	}
	return id
}

// identify gives a store that has lost its disk another identity. The one that it
// had is a tombstone from then on, so that its address is free.
func (c *Cluster) identify(t env.Task, s *store, e *env.Env, ep *rpc.Endpoint) {
	pd := placement.NewClient(e, ep, placement.ClientConfig{ClusterID: nodes.ClusterID, Members: c.plan.PlacementNames()})
	for {
		// The answer may be lost, and a tombstone is not registered twice.
		_ = pd.PutStore(t, &metapb.Store{Id: s.last, Address: e.Name, State: metapb.StoreState_Tombstone})
		if known, err := pd.GetStore(t, s.last, -1); err == nil && known.GetState() == metapb.StoreState_Tombstone {
			break
		}
		t.Sleep(identifyPause)
	}
	for {
		id, err := pd.AllocID(t)
		if err == nil {
			s.id = id
			return
		}
		t.Sleep(identifyPause)
	}
}

const identifyPause = 100 * time.Millisecond
