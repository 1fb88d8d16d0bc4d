package engine

import (
	"container/heap"
	"hash/fnv"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"simrun/nodes/env"
)

// machine is a minimal world for one process: a clock that advances when it is
// told to, and a file system in memory that never fails by itself.
type machine struct {
	fs     vfs.FS
	seed   uint64
	now    time.Duration
	timers timerHeap
	exits  []string
}

func newMachine(fs vfs.FS) *machine { return &machine{fs: fs, seed: 1} }

func (m *machine) env() *env.Env {
	return &env.Env{
		Name: "machine", Sched: m, Disk: m, Streams: m,
		Exit: func(reason string) { m.exits = append(m.exits, reason) },
	}
}

// run advances the clock by d and fires the timers that are due.
func (m *machine) run(d time.Duration) {
	end := m.now + d
	for len(m.timers) > 0 && m.timers[0].at <= end {
		t := heap.Pop(&m.timers).(timer)
		m.now = t.at
		t.fn()
	}
	m.now = end
}

// reboot forgets the timers of the process before.
func (m *machine) reboot() { m.timers = nil }

func (m *machine) After(d time.Duration, fn func()) env.Timer {
	heap.Push(&m.timers, timer{m.now + d, len(m.timers), fn})
	return env.Timer{}
}

func (m *machine) Go(string, func(env.Task)) { panic("the engine starts no tasks") }

func (m *machine) FS() vfs.FS         { return m.fs }
func (m *machine) Unsynced(fn func()) { fn() }
func (m *machine) Barrier(fn func())  { m.After(0, fn) }
func (m *machine) Stream(name string) env.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	return rand.New(rand.NewPCG(m.seed, h.Sum64()))
}

type timer struct {
	at  time.Duration
	seq int
	fn  func()
}

type timerHeap []timer

func (h timerHeap) Len() int { return len(h) }
func (h timerHeap) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].seq < h[j].seq
}
func (h timerHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *timerHeap) Push(x any)   { *h = append(*h, x.(timer)) }
func (h *timerHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}

// openTest opens a database on a fresh machine.
func openTest(t testing.TB, opts Options) (*machine, *DB) {
	m := newMachine(vfs.NewMem())
	db, err := OpenDB(m.env(), "db", opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return m, db
}

func mustWrite(t testing.TB, db *DB, b *Batch) {
	t.Helper()
	if err := db.Write(b); err != nil {
		t.Fatal(err)
	}
	b.Reset()
}

func mustGet(t testing.TB, r Reader, cf CF, key string) []byte {
	t.Helper()
	value, err := r.Get(cf, []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	return value
}
