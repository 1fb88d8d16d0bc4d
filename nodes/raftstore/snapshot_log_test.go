package raftstore

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/raft_cmdpb"

	"simrun/nodes/env"
)

// A leader that was cut off with proposals in its log, and comes back after the
// others have compacted theirs, cannot know what has become of them.
func TestFateHiddenBySnapshot(t *testing.T) {
	c := newCluster(t, clusterOptions{seed: 7, raft: eagerGC()})
	old := c.waitLeader("")
	heal := c.isolate(old)
	regionErr, fate := error(nil), error(nil)
	decided := false
	c.w.Go("doomed", func(t env.Task) {
		e, err := old.Propose(t, old.context("k"), 0, []*raft_cmdpb.Request{putRequest("k", "doomed")}, -1)
		if e != nil {
			regionErr = errors.New(e.Message)
		}
		fate, decided = err, true
	})
	c.until("another leader", func() bool { s := c.leaderOf(""); return s != nil && s != old })
	c.do(func(t env.Task) {
		for i := range 60 {
			c.put(t, "k", fmt.Sprintf("v%d", i))
		}
	})
	if decided {
		t.Fatal("decided while cut off")
	}
	heal()
	c.converged()
	if !decided || regionErr != nil || !errors.Is(fate, ErrUnknownOutcome) {
		t.Errorf("decided %v: %v, %v", decided, regionErr, fate)
	}
	if c.snapshots == 0 {
		t.Error("no snapshot was applied")
	}
}

// A snapshot may overtake entries that were committed and not yet applied. They
// are in the snapshot and must not be applied to it again.
func TestSnapshotSupersedesEntries(t *testing.T) {
	superseded := reached("entries superseded by a snapshot")
	c := newCluster(t, clusterOptions{seed: 10, raft: eagerGC()})
	leader := c.waitLeader("")
	s := c.stores[leader.id%3]
	s.applier.held = true // as while a split is being made durable
	c.do(func(t env.Task) {
		for i := range 5 {
			c.put(t, fmt.Sprintf("k%d", i), "old")
		}
		t.Sleep(100 * time.Millisecond)
	})
	heal := c.isolate(s)
	c.do(func(t env.Task) {
		for i := range 60 {
			c.put(t, fmt.Sprintf("k%d", i%5), "new")
		}
	})
	heal()
	c.until("snapshot", func() bool { return c.snapshots > 0 })
	s.applier.held = false
	s.applier.schedule()
	c.run(10 * time.Millisecond)
	c.converged()
	if superseded() == 0 {
		t.Error("no entry was superseded")
	}
}

// While a snapshot is applied, entries that follow it come, are durable and are
// acknowledged; none is applied before the snapshot is, and no read is served.
func TestNothingAppliedBesideSnapshot(t *testing.T) {
	c := newCluster(t, clusterOptions{seed: 11, raft: eagerGC()})
	lag(c, 2)
	s := c.stores[2]
	s.node.Start()
	c.soon("application", func() bool { return s.Store != nil && s.byRegion[1] != nil && s.byRegion[1].restored != nil })
	p := s.byRegion[1]
	index := p.restored.id.index
	seen := false
	c.w.Go("writer", func(t env.Task) {
		for i := range 30 {
			c.put(t, fmt.Sprintf("k%d", i%20), fmt.Sprintf("after%d", i))
		}
	})
	for p.restored != nil {
		c.run(20 * time.Microsecond)
		if p.restored != nil && p.applied == index {
			seen = seen || p.log.lastIndex > index
			if p.readable() != 0 {
				t.Fatal("readable while a snapshot is applied")
			}
		}
		if p.restored != nil && p.applied > index {
			t.Fatalf("applied %d beside the snapshot at %d", p.applied, index)
		}
	}
	c.run(2 * time.Second)
	c.converged()
	if !seen {
		t.Error("no entry came while the snapshot was applied")
	}
}
