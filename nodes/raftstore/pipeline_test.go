package raftstore

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/raft_cmdpb"

	"simrun/network"
	"simrun/nodes/env"
	"simrun/sim"
)

// cost is what some proposals have cost, all stores together.
type cost struct{ proposals, syncs, messages uint64 }

// proposeFrom lets each of some tasks propose the same number of puts, spread
// over eight regions.
func (c *cluster) proposeFrom(tasks, each int) cost {
	c.t.Helper()
	before := c.totals()
	running := tasks
	for i := range tasks {
		c.w.Go("writer", func(t env.Task) {
			for n := range each {
				c.put(t, fmt.Sprintf("k%d-%d", i%8, n), "v")
			}
			running--
		})
	}
	c.soon("the writers", func() bool { return running == 0 })
	after := c.totals()
	return cost{uint64(tasks * each), after.syncs - before.syncs, after.messages - before.messages}
}

func (c *cluster) totals() (sum cost) {
	sum.messages = c.w.Network.Stats().Sent
	for _, s := range c.stores {
		sum.syncs += s.node.Disk().Stats().Syncs
	}
	return sum
}

// One synced write of a store serves all regions that have something to write,
// and one message all regions that have something to say to a store. So what a
// proposal costs falls with the number of those under way: each of three stores
// syncs it, and it takes an append, an answer and the new commit index for each
// follower.
func TestGroupCommit(t *testing.T) {
	for _, o := range []struct {
		tasks                             int
		syncsLeast, syncsMax, messagesMax float64 // a proposal
	}{
		{1, 2, 3.5, 10},
		{64, 0.01, 0.3, 0.6},
	} {
		c := newCluster(t, clusterOptions{seed: 1, regions: testRegions(3, "k1", "k2", "k3", "k4", "k5", "k6", "k7")})
		for i := range 8 {
			c.waitLeader(fmt.Sprintf("k%d", i))
		}
		sum := c.proposeFrom(o.tasks, 1600/o.tasks)
		syncs := float64(sum.syncs) / float64(sum.proposals)
		messages := float64(sum.messages) / float64(sum.proposals)
		if syncs > o.syncsMax || syncs < o.syncsLeast || messages > o.messagesMax {
			t.Errorf("%d tasks: %.2f syncs and %.2f messages a proposal", o.tasks, syncs, messages)
		}
		t.Logf("%d tasks: %.2f syncs and %.2f messages a proposal", o.tasks, syncs, messages)
		c.w.Close()
	}
}

// A leader sends what is proposed without waiting for the answers to what it has
// sent before: proposals that come one after another, each while the last one is
// on its way, take little more than a round trip in all.
func TestAppendsArePipelined(t *testing.T) {
	const oneWay = 40 * time.Millisecond
	c := newCluster(t, clusterOptions{seed: 2, network: network.LinkConfig{LatencyMin: oneWay, LatencyMax: oneWay}})
	s := c.waitLeader("")
	begun, left := c.w.Now(), 50
	for i := range left {
		c.w.Go("writer", func(t env.Task) {
			t.Sleep(time.Duration(i) * time.Millisecond)
			if regionErr := proposeTest(c, t, s, s.context("k"), 0, putRequest("k", "v")); regionErr != nil {
				c.t.Error(regionErr)
			}
			left--
		})
	}
	c.soon("the proposals", func() bool { return left == 0 })
	if took := time.Duration(c.w.Now() - begun); took > 50*time.Millisecond+2*oneWay+20*time.Millisecond {
		t.Errorf("50 proposals, one a millisecond, took %v over links of %v", took, oneWay)
	}
}

// Entries go on being appended and committed while applying waits, and are
// applied afterwards.
func TestApplyDoesNotBlockAppend(t *testing.T) {
	c := newCluster(t, clusterOptions{seed: 3})
	s := c.waitLeader("")
	p := s.byRegion[1]
	applied, commit := p.applied, p.commit()
	s.applier.held = true
	done := 0
	for range 20 {
		c.w.Go("writer", func(t env.Task) {
			c.put(t, "k", "v")
			done++
		})
	}
	c.run(500 * time.Millisecond)
	if p.applied != applied || done != 0 || p.commit() < commit+20 || p.log.lastIndex < commit+20 {
		t.Errorf("applied %d, committed %d to %d, last %d, %d answers", p.applied-applied, commit, p.commit(), p.log.lastIndex, done)
	}
	s.applier.held = false
	s.applier.schedule()
	c.soon("the answers", func() bool { return done == 20 })
}

// What a leader sends to a follower that does not answer is bounded, and so is
// what it keeps: the follower will get a snapshot.
func TestSlowFollowerIsBounded(t *testing.T) {
	cfg := Config{
		MaxInflightMsgs: 4, MaxSizePerMsg: 1024, MaxInflightBytes: 2048,
		EntryCacheCount: 16, EntryCacheBytes: 4096, LogGCThreshold: 32, LogGCCountLimit: 64,
	}
	const writes, size = 500, 200
	value := strings.Repeat("x", size)
	sent := func(silent bool) uint64 {
		c := newCluster(t, clusterOptions{seed: 4, raft: cfg})
		defer c.w.Close()
		s := c.waitLeader("")
		slow := c.stores[s.id%3]
		if silent {
			slow.node.Pause()
		}
		before := c.w.Network.Stats().Bytes
		c.do(func(t env.Task) {
			for i := range writes {
				c.put(t, fmt.Sprintf("k%d", i), value)
			}
		})
		bytes := c.w.Network.Stats().Bytes - before
		p := s.byRegion[1]
		if n := len(p.log.cache.entries); n > cfg.EntryCacheCount || p.log.cache.bytes > cfg.EntryCacheBytes {
			t.Errorf("%d entries of %d bytes in the cache", n, p.log.cache.bytes)
		}
		if n := p.log.lastIndex - p.log.truncatedIndex; n > 2*cfg.LogGCCountLimit {
			t.Errorf("a log of %d entries", n)
		}
		if silent {
			slow.node.Resume()
		}
		c.converged()
		return bytes
	}
	if with, without := sent(false), sent(true); with-without < writes*size*9/10 {
		t.Errorf("%d bytes sent, %d with a follower that answers nothing", with, without)
	}
}

// While the disks of a quorum stand still, a leader takes a bounded number of
// bytes and refuses the rest. What it has taken is applied when the disks go on.
func TestSlowDiskIsBounded(t *testing.T) {
	full := reached("proposal refused, too much is uncommitted")
	const bytesMax = 4096
	c := newCluster(t, clusterOptions{seed: 5, raft: Config{MaxUncommittedBytes: bytesMax, ElectionTick: 100}})
	s := c.waitLeader("")
	for _, other := range c.stores {
		if other != s {
			stalled := sim.NewInjector(c.w, nil).DiskStall(other.node.Name())
			c.w.Go("end of the stall", func(t env.Task) {
				t.Sleep(2 * time.Second)
				stalled.Undo()
			})
		}
	}
	value := strings.Repeat("x", 200)
	applied, busy, left := 0, 0, 200
	for i := range left {
		c.w.Go("writer", func(t env.Task) {
			t.Sleep(time.Duration(i) * time.Millisecond)
			regionErr, err := s.Propose(t, s.context("k"), 0, []*raft_cmdpb.Request{putRequest("k", value)}, 10*time.Second)
			switch {
			case err != nil || !isBusy(regionErr):
				c.t.Errorf("proposal %d: %v %v", i, regionErr, err)
			case regionErr != nil:
				busy++
			default:
				applied++
			}
			left--
		})
	}
	c.until("the proposals", func() bool { return left == 0 })
	if busy == 0 || full() == 0 || applied == 0 || applied*len(value) > bytesMax {
		t.Errorf("%d applied, %d refused", applied, busy)
	}
}

// isBusy reports whether a region error, if there is one, is a request to come
// back later.
func isBusy(e *errorpb.Error) bool { return e == nil || e.GetServerIsBusy() != nil }
