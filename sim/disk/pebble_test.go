package disk_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"simrun/sim/disk"
	"simrun/sim/stream"
)

// clock is a loop that does nothing but tell the time.
type clock struct{ now int64 }

func (c *clock) Now() int64 { return c.now }

// scheduler grants compactions only when asked to, so that Pebble does nothing
// on its own.
type scheduler struct {
	db   pebble.DBForCompaction
	done chan struct{}
}

func (s *scheduler) Register(_ int, db pebble.DBForCompaction)         { s.db = db }
func (s *scheduler) Unregister()                                       {}
func (s *scheduler) UpdateGetAllowedWithoutPermission()                {}
func (s *scheduler) TrySchedule() (bool, pebble.CompactionGrantHandle) { return false, nil }
func (s *scheduler) Started()                                          {}
func (s *scheduler) MeasureCPU(pebble.CompactionGoroutineKind)         {}
func (s *scheduler) CumulativeStats(pebble.CompactionGrantHandleStats) {}
func (s *scheduler) Done()                                             { s.done <- struct{}{} }

func (s *scheduler) waiting() bool {
	waiting, _ := s.db.GetWaitingCompaction()
	return waiting
}

// compact runs a compaction if Pebble wants one.
func (s *scheduler) compact() bool {
	if !s.waiting() || !s.db.Schedule(s) {
		return false
	}
	<-s.done
	return true
}

// cleaner collects deletions; T is an internal type of Pebble.
type cleaner[T any] struct{ queue *deletions }

func (c cleaner[T]) Clean(_ vfs.FS, _ T, path string) error {
	c.queue.mu.Lock()
	defer c.queue.mu.Unlock()
	c.queue.paths = append(c.queue.paths, path)
	return nil
}
func (cleaner[T]) String() string { return "delete" }

func cleanerOf[T any](q *deletions, _ func(vfs.FS, T, string) error) cleaner[T] { return cleaner[T]{q} }

type deletions struct {
	mu    sync.Mutex
	paths []string
}

// fatals is a logger that collects what would end the process.
type fatals struct {
	mu   sync.Mutex
	text []string
}

func (*fatals) Infof(string, ...any)  {}
func (*fatals) Errorf(string, ...any) {}
func (f *fatals) Fatalf(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.text = append(f.text, fmt.Sprintf(format, args...))
}

const memTableSize = 256 << 10

// memTableEntry bounds what an entry takes in the memtable besides its bytes.
const memTableEntry = 256

// store is a Pebble that works only when told to, as the engine drives it.
type store struct {
	*pebble.DB
	fs    vfs.FS
	sched *scheduler
	queue *deletions
	log   *fatals
	used  int // bound of what the memtable holds
}

func openStore(fs vfs.FS, dir string, cache *pebble.Cache) (*store, error) {
	s := &store{fs: fs, sched: &scheduler{done: make(chan struct{}, 1)}, queue: &deletions{}, log: &fatals{}}
	opts := &pebble.Options{
		FS:                          fs,
		FormatMajorVersion:          pebble.FormatColumnarBlocks,
		Logger:                      s.log,
		Cache:                       cache,
		Cleaner:                     cleanerOf(s.queue, pebble.DeleteCleaner{}.Clean),
		MemTableSize:                memTableSize,
		MemTableStopWritesThreshold: 1000,
		L0StopWritesThreshold:       1000,
		L0CompactionThreshold:       2,
		LBaseMaxBytes:               32 << 10,
		MaxManifestFileSize:         4 << 10,
		MaxOpenFiles:                64,
		DisableTableStats:           true,
		CompactionConcurrencyRange:  func() (int, int) { return 1, 1 },
	}
	opts.TargetFileSizes[0] = 8 << 10
	opts.Experimental.CompactionScheduler = s.sched
	opts.Experimental.ReadSamplingMultiplier = -1
	opts.Experimental.FileCacheShards = 1
	db, err := pebble.Open(dir, opts)
	if err != nil {
		return nil, err
	}
	s.DB = db
	s.quiesce()
	return s, nil
}

// quiesce waits until no job runs and does the deletions that were queued.
func (s *store) quiesce() {
	s.sched.waiting() // takes the mutex that a job's tail holds
	s.TestOnlyWaitForCleaning()
	s.queue.mu.Lock()
	paths := s.queue.paths
	s.queue.paths = nil
	s.queue.mu.Unlock()
	for _, path := range paths {
		_ = s.fs.Remove(path)
	}
}

func (s *store) flush() {
	flushed, err := s.AsyncFlush()
	if err != nil {
		panic(err)
	}
	<-flushed
	s.used = 0
	s.quiesce()
}

func (s *store) compact() bool {
	if !s.sched.compact() {
		return false
	}
	s.quiesce()
	return true
}

// dump returns all keys and values.
func (s *store) dump() (map[string]string, error) {
	it, err := s.NewIter(nil)
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for ok := it.First(); ok; ok = it.Next() {
		all[string(it.Key())] = string(it.Value())
	}
	return all, it.Close()
}

// commit is one batch of the workload. Commit i also writes i under seqKey.
type commit struct {
	sets    map[string]string
	deletes []string
	synced  bool
}

const seqKey = "!seq"

func newCommit(rng *rand.Rand, i int) commit {
	c := commit{sets: map[string]string{seqKey: strconv.Itoa(i)}, synced: rng.IntN(3) != 0}
	for range 1 + rng.IntN(4) {
		key := fmt.Sprintf("k%03d", rng.IntN(300))
		switch n := rng.IntN(100); {
		case n < 20:
			c.deletes = append(c.deletes, key)
		case n < 22: // fills blocks of the log
			c.sets[key] = string(randomBytes(rng, 2000+rng.IntN(25000)))
		default:
			c.sets[key] = string(randomBytes(rng, rng.IntN(300)))
		}
	}
	return c
}

func randomBytes(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('a' + rng.IntN(26))
	}
	return b
}

// apply makes the commit's change in a model: deletes after sets.
func (c *commit) apply(state map[string]string) {
	maps.Copy(state, c.sets)
	for _, key := range c.deletes {
		delete(state, key)
	}
}

func (c *commit) write(d *disk.Disk, s *store) error {
	b := s.NewBatch()
	defer func() { _ = b.Close() }()
	for _, key := range slices.Sorted(maps.Keys(c.sets)) {
		_ = b.Set([]byte(key), []byte(c.sets[key]), nil)
	}
	for _, key := range c.deletes {
		_ = b.Delete([]byte(key), nil)
	}
	// A memtable that fills in the middle of a commit would be flushed beside it,
	// in an order that nobody determines.
	size := b.Len() + int(b.Count())*memTableEntry
	if s.used+size > memTableSize-memTableEntry {
		s.flush()
	}
	s.used += size
	if c.synced {
		return s.Apply(b, pebble.Sync)
	}
	var err error
	d.Unsynced(func() { err = s.Apply(b, pebble.Sync) })
	return err
}

// ack says that commits up to index are durable once the disk has reached point.
type ack struct {
	index int
	point disk.Point
}

// ledger is what may and must be found after a crash.
type ledger struct {
	base    map[string]string // state after commit floor
	floor   int               // commits up to it are durable
	commits []commit          // those after floor, in order
	acks    []ack             // those that promise more than floor
}

func (l *ledger) next() int { return l.floor + len(l.commits) + 1 }

// settle moves the floor to what is durable now.
func (l *ledger) settle(d *disk.Disk, now int64) {
	for len(l.acks) > 0 {
		if at, known := d.Reaches(l.acks[0].point); !known || at > now {
			return
		}
		for l.floor < l.acks[0].index {
			l.commits[0].apply(l.base)
			l.commits = l.commits[1:]
			l.floor++
		}
		l.acks = l.acks[1:]
	}
}

// recovered checks what a process has found and goes on from there.
func (l *ledger) recovered(d *disk.Disk, now int64, found map[string]string, all bool) error {
	l.settle(d, now)
	last := 0
	if text, ok := found[seqKey]; ok {
		last, _ = strconv.Atoi(text)
	}
	if last < l.floor || last >= l.next() {
		return fmt.Errorf("found commit %d, durable up to %d, written up to %d", last, l.floor, l.next()-1)
	}
	if all && last != l.next()-1 {
		return fmt.Errorf("found commit %d after a kill, written up to %d", last, l.next()-1)
	}
	l.commits = l.commits[:last-l.floor]
	l.acks = slices.DeleteFunc(l.acks, func(a ack) bool { return a.index > last })
	want := maps.Clone(l.base)
	for i := range l.commits {
		l.commits[i].apply(want)
	}
	if !maps.Equal(want, found) {
		return fmt.Errorf("found commit %d, but the state differs from the model: %d keys, want %d", last, len(found), len(want))
	}
	return nil
}

// node is a disk, the store on it and the ledger.
type node struct {
	t      testing.TB
	clock  *clock
	disk   *disk.Disk
	cache  *pebble.Cache
	rng    *rand.Rand
	store  *store
	ledger ledger
	jobs   int  // flushes and compactions
	faulty bool // live arms faults
	armed  []disk.ErrorID
}

func newNode(t testing.TB, seed uint64, cfg disk.Config) *node {
	c := &clock{}
	n := &node{
		t: t, clock: c, disk: disk.New(c, cfg, stream.New(seed, "disk")),
		cache: pebble.NewCache(1 << 20), rng: rand.New(rand.NewPCG(seed, 1)),
		ledger: ledger{base: map[string]string{}},
	}
	t.Cleanup(n.cache.Unref)
	return n
}

// open starts a process. It returns false if that has died on the way.
func (n *node) open() bool {
	s, err := openStore(n.disk.FS(), "kv", n.cache)
	if err != nil {
		n.t.Fatalf("open: %v", err)
	}
	n.store = s
	return !n.disk.Dead()
}

// step does one step of the workload. It returns false if the process died.
func (n *node) step() bool {
	i := n.ledger.next()
	c := newCommit(n.rng, i)
	n.ledger.commits = append(n.ledger.commits, c)
	if err := c.write(n.disk, n.store); err != nil {
		n.t.Fatalf("commit: %v", err)
	}
	if n.disk.Dead() {
		return false
	}
	if c.synced {
		n.ledger.acks = append(n.ledger.acks, ack{i, n.disk.Synced()})
	}
	if n.faulty { // a read error is an answer, too
		if v, closer, err := n.store.Get([]byte(fmt.Sprintf("k%03d", n.rng.IntN(300)))); err == nil && v != nil {
			_ = closer.Close()
		} else if err != nil && !errors.Is(err, pebble.ErrNotFound) && !disk.IsInjected(err) {
			n.t.Fatalf("get: %v", err)
		}
	}
	switch n.rng.IntN(50) {
	case 0:
		n.store.flush()
		n.jobs++
	case 1: // the final sync of the log must not be lost on it
		n.disk.Unsynced(n.store.flush)
		n.jobs++
	case 2: // errors for the next compaction
		if n.faulty {
			n.store.flush()
			for i := range 2 {
				if id := n.disk.FailReadAt(1 + i); id != 0 {
					n.armed = append(n.armed, id)
				}
			}
		}
	}
	if n.rng.IntN(10) == 0 && n.store.compact() {
		n.jobs++
	}
	return !n.disk.Dead()
}

// end ends the process and starts the next ones until one lives. When it
// returns, what was recovered is as it should be. instant is when the process
// died, all whether everything that was written must be there.
func (n *node) end(kind disk.CrashKind, all bool) {
	n.t.Helper()
	n.disk.Crash(kind)
	for {
		if err := n.store.Close(); err != nil {
			n.t.Fatalf("close of a zombie: %v", err)
		}
		if len(n.store.log.text) > 0 {
			n.t.Fatalf("fatal error: %v", n.store.log.text)
		}
		if n.open() {
			break
		}
		n.disk.Crash(disk.ProcessKill)
		all = false
	}
	found, err := n.store.dump()
	if err != nil {
		n.t.Fatalf("reading: %v", err)
	}
	if err := n.ledger.recovered(n.disk, n.clock.now, found, all); err != nil {
		n.t.Fatalf("after %v: %v", kind, err)
	}
	// Pebble promises that what it has found is durable once Open has synced.
	n.ledger.acks = append(n.ledger.acks, ack{n.ledger.next() - 1, n.disk.Synced()})
}
