package raftstore

import (
	"slices"
	"testing"

	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_cmdpb"

	"simrun/nodes/env"
)

// simpleChange is a change of one member of a region that has voters on the stores
// 1 to 3, and is led by the second one.
type simpleChange struct {
	name string
	// before are changes that are made first, each of one member.
	before []*raft_cmdpb.ChangePeerRequest
	change *raft_cmdpb.ChangePeerRequest
	// role is what the member is afterwards; one that is removed has none.
	role    metapb.PeerRole
	removed bool
	// victims are the stores that crash, one at a time.
	victims []uint64
}

// At whatever disk operation of a change of one member the leader crashes, or the
// store whose peer it is about, or one that hears of it, the change is made
// afterwards or not, on all stores. Of a peer that was removed nothing is left but its
// tombstone, and its store takes another one.
func TestSimpleChangeCrashPoints(t *testing.T) {
	const added, fourth = 900, 4
	for _, sc := range []simpleChange{
		{name: "add", change: learner(added, fourth), role: metapb.PeerRole_Learner, victims: []uint64{2, fourth}},
		{
			name: "promote", before: []*raft_cmdpb.ChangePeerRequest{learner(added, fourth)}, change: voter(added, fourth),
			role: metapb.PeerRole_Voter, victims: []uint64{2, fourth},
		},
		{name: "demote", change: learner(2, 1), role: metapb.PeerRole_Learner, victims: []uint64{2, 1}},
		{name: "remove a voter", change: removal(2, 1), removed: true, victims: []uint64{2, 1, 3}},
		{
			name: "remove a learner", before: []*raft_cmdpb.ChangePeerRequest{learner(added, fourth)}, change: removal(added, fourth),
			removed: true, victims: []uint64{2, fourth},
		},
	} {
		t.Run(sc.name, func(t *testing.T) {
			check := allReached(t, "single change of members that an earlier process had in its log")
			for _, victim := range sc.victims {
				sc.crashPoints(t, victim)
			}
			check()
		})
	}
}

// made reports whether all stores that have a peer have made the change, or none of
// them has; what a store without one knows is that it has none.
func (sc *simpleChange) made(c *cluster, yes bool) bool {
	id := sc.change.GetPeer().GetId()
	return !slices.ContainsFunc(c.stores, func(s *testStore) bool {
		p := s.byRegion[1]
		if p == nil || p.destroyed {
			return false
		}
		q := peerByID(p.region, id)
		if sc.removed {
			return (q == nil) != yes
		}
		return (q != nil && q.GetRole() == sc.role) != yes
	})
}

// over reports whether the change is made, and its peer has come or gone.
func (sc *simpleChange) over(c *cluster) bool {
	here := c.stores[sc.change.GetPeer().GetStoreId()-1].byRegion[1]
	return sc.made(c, true) && (here == nil) == sc.removed && (here == nil || initialised(here.region) && here.restored == nil)
}

func (sc *simpleChange) crashPoints(t *testing.T, victim uint64) {
	t.Helper()
	var change attempt
	crashPoints{
		begin: func() (*cluster, *testStore) {
			c := newCluster(t, clusterOptions{seed: 6, stores: 4, regions: onStores(1, 2, 3)})
			c.waitLeader("a")
			c.do(func(t env.Task) {
				c.put(t, "a", "old")
				c.moveLeader(t, "a", c.stores[1])
				for _, earlier := range sc.before {
					c.change(t, "a", earlier)
					c.catchUp(t, "a", 1, earlier.GetPeer().GetId())
				}
			})
			c.run(settleTime)
			return c, c.stores[victim-1]
		},
		step: func(c *cluster) {
			change.begin(c, func(t env.Task) (bool, error) {
				_, regionErr, err := c.tryChange(t, "a", sc.change)
				return regionErr == nil, err
			})
		},
		over: sc.over,
		after: func(c *cluster) {
			change.await(c)
			c.agreed()
			sc.after(c, &change)
		},
	}.each(t)
}

// after checks what has become of the change, makes it if it was not made, and
// fills the cluster up.
func (sc *simpleChange) after(c *cluster, change *attempt) {
	c.t.Helper()
	done := sc.made(c, true)
	if !done && !sc.made(c, false) {
		c.t.Errorf("the change is made on some stores only: %v", c.stores[1].byRegion[1].region)
	}
	change.check(c, done)
	c.do(func(t env.Task) {
		if got := c.get(t, "a"); got != "old" {
			c.t.Errorf("a = %q", got)
		}
		if !done {
			c.notLed(t, "a", sc.change.GetPeer().GetStoreId())
			c.change(t, "a", sc.change)
		}
		c.put(t, "a", "new")
	})
	c.until("end of the change", func() bool { return sc.over(c) })
	if sc.removed {
		s := c.stores[sc.change.GetPeer().GetStoreId()-1]
		if data := dumpData(c.t, s.eng); data != "" || !tombstoned(c.t, s, 1) {
			c.t.Errorf("store %d holds of the peer that was removed\n%s", s.id, data)
		}
	}
	c.do(func(t env.Task) {
		for _, s := range c.stores {
			if region, _ := c.waitLeaderTask(t, "a").RegionOf(nil); peerOnStore(region, s.id) == nil {
				c.change(t, "a", learner(c.newID(), s.id))
			}
		}
	})
	c.recovered(1)
}
