package raftstore

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/eraftpb"
	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_cmdpb"
	"github.com/pingcap/kvproto/pkg/raft_serverpb"
	"pgregory.net/rapid"

	"simrun/nodes/env"
	"simrun/sim"
	"simrun/sim/disk"
)

func change(kind eraftpb.ConfChangeType, peer, store uint64) *raft_cmdpb.ChangePeerRequest {
	return &raft_cmdpb.ChangePeerRequest{ChangeType: kind, Peer: &metapb.Peer{Id: peer, StoreId: store}}
}

func voter(peer, store uint64) *raft_cmdpb.ChangePeerRequest {
	return change(eraftpb.ConfChangeType_AddNode, peer, store)
}

func learner(peer, store uint64) *raft_cmdpb.ChangePeerRequest {
	return change(eraftpb.ConfChangeType_AddLearnerNode, peer, store)
}

func removal(peer, store uint64) *raft_cmdpb.ChangePeerRequest {
	return change(eraftpb.ConfChangeType_RemoveNode, peer, store)
}

// tryChange asks the leader of the region of key for a change.
func (c *cluster) tryChange(t env.Task, key string, changes ...*raft_cmdpb.ChangePeerRequest) (*metapb.Region, *errorpb.Error, error) {
	s := c.leaderOf(key)
	if s == nil {
		return nil, errNotLeader(0, nil), nil
	}
	return s.ChangePeers(t, s.context(key), changes, time.Second)
}

// change makes a change, trying until it is carried out.
func (c *cluster) change(t env.Task, key string, changes ...*raft_cmdpb.ChangePeerRequest) *metapb.Region {
	var regionErr *errorpb.Error
	for range 200 {
		var region *metapb.Region
		var err error
		if region, regionErr, err = c.tryChange(t, key, changes...); region != nil && err == nil {
			return region
		}
		t.Sleep(20 * time.Millisecond)
	}
	c.t.Errorf("change of %q: never carried out: %v", key, regionErr)
	return nil
}

// member returns the region of key on its leader, and its peer on a store.
func (c *cluster) member(key string, store uint64) (*metapb.Region, *metapb.Peer) {
	s := c.leaderOf(key)
	if s == nil {
		return nil, nil
	}
	region, _ := s.RegionOf([]byte(key))
	return region, peerOnStore(region, store)
}

// remove takes a peer away. One of an even number of voters is demoted first.
func (c *cluster) remove(t env.Task, key string, id, store uint64) {
	if region, p := c.member(key, store); p.GetRole() == metapb.PeerRole_Voter && voters(region)%2 == 0 {
		c.change(t, key, learner(id, store))
	}
	c.change(t, key, removal(id, store))
}

func voters(r *metapb.Region) (n int) {
	for _, p := range r.GetPeers() {
		if p.GetRole() == metapb.PeerRole_Voter {
			n++
		}
	}
	return n
}

// add gives the region of key a voter on a store, by way of a learner.
func (c *cluster) add(t env.Task, key string, store uint64) uint64 {
	id := c.newID()
	region := c.change(t, key, learner(id, store))
	c.catchUp(t, key, region.GetId(), id)
	c.change(t, key, voter(id, store))
	return id
}

func (c *cluster) catchUp(t env.Task, key string, region, peer uint64) {
	for range 500 {
		if s := c.leaderOf(key); s != nil && s.CaughtUp(region, peer) {
			return
		}
		t.Sleep(20 * time.Millisecond)
	}
	c.t.Errorf("peer %d of region %d never catches up", peer, region)
}

// notLed moves the leadership of a region away from a store.
func (c *cluster) notLed(t env.Task, key string, store uint64) {
	for range 200 {
		leader := c.leaderOf(key)
		if leader != nil && leader.id != store {
			return
		}
		if leader != nil {
			region, _ := leader.RegionOf([]byte(key))
			for _, p := range region.GetPeers() {
				if p.GetStoreId() != store && staysVoter(p) {
					leader.TransferLeader(region.GetId(), p.GetId())
					break
				}
			}
		}
		t.Sleep(50 * time.Millisecond)
	}
	c.t.Errorf("the leader of %q stays on store %d", key, store)
}

// agreed waits until exactly the members of each region have a peer, which all
// have applied the same, and none is in a joint configuration.
func (c *cluster) agreed() {
	c.t.Helper()
	c.until("agreement", func() bool {
		regions := map[uint64]*metapb.Region{}
		applied := map[uint64]uint64{}
		peers := map[uint64]int{}
		for _, s := range c.stores {
			if !s.node.Up() {
				return false
			}
			for _, r := range s.Regions() {
				id := r.Region.GetId()
				if !initialised(r.Region) || inJoint(r.Region) || r.Applied != r.Last || r.Applying || peers[id] > 0 && applied[id] != r.Applied {
					return false
				}
				regions[id], applied[id] = r.Region, r.Applied
				peers[id]++
			}
		}
		for id, r := range regions {
			if peers[id] != len(r.GetPeers()) {
				return false
			}
		}
		return len(regions) > 0
	})
}

// onStores is a region without neighbours with peers on the given stores.
func onStores(stores ...uint64) []*metapb.Region {
	r := &metapb.Region{Id: 1, RegionEpoch: &metapb.RegionEpoch{ConfVer: 1, Version: 1}}
	for i, s := range stores {
		r.Peers = append(r.Peers, &metapb.Peer{Id: uint64(i + 2), StoreId: s})
	}
	return []*metapb.Region{r}
}

// What a joint configuration's members are, for raft, follows from their roles;
// and what a change makes of a region is what raft makes of it: tell checks that
// on every change. Here: the rules, one by one.
func TestChangeMembers(t *testing.T) {
	r := onStores(1, 2, 3)[0] // peers 2, 3, 4
	for _, refused := range [][]*raft_cmdpb.ChangePeerRequest{
		{},                               // in no joint configuration
		{voter(2, 1)},                    // a voter already
		{voter(9, 1)},                    // another peer is there
		{voter(2, 4)},                    // the peer is elsewhere
		{removal(9, 4)},                  // no member
		{removal(9, 1)},                  // not that one
		{removal(2, 1), learner(9, 4)},   // only demoted
		{learner(0, 4)}, {learner(9, 0)}, // no ids
		{learner(2, 1), learner(3, 2), learner(4, 3)}, // nobody would vote
		{{ChangeType: 7, Peer: &metapb.Peer{Id: 9, StoreId: 4}}},
	} {
		if next, err := changeMembers(r, refused); err == nil {
			t.Errorf("%v makes %v", refused, next)
		}
	}
	step := func(want string, changes ...*raft_cmdpb.ChangePeerRequest) {
		t.Helper()
		next, err := changeMembers(r, changes)
		if err != nil {
			t.Fatal(err)
		}
		got := fmt.Sprint(next.RegionEpoch.ConfVer)
		for _, p := range next.Peers {
			got += fmt.Sprintf(" %d:%s", p.Id, p.Role)
		}
		if got != want {
			t.Errorf("%v\nmakes %s\nnot   %s", changes, got, want)
		}
		r = next
	}
	step("2 2:Voter 3:Voter 4:Voter 9:Learner", learner(9, 4))
	step("4 2:DemotingVoter 3:Voter 4:Voter 9:IncomingVoter", voter(9, 4), learner(2, 1))
	cs := confStateOf(r)
	if !slices.Equal(cs.Voters, []uint64{3, 4, 9}) || !slices.Equal(cs.VotersOutgoing, []uint64{2, 3, 4}) || !slices.Equal(cs.LearnersNext, []uint64{2}) {
		t.Errorf("%v in raft's form is %v", r, cs)
	}
	if _, err := changeMembers(r, []*raft_cmdpb.ChangePeerRequest{learner(10, 5)}); err == nil {
		t.Error("a change in a joint configuration")
	}
	step("6 2:Learner 3:Voter 4:Voter 9:Voter")
	step("7 3:Voter 4:Voter 9:Voter", removal(2, 1))
	step("8 3:Learner 4:Voter 9:Voter", learner(3, 2))
	step("9 3:Voter 4:Voter 9:Voter", voter(3, 2))
}

// A replica moves from one store to another under writes: learner, snapshot,
// joint configuration, removal. Nothing is left where it was.
func TestMoveReplica(t *testing.T) {
	promoted, joint, left, removed := reached("learner promoted"), reached("joint configuration entered"),
		reached("joint configuration left"), reached("peer applied its own removal")
	c := newCluster(t, clusterOptions{seed: 1, stores: 4, regions: onStores(1, 2, 3), raft: eagerGC()})
	c.waitLeader("")
	c.do(func(t env.Task) {
		for i := range 40 {
			c.put(t, fmt.Sprintf("k%02d", i), "v")
		}
		c.notLed(t, "", 1)
		id := c.newID()
		region := c.change(t, "", learner(id, 4))
		c.catchUp(t, "", region.GetId(), id)
		c.change(t, "", voter(id, 4), learner(2, 1))
		c.put(t, "k00", "w")
		c.change(t, "", removal(2, 1)) // once the joint configuration is left
	})
	c.agreed()
	if peers := len(c.stores[0].Regions()); peers != 0 || dumpData(t, c.stores[0].eng) != "" {
		t.Errorf("store 1 has %d peers and\n%s", peers, dumpData(t, c.stores[0].eng))
	}
	if a, b := dumpData(t, c.stores[1].eng), dumpData(t, c.stores[3].eng); a != b {
		t.Errorf("store 4 holds\n%s\nstore 2 holds\n%s", b, a)
	}
	if promoted() == 0 || joint() == 0 || left() == 0 || removed() == 0 {
		t.Errorf("promoted %d, joint %d, left %d, removed %d", promoted(), joint(), left(), removed())
	}
	lines, err := DumpRegions(c.stores[0].eng)
	if err != nil || len(lines) != 1 || !tombstoned(t, c.stores[0], 1) {
		t.Errorf("store 1 has on disk %q, %v", lines, err)
	}
	if h, err := load[raft_serverpb.RaftLocalState](c.stores[0].eng.RaftLog, hardStateKey(nil, 1)); h != nil || err != nil {
		t.Errorf("raft state %v, %v", h, err)
	}
}

func tombstoned(t testing.TB, s *testStore, region uint64) bool {
	t.Helper()
	states, err := regionStates(s.eng)
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(states, func(st *raft_serverpb.RegionLocalState) bool {
		return st.GetRegion().GetId() == region && st.GetState() == raft_serverpb.PeerState_Tombstone
	})
}

// The leader of the joint configuration is demoted by it, and hands over before
// it is left.
func TestDemotedLeaderHandsOver(t *testing.T) {
	handed, another := reached("demoted leader hands over"), reached("joint configuration to be left by another leader")
	c := newCluster(t, clusterOptions{seed: 2, stores: 4, regions: onStores(1, 2, 3)})
	leader := c.waitLeader("")
	c.do(func(t env.Task) {
		id := c.newID()
		c.change(t, "", learner(id, 4))
		c.catchUp(t, "", 1, id)
		c.change(t, "", voter(id, 4), learner(leader.id+1, leader.id))
	})
	c.agreed()
	lines, err := c.waitLeader("").DumpLog(1)
	if err != nil {
		t.Fatal(err)
	}
	log := strings.Join(lines, "\n")
	for _, want := range []string{
		"CHANGE AddLearnerNode peer=1001 store=4 epoch=1/1",
		"ENTER_JOINT AddNode peer=1001 store=4 epoch=2/1",
		fmt.Sprintf("ENTER_JOINT AddLearnerNode peer=%d store=%d epoch=2/1", leader.id+1, leader.id),
		"LEAVE_JOINT epoch=4/1",
	} {
		if !strings.Contains(log, want) {
			t.Errorf("the log does not tell of %s:\n%s", want, log)
		}
	}
	if now := c.waitLeader(""); now == leader || handed() == 0 || another() == 0 {
		t.Errorf("leader %d after %d, %d handed over, %d left by another", now.id, leader.id, handed(), another())
	}
}

// What would be unsafe is refused.
func TestUnsafeChanges(t *testing.T) {
	refused := reached("change of members refused")
	c := newCluster(t, clusterOptions{seed: 3, stores: 5, regions: onStores(1, 2, 3)})
	leader := c.waitLeader("")
	self := leader.id + 1
	other := leader.id%3 + 2
	c.do(func(task env.Task) {
		for _, changes := range [][]*raft_cmdpb.ChangePeerRequest{
			{removal(self, leader.id)},
			{learner(self, leader.id)},
			{},
			{learner(90, 4), learner(91, 5)},
			{learner(90, 4), voter(90, 4)},
		} {
			if region, regionErr, err := c.tryChange(task, "", changes...); regionErr == nil || err != nil {
				t.Errorf("%v makes %v (%v)", changes, region, err)
			}
		}
		// Two changes at a time.
		first := make(chan struct{}, 1)
		c.w.Go("first", func(task env.Task) {
			c.change(task, "", learner(90, 4))
			first <- struct{}{}
		})
		task.Sleep(time.Microsecond)
		if _, regionErr, _ := c.tryChange(task, "", learner(91, 5)); regionErr == nil {
			t.Error("two changes under way")
		}
		task.Sleep(time.Second)
		<-first
		// Of another epoch.
		ctx := leader.context("")
		ctx.RegionEpoch = &metapb.RegionEpoch{ConfVer: 1, Version: 1}
		if _, regionErr, _ := leader.ChangePeers(task, ctx, nil, time.Second); regionErr.GetEpochNotMatch() == nil {
			t.Errorf("change of another epoch: %v", regionErr)
		}
		// From three voters to two, but not to one.
		c.change(task, "", removal(other, other-1))
		last := slices.IndexFunc([]uint64{2, 3, 4}, func(id uint64) bool { return id != self && id != other })
		if _, regionErr, _ := c.tryChange(task, "", removal(uint64(last+2), uint64(last+1))); regionErr == nil {
			t.Error("one of two voters is removed")
		}
	})
	if refused() < 7 {
		t.Errorf("%d refused", refused())
	}
}

// A peer that was removed while it was cut off finds out, in each of the three
// ways, and nothing of it is left.
func TestStalePeerFindsOut(t *testing.T) {
	for _, way := range []struct {
		mark    string
		learner bool // it asks for no votes
		again   bool // the store gets another peer
		quiet   bool // other stores do not answer it
	}{
		{mark: "stale peer gone, by a message"},
		{mark: "stale peer gone, by a message", learner: true},
		{mark: "stale peer gone, by asking", learner: true, quiet: true},
		{mark: "stale peer gone, by its successor", again: true},
	} {
		t.Run(fmt.Sprint(way), func(t *testing.T) {
			gone := reached(way.mark)
			c := newCluster(t, clusterOptions{seed: 4, stores: 4, regions: onStores(1, 2, 3), raft: eagerGC()})
			c.waitLeader("")
			s := c.stores[3]
			var id uint64
			var heal func()
			c.do(func(t env.Task) {
				if way.learner {
					id = c.newID()
					c.catchUp(t, "", c.change(t, "", learner(id, 4)).GetId(), id)
				} else {
					id = c.add(t, "", 4)
				}
				c.put(t, "a", "1")
				c.notLed(t, "", 4)
				t.Sleep(200 * time.Millisecond)
				heal = c.isolate(s)
				c.remove(t, "", id, 4)
				c.put(t, "a", "2")
				if way.again {
					c.change(t, "", learner(c.newID(), 4))
				}
			})
			if s.byRegion[1] == nil || s.byRegion[1].id != id {
				t.Fatal("the peer is not there any more")
			}
			c.pdDown = !way.quiet
			if way.quiet {
				// It reaches the placement driver only.
				c.until("the end of the peer", func() bool { return s.byRegion[1] == nil })
			}
			heal()
			c.agreed()
			if gone() == 0 || !way.again && (s.byRegion[1] != nil || dumpData(t, s.eng) != "") {
				t.Errorf("%d gone, peer %v", gone(), s.byRegion[1])
			}
		})
	}
}

// Late messages do not bring a removed peer back, before and after a restart,
// whatever they are; but its successor may come.
func TestNoResurrection(t *testing.T) {
	refused, created := reached("message to a removed peer dropped"), reached("peer created by a message")
	c := newCluster(t, clusterOptions{seed: 5, stores: 4, regions: onStores(1, 2, 3)})
	c.waitLeader("")
	s := c.stores[3]
	var id uint64
	c.do(func(t env.Task) {
		id = c.add(t, "", 4)
		c.notLed(t, "", 4)
		c.remove(t, "", id, 4)
	})
	c.until("the end of the peer", func() bool { return s.byRegion[1] == nil })
	before := created()
	for restart := range 2 {
		for _, from := range []uint64{2, 3, 4, id} {
			s.OnRaftBatch(voteRequest(1, &metapb.Peer{Id: from, StoreId: from - 1}, &metapb.Peer{Id: id, StoreId: 4}, 99, "", ""))
		}
		c.run(200 * time.Millisecond)
		if s.byRegion[1] != nil || created() != before || refused() < 4 {
			t.Fatalf("after %d restarts: peer %v, %d created, %d refused", restart, s.byRegion[1], created()-before, refused())
		}
		s.node.Crash(disk.PowerLoss)
		s.node.Start()
	}
	c.do(func(t env.Task) { c.add(t, "", 4) })
	c.agreed()
	if s.byRegion[1] == nil {
		t.Error("the successor is not there")
	}
}

// A power loss at any moment of a removal leaves the peer as it was or takes it
// away, never half of it.
func TestCrashWhileDestroyed(t *testing.T) {
	resumed := reached("log of a removed peer found at start")
	for i := range 120 {
		c := newCluster(t, clusterOptions{seed: uint64(i), stores: 3, regions: onStores(1, 2, 3)})
		c.waitLeader("")
		var store uint64
		c.do(func(t env.Task) {
			for i := range 5 {
				c.put(t, fmt.Sprint("k", i), "v")
			}
			store = c.leaderOf("").id%3 + 1
			c.w.Go("removal", func(t env.Task) { c.change(t, "", removal(store+1, store)) })
			t.Sleep(time.Duration(i) * 40 * time.Microsecond)
		})
		s := c.stores[store-1]
		s.node.Crash(disk.PowerLoss)
		c.run(300 * time.Millisecond)
		s.node.Start()
		c.agreed()
		c.until("the end of the peer", func() bool { return s.byRegion[1] == nil })
		h, err := load[raft_serverpb.RaftLocalState](s.eng.RaftLog, hardStateKey(nil, 1))
		if err != nil || h != nil || dumpData(t, s.eng) != "" || !tombstoned(t, s, 1) {
			t.Errorf("%d: raft state %v, %v, data\n%s", i, h, err, dumpData(t, s.eng))
		}
		c.w.Close()
	}
	if resumed() == 0 {
		t.Error("no removal was completed at a start")
	}
}

// A region that is split in a joint configuration makes regions in joint
// configurations, which their leaders leave.
func TestSplitInJoint(t *testing.T) {
	c := newCluster(t, clusterOptions{seed: 6, stores: 4, regions: onStores(1, 2, 3)})
	c.waitLeader("")
	c.do(func(t env.Task) {
		id := c.newID()
		c.notLed(t, "", 1)
		c.catchUp(t, "", c.change(t, "", learner(id, 4)).GetId(), id)
		c.put(t, "a", "1")
		c.put(t, "z", "1")
		leader := c.leaderOf("")
		region, _ := leader.RegionOf(nil)
		epoch := *region.RegionEpoch
		c.w.Go("joint", func(t env.Task) { c.change(t, "", voter(id, 4), learner(2, 1)) })
		for range 5000 {
			if r, _ := leader.RegionOf(nil); inJoint(r) {
				break
			}
			t.Sleep(10 * time.Microsecond)
		}
		if r, _ := leader.RegionOf(nil); !inJoint(r) || r.RegionEpoch.ConfVer != epoch.ConfVer+2 {
			c.t.Errorf("no joint configuration: %v", r)
		}
		parts, regionErr, err := leader.SplitRegion(t, leader.context(""), [][]byte{[]byte("m")}, time.Second)
		if err != nil || regionErr != nil || len(parts) != 2 {
			c.t.Logf("split: %v %v", regionErr, err) // the configuration was left first
		}
		c.put(t, "a", "2")
		c.put(t, "z", "2")
	})
	c.agreed()
}

// memberStorm changes the members of regions at random. Voters stay at three or
// more, so that one crash at a time does no harm.
func memberStorm(c *cluster, t env.Task, rng *rand.Rand, stop *bool) {
	for !*stop {
		t.Sleep(time.Duration(rng.IntN(100)) * time.Millisecond)
		key := fmt.Sprintf("k%d", rng.IntN(10))
		store := uint64(rng.IntN(len(c.stores)) + 1)
		region, peer := c.member(key, store)
		switch {
		case region == nil:
		case peer == nil:
			kind := learner(c.newID(), store)
			if rng.IntN(4) == 0 {
				kind = voter(kind.Peer.Id, store)
			}
			_, _, _ = c.tryChange(t, key, kind)
		case peer.Role == metapb.PeerRole_Learner && rng.IntN(2) == 0:
			_, _, _ = c.tryChange(t, key, removal(peer.Id, store))
		case peer.Role == metapb.PeerRole_Learner:
			changes := []*raft_cmdpb.ChangePeerRequest{voter(peer.Id, store)}
			for _, q := range region.Peers {
				if q.Role == metapb.PeerRole_Voter && rng.IntN(4) == 0 && len(changes) < 3 && countVoters(region) >= 3 {
					changes = append(changes, learner(q.Id, q.StoreId))
					break
				}
			}
			_, _, _ = c.tryChange(t, key, changes...)
		case countVoters(region) > 3:
			_, _, _ = c.tryChange(t, key, removal(peer.Id, store))
		}
	}
}

func countVoters(r *metapb.Region) (n int) {
	for _, p := range r.GetPeers() {
		if p.GetRole() != metapb.PeerRole_Learner {
			n++
		}
	}
	return n
}

// Random changes of members under crashes and partitions: registers stay
// linearizable, all members agree at last, and nobody else is left.
func TestMemberStorm(t *testing.T) {
	for seed := range uint64(steps(24)) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { runMemberStorm(t, seed) })
	}
}

func runMemberStorm(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 7))
	order := sim.Arrival
	if seed%2 == 1 {
		order = sim.Seeded
	}
	c := newCluster(t, clusterOptions{
		seed: seed, order: order, stores: 5, regions: testRegions(3, "k5"),
		raft: Config{LogGCThreshold: 8 + uint64(rng.IntN(64)), SnapshotChunkSize: 256},
	})
	stop := false
	running := 0
	start := func(name string, fn func(t env.Task)) {
		running++
		c.w.Go(name, func(t env.Task) {
			fn(t)
			running--
		})
	}
	registers := make([]*register, 8)
	for i := range registers {
		registers[i] = &register{key: fmt.Sprintf("k%d%d", i, rng.IntN(10))}
		r, rng := registers[i], rand.New(rand.NewPCG(seed, uint64(i+1)))
		start("register", func(t env.Task) { r.run(c, t, rng, &stop) })
	}
	for i := range 3 {
		rng := rand.New(rand.NewPCG(seed, uint64(100+i)))
		start("members", func(t env.Task) { memberStorm(c, t, rng, &stop) })
	}
	faults := rand.New(rand.NewPCG(seed, 200))
	start("storm", func(t env.Task) { storm(c, t, faults, &stop) })
	c.run(8 * time.Second)
	stop = true
	c.until("end of the storm", func() bool { return running == 0 })
	c.w.StartAll()
	c.w.Network.HealAll()
	c.do(func(t env.Task) {
		for _, r := range registers {
			if got := c.get(t, r.key); got != fmt.Sprint(r.acked) && r.acked > 0 {
				c.t.Errorf("seed %d: %s = %s at last; acknowledged %d, written %d", seed, r.key, got, r.acked, r.written)
			}
		}
	})
	c.agreed()
	t.Logf("seed %d: %d changes, %d destroyed, %d snapshots, %d splits", seed, c.changes, c.destroyed, c.snapshots, c.splits)
}

// Whatever changes are accepted, the configuration stays one in which raft can
// decide: there are voters in both sets, each peer is once in it, and the version
// grows.
func TestChangeMembersProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := onStores(1, 2, 3)[0]
		next := uint64(10)
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			var changes []*raft_cmdpb.ChangePeerRequest
			for range rapid.IntRange(0, 3).Draw(t, "changes") {
				store := uint64(rapid.IntRange(1, 5).Draw(t, "store"))
				id := peerOnStore(r, store).GetId()
				if id == 0 {
					next++
					id = next
				}
				kind := eraftpb.ConfChangeType(rapid.IntRange(0, 2).Draw(t, "kind"))
				changes = append(changes, change(kind, id, store))
			}
			before := r.String()
			after, err := changeMembers(r, changes)
			if r.String() != before {
				t.Fatalf("%v was changed to %v", before, r)
			}
			if err != nil {
				continue
			}
			if !slices.ContainsFunc(after.Peers, staysVoter) {
				t.Fatalf("nobody votes in %v", after)
			}
			if after.RegionEpoch.ConfVer <= r.RegionEpoch.ConfVer {
				t.Fatalf("%v after %v", after, r)
			}
			for i, p := range after.Peers {
				for _, q := range after.Peers[:i] {
					if p.Id == q.Id || p.StoreId == q.StoreId {
						t.Fatalf("%v has a peer twice", after)
					}
				}
			}
			r = after
		}
	})
}

// The tombstone of a peer that was told of its removal knows who the members were
// then. One of them that is behind and asks its store for a vote, or whether it was
// removed, must not be told that it was.
func TestTombstoneOfToldPeer(t *testing.T) {
	referred := reached("stale peer referred to later members")
	c := newCluster(t, clusterOptions{seed: 7, stores: 4, regions: onStores(1, 2, 3)})
	c.waitLeader("")
	told, behind := c.stores[3], (*testStore)(nil)
	between := func(s *testStore, do func(s, other *testStore)) {
		for _, other := range c.stores {
			if other != told && other != behind {
				do(s, other)
			}
		}
	}
	c.do(func(t env.Task) {
		c.pdDown = true
		id := c.newID()
		c.catchUp(t, "", c.change(t, "", learner(id, 4)).GetId(), id)
		t.Sleep(100 * time.Millisecond)
		behind = c.stores[c.leaderOf("").id%3]
		c.cut(told, behind)
		between(told, c.cut)
		between(behind, c.cut)
		c.change(t, "", removal(id, 4))
	})
	id := behind.byRegion[1].id
	c.w.Network.HealAll()
	c.cut(told, behind)
	between(behind, c.cut)
	c.until("the end of the peer", func() bool { return told.byRegion[1] == nil })
	if members := told.tombstones[1].GetRegion().GetPeers(); len(members) != 4 || peerByID(told.tombstones[1].GetRegion(), id) == nil {
		t.Errorf("the tombstone names %v", members)
	}
	c.w.Network.HealAll()
	between(behind, c.cut) // the two see only each other
	c.run(5 * time.Second)
	if behind.byRegion[1] == nil || behind.byRegion[1].id != id || referred() == 0 {
		t.Errorf("peer %v, referred %d times", behind.byRegion[1], referred())
	}
	c.w.Network.HealAll()
	c.agreed()
}

// A peer that was removed may know nobody who is there still, and the placement
// driver not know the region any more, since it was merged. It follows the tombstones,
// of which each names members of a later configuration, to one who knows. Whether
// the peers in between have applied their own removals, or were told, is the same.
func TestStalePeerFollowsTombstones(t *testing.T) {
	for _, told := range []bool{false, true} {
		referred := reached("stale peer referred to later members")
		c := newCluster(t, clusterOptions{seed: 8, stores: 6, regions: onStores(1, 2, 3)})
		c.waitLeader("")
		late := c.stores[3]
		var heal func()
		c.do(func(t env.Task) {
			c.pdDown = true
			id := c.newID()
			region := c.change(t, "", learner(id, late.id)).GetId()
			c.catchUp(t, "", region, id)
			t.Sleep(100 * time.Millisecond)
			heal = c.isolate(late)
			for _, gone := range c.stores[:3] { // until only the stores 5 and 6 are left
				if gone.id < 3 {
					c.add(t, "", gone.id+4)
				}
				c.notLed(t, "", gone.id)
				_, p := c.member("", gone.id)
				if told {
					for _, other := range c.stores[:3] { // who was removed is silent
						if other != gone {
							c.cut(gone, other)
						}
					}
					for _, other := range c.stores[4:] {
						c.cut(gone, other)
					}
				}
				c.remove(t, "", p.GetId(), gone.id)
				if told {
					c.w.Network.HealAll()
					heal = c.isolate(late)
				}
				for range 500 {
					if gone.byRegion[1] == nil {
						break
					}
					t.Sleep(20 * time.Millisecond)
				}
			}
			c.change(t, "", removal(id, late.id))
		})
		for _, s := range c.stores[:3] {
			if grave := s.tombstones[1].GetRegion(); grave == nil || peerOnStore(grave, late.id) == nil {
				t.Fatalf("told %t: store %d does not take the late peer for a member: %v", told, s.id, grave)
			}
		}
		heal()
		c.until("the end of the late peer", func() bool { return late.byRegion[1] == nil })
		if referred() == 0 {
			t.Errorf("told %t: nobody referred it to others", told)
		}
		c.w.Close()
	}
}

// A change is under way on a store that has it in its log until it is applied there.
func TestChanging(t *testing.T) {
	c := newCluster(t, clusterOptions{seed: 4, stores: 4, regions: onStores(1, 2, 3)})
	leader := c.waitLeader("")
	changing := func() (n int) {
		for _, s := range c.stores {
			if s.Changing() {
				n++
			}
		}
		return n
	}
	c.do(func(t env.Task) { c.put(t, "k", "1") })
	c.run(time.Second)
	if n := changing(); n != 0 {
		t.Fatalf("%d stores have a change", n)
	}
	heal := c.isolate(leader)
	c.do(func(task env.Task) {
		if region, _, _ := c.tryChange(task, "", learner(c.newID(), 4)); region != nil {
			t.Error("a change without a quorum")
		}
	})
	if !leader.Changing() || changing() != 1 {
		t.Errorf("%d stores have the change that the leader has", changing())
	}
	heal()
	c.until("end of the change", func() bool { return changing() == 0 })
}
