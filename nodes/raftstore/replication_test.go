package raftstore

import (
	"fmt"
	"testing"
	"time"

	"go.etcd.io/raft/v3"

	"simrun/nodes/env"
	"simrun/sim"
	"simrun/sim/disk"
)

// A new cluster elects a leader for each region, replicates, and reads what was
// written.
func TestReplication(t *testing.T) {
	c := newCluster(t, clusterOptions{seed: 1, regions: testRegions(3, "k3", "k6")})
	c.do(func(t env.Task) {
		for i := range 100 {
			c.put(t, fmt.Sprintf("k%d", i%10), fmt.Sprintf("v%d", i))
		}
		for i := range 10 {
			if got, want := c.get(t, fmt.Sprintf("k%d", i)), fmt.Sprintf("v%d", 90+i); got != want {
				c.t.Errorf("k%d = %q, want %q", i, got, want)
			}
		}
	})
	c.converged()
	if c.elections < 3 {
		t.Errorf("%d elections in 3 regions", c.elections)
	}
}

// What was acknowledged survives the loss of power on all stores at once, at
// any time; and what was applied is applied again.
func TestPowerLoss(t *testing.T) {
	for _, kind := range []disk.CrashKind{disk.ProcessKill, disk.PowerLoss} {
		for seed := range uint64(steps(20)) {
			c := newCluster(t, clusterOptions{seed: seed, raft: Config{LogGCThreshold: 16}})
			acked := map[string]string{}
			for round := range 4 {
				c.waitLeader("")
				c.w.Go("writer", func(t env.Task) {
					for i := range 30 {
						key, value := fmt.Sprintf("k%d-%d", round, i), fmt.Sprintf("v%d", i)
						if regionErr, err := c.tryPut(t, key, value, time.Second); regionErr == nil && err == nil {
							acked[key] = value
						}
						t.Sleep(time.Millisecond)
					}
				})
				c.run(time.Duration(20+seed) * time.Millisecond)
				for _, s := range c.stores {
					s.node.Crash(kind)
				}
				c.w.StartAll()
			}
			c.do(func(t env.Task) {
				for key, value := range acked {
					if got := c.get(t, key); got != value {
						c.t.Errorf("seed %d: %s = %q after %v, want %q", seed, key, got, kind, value)
					}
				}
			})
			c.converged()
			if len(acked) == 0 {
				t.Errorf("seed %d: nothing was acknowledged", seed)
			}
			c.w.Close()
		}
	}
}

// A candidate is not elected before its own vote is durable: it would know
// nothing of its term after a power loss, and could be elected in it once more.
func TestCandidateVotesFirst(t *testing.T) {
	c := newCluster(t, clusterOptions{seed: 1})
	leader := c.waitLeader("")
	c.run(time.Second)
	candidate := c.stores[leader.id%3]
	p, elections := candidate.byRegion[1], c.elections
	stalled := sim.NewInjector(c.w, nil).DiskStall(candidate.node.Name())
	if err := leader.TransferLeader(1, p.id); err != nil {
		t.Fatal(err)
	}
	c.soon("the candidacy", func() bool { return p.role == raft.StateCandidate })
	c.run(100 * time.Millisecond) // others do not campaign yet
	if c.elections != elections || p.isLeader() {
		t.Fatalf("%d elections while the disk of the candidate stands still", c.elections-elections)
	}
	stalled.Undo()
	c.soon("its election", p.isLeader)
}
