package raftstore

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/eraftpb"
	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_serverpb"

	"simrun/nodes/engine"
	"simrun/nodes/env"
	"simrun/sim/disk"
)

// handmade is a snapshot of a region in frames of the given bodies.
type handmade struct {
	region      *metapb.Region
	store       uint64
	index, term uint64 // of the snapshot, and of the leader
	frames      [][]byte
}

func newHandmade(region *metapb.Region, store, index, term uint64, bodies ...[]byte) *handmade {
	h := &handmade{region: region, store: store, index: index, term: term}
	for _, body := range append([][]byte{marshal(region)}, bodies...) {
		frame := append(newFrame(len(body)), body...)
		sealFrame(frame)
		h.frames = append(h.frames, frame)
	}
	return h
}

func (h *handmade) id() snapshotID {
	id := snapshotID{region: h.region.Id, index: h.index, term: h.term}
	for _, frame := range h.frames {
		id.size += uint64(len(frame))
		id.sum = addSum(id.sum, frame)
	}
	return id
}

// offset returns where frame n begins.
func (h *handmade) offset(n int) (at uint64) {
	for _, frame := range h.frames[:n] {
		at += uint64(len(frame))
	}
	return at
}

// chunk returns the chunk that carries frame n; a negative one asks.
func (h *handmade) chunk(n int) *raft_serverpb.SnapshotChunk {
	from, to := h.region.Peers[0], peerOnStore(h.region, h.store)
	if from == to {
		from = h.region.Peers[1]
	}
	cs := confStateOf(h.region)
	data := chunkData(0, nil)
	if n >= 0 {
		data = chunkData(h.offset(n), h.frames[n])
	}
	return &raft_serverpb.SnapshotChunk{
		Data: data,
		Message: &raft_serverpb.RaftMessage{
			RegionId: h.region.Id, FromPeer: from, ToPeer: to, RegionEpoch: h.region.RegionEpoch,
			Message: &eraftpb.Message{
				MsgType: eraftpb.MessageType_MsgSnapshot, From: from.Id, To: to.GetId(), Term: h.term,
				Snapshot: &eraftpb.Snapshot{
					Data: marshal(h.id().snapshotData(h.region, nil)),
					Metadata: &eraftpb.SnapshotMetadata{
						Index: h.index, Term: h.term, ConfState: &eraftpb.ConfState{Voters: cs.GetVoters()},
					},
				},
			},
		},
	}
}

// give hands a chunk to a store and tells what it answers.
func (c *cluster) give(s *testStore, chunk *raft_serverpb.SnapshotChunk) *SnapshotAnswer {
	c.t.Helper()
	var answer *SnapshotAnswer
	c.do(func(t env.Task) { answer = s.OnSnapshotChunk(t, chunk) })
	return answer
}

// A snapshot is refused as long as its range belongs to another region, and not
// even transferred if it is not ahead of what is committed.
func TestSnapshotRefused(t *testing.T) {
	full, known := reached("snapshot refused, its range is not free"), reached("snapshot offered that is behind the receiver")
	deposed := reached("snapshot of a deposed leader refused")
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
	refusal := func(h *handmade) *errorpb.Error { return c.give(s, h.chunk(-1)).Refusal }
	if err := refusal(newHandmade(&wide, s.id, 1000, 50)); err.GetEpochNotMatch() == nil {
		t.Errorf("a snapshot over two regions: %v", err)
	}
	if err := refusal(newHandmade(region, s.id, 1000, 1)); err.GetStaleCommand() == nil || deposed() != 1 {
		t.Errorf("a snapshot of a deposed leader: %v", err)
	}
	old := newHandmade(region, s.id, 3, 50)
	if answer := c.give(s, old.chunk(-1)); answer.Refusal != nil || answer.Next != old.id().size {
		t.Errorf("an old snapshot: %+v", answer)
	}
	c.run(time.Second)
	c.converged()
	if full() != 1 || known() != 1 {
		t.Errorf("%d refused, %d known", full(), known())
	}
	stranger := *region
	stranger.Id = 77
	if err := refusal(newHandmade(&stranger, s.id, 1000, 50)); err.GetRegionNotFound() == nil {
		t.Errorf("a snapshot for an unknown region: %v", err)
	}
}

// While a snapshot is applied, a newer one has to wait.
func TestSnapshotWhileApplying(t *testing.T) {
	applying := reached("snapshot refused while another is applied")
	c := newCluster(t, clusterOptions{seed: 11, raft: eagerGC()})
	lag(c, 2)
	s := c.stores[2]
	s.node.Start()
	c.soon("application", func() bool { return s.Store != nil && s.byRegion[1] != nil && s.byRegion[1].restored != nil })
	p := s.byRegion[1]
	newer := newHandmade(p.restored.region, s.id, p.restored.id.index+5, p.term())
	var answer *SnapshotAnswer
	c.w.Go("chunk", func(t env.Task) { answer = s.OnSnapshotChunk(t, newer.chunk(0)) })
	c.run(0)
	if answer == nil || answer.Refusal.GetServerIsBusy() == nil || applying() != 1 {
		t.Errorf("%+v, %d refused", answer, applying())
	}
	c.converged()
	c.tidy()
}

// Raft ignores a snapshot whose last entry it has in its log, if it is of the
// same term. The file is deleted.
func TestSnapshotIgnored(t *testing.T) {
	ignored := reached("snapshot ignored by raft")
	c := newCluster(t, clusterOptions{seed: 8})
	leader := c.waitLeader("")
	s := c.stores[leader.id%3]
	c.do(func(t env.Task) { c.put(t, "k", "v") })
	c.converged()
	p := s.byRegion[1]
	p.log.hard.commit-- // as if this peer had not heard of the last commit
	h := newHandmade(p.region, s.id, p.applied, p.term())
	h.term = p.appliedTerm
	p.applied--
	answer := c.give(s, h.chunk(0))
	p.applied++
	p.log.hard.commit = max(p.log.hard.commit, p.applied)
	if answer.Refusal != nil || answer.Next != h.id().size || ignored() != 1 {
		t.Errorf("%+v, %d ignored", answer, ignored())
	}
	c.tidy()
}

// Frames are taken in order and once; the receiver says where to go on. A newer
// snapshot takes the place of an older one, but not the other way round, unless
// nothing was heard of the newer for a while.
func TestChunkOrder(t *testing.T) {
	older, superseded := reached("snapshot refused, a newer one is coming"), reached("half a snapshot superseded by a newer one")
	expired := reached("half a snapshot not heard of any more")
	c := newCluster(t, clusterOptions{seed: 9, raft: Config{SnapshotReceivesMax: 1}})
	leader := c.waitLeader("")
	s := c.stores[leader.id%3]
	region, _ := s.RegionOf(nil)
	body := bytes.Repeat([]byte{1}, 10)
	a := newHandmade(region, s.id, 1000, 50, body, body, body)
	b := newHandmade(region, s.id, 1001, 50, body, body)
	var got []string
	give := func(name string, h *handmade, n int) {
		answer := c.give(s, h.chunk(n))
		text := "?"
		if answer.Refusal != nil {
			text = answer.Refusal.Message
		} else {
			for i := range len(h.frames) + 1 {
				if h.offset(i) == answer.Next {
					text = fmt.Sprint(i)
				}
			}
		}
		got = append(got, fmt.Sprintf("%s%d -> %s", name, n, text))
	}
	give("a", a, -1)
	give("a", a, 1)
	give("a", a, 0)
	give("a", a, 0)
	give("a", a, 2)
	give("a", a, 1)
	give("b", b, -1)
	give("b", b, 0)
	give("a", a, 2)
	c.run(3 * time.Second)
	give("a", a, -1)
	give("b", b, -1)
	want := []string{
		"a-1 -> 0", "a1 -> 0", "a0 -> 1", "a0 -> 1", "a2 -> 1", "a1 -> 2",
		"b-1 -> 0", "b0 -> 1", "a2 -> stale command: chunk of an older snapshot",
		"a-1 -> 0", "b-1 -> 0",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if older() != 1 || superseded() != 3 || expired() != 1 {
		t.Errorf("%d older, %d superseded, %d expired", older(), superseded(), expired())
	}
	c.tidy()
}

// A frame that was altered, one too many, and a file that is not what was
// promised are refused, and leave nothing.
func TestDamagedSnapshot(t *testing.T) {
	damaged := reached("damaged snapshot refused")
	c := newCluster(t, clusterOptions{seed: 9})
	leader := c.waitLeader("")
	s := c.stores[leader.id%3]
	region, _ := s.RegionOf(nil)
	h := newHandmade(region, s.id, 1000, 50, []byte("xyz"))
	flipped := h.chunk(0)
	flipped.Data[len(flipped.Data)-1] ^= 1
	if answer := c.give(s, flipped); answer.Refusal.GetStaleCommand() == nil {
		t.Errorf("a flipped bit: %+v", answer)
	}
	other := newHandmade(region, s.id, 1000, 50, []byte("abc"))
	c.give(s, h.chunk(0))
	swapped := h.chunk(1)
	swapped.Data = chunkData(h.offset(1), other.frames[1])
	if answer := c.give(s, swapped); answer.Refusal.GetStaleCommand() == nil {
		t.Errorf("a frame of another snapshot: %+v", answer)
	}
	long := newHandmade(region, s.id, 1000, 50, []byte("abcdef"))
	c.give(s, h.chunk(0))
	swapped.Data = chunkData(h.offset(1), long.frames[1])
	if answer := c.give(s, swapped); answer.Refusal.GetServerIsBusy() == nil {
		t.Errorf("more than was promised: %+v", answer)
	}
	if damaged() != 2 {
		t.Errorf("%d damaged", damaged())
	}
	c.tidy()
}

// A receiver whose disk is full, or fails, refuses and lives on; it gets the
// snapshot later.
func TestSnapshotDiskFull(t *testing.T) {
	full, unwritten := reached("snapshot refused, the disk is full"), reached("snapshot refused, it could not be written")
	c := newCluster(t, clusterOptions{seed: 9})
	leader := c.waitLeader("")
	s := c.stores[leader.id%3]
	region, _ := s.RegionOf(nil)
	h := newHandmade(region, s.id, 1000, 50, bytes.Repeat([]byte{1}, 5000))
	d := s.node.Disk()
	busy := func(what string, n int) {
		t.Helper()
		if answer := c.give(s, h.chunk(n)); answer.Refusal.GetServerIsBusy() == nil {
			t.Errorf("%s: %+v", what, answer)
		}
	}
	d.SetCapacity(d.Used() + 4000)
	busy("a full disk", 0)
	d.SetCapacity(0)
	c.give(s, h.chunk(0))
	d.SetCapacity(d.Used() + 4000)
	busy("a disk that fills up", 1)
	d.SetCapacity(0)
	d.FailWriteAt(disk.ClassSnapshot, 1)
	busy("a write that fails", 0)
	c.give(s, h.chunk(0))
	d.FailWriteAt(disk.ClassSnapshot, 1)
	busy("a later write that fails", 1)
	c.give(s, h.chunk(0))
	d.FailWriteAt(disk.ClassSnapshot, 2)
	busy("a sync that fails", 1)
	if full() != 1 || unwritten() != 4 || !s.node.Up() {
		t.Errorf("%d full, %d not written, up: %v", full(), unwritten(), s.node.Up())
	}
	c.tidy()
}

// A sender that cannot write its snapshot makes another later: neither a file
// that cannot be written nor one that finds no room stays behind.
func TestSnapshotUnmade(t *testing.T) {
	for name, fault := range map[string]func(d *disk.Disk){
		"full":          func(d *disk.Disk) { d.SetCapacity(d.Used()) },
		"soon full":     func(d *disk.Disk) { d.SetCapacity(d.Used() + 150) },
		"first frame":   func(d *disk.Disk) { d.FailWriteAt(disk.ClassSnapshot, 1) },
		"another frame": func(d *disk.Disk) { d.FailWriteAt(disk.ClassSnapshot, 3) },
	} {
		t.Run(name, func(t *testing.T) {
			unmade := reached("snapshot could not be made")
			c := newCluster(t, clusterOptions{seed: 3, raft: eagerGC()})
			lag(c, 2)
			leader := c.waitLeader("")
			d := leader.node.Disk()
			fault(d)
			c.stores[2].node.Start()
			c.until("failure", func() bool { return unmade() > 0 })
			if files, err := SnapshotFiles(d.FS()); err != nil || len(files) > 0 {
				t.Errorf("left: %v (%v)", files, err)
			}
			d.SetCapacity(0)
			c.converged()
			c.tidy()
		})
	}
}

// Records survive the way through a frame, and a damaged frame is recognised.
func TestFrames(t *testing.T) {
	frame := newFrame(0)
	frame = appendRecord(frame, engine.Lock, []byte("key"), []byte("value"))
	frame = appendRecord(frame, engine.Default, []byte("k"), nil)
	sealFrame(frame)
	offset, opened, ok := openChunk(chunkData(77, frame))
	if !ok || offset != 77 || !bytes.Equal(opened, frame) {
		t.Fatalf("offset %d, %v", offset, ok)
	}
	records := frame[frameHeader:]
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
	for i := range frame {
		frame[i] ^= 0x40
		if _, ok := openFrame(frame); ok {
			t.Errorf("a flipped bit in byte %d went unnoticed", i)
		}
		frame[i] ^= 0x40
	}
	// Of a file that breaks off, or goes on with something else, the whole frames
	// before are used.
	file := slices.Concat(frame, frame, frame)
	for n := range len(file) + 1 {
		have, _, err := eachFrame(bytes.NewReader(file[:n]), uint64(len(file)), func([]byte) {})
		if want := uint64(n / len(frame) * len(frame)); err != nil || have != want {
			t.Errorf("%d bytes: %d are whole frames, want %d (%v)", n, have, want, err)
		}
	}
	if have, _, err := eachFrame(bytes.NewReader(file), uint64(len(file)-1), func([]byte) {}); have != uint64(2*len(frame)) || err != nil {
		t.Errorf("a frame beyond the size of the file: %d, %v", have, err)
	}
}

// The name of a file says what is in it.
func TestSnapshotNames(t *testing.T) {
	id := snapshotID{region: 4, index: 17, term: 6, size: 900, sum: 0xabc}
	for _, kind := range []string{makingFile, outgoingFile, incomingFile} {
		name := id.name(kind)
		if gotKind, got, ok := parseSnapshotName(name); !ok || gotKind != kind || got != id || disk.ClassOf("snap/"+name) != disk.ClassSnapshot {
			t.Errorf("%s: %s %+v %v", name, gotKind, got, ok)
		}
	}
	for _, name := range []string{"", "in", "in-1-2-3-4.snap", "in-1-2-3-4-5.snap", "in-1-2-3-4-00000005.sst", "in-01-2-3-4-00000005.snap"} {
		if _, _, ok := parseSnapshotName(name); ok {
			t.Errorf("%q is a name", name)
		}
	}
}
