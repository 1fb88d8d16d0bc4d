package raftstore

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/eraftpb"
	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_cmdpb"
	"github.com/pingcap/kvproto/pkg/raft_serverpb"

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

// A follower that has fallen behind the leader's log is restored from a
// snapshot of many chunks, also if the first attempts are lost.
func TestSnapshot(t *testing.T) {
	for _, lossy := range []bool{false, true} {
		t.Run(fmt.Sprintf("lossy=%v", lossy), func(t *testing.T) {
			failed := reached("snapshot not delivered")
			c := newCluster(t, clusterOptions{seed: 3, raft: eagerGC()})
			lag(c, 2)
			c.dropChunks = lossy
			c.stores[2].node.Start()
			c.run(3 * time.Second)
			c.dropChunks = false
			c.converged()
			if c.snapshots == 0 {
				t.Error("no snapshot was applied")
			}
			if lossy != (failed() > 0) {
				t.Errorf("%d snapshots failed", failed())
			}
		})
	}
}

// At whatever point of the application of a snapshot the power fails, or the
// process is killed, the next process completes it or begins anew.
func TestSnapshotCrash(t *testing.T) {
	resumed := reached("log reset completed after a crash")
	for _, kind := range []disk.CrashKind{disk.PowerLoss, disk.ProcessKill} {
		for step := range steps(40) {
			c := newCluster(t, clusterOptions{seed: 4, raft: eagerGC()})
			lag(c, 2)
			applied := reached("snapshot applied")
			c.stores[2].node.Start()
			c.soon("first chunk", func() bool { return len(c.stores[2].receiver.streams) > 0 })
			c.soon("last chunk", func() bool { return len(c.stores[2].receiver.streams) == 0 })
			c.run(time.Duration(step) * 150 * time.Microsecond)
			c.stores[2].node.Crash(kind)
			before := applied()
			c.stores[2].node.Start()
			c.converged()
			if step == 0 && before > 0 {
				t.Fatalf("%v: the snapshot was applied before the first crash", kind)
			}
			c.w.Close()
		}
	}
	if resumed() == 0 {
		t.Error("no crash fell between the data and the log")
	}
}

// A receiver forgets the half of a snapshot whose other half does not come.
func TestSnapshotExpires(t *testing.T) {
	expired := reached("half a snapshot discarded")
	c := newCluster(t, clusterOptions{seed: 5, raft: eagerGC()})
	lag(c, 2)
	c.stores[2].node.Start()
	c.soon("first chunk", func() bool { return len(c.stores[2].receiver.streams) > 0 })
	heal := c.isolate(c.stores[2])
	c.run(5 * time.Second)
	if expired() != 1 || len(c.stores[2].receiver.streams) != 0 {
		t.Errorf("%d expired, %d left", expired(), len(c.stores[2].receiver.streams))
	}
	heal()
	c.converged()
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
	if deferred() == 0 || c.snapshots < 5 {
		t.Errorf("%d snapshots, %d deferred", c.snapshots, deferred())
	}
}

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

// chunkOf returns a snapshot of region to its peer on a store, in one chunk.
func chunkOf(region *metapb.Region, store, index, term uint64, records []byte) *raft_serverpb.SnapshotChunk {
	to := peerOnStore(region, store)
	from := region.Peers[0]
	voters := []uint64{}
	for _, p := range region.Peers {
		voters = append(voters, p.Id)
	}
	chunk := append(make([]byte, chunkHeaderSize), records...)
	sealChunk(chunk, chunkHeader{stream: 1, last: true})
	return &raft_serverpb.SnapshotChunk{
		Data: chunk,
		Message: &raft_serverpb.RaftMessage{
			RegionId: region.Id, FromPeer: from, ToPeer: to, RegionEpoch: region.RegionEpoch,
			Message: &eraftpb.Message{
				MsgType: eraftpb.MessageType_MsgSnapshot, From: from.Id, To: to.Id, Term: term,
				Snapshot: &eraftpb.Snapshot{
					Data:     marshal(&raft_serverpb.RaftSnapshotData{Region: region}),
					Metadata: &eraftpb.SnapshotMetadata{Index: index, Term: term, ConfState: &eraftpb.ConfState{Voters: voters}},
				},
			},
		},
	}
}

// A snapshot is refused as long as its range belongs to another region, and
// ignored if it is not ahead of what is applied.
func TestSnapshotRefused(t *testing.T) {
	refused, ignored := reached("snapshot refused, its range is not free"), reached("snapshot ignored by raft")
	c := newCluster(t, clusterOptions{seed: 8, regions: testRegions(3, "m")})
	c.waitLeader("a")
	c.waitLeader("z")
	s := c.stores[2]
	if leader := c.leaderOf("a"); leader == s {
		s = c.stores[1]
	}
	region, _ := s.RegionOf([]byte("a"))
	wide := *region
	wide.EndKey = nil
	if err := s.OnSnapshotChunk(chunkOf(&wide, s.id, 1000, 50, nil)); err.GetEpochNotMatch() == nil {
		t.Errorf("a snapshot over two regions: %v", err)
	}
	if err := s.OnSnapshotChunk(chunkOf(region, s.id, 3, 50, nil)); err != nil {
		t.Errorf("an old snapshot: %v", err)
	}
	c.run(time.Second)
	c.converged()
	if refused() != 1 || ignored() != 1 {
		t.Errorf("%d refused, %d ignored", refused(), ignored())
	}
	stranger := *region
	stranger.Id = 77
	if err := s.OnSnapshotChunk(chunkOf(&stranger, s.id, 1000, 50, nil)); err.GetRegionNotFound() == nil {
		t.Errorf("a snapshot for an unknown region: %v", err)
	}
}

// Chunks are taken in order and once; a new stream replaces an old one.
func TestChunkOrder(t *testing.T) {
	c := newCluster(t, clusterOptions{seed: 9, raft: Config{SnapshotReceivesMax: 1, SnapshotBytesMax: 100}})
	s := c.waitLeader("")
	region, _ := s.RegionOf(nil)
	give := func(stream uint64, sequence uint32, size int) string {
		chunk := chunkOf(region, s.id, 1000, 50, make([]byte, size))
		sealChunk(chunk.Data, chunkHeader{stream: stream, sequence: sequence})
		if err := s.OnSnapshotChunk(chunk); err != nil {
			return err.Message
		}
		return "ok"
	}
	var got []string
	for _, step := range [][3]int{{1, 1, 10}, {1, 0, 10}, {1, 0, 10}, {1, 2, 10}, {1, 1, 10}, {2, 1, 10}, {2, 0, 10}, {1, 2, 10}, {2, 1, 95}, {2, 2, 1}} {
		got = append(got, fmt.Sprintf("%d.%d %s", step[0], step[1], give(uint64(step[0]), uint32(step[1]), step[2])))
	}
	const other = "stale command: chunk of another snapshot"
	want := []string{
		"1.1 " + other, "1.0 ok", "1.0 ok", "1.2 " + other, "1.1 ok", "2.1 " + other, "2.0 ok", "1.2 " + other,
		"2.1 server is busy: snapshot too large", "2.2 " + other,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Records survive the way through a chunk, and a damaged chunk is recognised.
func TestChunkRecords(t *testing.T) {
	chunk := make([]byte, chunkHeaderSize)
	chunk = appendRecord(chunk, engine.Lock, []byte("key"), []byte("value"))
	chunk = appendRecord(chunk, engine.Default, []byte("k"), nil)
	sealChunk(chunk, chunkHeader{stream: 7, sequence: 3, last: true})
	h, records, ok := openChunk(chunk)
	if !ok || h != (chunkHeader{7, 3, true}) {
		t.Fatalf("header %+v, %v", h, ok)
	}
	var got []string
	ok = eachRecord(records, func(cf engine.CF, key, value []byte) { got = append(got, fmt.Sprintf("%s %s=%s", cf, key, value)) })
	if want := []string{"lock key=value", "default k="}; !ok || !slices.Equal(got, want) {
		t.Errorf("records %q, %v", got, ok)
	}
	for n := range records {
		if n > 0 && eachRecord(records[:n], func(engine.CF, []byte, []byte) {}) && n != 11 {
			t.Errorf("%d of %d bytes are well formed", n, len(records))
		}
	}
	for i := range chunk {
		chunk[i] ^= 0x40
		if _, _, ok := openChunk(chunk); ok {
			t.Errorf("a flipped bit in byte %d went unnoticed", i)
		}
		chunk[i] ^= 0x40
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
