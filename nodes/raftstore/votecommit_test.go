package raftstore

import (
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/metapb"

	"simrun/nodes/env"
	"simrun/sim/disk"
)

// slowSync is a disk whose syncs take much longer than a message.
func slowSync() disk.Config {
	cfg := disk.DefaultConfig()
	cfg.Sync = disk.Latency{Min: 5 * time.Millisecond, Max: 5 * time.Millisecond}
	return cfg
}

// One of two voters is demoted and knows it. It has an entry more than the
// leader, which loses that with the power, and with it the news that the change
// is committed. The leader needs the vote of the learner, whose log is longer;
// the learner does not campaign, so it has to tell what it knows.
func TestDemotedHasLongerLog(t *testing.T) {
	told, met := reached("committed change of members learned from a vote"), uint64(0)
	for seed := range uint64(8) {
		c := newCluster(t, clusterOptions{seed: seed, stores: 2, regions: onStores(1, 2), disk: slowSync()})
		leader := c.waitLeader("")
		other := c.stores[2-leader.id]
		demoted := other.byRegion[1]
		c.run(time.Second)
		c.w.Go("demotion", func(t env.Task) { _, _, _ = c.tryChange(t, "", learner(demoted.id, other.id)) })
		c.run(2 * time.Millisecond)
		c.w.Go("write", func(t env.Task) { _, _ = c.tryPut(t, "a", "1", time.Second) })
		c.soon("the demotion", func() bool { return demoted.meta.GetRole() == metapb.PeerRole_Learner })
		leader.node.Crash(disk.PowerLoss)
		c.run(100 * time.Millisecond)
		leader.node.Start()
		if p := leader.byRegion[1]; p.log.lastIndex < demoted.log.lastIndex && peerByID(p.region, demoted.id).GetRole() == metapb.PeerRole_Voter {
			met++ // nothing of what was not synced has survived
		}
		c.do(func(t env.Task) { c.put(t, "b", "2") })
		c.agreed()
		if !leader.byRegion[1].isLeader() {
			t.Errorf("seed %d: the learner leads", seed)
		}
		c.w.Close()
	}
	if met == 0 || told() < met {
		t.Errorf("of %d who needed it %d were told", met, told())
	}
}

// Those who know that a joint configuration is committed have not the longest
// log, and who has it does not know so and asks for the vote of one that is gone
// (the first example of etcd issue 12359).
func TestLongestLogKnowsLess(t *testing.T) {
	told, met := reached("committed change of members learned from a vote"), uint64(0)
	for seed := range uint64(12) {
		c := newCluster(t, clusterOptions{seed: seed, stores: 4, regions: onStores(1, 2, 3), disk: slowSync()})
		c.waitLeader("")
		if longestLogKnowsLess(c) {
			met++
		}
		c.w.Network.HealAll()
		c.do(func(t env.Task) { c.put(t, "b", "2") })
		c.w.Close()
	}
	if met == 0 || told() < met {
		t.Errorf("of %d who needed it %d were told", met, told())
	}
}

// longestLogKnowsLess leaves out the leader of a joint configuration, and reports
// whether the others are as they have to be.
func longestLogKnowsLess(c *cluster) bool {
	id := c.newID()
	c.do(func(t env.Task) {
		c.notLed(t, "", 3)
		c.catchUp(t, "", c.change(t, "", learner(id, 4)).GetId(), id)
		t.Sleep(time.Second)
	})
	a := c.waitLeader("")
	b, demoted, incoming := c.stores[2-a.id], c.stores[2], c.stores[3]
	b.node.Crash(disk.ProcessKill)
	// The joint configuration comes to both, an entry after it to the new member
	// only, which hears nothing any more when that is committed.
	c.w.Go("joint", func(t env.Task) { _, _, _ = c.tryChange(t, "", voter(id, 4), learner(4, 3)) })
	joint := a.byRegion[1].log.lastIndex + 1
	c.run(2 * time.Millisecond)
	c.w.Network.Cut(a.node.Addr(), demoted.node.Addr())
	c.w.Go("write", func(t env.Task) { _, _ = c.tryPut(t, "a", "1", time.Second) })
	c.run(time.Millisecond)
	c.w.Network.Cut(a.node.Addr(), incoming.node.Addr())
	c.soon("the entry", func() bool { return incoming.byRegion[1].log.lastIndex > joint })
	c.soon("the commit", func() bool { return a.byRegion[1].commit() >= joint })
	c.run(2 * time.Millisecond)
	c.w.Network.Heal(a.node.Addr(), demoted.node.Addr()) // a heartbeat comes first
	c.soon("the joint configuration", func() bool { return inJoint(demoted.byRegion[1].region) })
	a.node.Crash(disk.PowerLoss)
	b.node.Start()
	return !inJoint(incoming.byRegion[1].region) && demoted.byRegion[1].log.lastIndex < incoming.byRegion[1].log.lastIndex
}
