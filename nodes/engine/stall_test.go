package engine

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"simrun/sim/disk"
)

// watcher is an Observer that keeps what it was told.
type watcher struct {
	works []Work
	flows []Flow
	cause Cause
}

func (w *watcher) Worked(_ string, work Work) { w.works = append(w.works, work) }
func (w *watcher) Stalled(_ string, f Flow, c Cause) {
	w.flows, w.cause = append(w.flows, f), c
}

// writer writes batches of new keys, one after another, each as soon as it is
// admitted.
type writer struct {
	t    *testing.T
	db   *DB
	size int
	left int // batches
	keys int
}

func (w *writer) step() {
	for w.left > 0 && w.db.Admit(w.step) {
		b := w.db.NewBatch()
		for range 10 {
			w.keys++
			// Every batch covers the whole keyspace, so that all tables overlap.
			b.Put(Default, fmt.Appendf(nil, "%d/%08d", w.keys%10, w.keys), make([]byte, w.size))
		}
		w.left--
		if err := w.db.WriteUnsynced(b); err != nil {
			w.t.Fatal(err)
		}
		b.Close()
	}
}

// stalled opens a database whose background work is slow and fills it.
func stalled(t *testing.T, opts Options, size, batches int) (*machine, *DB, *watcher, *writer) {
	t.Helper()
	return stalledOn(t, newMachine(1, disk.DefaultConfig()), opts, size, batches)
}

func stalledOn(t *testing.T, m *machine, opts Options, size, batches int) (*machine, *DB, *watcher, *writer) {
	t.Helper()
	seen := &watcher{}
	opts.Observer = seen
	db := reopen(t, m, opts)
	w := &writer{t: t, db: db, size: size, left: batches}
	w.step()
	return m, db, seen, w
}

// Writes that come faster than a slow disk takes flushes pile up as memtables: the
// fourth slows writes down, the fifth stops them, and when flushes have caught
// up all goes on and nothing is lost.
func TestMemTablesStopWrites(t *testing.T) {
	m := newMachine(1, disk.DefaultConfig())
	m.disk.Slow(200_000)
	m, db, seen, w := stalledOn(t, m, Options{MemTableSize: memTableMin}, 100, 200)
	m.run(50 * time.Millisecond)
	if _, stopped := db.Delay(); !stopped || w.left == 0 || seen.cause != ImmutableMemTables {
		t.Fatalf("%d batches are left, writes %v: %v", w.left, db.stall.flow, seen.cause)
	}
	if db.jobs.flushing != 5 {
		t.Errorf("%d immutable memtables stop the writes, 5 should", db.jobs.flushing)
	}
	left := w.left
	m.run(10 * time.Millisecond)
	if w.left != left {
		t.Errorf("%d batches passed while writes were stopped", left-w.left)
	}
	m.run(20 * time.Second)
	m.disk.Slow(1000)
	m.run(time.Minute)
	if w.left != 0 || db.stall.flow != Flowing {
		t.Errorf("after a minute %d batches are left, and writes %v", w.left, db.stall.flow)
	}
	if want := []Flow{Slowed, Stopped, Slowed}; !slices.Equal(seen.flows[:3], want) {
		t.Errorf("the flow went %v, want %v first", seen.flows, want)
	}
	n := 0
	it, err := db.NewIter(Default, IterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		n++
	}
	it.Close()
	if n != w.keys {
		t.Errorf("%d of %d keys are there", n, w.keys)
	}
}

// Tables of level 0 stop writes when compactions do not keep up.
func TestL0FilesStopWrites(t *testing.T) {
	opts := Options{
		MemTableSize: memTableMin, RateBytesPerSec: 256 << 10, MemTablesMax: 100, L0SlowdownFiles: 6, L0StopFiles: 8,
		PendingBytesSlowdown: 1 << 30, PendingBytesStop: 1 << 31,
	}
	m, db, seen, w := stalled(t, opts, 100, 400)
	for range 1000 {
		m.run(time.Millisecond)
		if db.stall.flow == Stopped {
			break
		}
	}
	if db.stall.flow != Stopped || seen.cause != L0Files {
		t.Fatalf("writes %v because of %v", db.stall.flow, seen.cause)
	}
	if files := db.p.Metrics().Levels[0].TablesCount; files+int64(db.jobs.compacting.l0) < 8 {
		t.Errorf("%d files stop the writes, and %d that are being compacted", files, db.jobs.compacting.l0)
	}
	if err := db.Flush(); err != nil { // as a snapshot's batch does
		t.Fatal(err)
	}
	m.run(time.Minute)
	if w.left != 0 || db.stall.flow != Flowing {
		t.Errorf("after a minute %d batches are left, and writes %v", w.left, db.stall.flow)
	}
}

// The bytes that compactions have before them slow writes down, more and more,
// and stop them.
func TestPendingBytesStopWrites(t *testing.T) {
	opts := Options{
		MemTableSize: memTableMin, RateBytesPerSec: 128 << 10, MemTablesMax: 100, L0SlowdownFiles: 100, L0StopFiles: 200,
		PendingBytesSlowdown: 32 << 10, PendingBytesStop: 128 << 10,
	}
	m, db, seen, w := stalled(t, opts, 100, 400)
	last := time.Duration(0)
	for range 10_000 {
		m.run(time.Millisecond)
		if d, _ := db.Delay(); d > last {
			last = d
		}
		if db.stall.flow == Stopped {
			break
		}
	}
	if db.stall.flow != Stopped || seen.cause != PendingCompactionBytes {
		t.Fatalf("writes %v because of %v", db.stall.flow, seen.cause)
	}
	if last == 0 {
		t.Error("no write was put off before the stop")
	}
	m.run(time.Minute)
	if w.left != 0 || db.stall.flow != Flowing {
		t.Errorf("after a minute %d batches are left, and writes %v", w.left, db.stall.flow)
	}
}

// A backlog slows a write down by more the closer it is to the stop.
func TestDelayGrows(t *testing.T) {
	_, db := openTest(t, Options{RateBytesPerSec: 1 << 20})
	last := time.Duration(0)
	for _, backlog := range []int{0, 300, 600, 900, 999} {
		db.stall = stall{flow: Slowed, backlog: backlog}
		db.charge(1 << 10)
		d, stopped := db.Delay()
		if stopped || d <= last {
			t.Errorf("at %d per mille a write is put off by %v, before by %v", backlog, d, last)
		}
		last = d
	}
	if last > 20*time.Millisecond {
		t.Errorf("1 KiB puts off the next write by %v: a sixteenth of the bandwidth is always left", last)
	}
}

// A database that is written to for long has tables in several levels, each some
// ten times as large as the one above, and compacts from one to the next.
func TestLevels(t *testing.T) {
	m, db, seen, w := stalled(t, Options{MemTableSize: memTableMin}, 200, 2000)
	m.run(time.Minute)
	if w.left > 0 {
		t.Fatalf("%d batches are left", w.left)
	}
	levels := db.p.Metrics().Levels
	var used []int
	for i := range levels {
		if levels[i].TablesCount > 0 {
			used = append(used, i)
		}
	}
	lower := 0
	for _, work := range seen.works {
		if !work.Flush && work.From > 0 {
			lower++
		}
	}
	t.Logf("levels %v; %d flushes and compactions, %d of them below level 0", used, len(seen.works), lower)
	if len(used) < 3 || lower < 10 {
		t.Errorf("tables in levels %v only, %d compactions below level 0", used, lower)
	}
	last := levels[6].TablesSize
	if above := levels[5].TablesSize; last < 3*above {
		t.Errorf("the last level holds %d bytes, the one above it %d", last, above)
	}
	if files := levels[0].TablesCount; files >= 4 {
		t.Errorf("%d tables stay in level 0", files)
	}
}

// A flush makes one table, and the fourth makes Pebble ask for a compaction.
func TestL0Compaction(t *testing.T) {
	m, db := openTest(t, Options{MemTableSize: memTableMin})
	for n := 1; n <= 4; n++ {
		b := db.NewBatch()
		for i := range 20 {
			b.Put(Default, fmt.Appendf(nil, "%04d", i), make([]byte, 100))
		}
		if err := db.Write(b); err != nil {
			t.Fatal(err)
		}
		b.Close()
		if err := db.Flush(); err != nil {
			t.Fatal(err)
		}
		if files := db.p.Metrics().Levels[0].TablesCount; files != int64(n) {
			t.Errorf("after %d flushes there are %d tables in level 0", n, files)
		}
		if n < 4 {
			m.run(time.Second)
		}
		if wanted := db.scheduler.wanted.Load(); wanted != (n == 4) {
			t.Errorf("with %d tables in level 0 a compaction is wanted: %v", n, wanted)
		}
	}
	m.run(time.Second)
	if m := db.p.Metrics(); m.Levels[0].TablesCount != 0 || m.Compact.Count == 0 {
		t.Errorf("%d tables are in level 0 after %d compactions", m.Levels[0].TablesCount, m.Compact.Count)
	}
}

// Work takes the time of the disk and that of the bandwidth, whichever is longer.
func TestWorkTakesTime(t *testing.T) {
	for _, slow := range []int{1, 200} {
		for _, rate := range []int64{0, 16 << 10} {
			seen := &watcher{}
			m := newMachine(1, disk.DefaultConfig())
			db := reopen(t, m, Options{MemTableSize: memTableMin, RateBytesPerSec: rate, Observer: seen})
			m.disk.Slow(1000 * slow)
			for range 4 {
				b := db.NewBatch()
				for i := range 20 {
					b.Put(Default, fmt.Appendf(nil, "%04d", i), make([]byte, 100))
				}
				if err := db.WriteUnsynced(b); err != nil {
					t.Fatal(err)
				}
				b.Close()
				if err := db.Flush(); err != nil {
					t.Fatal(err)
				}
				m.run(time.Minute)
			}
			if len(seen.works) < 5 {
				t.Fatalf("%d pieces of work", len(seen.works))
			}
			for _, w := range seen.works[:5] {
				sync := time.Duration(slow) * 500 * time.Microsecond // the least, a quarter of the most
				bandwidth := db.transfer(w.Read + w.Written)
				if w.Took < max(sync, bandwidth) || w.Took > 100*sync+2*bandwidth {
					t.Errorf("disk %d times slower, %d bytes a second: %+v", slow, rate, w)
				}
			}
		}
	}
}
