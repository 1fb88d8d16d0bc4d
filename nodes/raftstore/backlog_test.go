package raftstore

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/sim"
)

// Proposals of one instant are one message to raft, which takes a message of any
// size when nothing is uncommitted: the bound has to be kept before.
func TestProposalsOfOneTurnAreBounded(t *testing.T) {
	refused := reached("proposal refused, too much is proposed at once")
	const bytesMax = 2048
	c := newCluster(t, clusterOptions{seed: 1, raft: Config{MaxUncommittedBytes: bytesMax, MaxSizePerMsg: 1024}})
	s := c.waitLeader("")
	before := s.cfg.Backlogs.Append.Peak
	applied, left := 0, 50
	for range left {
		c.w.Go("writer", func(t env.Task) {
			regionErr, err := c.tryPut(t, "k", strings.Repeat("x", 200), time.Second)
			if err != nil || !isBusy(regionErr) {
				c.t.Error(regionErr, err)
			}
			if regionErr == nil {
				applied++
			}
			left--
		})
	}
	c.soon("the proposals", func() bool { return left == 0 })
	if peak := s.cfg.Backlogs.Append.Peak; refused() == 0 || applied == 0 || peak > bytesMax || peak <= before {
		t.Errorf("%d of 50 applied, %d refused, up to %d bytes waited for the disk", applied, refused(), peak)
	}
	c.converged()
}

// A leader whose own disk stands still goes on to take proposals, which a quorum of
// the others may commit. When it is deposed it may have more to write than the
// window of its successor, which knows nothing of that: it refuses what it is sent
// until its disk has taken what it has.
func TestDeposedLeaderRefusesMoreThanAWindow(t *testing.T) {
	refused := reached("append message refused, too much waits for the disk")
	cfg := Config{MaxUncommittedBytes: 16 << 10, MaxSizePerMsg: 512, MaxInflightBytes: 1024, MaxInflightMsgs: 4, ElectionTick: 100}
	c := newCluster(t, clusterOptions{seed: 2, raft: cfg})
	old := c.waitLeader("")
	next := c.stores[old.id%3]
	stalled := sim.NewInjector(c.w, nil).DiskStall(old.node.Name())
	for range 20 {
		c.w.Go("writer", func(t env.Task) { _, _ = c.tryPut(t, "k", strings.Repeat("x", 200), time.Minute) })
	}
	p := old.byRegion[1]
	c.run(200 * time.Millisecond)
	waiting := p.backlog.bytes
	c.do(func(t env.Task) {
		c.moveLeader(t, "", next)
		for i := range 40 {
			c.put(t, fmt.Sprintf("k%d", i), strings.Repeat("x", 200))
		}
	})
	c.run(2 * time.Second)
	if waiting <= int(cfg.MaxInflightBytes) || p.backlog.bytes != waiting || refused() == 0 {
		t.Errorf("%d bytes waited for the disk of the leader, %d when it was none any more; %d messages refused", waiting, p.backlog.bytes, refused())
	}
	stalled.Undo()
	c.converged()
	if p.backlog.bytes != 0 || p.backlog.tasks != 0 {
		t.Errorf("%d bytes and %d tasks wait for ever", p.backlog.bytes, p.backlog.tasks)
	}
}

// A follower whose disk stands still owes an answer to every probe of its leader,
// one a heartbeat: however long it takes, what it owes is bounded.
func TestAnswersThatWaitAreBounded(t *testing.T) {
	refused := reached("message refused, too many answers wait for the disk")
	withheld := reached("entries withheld from a follower, its window is full")
	c := newCluster(t, clusterOptions{seed: 3, raft: Config{MaxInflightMsgs: 1, ElectionTick: 100}})
	leader := c.waitLeader("")
	slow := c.stores[leader.id%3]
	stalled := sim.NewInjector(c.w, nil).DiskStall(slow.node.Name())
	c.do(func(t env.Task) {
		for i := range 10 {
			c.put(t, fmt.Sprintf("k%d", i), "v")
		}
	})
	p := slow.byRegion[1]
	most := 0
	for range 60 {
		c.run(time.Second)
		most = max(most, p.backlog.tasks)
	}
	if refused() == 0 || withheld() == 0 || most != slow.cfg.tasksMax() {
		t.Errorf("%d tasks waited for the disk, %d messages refused, %d times entries withheld", most, refused(), withheld())
	}
	stalled.Undo()
	c.converged()
}

// What waits beyond the bounds is a bug of the program, and said to be one.
func TestBacklogsAreChecked(t *testing.T) {
	cfg := Config{MaxUncommittedBytes: 4096, MaxSizePerMsg: 512, MaxInflightBytes: 1024}
	c := newCluster(t, clusterOptions{seed: 4, raft: cfg})
	leader := c.waitLeader("")
	l, f := leader.byRegion[1], c.stores[leader.id%3].byRegion[1]
	l.backlog.bytes = 1
	violates(t, true, func() { l.growBacklog(4096) })
	l.backlog.bytes = 1
	violates(t, false, func() { l.growBacklog(4095) })
	f.backlog.bytes, f.backlog.latest = 1023, 100
	violates(t, false, func() { f.growBacklog(101) })
	f.backlog.bytes = 1023
	violates(t, true, func() { f.growBacklog(102) })
	entry := &raftpb.Message{Type: raftpb.MsgStorageApply.Enum(), To: new(uint64(raft.LocalApplyThread)), Entries: []*raftpb.Entry{{Data: []byte("x")}}}
	f.applying = 512
	violates(t, true, func() { f.s.applier.add(f, entry) })
}

// violates tells whether fn breaks an invariant, which it should or should not.
func violates(t *testing.T, should bool, fn func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if v, does := recover().(invariant.Violation); does != should {
			t.Errorf("a violation: %t (%s)", does, v.Message)
		}
	}()
	fn()
}
