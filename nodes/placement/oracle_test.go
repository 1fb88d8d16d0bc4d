package placement

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/sim"
	"simrun/sim/disk"
)

// observation is a timestamp or id that a client has got.
type observation struct {
	value         uint64
	called, ended int64 // true time
}

// witness checks that timestamps are unique and agree with true time: one that
// was asked for after another was known is greater.
type witness struct {
	got   []observation // as they ended; each with the greatest value so far
	seen  map[uint64]bool
	count int
}

// floor returns the greatest timestamp that had been returned before an instant.
func (w *witness) floor(called int64) uint64 {
	n, _ := slices.BinarySearchFunc(w.got, called, func(o observation, at int64) int { return cmp.Compare(o.ended, at) })
	if n == 0 {
		return 0
	}
	return w.got[n-1].value
}

func (w *witness) add(o observation) error {
	if w.seen[o.value] {
		return fmt.Errorf("%d was handed out twice", o.value)
	}
	if floor := w.floor(o.called); o.value <= floor {
		return fmt.Errorf("%d was asked for after %d was known", o.value, floor)
	}
	w.seen[o.value] = true
	w.count++
	if n := len(w.got); n > 0 {
		o.value = max(o.value, w.got[n-1].value)
	}
	w.got = append(w.got, o)
	return nil
}

// TestTimestampsAndIDs lets clients take timestamps and ids while members are
// killed and lose power, also in the middle of disk operations and of their
// recovery, and are cut off from one another, while leadership is handed over,
// clocks jump and drift, disks stall and the network loses and duplicates
// messages. No timestamp and no id is handed out twice, and timestamps agree
// with true time.
func TestTimestampsAndIDs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newCluster(t, rapid.SampledFrom([]int{1, 3, 3, 5}).Draw(t, "members"),
			sim.Config{Seed: rapid.Uint64().Draw(t, "seed")}, Config{
				TimestampWindow: time.Duration(rapid.SampledFrom([]int{2, 50, 3000}).Draw(t, "window ms")) * time.Millisecond,
				IDBatch:         uint64(rapid.IntRange(1, 20).Draw(t, "id batch")),
			})
		ids := map[uint64]bool{}
		w := &witness{seen: map[uint64]bool{}}
		for i := range 3 {
			cfg := ClientConfig{RequestTimeout: 50 * time.Millisecond, BackoffMax: 20 * time.Millisecond}
			c.addClient(fmt.Sprintf("client%d", i+1), cfg, func(task env.Task, e *env.Env, pd *Client) {
				pause := e.Streams.Stream("pause")
				for range 2 { // several tasks a client, so that requests are batched
					e.Sched.Go("timestamps", func(task env.Task) { takeTimestamps(task, c, pd, pause, w) })
					e.Sched.Go("ids", func(task env.Task) { takeIDs(task, pd, pause, ids) })
				}
			})
		}
		c.StartAll()
		for range rapid.IntRange(1, 12).Draw(t, "faults") {
			c.fault(t)
			if err := c.RunFor(time.Duration(rapid.IntRange(1, 400).Draw(t, "run ms")) * time.Millisecond); err != nil {
				t.Fatal(err)
			}
		}
		c.Network.HealAll()
		for _, m := range c.members {
			m.Disk().CrashAtOp(0, disk.ProcessKill)
			m.Disk().Slow(1000)
			for m.Paused() {
				m.Resume()
			}
			m.Start()
		}
		before := w.count
		// A disk that was slow has yet to do what it accepted then: the writes of a
		// whole start take seconds at a hundredth of the speed.
		for waited := 0; waited == 0 || w.count == before && waited < 5; waited++ {
			if err := c.RunFor(2 * time.Second); err != nil {
				t.Fatal(err)
			}
		}
		if w.count == before {
			t.Fatalf("no timestamps after the faults have ended; exits %q", c.exits)
		}
	})
}

func takeIDs(task env.Task, pd *Client, pause env.Rand, ids map[uint64]bool) {
	for {
		if id, err := pd.AllocID(task); err == nil {
			invariant.Check(!ids[id], "id %d was handed out twice", id)
			ids[id] = true
		}
		task.Sleep(time.Duration(pause.IntN(20)) * time.Millisecond)
	}
}

func takeTimestamps(task env.Task, c *cluster, pd *Client, pause env.Rand, w *witness) {
	for {
		called := c.Now()
		ts, err := pd.GetTS(task, noLimit)
		if err == nil {
			err = w.add(observation{ts, called, c.Now()})
			invariant.Check(err == nil, "%v", err)
		} else {
			invariant.Check(errors.Is(err, ErrUnavailable), "%v", err)
		}
		task.Sleep(time.Duration(pause.IntN(10)) * time.Millisecond)
	}
}

// fault does something to a member, more often than not to the leader.
func (c *cluster) fault(t *rapid.T) {
	kind := disk.CrashKind(rapid.IntRange(0, 1).Draw(t, "kind"))
	m := c.members[rapid.IntRange(0, len(c.members)-1).Draw(t, "member")]
	if leader := c.leader(); leader != nil && rapid.Bool().Draw(t, "leader") {
		m = leader
	}
	ms := func(what string, lo, hi int) time.Duration {
		return time.Duration(rapid.IntRange(lo, hi).Draw(t, what+" ms")) * time.Millisecond
	}
	switch rapid.IntRange(0, 12).Draw(t, "fault") {
	case 0: // a clock that is wrong after a restart
		m.Crash(kind)
		m.JumpClock(-ms("jump", 0, 100))
		m.Start()
	case 1, 2:
		m.Disk().CrashAtOp(rapid.IntRange(1, 60).Draw(t, "operation"), kind)
	case 3:
		m.JumpClock(ms("jump", -5000, 5000))
	case 4:
		m.SetDrift(int64(rapid.IntRange(-100_000, 100_000).Draw(t, "drift")))
	case 5:
		m.Pause()
	case 6:
		m.Disk().Slow(rapid.IntRange(1000, 100_000).Draw(t, "slow"))
	case 7:
		m.Resume()
	case 8, 9:
		c.cutOff(m)
	case 10:
		c.Network.HealAll()
	case 11:
		if leader := c.leader(); leader != nil && m.server != nil {
			_ = leader.server.replica.store.TransferLeader(groupID, m.server.replica.self.Id)
		}
	default:
		m.Start()
	}
}

// fakeClock is a clock that is set by hand.
type fakeClock struct{ wall, monotonic time.Duration }

func (f *fakeClock) Wall() time.Time          { return time.UnixMilli(1e12).Add(f.wall) }
func (f *fakeClock) Monotonic() time.Duration { return f.monotonic }
func (f *fakeClock) pass(d time.Duration)     { f.wall, f.monotonic = f.wall+d, f.monotonic+d }

// fakeStorage is a Storage, and its Image, whose saves are done when they are
// told to.
type fakeStorage struct {
	records map[string][]byte
	pending []func(error)
	ended   bool
}

func newFakeStorage() *fakeStorage { return &fakeStorage{records: map[string][]byte{}} }

func (f *fakeStorage) Load(prefix string, fn func(string, []byte) error) error {
	for key, value := range f.records {
		if len(key) >= len(prefix) && key[:len(prefix)] == prefix {
			if err := fn(key, value); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *fakeStorage) Save(records []Record, done func(error)) {
	f.pending = append(f.pending, func(err error) {
		for _, r := range records {
			if err == nil {
				f.records[r.Key] = r.Value
			}
		}
		done(err)
	})
}

func (f *fakeStorage) Leads() bool { return !f.ended }

// finish completes the pending saves.
func (f *fakeStorage) finish(err error) {
	for _, done := range f.pending {
		done(err)
	}
	f.pending = nil
}

// testOracle returns an oracle whose first window is saved.
func testOracle(t *testing.T, clock env.Clock, storage *fakeStorage, window time.Duration) *oracle {
	t.Helper()
	o, err := newOracle(clock, storage, storage, window)
	if err != nil {
		t.Fatal(err)
	}
	if o.tryTake(1, math.MaxInt64) {
		t.Fatal("a timestamp was handed out before its window was saved")
	}
	o.extend()
	storage.finish(nil)
	return o
}

// take1 takes one timestamp, which must be there, and returns its parts.
func take1(t *testing.T, o *oracle, count int64) (physical, logical int64) {
	t.Helper()
	if !o.tryTake(count, math.MaxInt64) {
		t.Fatalf("no timestamp at %d ms, bound %d ms", o.physical, o.saved)
	}
	return o.physical - 1e12, o.logical
}

// TestOracleClock walks the oracle through what a wall clock may do.
func TestOracleClock(t *testing.T) {
	clock, storage := &fakeClock{}, newFakeStorage()
	o := testOracle(t, clock, storage, time.Second)
	step := func(what string, wantPhysical, wantLogical int64) {
		t.Helper()
		if p, l := take1(t, o, 1); p != wantPhysical || l != wantLogical {
			t.Errorf("%s: %d ms + %d, want %d ms + %d", what, p, l, wantPhysical, wantLogical)
		}
		storage.finish(nil)
	}
	step("at the start", 0, 1)
	clock.pass(999 * time.Microsecond)
	step("within a millisecond", 0, 2)
	clock.pass(time.Microsecond)
	step("in the next", 1, 1)
	clock.pass(40 * time.Millisecond)
	step("later", 41, 1)
	clock.wall -= time.Hour
	step("after a jump backward", 41, 2)
	clock.pass(50 * time.Millisecond)
	step("while behind", 41, 3)
	clock.wall += time.Hour
	step("after the jump was taken back", 42, 1)
	clock.pass(30 * time.Millisecond)
	step("catching up", 87, 1)
	clock.wall += time.Hour
	step("after a jump forward", 87, 2)
	clock.pass(10 * time.Millisecond)
	step("followed half as fast again as time", 102, 1)
	clock.wall -= time.Hour
	clock.pass(10 * time.Millisecond)
	step("after that was taken back", 117, 1)
}

// TestOracleOverflow asks for more timestamps than a millisecond has, while the
// clock stands still and while a save is pending.
func TestOracleOverflow(t *testing.T) {
	clock, storage := &fakeClock{}, newFakeStorage()
	o := testOracle(t, clock, storage, 100*time.Millisecond)
	if p, l := take1(t, o, maxLogical); p != 0 || l != maxLogical {
		t.Errorf("the whole millisecond: %d + %d", p, l)
	}
	if p, l := take1(t, o, 1); p != 1 || l != 1 {
		t.Errorf("the next: %d + %d", p, l)
	}
	handedOut := 0
	for o.tryTake(maxLogical, math.MaxInt64) {
		handedOut++
	}
	if handedOut != 98 || o.physical != o.saved-1 {
		t.Errorf("%d milliseconds were handed out up to %d, bound %d", handedOut, o.physical, o.saved)
	}
	storage.finish(nil)
	if !o.tryTake(1, math.MaxInt64) {
		t.Error("no timestamp after the window was extended")
	}
}

// TestOracleTakesOver lets another oracle take over from the same storage, with
// a clock that is behind or ahead: it begins right above all that the first can have
// used, and believes its clock no faster than after a jump.
func TestOracleTakesOver(t *testing.T) {
	clock, storage := &fakeClock{}, newFakeStorage()
	first := testOracle(t, clock, storage, 100*time.Millisecond)
	for range 20 {
		clock.pass(10 * time.Millisecond)
		first.tryTake(1, math.MaxInt64)
		storage.finish(nil)
	}
	second, err := newOracle(&fakeClock{wall: -time.Hour}, storage, storage, 100*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if second.physical != first.saved+1 {
		t.Errorf("begins at %d ms, the bound was %d ms", second.physical, first.saved)
	}
	second.extend()
	storage.finish(errNotLeader)
	if second.tryTake(1, math.MaxInt64) {
		t.Error("a timestamp was handed out though its window could not be saved")
	}
	ahead := &fakeClock{wall: clock.wall + time.Minute}
	third := testOracle(t, ahead, storage, 100*time.Millisecond)
	begin := first.saved + 1
	ahead.pass(20 * time.Millisecond)
	if p, _ := take1(t, third, 1); p != begin-1e12+31 {
		t.Errorf("20 ms after %d ms: %d ms", begin, p)
	}
}

func BenchmarkOracle(b *testing.B) {
	clock, storage := &fakeClock{}, newFakeStorage()
	o, err := newOracle(clock, storage, storage, 3*time.Second)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		clock.pass(10 * time.Microsecond)
		if !o.tryTake(1, math.MaxInt64) {
			o.extend()
		}
		storage.finish(nil)
	}
}
