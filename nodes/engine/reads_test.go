package engine

import (
	"fmt"
	"path"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"simrun/sim/disk"
	"simrun/sim/stream"
)

// hooks are called before each operation on a table, on Pebble's goroutines.
type hooks struct {
	opened func(name string)
	read   func(name string, off int64, n int)
	write  func()
}

// hookedProcess is a process with hooks in its file system.
type hookedProcess struct {
	*process
	hooks *hooks
}

func (p hookedProcess) FS() vfs.FS { return hookedFS{p.process.FS(), p.hooks} }

type hookedFS struct {
	vfs.FS
	hooks *hooks
}

func (f hookedFS) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	x, err := f.FS.Open(name, opts...)
	if err != nil || path.Ext(name) != ".sst" {
		return x, err
	}
	f.hooks.opened(name)
	return hookedFile{x, name, f.hooks}, nil
}

func (f hookedFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	x, err := f.FS.Create(name, category)
	if err != nil || path.Ext(name) != ".sst" {
		return x, err
	}
	return hookedFile{x, name, f.hooks}, nil
}

type hookedFile struct {
	vfs.File
	name  string
	hooks *hooks
}

func (f hookedFile) ReadAt(p []byte, off int64) (int, error) {
	f.hooks.read(f.name, off, len(p))
	return f.File.ReadAt(p, off)
}

func (f hookedFile) Write(p []byte) (int, error) {
	f.hooks.write()
	return f.File.Write(p)
}

// openHooked opens a database of the machine's present process behind hooks.
func openHooked(t *testing.T, m *machine, dir string, opts Options, h *hooks) *DB {
	t.Helper()
	e := m.process()
	e.Disk = hookedProcess{e.Disk.(*process), h}
	db, err := OpenDB(e, dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// traceOfReads returns which tables two databases open and read, and in which
// order, while they share caches that are too small for them and hold snapshots
// and iterators.
func traceOfReads(t *testing.T, seed uint64) []string {
	t.Helper()
	var mu sync.Mutex
	var reads []string
	note := func(s string) {
		mu.Lock()
		defer mu.Unlock()
		reads = append(reads, s)
	}
	h := &hooks{
		opened: func(name string) { note("open " + name) },
		read:   func(name string, off int64, n int) { note(fmt.Sprintf("read %s %d+%d", name, off, n)) },
		write:  func() {},
	}
	m := newMachine(seed, disk.DefaultConfig())
	caches, err := NewCaches(600<<10, 5)
	if err != nil {
		t.Fatal(err)
	}
	defer caches.Close()
	opts := smallOptions()
	opts.Caches = caches
	dbs := []*DB{openHooked(t, m, "a", opts, h), openHooked(t, m, "b", opts, h)}
	rand := stream.New(seed, "reads")
	key := func() []byte { return fmt.Appendf(nil, "%04d", rand.IntN(2000)) }
	var iters []*Iterator
	var snapshots []*Snapshot
	for range 200 {
		db := dbs[rand.IntN(2)]
		b := db.NewBatch()
		size := 1 << rand.IntN(10)
		for range 1 + rand.IntN(1<<rand.IntN(6)) {
			b.Put(Default, key(), make([]byte, rand.IntN(size)))
		}
		if err := db.Write(b); err != nil {
			t.Fatal(err)
		}
		b.Close()
		for range 10 {
			if _, err := dbs[rand.IntN(2)].Get(Default, key()); err != nil {
				t.Fatal(err)
			}
		}
		if rand.IntN(5) == 0 {
			s := dbs[rand.IntN(2)].NewSnapshot()
			it, err := s.NewIter(Default, IterOptions{})
			if err != nil {
				t.Fatal(err)
			}
			it.SeekGE(key())
			iters, snapshots = append(iters, it), append(snapshots, s)
		}
		for _, it := range iters {
			it.Next()
		}
		if len(iters) > 6 {
			iters[0].Close()
			snapshots[0].Close()
			iters, snapshots = iters[1:], snapshots[1:]
		}
		m.run(time.Duration(rand.IntN(5)) * time.Millisecond)
	}
	for i, it := range iters {
		it.Close()
		snapshots[i].Close()
	}
	for _, db := range dbs {
		db.Close()
	}
	return reads
}

// TestReadsInOneOrder compares, at several GOMAXPROCS, the order in which tables
// are opened and read. Errors of reads count on it (disk.FailReadAt).
func TestReadsInOneOrder(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	var want []string
	for _, procs := range []int{1, 2, 8} {
		runtime.GOMAXPROCS(procs)
		got := traceOfReads(t, 1)
		if want == nil {
			want = got
			t.Logf("%d reads", len(want))
			continue
		}
		for i := range min(len(want), len(got)) {
			if want[i] != got[i] {
				t.Fatalf("GOMAXPROCS %d, %d: %s; at 1: %s", procs, i, got[i], want[i])
			}
		}
		if len(want) != len(got) {
			t.Fatalf("GOMAXPROCS %d: %d reads; at 1: %d", procs, len(got), len(want))
		}
	}
}

// deathInCompaction lets a compaction meet an error of a read and the end of its
// process at a write, with one of both slowed down. It returns whether the error
// struck.
func deathInCompaction(t *testing.T, nthRead, nthOp int, h hooks) bool {
	t.Helper()
	m := newMachine(1, disk.DefaultConfig())
	opts := smallOptions()
	opts.MemTableSize = 64 << 10
	opts.TargetFileSize, opts.LBaseMaxBytes = 64<<10, 4<<10
	calm := hooks{opened: func(string) {}, read: func(string, int64, int) {}, write: func() {}}
	now := calm
	db := openHooked(t, m, "db", opts, &now)
	defer db.Close()
	for round := range opts.withDefaults().L0CompactionThreshold {
		b := db.NewBatch()
		for i := range 20 {
			b.Put(Default, fmt.Appendf(nil, "%04d-%d", i, round), make([]byte, 900))
		}
		if err := db.Write(b); err != nil {
			t.Fatal(err)
		}
		b.Close()
		if err := db.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	id := m.disk.FailReadAt(nthRead)
	m.disk.CrashAtOp(nthOp, disk.ProcessKill)
	h.opened = calm.opened
	now = h
	db.compact()
	return m.disk.Struck(id)
}

// TestReadErrorBesideDeath: Pebble compacts on two goroutines, of which one reads
// while the other writes the block before. Whether the reader meets its error must
// not depend on whether the process has ended by then.
func TestReadErrorBesideDeath(t *testing.T) {
	slow := func() { time.Sleep(3 * time.Millisecond) }
	slowReads := hooks{read: func(string, int64, int) { slow() }, write: func() {}}
	slowWrites := hooks{read: func(string, int64, int) {}, write: slow}
	struck := 0
	for nthOp := 3; nthOp <= 5; nthOp++ {
		for nthRead := 6; nthRead <= 9; nthRead++ {
			a := deathInCompaction(t, nthRead, nthOp, slowReads)
			if b := deathInCompaction(t, nthRead, nthOp, slowWrites); a != b {
				t.Errorf("read %d, operation %d: the error strikes: %v with slow reads, %v with slow writes", nthRead, nthOp, a, b)
			}
			if a {
				struck++
			}
		}
	}
	if struck == 0 {
		t.Error("no read has failed")
	}
}
