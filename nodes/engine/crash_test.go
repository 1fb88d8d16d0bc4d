package engine

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"simrun/sim/disk"
	"simrun/sim/stream"
)

// crasher writes numbered batches to the databases of a store, whose process it
// ends in all ways, and checks after each restart that what is there is what
// a prefix of the batches has left, and that it has all that had to survive.
type crasher struct {
	t       testing.TB
	machine *machine
	rand    *stream.Stream
	opts    Options
	es      *Engines

	kv, raft sequence
}

// sequence is what one database should hold. Batch n sets the counter to n and
// one key to n, so that the counter tells what all other keys are.
type sequence struct {
	written int // the last batch that was written, or of which that is not known
	kept    int // the last batch that survives the end of the process
	durable int // the last batch that survives power loss
}

var counterKey = []byte("counter")

// keyCount is the number of keys; batch n writes the key of batch n+keyCount.
const keyCount = 300

func sequenceKey(n int) []byte { return fmt.Appendf(nil, "key%03d", n*7919%keyCount) }

func newCrasher(t testing.TB, seed uint64, opts Options) *crasher {
	return &crasher{
		t: t, machine: newMachine(seed, disk.DefaultConfig()), rand: stream.New(seed, "crasher"), opts: opts,
	}
}

// life opens the store, checks it, writes some batches and crashes.
func (c *crasher) life() {
	c.open()
	kind := disk.CrashKind(c.rand.IntN(2))
	if c.rand.IntN(3) == 0 {
		c.machine.disk.CrashAtOp(1+c.rand.IntN(200), kind)
	}
	for range 1 + c.rand.IntN(40) {
		c.step()
		if c.machine.disk.Dead() {
			break
		}
	}
	c.crash(kind)
}

// crash ends the process, if it has not ended inside a disk operation.
func (c *crasher) crash(kind disk.CrashKind) {
	if c.machine.disk.Dead() {
		kind = c.machine.died
	}
	c.machine.crash(kind)
	c.es.Close()
	if kind == disk.PowerLoss {
		c.kv.kept, c.raft.kept = c.kv.durable, c.raft.durable
	}
}

// open opens the store. It may die on the way, any number of times.
func (c *crasher) open() {
	for {
		es, err := Open(c.machine.process(), c.opts)
		if err != nil {
			c.t.Fatal(err)
		}
		if c.es = es; !c.machine.disk.Dead() {
			break
		}
		c.crash(disk.ProcessKill)
	}
	c.recovered(c.es.KV, &c.kv)
	c.recovered(c.es.RaftLog, &c.raft)
}

// step does one thing that a store does.
func (c *crasher) step() {
	switch c.rand.IntN(12) {
	case 0:
		c.machine.run(time.Duration(c.rand.IntN(30)) * time.Millisecond)
	case 1:
		_ = c.es.KV.Flush()
	case 2: // left open; Close closes it
		it, err := c.es.KV.NewIter(Default, IterOptions{})
		if err == nil {
			it.First()
		}
	case 3: // left open too
		_ = c.es.RaftLog.NewSnapshot()
	case 4:
		c.write(c.es.KV, &c.kv, true)
	case 5, 6, 7:
		c.write(c.es.KV, &c.kv, false)
	default:
		c.write(c.es.RaftLog, &c.raft, true)
	}
}

// write writes the next batch.
func (c *crasher) write(db *DB, s *sequence, synced bool) {
	s.written++
	n := s.written
	b := db.NewBatch()
	defer b.Close()
	value := make([]byte, 8, 600)
	binary.BigEndian.PutUint64(value, uint64(n))
	b.Put(Lock, counterKey, value)
	b.Put(Default, sequenceKey(n), value[:8+c.rand.IntN(500)])
	write := db.WriteUnsynced
	if synced {
		write = db.Write
	}
	if err := write(b); err != nil {
		c.t.Fatal(err)
	}
	if c.machine.disk.Dead() {
		return // the batch may or may not be there
	}
	s.kept = n
	if synced {
		db.env.Disk.Barrier(func() { s.durable = max(s.durable, n) })
	}
}

// recovered checks what was found on the disk.
func (c *crasher) recovered(db *DB, s *sequence) {
	value, err := db.Get(Lock, counterKey)
	if err != nil {
		c.t.Fatal(err)
	}
	n := 0
	if value != nil {
		n = int(binary.BigEndian.Uint64(value))
	}
	if n < s.kept || n > s.written {
		c.t.Fatalf("boot %d: %s holds batch %d, %d had to survive, %d were written", c.machine.boots, db.name, n, s.kept, s.written)
	}
	for i := range keyCount {
		c.checkKey(db, n, i)
	}
	s.written, s.kept = n, n
	s.durable = min(s.durable, n)
}

// checkKey checks one key after batch n: the last batch that has written it is
// the last one up to n that is congruent to i.
func (c *crasher) checkKey(db *DB, n, i int) {
	key := sequenceKey(i)
	last := max(0, n-((n-i)%keyCount+keyCount)%keyCount)
	value, err := db.Get(Default, key)
	if err != nil {
		c.t.Fatal(err)
	}
	if (value != nil) != (last > 0) || value != nil && binary.BigEndian.Uint64(value) != uint64(last) {
		c.t.Fatalf("%s after batch %d: %s is %x, not that of batch %d", db.name, n, key, value, last)
	}
}

// TestCrashAndRestart crashes and restarts a store 1,000 times in one process:
// by kills and power losses, between and inside of disk operations, in the
// middle of recoveries too, with iterators and snapshots left open. Nothing
// that had to survive may be lost, and nothing may leak.
func TestCrashAndRestart(t *testing.T) {
	rounds := 1000
	if testing.Short() {
		rounds = 100
	}
	caches, err := NewCaches(4<<20, 100)
	if err != nil {
		t.Fatal(err)
	}
	defer caches.Close()
	opts := smallOptions()
	opts.Caches = caches
	c := newCrasher(t, 42, opts)
	for range rounds / 10 { // reach a steady state: pools, caches, levels
		c.life()
	}
	before := takeFootprint()
	for range rounds {
		c.life()
	}
	after := takeFootprint()
	t.Logf("%d restarts: goroutines %d -> %d, heap %d -> %d KiB, resident %d -> %d KiB; batches %d and %d",
		rounds, before.goroutines, after.goroutines, before.heap>>10, after.heap>>10,
		before.resident>>10, after.resident>>10, c.kv.written, c.raft.written)
	if after.goroutines > before.goroutines {
		buf := make([]byte, 1<<16)
		t.Errorf("goroutines leak: %d before, %d after\n%s", before.goroutines, after.goroutines, buf[:runtime.Stack(buf, true)])
	}
	if after.heap > before.heap+8<<20 { // what the disk holds varies by a few MiB
		t.Errorf("heap leaks: %d KiB before, %d KiB after", before.heap>>10, after.heap>>10)
	}
	if after.resident > before.resident+48<<20 {
		t.Errorf("memory leaks: %d KiB before, %d KiB after", before.resident>>10, after.resident>>10)
	}
}

type footprint struct {
	goroutines     int
	heap, resident uint64
}

// takeFootprint waits for goroutines that are about to end.
func takeFootprint() footprint {
	var f footprint
	for last := -1; f.goroutines != last; time.Sleep(10 * time.Millisecond) {
		last, f.goroutines = f.goroutines, runtime.NumGoroutine()
	}
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	f.heap = m.HeapAlloc
	if statm, err := os.ReadFile("/proc/self/statm"); err == nil { // Pebble's caches and memtables live outside the heap
		var pages uint64
		_, _ = fmt.Sscan(string(statm), &f.resident, &pages)
		f.resident = pages * uint64(os.Getpagesize())
	}
	return f
}

// TestDeterminism runs the same lives again and again, on one processor and on
// several: every disk operation must be the same, in the same order.
func TestDeterminism(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	runs, lives := 9, 40
	if testing.Short() {
		runs, lives = 3, 20
	}
	var reference []string
	for run := range runs {
		runtime.GOMAXPROCS([]int{1, 2, 8}[run%3])
		trace := traceOf(t, 7, lives)
		if run == 0 {
			reference = trace
			t.Logf("%d disk operations", len(trace))
			continue
		}
		for i := range min(len(trace), len(reference)) {
			if trace[i] != reference[i] {
				t.Fatalf("run %d differs at operation %d:\n%s\nbefore it was\n%s", run, i, trace[i], reference[i])
			}
		}
		if len(trace) != len(reference) {
			t.Fatalf("run %d has %d operations, the first had %d", run, len(trace), len(reference))
		}
	}
}

func traceOf(t *testing.T, seed uint64, lives int) []string {
	caches, err := NewCaches(1<<20, 30)
	if err != nil {
		t.Fatal(err)
	}
	defer caches.Close()
	opts := smallOptions()
	opts.Caches = caches
	c := newCrasher(t, seed, opts)
	var trace []string
	c.machine.disk.SetObserver(func(op disk.Op) {
		trace = append(trace, op.String())
	})
	for range lives {
		c.life()
		trace = append(trace, fmt.Sprintf("digest %016x", c.machine.disk.Digest()))
	}
	return trace
}
