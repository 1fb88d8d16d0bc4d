package cluster_test

import (
	"slices"
	"testing"
	"time"

	"simrun/faults"
	"simrun/nodes/invariant"
	"simrun/scenarios/cluster"
	"simrun/sim/disk"
	"simrun/sim/plan"
)

const key = "acct/0001"

// led returns a cluster that has a leader of key's region, and the leader's name.
func led(t *testing.T) (*cluster.Cluster, string) {
	t.Helper()
	p := plan.Default()
	p.Scenario, p.Seed = "bank", 1
	c, err := cluster.New(&p, cluster.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	c.World.StartAll()
	if err := c.World.RunFor(2 * time.Second); err != nil {
		t.Fatal(err)
	}
	leaders := c.Resolve(faults.Leader(key))
	if len(leaders) != 1 {
		t.Fatalf("leaders are %v", leaders)
	}
	invariant.Reset()
	return c, leaders[0]
}

// transfers returns how many transfers of leadership the stores have begun.
func transfers() uint64 {
	counts := invariant.Counts()
	i := slices.IndexFunc(counts, func(c invariant.Count) bool { return c.Name == "raftstore: leadership transfer begun" })
	return counts[i].Count
}

// A paused leader does not hear of a transfer before it goes on.
func TestTransferWaitsForPausedLeader(t *testing.T) {
	c, name := led(t)
	leader := c.World.Node(name)
	happened := 0
	leader.Pause()
	if !c.TransferLeader(key, func() { happened++ }) {
		t.Fatal("nobody could be asked")
	}
	run := func(d time.Duration) {
		if err := c.World.RunFor(d); err != nil {
			t.Fatal(err)
		}
	}
	run(50 * time.Millisecond) // less than an election timeout
	if transfers() != 0 {
		t.Error("a paused process did something")
	}
	leader.Resume()
	run(time.Second)
	if now := c.Resolve(faults.Leader(key)); transfers() != 1 || happened != 1 || len(now) != 1 || now[0] == name {
		t.Errorf("after the pause: %d transfers, %d told, leader %v", transfers(), happened, now)
	}
}

// A request dies with the process that it was for.
func TestTransferDiesWithLeader(t *testing.T) {
	c, name := led(t)
	leader := c.World.Node(name)
	leader.Pause()
	if !c.TransferLeader(key, func() { t.Error("the transfer happened") }) {
		t.Fatal("nobody could be asked")
	}
	leader.Crash(disk.ProcessKill)
	leader.Resume()
	leader.Start()
	if err := c.World.RunFor(100 * time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if transfers() != 0 {
		t.Error("the request outlived its process")
	}
}
