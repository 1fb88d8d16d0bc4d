package client

import (
	"testing"
	"time"

	"simrun/nodes/env"
	"simrun/nodes/rpc"
)

// suspectKeys are where the regions of the tests below begin.
var suspectKeys = []string{"b", "c", "d", "e", "f", "g"}

// TestSilentStoreAvoided: a store is gone, and what it led is led by another one. A
// client whose cached regions all name the old leader waits in vain for it once, and
// not once for each region.
func TestSilentStoreAvoided(t *testing.T) {
	c := newCluster(t, 1, Config{}, true, suspectKeys...)
	c.run(func(task env.Task) {
		for _, key := range suspectKeys {
			c.transfer(key, true, 3)
		}
		if _, err := c.client.RawScan(task, nil, nil, 0); err != nil {
			t.Fatal(err) // fills the cache
		}
		c.down = 3
		for _, key := range suspectKeys {
			c.transfer(key, true, 2)
		}
		before, lost := c.client.env.Clock.Monotonic(), c.client.Stats().Lost
		if _, err := c.client.RawScan(task, nil, nil, 0); err != nil {
			t.Fatal(err)
		}
		if n := c.client.Stats().Lost - lost; n != 1 {
			t.Errorf("%d requests were not answered, of one scan", n)
		}
		if d := c.client.env.Clock.Monotonic() - before; d > c.client.cfg.RPCTimeout+200*time.Millisecond {
			t.Errorf("the scan took %v", d)
		}
		// The time of suspicion over, the store is asked again.
		c.down = 0
		task.Sleep(c.client.cfg.SuspectFor)
		c.transfer("b", true, 3)
		c.client.regions = regionCache{}
		before = c.client.env.Clock.Monotonic()
		if _, _, err := c.client.RawGet(task, []byte("b")); err != nil {
			t.Fatal(err)
		}
		if d := c.client.env.Clock.Monotonic() - before; d > 10*latency {
			t.Errorf("a read from the store that is back took %v", d)
		}
	})
}

// TestSilentStoreAgain: a store is gone for good, and now and then another request is
// lost. The client tries the dead one again and again, but less and less often.
func TestSilentStoreAgain(t *testing.T) {
	c := newCluster(t, 1, Config{}, true)
	c.run(func(task env.Task) {
		c.transfer("", true, 2)
		c.down = 3 // which is the next one after the leader
		const rounds = 20
		for range rounds {
			c.rules = []*rule{{method: rpc.RawGet, dropReq: true, times: 1}}
			if _, _, err := c.client.RawGet(task, []byte("k")); err != nil {
				t.Fatal(err)
			}
			task.Sleep(c.client.cfg.SuspectFor)
		}
		// Each round takes two to three times SuspectFor.
		if n := c.client.Stats().Lost - rounds; n < 4 || n > rounds/2 {
			t.Errorf("the dead store was asked %d times in %d rounds", n, rounds)
		}
		c.down = 0
		task.Sleep(c.client.cfg.SuspectFor << suspectDoublings)
		if c.client.isSuspect(3, 0) {
			t.Error("the store is suspect for longer than it may be")
		}
	})
}

// TestSilentStoreNamed: a request to the leader is lost, but the leader is there.
// Another peer says so, and the client believes it at once, in the place of waiting
// until the store is not suspect any more.
func TestSilentStoreNamed(t *testing.T) {
	c := newCluster(t, 1, Config{SuspectFor: time.Hour}, true)
	c.run(func(task env.Task) {
		c.transfer("", true, 3)
		c.rules = []*rule{{method: rpc.RawGet, dropReq: true, times: 2}}
		if _, _, err := c.client.RawGet(task, []byte("k")); err != nil {
			t.Fatal(err)
		}
		// Leader, another peer (both lost), the third one, which names the leader.
		if n := c.client.Stats().Calls[rpc.RawGet]; n != 4 {
			t.Errorf("%d attempts", n)
		}
		if c.client.isSuspect(3, 0) {
			t.Error("a store that has answered is suspect")
		}
	})
}

// TestReplicaReadOfSilentStore: what could be read from a follower is read from the
// leader while the follower's store does not answer.
func TestReplicaReadOfSilentStore(t *testing.T) {
	c := newCluster(t, 1, Config{ReplicaRead: 1000}, true)
	c.run(func(task env.Task) {
		c.down = 2
		for range 20 {
			if _, _, err := c.client.RawGet(task, []byte("k")); err != nil {
				t.Fatal(err)
			}
		}
		if n := c.client.Stats().Lost; n != 1 {
			t.Errorf("%d reads waited in vain", n)
		}
	})
}
