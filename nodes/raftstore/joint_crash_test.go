package raftstore

import (
	"slices"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_cmdpb"

	"simrun/nodes/env"
)

// At whatever disk operation of a change by way of a joint configuration a member
// crashes, the change is made afterwards or not, on all stores, and no store stays
// in the joint configuration. Of the three voters the first one is demoted, for
// the learner on the fourth store. The leader is one that stays, or the one that
// is demoted and hands over in between; who crashes is the leader, who is demoted
// or who is promoted.
func TestJointCrashPoints(t *testing.T) {
	check := allReached(t,
		"start in a joint configuration",
		"joint configuration entered that an earlier process had in its log",
		"joint configuration left that an earlier process had in its log",
		"joint configuration to be left by another leader",
		"demoted leader hands over",
	)
	for _, who := range []struct{ leader, victim int }{{1, 0}, {1, 1}, {1, 3}, {0, 0}} {
		jointCrashPoints(t, who.leader, who.victim)
	}
	check()
}

func jointCrashPoints(t *testing.T, leader, victim int) {
	t.Helper()
	const promoted, demoted = 900, 2
	changes := []*raft_cmdpb.ChangePeerRequest{voter(promoted, 4), learner(demoted, 1)}
	// made reports whether the members of all stores are those after the change, or
	// those before it.
	made := func(c *cluster, yes bool) bool {
		return !slices.ContainsFunc(c.stores, func(s *testStore) bool {
			p := s.byRegion[1]
			return p == nil || inJoint(p.region) ||
				(peerByID(p.region, promoted).GetRole() == metapb.PeerRole_Voter) != yes ||
				(peerByID(p.region, demoted).GetRole() == metapb.PeerRole_Learner) != yes
		})
	}
	var change attempt
	crashPoints{
		begin: func() (*cluster, *testStore) {
			c := newCluster(t, clusterOptions{seed: 6, stores: 4, regions: onStores(1, 2, 3)})
			c.waitLeader("")
			c.do(func(t env.Task) {
				c.put(t, "a", "old")
				c.moveLeader(t, "", c.stores[leader])
				c.change(t, "", learner(promoted, 4))
				c.catchUp(t, "", 1, promoted)
			})
			c.run(settleTime)
			return c, c.stores[victim]
		},
		step: func(c *cluster) {
			change.begin(c, func(t env.Task) (bool, error) {
				s := c.leaderOf("")
				_, regionErr, err := s.ChangePeers(t, s.context(""), changes, time.Second)
				return regionErr == nil, err
			})
		},
		over: func(c *cluster) bool { return c.regions() == 1 && made(c, true) },
		after: func(c *cluster) {
			change.await(c)
			c.agreed()
			done := made(c, true)
			if !done && !made(c, false) {
				c.t.Errorf("half of the change is made: %v", c.stores[0].byRegion[1].region)
			}
			change.check(c, done)
			c.recovered(1)
			c.do(func(t env.Task) {
				if got := c.get(t, "a"); got != "old" {
					c.t.Errorf("a = %q", got)
				}
				if !done {
					c.notLed(t, "", 1)
					c.change(t, "", changes...)
				}
				c.put(t, "a", "new")
			})
			c.recovered(1)
			if !made(c, true) {
				c.t.Errorf("the change is not made: %v", c.stores[0].byRegion[1].region)
			}
		},
	}.each(t)
}
