package raftstore

import (
	"fmt"
	"testing"
	"time"

	"simrun/nodes/env"
)

// restoredVoters says who is who in a merge of z into a: stores that were restored
// by a snapshot, the store whose peer of the source lacks entries from before that,
// and those that lead source and target when the merge is prepared.
type restoredVoters struct {
	stores         int
	restored       []int
	late           int
	source, target int
}

// prepare makes a cluster in which the merge is prepared everywhere but on the late
// store, which is cut off. Elections take long enough for it to go on leading if
// it does.
func (o restoredVoters) prepare(t *testing.T, seed uint64) (c *cluster, heal func()) {
	c = newCluster(t, clusterOptions{
		seed: seed, stores: o.stores, regions: testRegions(o.stores, "m"),
		raft: Config{ElectionTick: 50, LogGCThreshold: 8, LogGCCountLimit: 40},
	})
	c.waitLeader("a")
	c.waitLeader("z")
	late, source := c.stores[o.late], c.stores[o.source]
	c.do(func(t env.Task) {
		c.moveLeader(t, "z", source)
		c.moveLeader(t, "a", c.stores[o.target])
		t.Sleep(time.Second)
	})
	region := source.byRegion[uint64(o.stores)+2]
	write := func(n int) {
		c.do(func(t env.Task) {
			for i := range n {
				c.put(t, "n", fmt.Sprint(i))
			}
		})
	}
	var heals []func()
	for _, i := range o.restored {
		heals = append(heals, c.isolate(c.stores[i]))
	}
	write(60)
	c.run(100 * time.Millisecond)
	heal = c.isolate(late)
	write(10)
	for _, heal := range heals {
		heal() // but for the late store, from which all stay cut off
	}
	c.until("restoration", func() bool { return c.snapshots == len(o.restored) })
	c.do(func(t env.Task) {
		target, _ := source.RegionOf([]byte("a"))
		if regionErr, err := source.MergeRegion(t, source.context("z"), target, time.Second); regionErr != nil || err != nil {
			c.t.Errorf("prepare: %v, %v", regionErr, err)
		}
	})
	c.soon("prepare", func() bool { return c.prepared == o.stores-1 })
	lacks := late.byRegion[region.regionID].log.lastIndex + 1
	for i, s := range c.stores {
		p := s.byRegion[region.regionID]
		restored := false
		for _, j := range o.restored {
			restored = restored || i == j
		}
		if p == nil || p.merging() == (s == late) || (p.log.truncatedIndex >= lacks) != restored {
			t.Fatalf("store %d: %v, the log goes on from %d, the late store lacks %d", s.id, p, p.log.truncatedIndex, lacks)
		}
	}
	return c, heal
}

// A source is led by a voter that was restored by a snapshot, and a peer needs
// entries from before that, on the store that leads the target. The leadership
// goes on to a voter that has the entries, whoever comes first in the order.
func TestMergePassesSourceOn(t *testing.T) {
	for i, o := range []restoredVoters{
		{stores: 5, restored: []int{0}, late: 4, source: 1, target: 4},
		{stores: 5, restored: []int{4}, late: 0, source: 1, target: 0},
		// Of those with the longest log, the two that were restored have the lowest ids.
		{stores: 7, restored: []int{0, 1}, late: 6, source: 2, target: 6},
		{stores: 7, restored: []int{0, 3}, late: 6, source: 2, target: 6},
	} {
		passed := reached("source that is merging passes its leadership on, a peer needs a snapshot")
		c, heal := o.prepare(t, uint64(80+i))
		c.do(func(t env.Task) { c.moveLeader(t, "z", c.stores[o.restored[0]]) })
		heal()
		c.until("merge", func() bool { return c.merges == o.stores })
		c.checkMerged(map[string]string{"a": "", "n": "9"})
		if passed() == 0 || c.rollbacks != 0 {
			t.Errorf("%+v: passed on %d times, %d rollbacks", o, passed(), c.rollbacks)
		}
		c.w.Close()
	}
}

// A target is led by a store that lacks what CommitMerge has to carry, and the next
// in the order lacks it too. Each tries all others.
func TestMergePassesTargetOn(t *testing.T) {
	o := restoredVoters{stores: 7, restored: []int{0, 1}, late: 6, source: 2, target: 0}
	lacks := reached("source lacks entries that its merge has to carry")
	c, heal := o.prepare(t, 84)
	c.until("merge", func() bool { return c.merges == o.stores-1 })
	heal()
	c.checkMerged(map[string]string{"a": "", "n": "9"})
	if lacks() == 0 {
		t.Error("no source lacked entries")
	}
}

// Whoever passes its leadership on again and again offers it to all other voters
// that follow it in turn, but not to those on stores to be skipped, nor while an
// offer is under way.
func TestPassOnGoesRound(t *testing.T) {
	c := newCluster(t, clusterOptions{seed: 86, stores: 6, regions: testRegions(5)})
	p := c.waitLeader("a").byRegion[1]
	c.do(func(t env.Task) {
		c.change(t, "a", learner(900, 6))
		c.catchUp(t, "a", 1, 900)
	})
	skipped := peerOnStore(p.region, p.s.id%5+1)
	offers := map[uint64]int{}
	for range 3 * 3 {
		p.handedOver = 0
		if !p.passOn(map[uint64]bool{skipped.GetStoreId(): true}) || p.passOn(nil) {
			t.Fatal("it does not pass on, or does twice")
		}
		offers[p.node.BasicStatus().LeadTransferee]++
	}
	if len(offers) != 3 || offers[skipped.GetId()] != 0 || offers[900] != 0 {
		t.Errorf("offers by peer: %v", offers)
	}
	for id, n := range offers {
		if n != 3 {
			t.Errorf("peer %d was offered the leadership %d times", id, n)
		}
	}
}

// A store that leads both, and can do nothing for the merge, does not pass the
// target on to the store whose source has yet to hear of the merge.
func TestMergeSkipsUnpreparedHeir(t *testing.T) {
	o := restoredVoters{stores: 5, restored: []int{0}, late: 1, source: 2, target: 1}
	skips := reached("target not passed on to a store whose source has not prepared")
	c, heal := o.prepare(t, 85)
	late, both := c.stores[o.late], c.stores[o.restored[0]]
	c.do(func(t env.Task) { c.moveLeader(t, "z", both) })
	heal()
	late.TransferLeader(1, peerOnStore(late.byRegion[1].region, both.id).GetId())
	c.soon("transfer", func() bool { return both.byRegion[1].isLeader() })
	term := both.byRegion[1].term()
	c.until("merge", func() bool { return c.merges == o.stores })
	for next := term + 1; next <= term+10; next++ {
		if leader := c.terms[fmt.Sprintf("1/%d", next)]; leader == late.id {
			t.Errorf("the store that had not prepared leads the target in term %d, after %d", next, term)
		}
	}
	if skips() == 0 {
		t.Error("no heir was skipped")
	}
	c.checkMerged(map[string]string{"a": "", "n": "9"})
}
