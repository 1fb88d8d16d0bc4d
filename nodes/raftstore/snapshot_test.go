package raftstore

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/raft_serverpb"
	"go.etcd.io/raft/v3"

	"simrun/nodes/engine"
	"simrun/nodes/env"
	"simrun/sim/disk"
)

func eagerGC() Config {
	return Config{LogGCThreshold: 8, LogGCCountLimit: 16, SnapshotChunkSize: 128}
}

// lag brings store n behind the beginning of the others' logs and returns what
// was written.
func lag(c *cluster, n int) map[string]string {
	data := map[string]string{}
	c.waitLeader("")
	c.stores[n].node.Crash(disk.PowerLoss)
	c.do(func(t env.Task) {
		for i := range 60 {
			key, value := fmt.Sprintf("k%d", i%20), fmt.Sprintf("v%d", i)
			c.put(t, key, value)
			data[key] = value
		}
	})
	return data
}

// coming returns what store n has of the snapshot of region 1, nil if nothing.
func (c *cluster) coming(n int) *incoming {
	if !c.stores[n].node.Up() {
		return nil
	}
	return c.stores[n].receiver.find(1)
}

// half waits until store n has a part of the snapshot of region 1 and lacks
// another.
func (c *cluster) half(n int) *incoming {
	c.t.Helper()
	c.soon("half a snapshot", func() bool {
		in := c.coming(n)
		return in != nil && in.have > in.id.size/3
	})
	in := c.coming(n)
	if in.have == in.id.size {
		c.t.Fatal("the snapshot is complete already")
	}
	return in
}

// tidy waits until no store has a snapshot file.
func (c *cluster) tidy() {
	c.t.Helper()
	c.until("no snapshot files", func() bool {
		for _, s := range c.stores {
			files, err := SnapshotFiles(s.node.Disk().FS())
			if err != nil || len(files) > 0 {
				return false
			}
		}
		return true
	})
}

// A follower that has fallen behind the leader's log is restored from a
// snapshot of many chunks, also if the first attempts are lost.
func TestSnapshot(t *testing.T) {
	for _, lossy := range []bool{false, true} {
		t.Run(fmt.Sprintf("lossy=%v", lossy), func(t *testing.T) {
			failed := reached("snapshot not delivered")
			c := newCluster(t, clusterOptions{seed: 3, raft: eagerGC()})
			lag(c, 2)
			c.dropChunk = func(*testStore, *raft_serverpb.SnapshotChunk) bool { return lossy }
			c.stores[2].node.Start()
			c.run(3 * time.Second)
			c.dropChunk = nil
			c.converged()
			c.tidy()
			if c.snapshots == 0 || c.steps[SnapshotSent] == 0 {
				t.Errorf("%d snapshots applied, %d sent", c.snapshots, c.steps[SnapshotSent])
			}
			if lossy != (failed() > 0) {
				t.Errorf("%d snapshots failed", failed())
			}
		})
	}
}

// slowSnapshots makes snapshots take a while: a chunk every few milliseconds.
func slowSnapshots() Config {
	cfg := eagerGC()
	cfg.SnapshotRate = 2_000
	return cfg
}

// A transfer that was interrupted goes on from what the receiver has: after lost
// chunks, after a restart of the receiver or of the sender, whether the power
// was lost or not. What the receiver has is not sent again.
func TestSnapshotResumes(t *testing.T) {
	for name, interrupt := range map[string]func(c *cluster, leader *testStore){
		"lost chunks": func(c *cluster, _ *testStore) {
			n, watch := 0, c.dropChunk
			c.dropChunk = func(to *testStore, chunk *raft_serverpb.SnapshotChunk) bool {
				n++
				return n <= 2 || watch(to, chunk)
			}
		},
		"receiver killed": func(c *cluster, _ *testStore) { c.restart(c.stores[2], disk.ProcessKill) },
		"sender killed": func(c *cluster, leader *testStore) {
			c.crashThird(leader)
			c.restart(leader, disk.ProcessKill)
		},
		"sender loses power": func(c *cluster, leader *testStore) {
			c.crashThird(leader)
			c.restart(leader, disk.PowerLoss)
		},
	} {
		t.Run(name, func(t *testing.T) {
			if have, lowest, resumed := interrupted(t, 5, interrupt); resumed == 0 || lowest < have {
				t.Errorf("resumed %d times, at %d; the receiver had %d", resumed, lowest, have)
			}
		})
	}
	t.Run("receiver loses power", func(t *testing.T) {
		resumed := 0
		for seed := range uint64(8) { // it depends on what the disk has kept
			_, _, n := interrupted(t, seed, func(c *cluster, _ *testStore) { c.restart(c.stores[2], disk.PowerLoss) })
			resumed += n
		}
		if resumed == 0 {
			t.Error("never resumed")
		}
	})
}

// interrupted interrupts a transfer. It returns how much the receiver had, the
// lowest offset that was sent after that, and how often the transfer was resumed.
func interrupted(t *testing.T, seed uint64, interrupt func(c *cluster, leader *testStore)) (have, lowest uint64, resumed int) {
	t.Helper()
	c := newCluster(t, clusterOptions{seed: seed, raft: slowSnapshots()})
	defer c.w.Close()
	lag(c, 2)
	leader := c.waitLeader("")
	c.stores[2].node.Start()
	in := c.half(2)
	lowest = in.id.size
	c.dropChunk = func(_ *testStore, chunk *raft_serverpb.SnapshotChunk) bool {
		if offset, frame, _ := openChunk(chunk.GetData()); frame != nil {
			lowest = min(lowest, offset)
		}
		return false
	}
	have = in.have
	interrupt(c, leader)
	c.until("snapshot", func() bool { return c.snapshots > 0 })
	resumed = c.steps[SnapshotResumed]
	c.w.StartAll()
	c.converged()
	c.tidy()
	return have, lowest, resumed
}

// crashThird ends the store that neither leads nor lags, lest it take over with a
// snapshot of its own.
func (c *cluster) crashThird(leader *testStore) {
	for _, s := range c.stores[:2] {
		if s != leader {
			s.node.Crash(disk.ProcessKill)
		}
	}
}

// A new leader that has applied the same goes on with the snapshot of the old
// one.
func TestSnapshotOfAnotherLeader(t *testing.T) {
	c := newCluster(t, clusterOptions{seed: 5, raft: slowSnapshots()})
	lag(c, 2)
	old := c.waitLeader("")
	c.stores[2].node.Start()
	in := c.half(2)
	for _, s := range c.stores[:2] {
		p := s.byRegion[1]
		if s == old || p.applied != in.id.index {
			continue
		}
		p.outgoing = nil
		p.makeSnapshot()
		c.soon("snapshot", func() bool { return p.outgoing.ready })
		if p.outgoing.id != in.id {
			t.Errorf("snapshot %+v of store %d, %+v of store %d", in.id, old.id, p.outgoing.id, s.id)
		}
		return
	}
	t.Fatal("no replica has applied the same")
}

// restart ends a store's process and starts another.
func (c *cluster) restart(s *testStore, kind disk.CrashKind) {
	s.node.Crash(kind)
	s.node.Start()
}

// If many followers need a snapshot at once, they get it one after another.
func TestSnapshotsDeferred(t *testing.T) {
	deferred := reached("snapshot deferred, too many under way")
	cfg := eagerGC()
	cfg.SnapshotSendsMax, cfg.SnapshotReceivesMax = 1, 1
	c := newCluster(t, clusterOptions{seed: 6, regions: testRegions(3, "k1", "k2", "k3", "k4"), raft: cfg})
	c.waitLeader("k0")
	c.stores[2].node.Crash(disk.ProcessKill)
	c.do(func(t env.Task) {
		for i := range 5 * 50 {
			c.put(t, fmt.Sprintf("k%d", i%5), fmt.Sprintf("v%d", i))
		}
	})
	c.stores[2].node.Start()
	c.converged()
	c.tidy()
	if deferred() == 0 || c.snapshots < 5 {
		t.Errorf("%d snapshots, %d deferred", c.snapshots, deferred())
	}
}

// A receiver that has its hands full says so, and the sender comes again.
func TestSnapshotReceiverBusy(t *testing.T) {
	busy, waited := reached("snapshot refused, too many are coming"), reached("sender of a snapshot waits for a busy receiver")
	cfg := slowSnapshots()
	cfg.SnapshotReceivesMax = 1
	c := newCluster(t, clusterOptions{seed: 6, regions: testRegions(3, "k1", "k2"), raft: cfg})
	c.waitLeader("k0")
	c.stores[2].node.Crash(disk.ProcessKill)
	c.do(func(t env.Task) {
		for i := range 3 * 50 {
			c.put(t, fmt.Sprintf("k%d", i%3), fmt.Sprintf("v%0500d", i))
		}
	})
	c.stores[2].node.Start()
	c.converged()
	c.tidy()
	if busy() == 0 || waited() == 0 || c.snapshots < 3 || c.steps[SnapshotRefused] == 0 {
		t.Errorf("%d refused, %d waited, %d applied", busy(), waited(), c.snapshots)
	}
}

// All snapshots of a store together take no more than their share of a second.
func TestSnapshotThrottle(t *testing.T) {
	throttled := reached("sender of a snapshot throttled")
	c := newCluster(t, clusterOptions{seed: 3, raft: slowSnapshots()})
	lag(c, 2)
	c.stores[2].node.Start()
	in := c.half(2)
	begun, had := c.w.Now(), in.have
	c.soon("the rest", func() bool { return c.coming(2) == nil || in.have == in.id.size })
	rest := in.id.size - had
	if took := time.Duration(c.w.Now() - begun); took < time.Duration(rest)*time.Second/2_000*9/10 || throttled() == 0 {
		t.Errorf("%d bytes took %v, %d waits", rest, took, throttled())
	}
	var l throttle
	l.rate = 1000
	for i, want := range []time.Duration{0, time.Second / 10, 0} {
		now := []time.Duration{0, 0, time.Second}[i]
		if got := l.reserve(now, 100); got != want {
			t.Errorf("wait %d: %v, want %v", i, got, want)
		}
	}
}

// A new leader's snapshot takes the place of half of the old one's, and the old
// leader gives its own up.
func TestSnapshotSuperseded(t *testing.T) {
	superseded, void := reached("half a snapshot superseded by a newer one"), reached("snapshot given up by its sender")
	c := newCluster(t, clusterOptions{seed: 5, raft: slowSnapshots()})
	lag(c, 2)
	old := c.waitLeader("")
	c.stores[2].node.Start()
	in := c.half(2)
	c.do(func(t env.Task) {
		for i := range 20 {
			c.put(t, fmt.Sprintf("k%d", i%20), fmt.Sprintf("w%d", i))
		}
	})
	to := peerOnStore(old.byRegion[1].region, 3-old.id)
	if regionErr := old.TransferLeader(1, to.GetId()); regionErr != nil {
		t.Fatal(regionErr)
	}
	c.until("another leader", func() bool { s := c.leaderOf(""); return s != nil && s != old })
	c.converged()
	c.tidy()
	if superseded() == 0 || void() == 0 || !in.discarded {
		t.Errorf("%d superseded, %d given up, discarded: %v", superseded(), void(), in.discarded)
	}
}

// A change of the region makes its snapshot useless: the next one that is asked
// for is made anew.
func TestSnapshotMadeAnew(t *testing.T) {
	stale := reached("snapshot made anew, the region or its log has changed")
	c := newCluster(t, clusterOptions{seed: 5, raft: eagerGC()})
	p := c.waitLeader("").byRegion[1]
	p.makeSnapshot()
	old := p.outgoing
	c.soon("snapshot", func() bool { return old.ready })
	region, later := *p.region, *p.region.GetRegionEpoch()
	later.Version++
	region.RegionEpoch = &later
	p.region = &region
	if _, err := p.generateSnapshot(); !errors.Is(err, raft.ErrSnapshotTemporarilyUnavailable) || stale() != 1 || p.outgoing == old || !old.stale {
		t.Errorf("%v, %d stale", err, stale())
	}
	c.tidy()
}

// A file to be sent that was damaged on the disk is noticed before it is sent, and
// another is made.
func TestSnapshotToSendDamaged(t *testing.T) {
	unreadable := reached("snapshot to be sent is damaged")
	c := newCluster(t, clusterOptions{seed: 5, raft: slowSnapshots()})
	lag(c, 2)
	leader := c.waitLeader("")
	c.stores[2].node.Start()
	in := c.half(2)
	f, err := leader.snaps.reopen(in.id.name(outgoingFile))
	if err == nil {
		_, err = f.WriteAt([]byte{0xff}, int64(in.id.size-1))
	}
	if err != nil {
		t.Fatal(err)
	}
	c.converged()
	c.tidy()
	if unreadable() == 0 || c.snapshots == 0 {
		t.Errorf("%d unreadable, %d applied", unreadable(), c.snapshots)
	}
}

// A snapshot that is larger than what the engine can take at once is applied at
// the engine's pace.
func TestSnapshotIntoStalledEngine(t *testing.T) {
	stalled := reached("application of a snapshot waits for a stalled engine")
	cfg := eagerGC()
	cfg.SnapshotChunkSize = 4 << 10
	c := newCluster(t, clusterOptions{seed: 3, raft: cfg, engine: engine.Options{
		MemTableSize: 16 << 10, RateBytesPerSec: 128 << 10, L0SlowdownFiles: 4, L0StopFiles: 6,
		PendingBytesSlowdown: 64 << 10, PendingBytesStop: 256 << 10,
	}})
	c.waitLeader("")
	c.stores[2].node.Crash(disk.PowerLoss)
	c.do(func(t env.Task) {
		for i := range 500 {
			c.put(t, fmt.Sprintf("k%03d", i), strings.Repeat("v", 1000))
		}
	})
	c.stores[2].node.Start()
	c.converged()
	c.tidy()
	if stalled() == 0 || c.snapshots == 0 {
		t.Errorf("%d waits, %d applied", stalled(), c.snapshots)
	}
}
