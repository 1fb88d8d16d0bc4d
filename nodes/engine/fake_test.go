package engine

import (
	"container/heap"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"simrun/nodes/env"
	"simrun/sim/disk"
	"simrun/sim/stream"
)

// machine is a minimal world for one process at a time: a simulated disk and a
// clock that advances when it is told to.
type machine struct {
	disk   *disk.Disk
	seed   uint64
	boots  uint64
	now    time.Duration
	events eventHeap
	posted int
	exits  []string       // reasons of all calls to Exit and of deaths of the disk
	died   disk.CrashKind // of the last death of the disk
}

func newMachine(seed uint64, cfg disk.Config) *machine {
	m := &machine{seed: seed}
	m.disk = disk.New(m, cfg, stream.New(seed, "disk"))
	m.disk.OnDeath(func(reason string, kind disk.CrashKind) {
		m.exits = append(m.exits, reason)
		m.died = kind
	})
	return m
}

// process returns the Env of a process of the machine.
func (m *machine) process() *env.Env {
	m.boots++
	p := &process{m, m.boots, m.disk.FS()}
	return &env.Env{
		Name: "machine", Clock: p, Sched: p, Disk: p, Streams: p,
		Exit: func(reason string) {
			m.exits = append(m.exits, reason)
			m.crash(disk.ProcessKill) // at once, as the disk of a process that has ended is nobody's
		},
	}
}

// crash ends the process: its timers do not fire, its file system is a zombie.
func (m *machine) crash(kind disk.CrashKind) {
	m.boots++
	m.disk.Crash(kind)
}

// run advances the clock by d and fires the events that are due, unless the
// process dies.
func (m *machine) run(d time.Duration) {
	end := m.now + d
	for len(m.events) > 0 && m.events[0].at <= end {
		if m.disk.Dead() {
			return
		}
		ev := heap.Pop(&m.events).(event)
		m.now = ev.at
		ev.Fire()
	}
	m.now = end
}

// Now and Post implement disk.Loop.
func (m *machine) Now() int64 { return int64(m.now) }

func (m *machine) Post(at int64, e interface{ Fire() }) {
	m.posted++
	heap.Push(&m.events, event{time.Duration(at), m.posted, e})
}

// process implements the ports of one process.
type process struct {
	*machine
	boot uint64
	fs   vfs.FS
}

type callback struct {
	p  *process
	fn func()
}

func (c callback) Fire() {
	if c.p.boot == c.p.boots {
		c.fn()
	}
}

func (p *process) After(d time.Duration, fn func()) env.Timer {
	p.Post(int64(p.now+d), callback{p, fn})
	return env.Timer{}
}

func (p *process) Go(string, func(env.Task)) { panic("the engine starts no tasks") }
func (p *process) FS() vfs.FS                { return p.fs }
func (p *process) Unsynced(fn func())        { p.disk.Unsynced(fn) }
func (p *process) ReadBytes(n int64)         { p.disk.ReadBytes(n) }
func (p *process) Barrier(fn func())         { p.Post(p.disk.Durable(), callback{p, fn}) }
func (p *process) Wall() time.Time           { return time.Unix(0, 0).Add(p.now) }
func (p *process) Monotonic() time.Duration  { return p.now }
func (p *process) Stream(name string) env.Rand {
	return stream.New(p.seed, name, p.boot)
}

type event struct {
	at  time.Duration
	seq int
	firer
}

type firer interface{ Fire() }

type eventHeap []event

func (h eventHeap) Len() int      { return len(h) }
func (h eventHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h eventHeap) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].seq < h[j].seq
}
func (h *eventHeap) Push(x any) { *h = append(*h, x.(event)) }
func (h *eventHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	old[len(old)-1] = event{}
	*h = old[:len(old)-1]
	return x
}

// openTest opens a database on a fresh machine.
func openTest(t testing.TB, opts Options) (*machine, *DB) {
	m := newMachine(1, disk.Config{})
	return m, reopen(t, m, opts)
}

// reopen opens the machine's database in a new process.
func reopen(t testing.TB, m *machine, opts Options) *DB {
	t.Helper()
	db, err := OpenDB(m.process(), "db", opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return db
}

// get returns a value as a string, "-" if there is none.
func get(t testing.TB, r Reader, cf CF, key string) string {
	t.Helper()
	value, err := r.Get(cf, []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	if value == nil {
		return "-"
	}
	return string(value)
}
