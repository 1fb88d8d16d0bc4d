package raftstore

import (
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/eraftpb"
	"github.com/pingcap/kvproto/pkg/pdpb"
)

// ordered gives the leader of the region of a key what the placement driver answers
// to a heartbeat of the region as it is.
func (c *cluster) ordered(key string, resp *pdpb.RegionHeartbeatResponse) {
	s := c.leaderOf(key)
	p := s.overlapping([]byte(key), append([]byte(key), 0))
	resp.RegionId, resp.RegionEpoch, resp.TargetPeer = p.regionID, p.region.GetRegionEpoch(), p.meta
	s.node.Do(func() { s.OnRegionHeartbeatResponse(resp) })
	c.run(time.Millisecond)
}

// without reports whether a region, as its leader sees it, has no peer on a store.
func (c *cluster) without(key string, store uint64) func() bool {
	return func() bool {
		region, p := c.member(key, store)
		return region != nil && p == nil
	}
}

// Goal: what the placement driver orders comes about, and what cannot be done now is
// refused without harm.
func TestOrders(t *testing.T) {
	c := twoRegions(t, 4, Config{})
	refused := reached("order of the placement driver cannot be carried out now")

	leader := c.leaderOf("z")
	follower := c.stores[0]
	if leader == follower {
		follower = c.stores[1]
	}
	_, p := c.member("z", follower.cfg.StoreID)
	c.ordered("z", &pdpb.RegionHeartbeatResponse{TransferLeader: &pdpb.TransferLeader{Peer: p}})
	c.until("the transfer", func() bool { return c.leaderOf("z") == follower })

	_, gone := c.member("z", leader.cfg.StoreID)
	remove := func() *pdpb.ChangePeer {
		return &pdpb.ChangePeer{Peer: gone, ChangeType: eraftpb.ConfChangeType_RemoveNode}
	}
	c.ordered("z", &pdpb.RegionHeartbeatResponse{ChangePeer: remove()})
	c.until("the removal", c.without("z", leader.cfg.StoreID))
	if n := refused(); n != 0 {
		t.Errorf("%d orders refused", n)
	}
	c.ordered("z", &pdpb.RegionHeartbeatResponse{ChangePeer: remove()})
	c.ordered("z", &pdpb.RegionHeartbeatResponse{TransferLeader: &pdpb.TransferLeader{Peer: gone}})
	if n := refused(); n != 2 {
		t.Errorf("%d orders refused that concern a peer that is gone", n)
	}

	// Regions are merged only if their members are on the same stores.
	target, _ := c.member("a", leader.cfg.StoreID)
	c.ordered("z", &pdpb.RegionHeartbeatResponse{Merge: &pdpb.Merge{Target: target}})
	c.until("the refusal", func() bool { return refused() == 3 })
	_, gone = c.member("a", leader.cfg.StoreID)
	if c.leaderOf("a") == leader {
		_, p = c.member("a", follower.cfg.StoreID)
		c.ordered("a", &pdpb.RegionHeartbeatResponse{TransferLeader: &pdpb.TransferLeader{Peer: p}})
		c.until("the transfer", func() bool { return c.leaderOf("a") == follower })
	}
	c.ordered("a", &pdpb.RegionHeartbeatResponse{ChangePeer: remove()})
	c.until("the removal", c.without("a", leader.cfg.StoreID))
	target, _ = c.member("a", follower.cfg.StoreID)
	c.ordered("z", &pdpb.RegionHeartbeatResponse{Merge: &pdpb.Merge{Target: target}})
	c.until("the merge", func() bool { return c.merges > 0 })
}
