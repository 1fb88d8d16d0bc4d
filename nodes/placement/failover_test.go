package placement

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/pdpb"

	"simrun/nodes/env"
	"simrun/sim"
	"simrun/sim/disk"
)

// reached runs fn and checks that it reaches the mark.
func reached(t *testing.T, mark string, fn func()) {
	t.Helper()
	before := countMark("placement: " + mark)
	fn()
	if countMark("placement: "+mark) == before {
		t.Errorf("it was not reached: %s", mark)
	}
}

// TestLeadsAgain hands the leadership from one member to another, whose clock is
// ahead, and back, without a restart: the first one goes on above what the
// second has handed out, though it was last told a lower bound. What both have
// promised of ids, stores and regions holds too.
func TestLeadsAgain(t *testing.T) {
	c := newCluster(t, 3, sim.Config{Seed: 3}, Config{IDBatch: 5})
	s := c.addSession("client1", ClientConfig{})
	c.StartAll()
	a := c.awaitLeader(t)
	b := c.members[0]
	if b == a {
		b = c.members[1]
	}
	b.JumpClock(time.Minute)
	var lastTS, lastID uint64
	take := func(task env.Task, _ *env.Env, pd *Client) {
		ts, err := pd.GetTS(task, noLimit)
		if err != nil || ts <= lastTS {
			t.Errorf("timestamp %d, %v after %d", ts, err, lastTS)
		}
		id, err := pd.AllocID(task)
		if err != nil || id <= lastID {
			t.Errorf("id %d, %v after %d", id, err, lastID)
		}
		lastTS, lastID = ts, id
	}
	s.do(t, take)
	process := a.server
	s.do(t, func(task env.Task, e *env.Env, pd *Client) {
		if err := pd.PutStore(task, &metapb.Store{Id: 1, Address: "store1"}); err != nil {
			t.Error(err)
		}
		split := &metapb.Region{
			Id: 4, EndKey: []byte("c"), Peers: testRegions()[0].Peers, RegionEpoch: &metapb.RegionEpoch{Version: 2, ConfVer: 1},
		}
		if _, err := pd.RegionHeartbeat(task, &pdpb.RegionHeartbeatRequest{Region: split, Leader: split.Peers[0], Term: 7}); err != nil {
			t.Error(err)
		}
		task.Sleep(100 * time.Millisecond) // nobody waits until a region is saved
	})
	lost := countMark("placement: ids begin above the batch of an earlier leadership")
	for range 3 {
		for _, m := range []*testMember{b, a} {
			c.transfer(t, m)
			s.do(t, take)
			s.do(t, func(task env.Task, e *env.Env, pd *Client) {
				if store, err := pd.GetStore(task, 1, noLimit); err != nil || store.Address != "store1" {
					t.Errorf("store: %v, %v", store, err)
				}
				stale := testRegions()[0]
				_, err := pd.RegionHeartbeat(task, &pdpb.RegionHeartbeatRequest{Region: stale, Leader: stale.Peers[1], Term: 6})
				if err == nil {
					t.Error("the leader of a region before its split is believed after a fail-over")
				}
			})
		}
	}
	if a.server != process {
		t.Error("the member was restarted")
	}
	if n := countMark("placement: ids begin above the batch of an earlier leadership") - lost; n != 6 {
		t.Errorf("%d of 6 leaderships begin above the ids of the one before", n)
	}
}

// TestCutOffLeader cuts the leader off from the other members, but not from a
// client that asks nobody else. It may believe to lead for a while; from the
// moment on at which another one has handed out a timestamp, it hands out none.
func TestCutOffLeader(t *testing.T) {
	for seed := range uint64(5) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { cutOffLeader(t, seed) })
	}
}

func cutOffLeader(t *testing.T, seed uint64) {
	c := newCluster(t, 3, sim.Config{Seed: seed}, Config{})
	c.StartAll()
	old := c.awaitLeader(t)
	w := &witness{seen: map[uint64]bool{}}
	served := map[string]int{}
	ask := func(name string, cfg ClientConfig) {
		c.addClient(name, cfg, func(task env.Task, _ *env.Env, pd *Client) {
			for {
				called := c.Now()
				if ts, err := pd.GetTS(task, noLimit); err == nil {
					served[name]++
					if err := w.add(observation{ts, called, c.Now()}); err != nil {
						t.Error(err)
					}
				}
				task.Sleep(time.Millisecond)
			}
		})
		c.Node(name).Start()
	}
	ask("loyal", ClientConfig{Members: []string{old.Name()}, RequestTimeout: time.Second, Deadline: time.Second})
	ask("free", ClientConfig{RequestTimeout: 20 * time.Millisecond})
	reached(t, "confirmation of leadership failed", func() {
		reached(t, "leadership lost with requests waiting", func() {
			c.cutOff(old)
			c.awaitLeader(t, old)
			before, free := served["loyal"], served["free"]
			if err := c.RunFor(2 * time.Second); err != nil {
				t.Fatal(err)
			}
			if served["loyal"] != before || served["free"] == free {
				t.Errorf("the old leader has served %d, the new one %d", served["loyal"]-before, served["free"]-free)
			}
		})
	})
}

// TestStillborn cuts a member off in the moment in which it is elected. What it
// has proposed is overwritten, or found in the state of whoever leads next.
func TestStillborn(t *testing.T) {
	c := newCluster(t, 3, sim.Config{Seed: 1}, Config{})
	s := c.addSession("client1", ClientConfig{})
	c.StartAll()
	var elected *testMember
	c.until(t, "an election", func() bool {
		for _, m := range c.members {
			if m.server != nil && m.server.leadership != nil && !m.server.leadership.ready {
				elected = m
			}
		}
		return elected != nil
	})
	reached(t, "leadership lost before it was begun", func() {
		heal := c.cutOff(elected)
		c.awaitLeader(t, elected)
		heal()
		s.do(t, func(task env.Task, _ *env.Env, pd *Client) {
			for _, key := range []string{"a", "h", "z"} {
				if _, _, err := pd.GetRegion(task, []byte(key), noLimit); err != nil {
					t.Errorf("the region of %s: %v", key, err)
				}
			}
			task.Sleep(time.Second)
		})
	})
}

// TestSaveRepeated lets a leader hand its leadership over to a member that is
// down: until it gives that up raft takes no proposals, and saves wait.
func TestSaveRepeated(t *testing.T) {
	c := newCluster(t, 3, sim.Config{Seed: 1}, Config{IDBatch: 1})
	c.StartAll()
	leader := c.awaitLeader(t)
	s := c.addSession("client1", ClientConfig{Members: []string{leader.Name()}})
	c.Node("client1").Start()
	down := c.members[0]
	if down == leader {
		down = c.members[1]
	}
	id := down.server.replica.self.Id
	down.Crash(disk.ProcessKill)
	reached(t, "dropped proposal repeated", func() {
		s.do(t, func(task env.Task, _ *env.Env, pd *Client) {
			if refusal := leader.server.replica.store.TransferLeader(groupID, id); refusal != nil {
				t.Error(refusal)
			}
			if _, err := pd.AllocID(task); err != nil {
				t.Error(err)
			}
		})
	})
}

// TestFindsLeader lets a client find the leader when the member that it asks
// first does not lead, when that is down, and when it cannot reach the leader,
// to whom the others keep sending it: then it tries in vain until its deadline,
// and not for longer.
func TestFindsLeader(t *testing.T) {
	c := newCluster(t, 3, sim.Config{Seed: 1}, Config{})
	s := c.addSession("client1", ClientConfig{RequestTimeout: 50 * time.Millisecond, Deadline: time.Second})
	c.StartAll()
	region := func(want bool, most time.Duration) {
		t.Helper()
		s.do(t, func(task env.Task, e *env.Env, pd *Client) {
			before := e.Clock.Monotonic()
			_, _, err := pd.GetRegion(task, []byte("x"), noLimit)
			if took := e.Clock.Monotonic() - before; took > most || (err == nil) != want || err != nil && !errors.Is(err, ErrUnavailable) {
				t.Errorf("%v after %v", err, took)
			}
		})
	}
	c.awaitLeader(t)
	for _, m := range c.members { // whoever the client asks first, it is wrong twice
		c.transfer(t, m)
		region(true, time.Second)
		region(true, 20*time.Millisecond) // the leader was remembered
	}
	if countMark("placement: request redirected to the leader") == 0 {
		t.Error("it was never redirected")
	}
	old := c.leader()
	old.Crash(disk.ProcessKill)
	region(true, time.Second)
	old.Start()
	c.until(t, "all members up", func() bool { return old.server != nil })
	reached(t, "redirection to a silent member not followed", func() {
		leader := c.awaitLeader(t)
		c.Network.Cut(leader.Addr(), c.Node("client1").Addr())
		region(false, time.Second)
		c.Network.HealAll()
		region(true, time.Second)
	})
}

// TestStoreHealth follows a store through silence, heartbeats and removal.
func TestStoreHealth(t *testing.T) {
	cfg := Config{ClusterID: 1, DisconnectedAfter: 10 * time.Second, DownAfter: time.Minute}
	storage := newFakeStorage()
	storage.records[storeKey(1)] = encode(&metapb.Store{Id: 1, Address: "store1"})
	d, err := loadStores(storage, time.Hour, cfg)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Hour
	want := func(health StoreHealth) {
		t.Helper()
		if got := d.statuses(now)[0]; got.Health != health {
			t.Errorf("at %v: %v, want %v", now, got.Health, health)
		}
	}
	beat := func() { _ = d.heartbeat(&pdpb.StoreStats{StoreId: 1}, 0, now) }
	want(StoreUp)
	now += 10 * time.Second
	want(StoreDisconnected)
	reached(t, "disconnected store heard of again", beat)
	want(StoreUp)
	now += time.Minute
	want(StoreDown)
	beat()
	want(StoreUp)
	store := func(state metapb.StoreState) *metapb.Store {
		return &metapb.Store{Id: 1, Address: "store1", State: state}
	}
	if _, refusal := d.admit(store(metapb.StoreState_Tombstone)); refusal == nil {
		t.Error("it becomes a tombstone by request")
	}
	emptied, refusal := d.admit(store(metapb.StoreState_Offline))
	if refusal != nil {
		t.Fatal(refusal)
	}
	d.saving[1] = emptied
	if again, refusal := d.admit(store(metapb.StoreState_Up)); refusal != nil || again.State != metapb.StoreState_Offline {
		t.Errorf("its own registration, while its removal is being saved, makes it %v (%v)", again, refusal)
	}
	d.put(emptied, now)
	want(StoreOffline)
	beat()
	want(StoreOffline)
	d.put(store(metapb.StoreState_Tombstone), now)
	want(StoreTombstone)
	for _, state := range []metapb.StoreState{metapb.StoreState_Up, metapb.StoreState_Offline} {
		if _, refusal := d.admit(store(state)); refusal.GetType() != pdpb.ErrorType_STORE_TOMBSTONE {
			t.Errorf("it comes back as %v", state)
		}
	}
	for h := StoreUp; h <= storeHealthEnd; h++ {
		if name := h.String(); (name == fmt.Sprintf("StoreHealth(%d)", h)) != (h == storeHealthEnd) {
			t.Errorf("state %d is called %s", h, name)
		}
	}
}
