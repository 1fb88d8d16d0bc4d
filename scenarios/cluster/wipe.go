package cluster

import (
	"slices"
	"time"

	"github.com/pingcap/kvproto/pkg/metapb"

	"simrun/nodes"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/nodes/placement"
	"simrun/nodes/rpc"
)

//nolint:gochecknoglobals // marks register once
var (
	markUnknown    = invariant.NewMark("cluster: disk kept, for a store had yet to open its regions")
	markMemberLost = invariant.NewMark("cluster: disk lost of a member of a region that is merging")
	markTargetLost = invariant.NewMark("cluster: disk lost of the leader of a region into which another one is merging")
)

// Wipe implements sim.Administrator. A store that has lost its disk has forgotten
// its votes and its log, so it must not come back under its name in raft: it
// begins anew, with an identity that the placement driver gives, and the
// placement driver puts other peers in the place of those that are lost.
//
// It may happen as long as every region, as each of its replicas sees it, keeps
// a quorum without that store. One loss at a time is made good before the next.
// Regardless, it happens in any case.
func (c *Cluster) Wipe(node string, regardless bool) bool {
	s := c.storeNamed(node)
	if s == nil || s.draining || !s.serves() || !regardless && !c.dispensable(s) {
		return false
	}
	c.markMerging(s)
	c.forget(s)
	return true
}

// markMerging marks what the disk that is about to be lost holds of a merge.
func (c *Cluster) markMerging(s *store) {
	source, merging := c.merging()
	if !merging {
		return
	}
	_, member := s.regionByID(source.Region.Id)
	markMemberLost.Sometimes(member)
	target, ok := s.regionByID(source.Into)
	markTargetLost.Sometimes(ok && target.IsLeader)
}

// serves reports whether there is a store that has its identity and is up.
func (s *store) serves() bool { return !s.absent() && s.id != 0 && s.server != nil }

// opened reports whether the store is up and has loaded its regions, so that it is
// known what it has.
func (s *store) opened() bool { return s.server != nil && s.server.Opened() }

// forget notes that nothing is left of a store but its machine.
func (c *Cluster) forget(s *store) {
	c.lose(s)
	s.last, s.id = s.id, 0
}

// dispensable reports whether a store may lose all that it has: every region, as
// each of its replicas sees it, keeps a quorum without it. One loss at a time is
// made good before the next. The members of a region that merges cannot change: it
// and its target have to come to the end of that with those that are left, or go
// back, before anybody takes the place of the lost one.
func (c *Cluster) dispensable(s *store) bool {
	if !s.serves() || c.mourned() {
		return false
	}
	for _, other := range c.present() {
		if !other.opened() {
			markUnknown.Sometimes(other.server != nil)
			return false
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
	return slices.ContainsFunc(c.losses, func(l loss) bool {
		_, ok := c.regionWith(l.storeID)
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
	if i < 0 || c.stores[i].server == nil {
		return false
	}
	r, ok := c.stores[i].server.Region(region)
	return ok && r.Peer == p.Id && len(r.Region.Peers) > 0
}

// identify gives a store that has lost its disk another identity. The one that it
// had is declared to be destroyed, so that its address is free, and what it held is
// replaced at once.
func (c *Cluster) identify(t env.Task, s *store, e *env.Env, ep *rpc.Endpoint) {
	pd := placement.NewClient(e, ep, placement.ClientConfig{ClusterID: nodes.ClusterID, Members: c.plan.PlacementNames()})
	destroyed := &metapb.Store{Id: s.last, Address: e.Name, State: metapb.StoreState_Offline, PhysicallyDestroyed: true}
	for {
		// The answer may be lost, and the store may be buried by then.
		_ = pd.PutStore(t, destroyed)
		if known, err := pd.GetStore(t, s.last, -1); err == nil && (known.PhysicallyDestroyed || known.State == metapb.StoreState_Tombstone) {
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
