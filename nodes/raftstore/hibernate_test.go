package raftstore

import (
	"fmt"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/raft_serverpb"
	"go.etcd.io/raft/v3/raftpb"

	"simrun/nodes/env"
	"simrun/sim/disk"
)

// hibernating returns a cluster whose regions have fallen asleep.
func hibernating(t *testing.T, o clusterOptions) *cluster {
	t.Helper()
	o.raft.HibernateTimeout = time.Second
	c := newCluster(t, o)
	c.dozed()
	return c
}

// awake counts the peers that do not sleep.
func (c *cluster) awake() (n int) {
	for _, s := range c.stores {
		if s.node.Up() {
			for _, p := range s.peers {
				if !p.asleep() {
					n++
				}
			}
		}
	}
	return n
}

// dozed waits until all peers sleep.
func (c *cluster) dozed() {
	c.t.Helper()
	c.until("sleep", func() bool { return c.awake() == 0 })
}

// eachPeer calls fn for all peers of a region.
func (c *cluster) eachPeer(region uint64, fn func(p *peer)) {
	for _, s := range c.stores {
		if p := s.byRegion[region]; s.node.Up() && p != nil {
			fn(p)
		}
	}
}

// sentIn counts the messages of a while.
func (c *cluster) sentIn(d time.Duration) uint64 {
	before := c.w.Network.Stats().Sent
	c.run(d)
	return c.w.Network.Stats().Sent - before
}

// Regions that sleep send nothing but what their stores say in their place,
// which does not depend on their number; nor do the reports to the placement
// driver.
func TestSleepersCostNothing(t *testing.T) {
	messages := map[int]uint64{}
	for _, regions := range []int{4, 64} {
		var keys []string
		for i := 1; i < regions; i++ {
			keys = append(keys, fmt.Sprintf("k%02d", i))
		}
		c := hibernating(t, clusterOptions{seed: 1, regions: testRegions(3, keys...)})
		c.run(time.Second)
		reports := c.regionHeartbeats
		messages[regions] = c.sentIn(20 * time.Second)
		if n := c.regionHeartbeats - reports; n == 0 || n > 3*4*20 {
			t.Errorf("%d regions: %d reports in 20 s", regions, n)
		}
		if n := c.awake(); n != 0 {
			t.Errorf("%d regions: %d peers woke up", regions, n)
		}
		c.w.Close()
	}
	// Each store pings the two others every 250 ms at most.
	if few, many := messages[4], messages[64]; few == 0 || many > 3*2*4*20+100 {
		t.Errorf("%d messages in 20 s of 4 regions, %d of 64", few, many)
	}
}

// A region that falls asleep before the placement driver has heard of its leader
// is reported until it has; and all are, once, when it has forgotten them.
func TestSleepersAreReportedUntilHeard(t *testing.T) {
	const regions = 20
	var keys []string
	for i := 1; i < regions; i++ {
		keys = append(keys, fmt.Sprintf("k%02d", i))
	}
	c := newCluster(t, clusterOptions{seed: 9, regions: testRegions(3, keys...), raft: Config{HibernateTimeout: time.Second, HibernateReports: 1}})
	c.pdDown = true
	c.dozed()
	reports := func(d time.Duration) int {
		before := c.regionHeartbeats
		c.run(d)
		return c.regionHeartbeats - before
	}
	reports(time.Second)
	if n := reports(5 * time.Second); n != 5*regions {
		t.Errorf("%d reports of %d regions in five intervals, while nobody hears them", n, regions)
	}
	c.pdDown = false
	reports(time.Second)
	if n := reports(5 * time.Second); n > 5*3 {
		t.Errorf("%d reports of regions that are known", n)
	}
	again := reached("sleeping region reported again, the placement driver has forgotten it")
	for _, s := range c.stores {
		s.OnAwakenRegions()
	}
	if n := reports(time.Second); n != regions || again() != regions {
		t.Errorf("%d reports of %d regions that were forgotten", n, regions)
	}
	asked := reached("sleeping region reported, the placement driver has asked for it")
	before := c.regionHeartbeats
	for _, s := range c.stores { // the two that do not lead it have nothing to say
		s.ReportRegion(s.peers[0].regionID)
		s.ReportRegion(s.peers[0].regionID + 1<<32)
	}
	if n := c.regionHeartbeats - before; n != 1 || asked() != 1 {
		t.Errorf("%d reports of a region that was asked for", n)
	}
	if n := c.awake(); n != 0 {
		t.Errorf("%d peers woke up", n)
	}
}

// Whatever a region is wanted for wakes it, and afterwards it sleeps again.
func TestWakesOnDemand(t *testing.T) {
	c := hibernating(t, clusterOptions{seed: 2, stores: 4, regions: onStores(1, 2, 3), raft: Config{LeaderLease: true}})
	c.do(func(t env.Task) { c.put(t, "k", "v") })
	follower := func() *testStore {
		leader := c.leaderOf("k")
		for _, s := range c.stores[:3] {
			if s != leader {
				return s
			}
		}
		return nil
	}
	for _, d := range []struct {
		mark   string
		demand func(t env.Task)
	}{
		{"woken by a proposal", func(t env.Task) { c.put(t, "k", "w") }},
		{"woken by a read", func(t env.Task) { c.get(t, "k") }},
		{"woken by a message", func(t env.Task) {
			if got, regionErr := c.replica(t, follower(), "k"); got != "w" || regionErr != nil {
				c.t.Errorf("follower reads %q: %v", got, regionErr)
			}
		}},
		{"woken by a read", func(t env.Task) { // with the ranges of a transaction's, which the leader looks at
			f := follower()
			ctx := f.context("k")
			ctx.ReplicaRead = true
			snap, _, regionErr := f.GuardedSnapshot(t, ctx, []byte("guard"))
			if regionErr != nil {
				c.t.Errorf("follower refuses: %v", regionErr)
				return
			}
			snap.Close()
		}},
		{"woken by a leader transfer", func(t env.Task) {
			to := follower()
			region, _ := to.RegionOf([]byte("k"))
			if refusal := c.leaderOf("k").TransferLeader(region.Id, peerOnStore(region, to.id).GetId()); refusal != nil {
				c.t.Error(refusal)
			}
			for c.leaderOf("k") != to {
				t.Sleep(time.Millisecond)
			}
		}},
		{"woken by a change of members", func(t env.Task) { c.change(t, "k", learner(c.newID(), 4)) }},
		{"sleeping follower woken by a request", func(t env.Task) {
			s := follower()
			if _, regionErr := c.tryGet(t, s, "k"); regionErr.GetNotLeader() == nil {
				c.t.Errorf("a follower answers %v", regionErr)
			}
		}},
	} {
		c.dozed()
		c.run(time.Second) // the lease ends
		woken := reached(d.mark)
		c.do(d.demand)
		if woken() == 0 || c.awake() == 0 {
			t.Errorf("not %s", d.mark)
		}
	}
	c.dozed()
	if got := c.elections; got > 3 {
		t.Errorf("%d elections", got)
	}
}

// When the store of a leader dies, the other stores notice, and the followers of
// all its regions elect new leaders without being asked for anything.
func TestLeaderStoreDies(t *testing.T) {
	lost := reached("followers woken, the store of their leader is silent")
	c := hibernating(t, clusterOptions{seed: 3, regions: testRegions(3, "k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8")})
	victim := c.leaderOf("k")
	victim.node.Crash(disk.PowerLoss)
	died := c.w.Now()
	c.until("leaders", func() bool {
		for i := range 9 {
			if s := c.leaderOf(fmt.Sprintf("k%d", i)); s == nil {
				return false
			}
		}
		return true
	})
	if took := time.Duration(c.w.Now() - died); took > 4*time.Second || lost() == 0 {
		t.Errorf("new leaders after %v", took)
	}
	// As long as a member is missing its regions do not sleep: nobody else would
	// notice that it is back.
	behind := reached("leader does not sleep, a member is behind or silent")
	c.run(5 * time.Second)
	if c.awake() == 0 || behind() == 0 {
		t.Error("sleeps without a member")
	}
	victim.node.Start()
	c.dozed()
}

// A leader whose store is cut off while it sleeps has no lease, and is deposed.
func TestSleepingLeaderIsCutOff(t *testing.T) {
	c := hibernating(t, clusterOptions{seed: 4, raft: Config{LeaderLease: true}})
	old := c.leaderOf("")
	heal := c.isolate(old)
	c.run(old.cfg.leaseLength())
	if _, leased := old.Leased(1); leased || !old.byRegion[1].asleep() {
		t.Error("the leader is awake, or holds a lease that nobody renews")
	}
	c.until("another leader", func() bool { return c.leaderOf("") != old })
	c.do(func(t env.Task) {
		c.put(t, "k", "new")
		if value, regionErr := c.tryGet(t, old, "k"); regionErr == nil {
			c.t.Errorf("the deposed leader reads %q", value)
		}
	})
	heal()
	c.dozed()
	c.converged()
}

// A store that comes back before anybody has missed it is a follower of nobody.
// Its requests for votes wake the others.
func TestLeaderStoreRestarts(t *testing.T) {
	voted := reached("woken by a request for a vote")
	c := hibernating(t, clusterOptions{seed: 5})
	s := c.leaderOf("")
	s.node.Crash(disk.PowerLoss)
	s.node.Start()
	c.waitLeader("")
	if voted() == 0 {
		t.Error("nobody was asked for a vote")
	}
	c.dozed()
}

// A follower that was removed while messages to it were lost sleeps on. Its
// leader's store is there, but does not confirm any more that it should.
func TestRemovedWhileAsleep(t *testing.T) {
	doubt, woken := reached("sleeping follower begins to doubt its leader"), reached("sleeping follower woken, its leader does not confirm that it sleeps")
	c := hibernating(t, clusterOptions{seed: 6, stores: 5, regions: testRegions(5, "m")})
	leader, victim := c.leaderOf("a"), c.stores[3]
	if victim == leader {
		victim = c.stores[2]
	}
	// Another region of the two stores keeps them in touch.
	c.do(func(t env.Task) {
		region, _ := leader.RegionOf([]byte("m"))
		for c.leaderOf("m") != leader {
			c.leaderOf("m").TransferLeader(region.Id, peerOnStore(region, leader.id).GetId())
			t.Sleep(50 * time.Millisecond)
		}
	})
	c.dozed()
	peer := victim.byRegion[1]
	// What is sent to it is lost, but not what is sent to others there.
	peer.destroyed = true
	c.do(func(t env.Task) { c.change(t, "a", removal(peer.id, victim.id)) })
	c.run(100 * time.Millisecond)
	peer.destroyed = false
	if !peer.asleep() {
		t.Fatal("the removed peer is awake")
	}
	c.until("the end of the removed peer", func() bool { return tombstoned(t, victim, 1) })
	if doubt() == 0 || woken() == 0 {
		t.Errorf("doubted %d times, woken %d times", doubt(), woken())
	}
}

// A follower that is woken for nothing while its leader sleeps finds its way
// back, and so does a leader whose follower sleeps; no message of hibernation can
// end a term.
func TestOneSided(t *testing.T) {
	c := hibernating(t, clusterOptions{seed: 7})
	leader := c.leaderOf("")
	term := leader.byRegion[1].term()
	c.eachPeer(1, func(p *peer) {
		if p.s != leader.Store {
			p.wake(chaos)
		}
	})
	c.dozed()
	leader.byRegion[1].wake(ordered)
	c.dozed()
	leader.byRegion[1].wake(ordered)
	c.do(func(t env.Task) { c.put(t, "k", "v") })
	c.dozed()
	if got := leader.byRegion[1].term(); got != term || c.leaderOf("") != leader {
		t.Errorf("term %d, was %d", got, term)
	}
}

// Requests to sleep that come late, from others than the leader, or from
// another configuration are declined; so is one by a follower that has yet to
// hear of the leader, and one about a log that it does not have.
func TestDeclinesToSleep(t *testing.T) {
	c := newCluster(t, clusterOptions{seed: 8})
	leader := c.waitLeader("")
	c.run(time.Second)
	var follower *peer
	c.eachPeer(1, func(p *peer) {
		if p.s != leader.Store {
			follower = p
		}
	})
	follower.s.cfg.HibernateTimeout = time.Second
	header := appendHeader(nil, leader.byRegion[1], follower.meta)
	request := func(index uint64) {
		follower.s.OnRaftBatch(appendExtra(nil, header, raft_serverpb.ExtraMessageType_MsgHibernateRequest, index))
	}
	declined := reached("follower does not agree to sleep")
	request(follower.log.lastIndex + 1)
	follower.sleep.state = chaos
	request(follower.log.lastIndex)
	follower.sleep.state = ordered
	follower.sleep.active = true
	request(follower.log.lastIndex)
	follower.sleep.active = false
	var other *peer
	c.eachPeer(1, func(p *peer) {
		if p != follower && p.s != leader.Store {
			other = p
		}
	})
	follower.s.OnRaftBatch(appendExtra(nil, appendHeader(nil, other, follower.meta), raft_serverpb.ExtraMessageType_MsgHibernateRequest, follower.log.lastIndex))
	if declined() != 4 || follower.asleep() {
		t.Errorf("%d of 4 requests declined, asleep %v", declined(), follower.asleep())
	}
	request(follower.log.lastIndex)
	if declined() != 4 || !follower.asleep() {
		t.Errorf("does not sleep though it should")
	}
	// What it knows already does not wake it; a newer term does.
	for _, m := range []*raftpb.Message{
		{Type: raftpb.MsgHeartbeat.Enum(), Commit: ptr(follower.commit()), Term: ptr(follower.term())},
		{Type: raftpb.MsgHeartbeat.Enum(), Commit: ptr(follower.commit()), Term: ptr(follower.term() + 1)},
	} {
		m.From, m.To = ptr(leader.byRegion[1].id), ptr(follower.id)
		follower.s.OnRaftBatch(appendEnvelope(nil, header, m, nil, nil))
		if follower.asleep() != (m.GetTerm() == follower.term()) {
			t.Errorf("after %v: asleep %v", m, follower.asleep())
		}
	}
}

func ptr(n uint64) *uint64 { return &n }
