package engine

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"simrun/nodes/invariant"
	"simrun/sim/disk"
)

// fillAndFlush writes enough for a table of its own.
func fillAndFlush(db *DB, round int) error {
	b := db.NewBatch()
	defer b.Close()
	for i := range 20 {
		b.Put(Default, fmt.Appendf(nil, "key%02d", i), fmt.Appendf(nil, "round %d %0100d", round, i))
	}
	if err := db.Write(b); err != nil {
		return err
	}
	return db.Flush()
}

// checkEnded checks that the process was ended once, for a reason that contains
// want, that nothing can be done with the database any more, and that it can be
// closed without leaving goroutines behind.
func checkEnded(t *testing.T, m *machine, db *DB, goroutines int, want string) {
	t.Helper()
	if len(m.exits) != 1 || !strings.Contains(m.exits[0], want) {
		t.Errorf("the process was ended %d times: %q, want %q", len(m.exits), m.exits, want)
	}
	if m.disk.Dead() {
		m.crash(disk.ProcessKill)
	}
	db.Close()
	if _, err := db.Get(Default, []byte("key00")); !errors.Is(err, ErrClosed) {
		t.Errorf("get after the end: %v", err)
	}
	if err := fillAndFlush(db, 99); !errors.Is(err, ErrClosed) {
		t.Errorf("write after the end: %v", err)
	}
	checkGoroutines(t, goroutines)
}

// checkGoroutines checks that there are not more goroutines than before, once
// those that are about to end have ended.
func checkGoroutines(t *testing.T, before int) {
	t.Helper()
	for range 1000 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}

func countMark(name string) uint64 {
	for _, c := range invariant.Counts() {
		if c.Name == name {
			return c.Count
		}
	}
	return 0
}

// TestReadErrorEndsTheProcess makes tables unreadable. Whoever meets the error,
// a get or an iterator, the process ends.
func TestReadErrorEndsTheProcess(t *testing.T) {
	readers := map[string]func(db *DB) error{
		"get": func(db *DB) error {
			for i := range 20 {
				if _, err := db.Get(Default, fmt.Appendf(nil, "key%02d", i)); err != nil {
					return err
				}
			}
			return nil
		},
		"iterator": func(db *DB) error {
			it, err := db.NewIter(Default, IterOptions{})
			if err != nil {
				return err
			}
			defer it.Close()
			for ok := it.First(); ok; ok = it.Next() {
				_ = it.Value()
			}
			return it.Error()
		},
	}
	for name, read := range readers {
		t.Run(name, func(t *testing.T) {
			goroutines := runtime.NumGoroutine()
			m := newMachine(1, disk.DefaultConfig())
			db := reopen(t, m, smallOptions())
			for round := range 2 {
				if err := fillAndFlush(db, round); err != nil {
					t.Fatal(err)
				}
			}
			m.crash(disk.ProcessKill) // empties the caches
			db.Close()
			ended := false
			for range 20 { // an error strikes one of the next few reads of a table
				db = reopen(t, m, smallOptions())
				if !failReads(m, 10) {
					t.Fatal("there is no table")
				}
				err := read(db)
				if ended = len(m.exits) > 0; ended {
					if err != nil && !disk.IsInjected(err) {
						t.Errorf("the reader was told %v", err)
					}
					break
				}
				m.crash(disk.ProcessKill)
				db.Close()
			}
			if !ended {
				t.Fatal("no error was met")
			}
			checkEnded(t, m, db, goroutines, "engine: db")
		})
	}
}

// failReads arms n errors on the next reads of the newest tables, and reports
// whether there is a table.
func failReads(m *machine, n int) bool {
	for i := range n {
		if m.disk.FailReadAt(1+i%3) == 0 {
			return false
		}
	}
	return true
}

// failTableWrites makes the next n writes and syncs of tables fail.
func failTableWrites(m *machine, n int) {
	for i := range n {
		m.disk.FailWriteAt(disk.ClassTable, i+1)
	}
}

// TestReadErrorInCompaction lets compactions meet read errors: they are tried
// again, as each error strikes once.
func TestReadErrorInCompaction(t *testing.T) {
	before := countMark("engine: background work failed and was tried again")
	m := newMachine(1, disk.DefaultConfig())
	db := reopen(t, m, smallOptions())
	for round := range 40 {
		if err := fillAndFlush(db, round); err != nil {
			t.Fatal(err)
		}
		if round%4 == 0 {
			m.crash(disk.ProcessKill) // compactions keep to themselves what they have read
			db.Close()
			db = reopen(t, m, smallOptions())
			failReads(m, maxBackgroundFailures-1)
		}
		m.run(time.Second)
	}
	if len(m.exits) > 0 {
		t.Fatalf("the process ended: %q", m.exits)
	}
	if n := countMark("engine: background work failed and was tried again") - before; n == 0 {
		t.Error("no error was met")
	}
	m.disk.Heal()
	if got := get(t, db, Default, "key07"); !strings.HasPrefix(got, "round 39") {
		t.Errorf("key07 is %q", got)
	}
}

// failingDirs is a file system on which the next sync of a directory fails when
// that is armed, for no reason that a disk would give.
type failingDirs struct {
	vfs.FS
	armed *bool
}

type failingDir struct {
	vfs.File
	armed *bool
}

func (fs failingDirs) OpenDir(name string) (vfs.File, error) {
	f, err := fs.FS.OpenDir(name)
	return failingDir{f, fs.armed}, err
}

func (d failingDir) Sync() error {
	if *d.armed {
		*d.armed = false
		return errors.New("not a table")
	}
	return d.File.Sync()
}

// TestOtherErrorOfACompaction lets a compaction fail, and not on a table. Pebble
// would leave the tables alone until its own clock says otherwise, so the
// process ends the first time.
func TestOtherErrorOfACompaction(t *testing.T) {
	goroutines := runtime.NumGoroutine()
	m := newMachine(1, disk.DefaultConfig())
	e, armed := m.process(), false
	p := e.Disk.(*process)
	p.fs = failingDirs{p.fs, &armed}
	db, err := OpenDB(e, "db", smallOptions())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for round := range 4 {
		if err := fillAndFlush(db, round); err != nil {
			t.Fatal(err)
		}
		if round == 1 {
			m.run(time.Second) // the second compaction reads a table below level 0 too
		}
	}
	armed = true
	m.run(time.Second)
	checkEnded(t, m, db, goroutines, "compaction: not a table")
}

// TestFewTableWriteErrors lets fewer writes of tables fail than end a process:
// the flush is tried again and succeeds.
func TestFewTableWriteErrors(t *testing.T) {
	before := countMark("engine: background work failed and was tried again")
	m, db := openTest(t, smallOptions())
	failTableWrites(m, maxBackgroundFailures-1)
	if err := fillAndFlush(db, 1); err != nil {
		t.Fatal(err)
	}
	if len(m.exits) > 0 {
		t.Fatalf("the process ended: %q", m.exits)
	}
	if got := get(t, db, Default, "key07"); !strings.HasPrefix(got, "round 1") {
		t.Errorf("key07 is %q", got)
	}
	if n := countMark("engine: background work failed and was tried again") - before; n == 0 || n >= maxBackgroundFailures {
		t.Errorf("%d failures were marked", n)
	}
}

// TestManyTableWriteErrors lets all writes of tables fail: the process ends
// instead of trying for ever, with iterators and snapshots open.
func TestManyTableWriteErrors(t *testing.T) {
	goroutines := runtime.NumGoroutine()
	m := newMachine(1, disk.DefaultConfig())
	db := reopen(t, m, smallOptions())
	if err := fillAndFlush(db, 1); err != nil {
		t.Fatal(err)
	}
	it, err := db.NewIter(Default, IterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	it.First()
	snapshot := db.NewSnapshot()
	failTableWrites(m, 1000)
	if err := fillAndFlush(db, 2); !errors.Is(err, ErrClosed) {
		t.Errorf("flush: %v", err)
	}
	// What unwound tasks do, while Pebble holds its mutex.
	snapshot.Close()
	it.Close()
	if it.Next() {
		t.Error("an iterator moves after the end")
	}
	checkEnded(t, m, db, goroutines, "background error")
}

// TestWriteErrorsInOpen lets the writes of tables fail while a database recovers
// its log into one: the opening ends, and the process with it.
func TestWriteErrorsInOpen(t *testing.T) {
	goroutines := runtime.NumGoroutine()
	m := newMachine(1, disk.DefaultConfig())
	db := reopen(t, m, smallOptions())
	b := db.NewBatch()
	b.Put(Default, []byte("key07"), []byte("value"))
	if err := db.Write(b); err != nil {
		t.Fatal(err)
	}
	m.crash(disk.ProcessKill)
	db.Close()
	failTableWrites(m, 1000)
	if _, err := OpenDB(m.process(), "db", smallOptions()); err == nil {
		t.Error("the database was opened")
	}
	if len(m.exits) != 1 || !strings.Contains(m.exits[0], "background error") {
		t.Errorf("the process was ended %d times: %q", len(m.exits), m.exits)
	}
	checkGoroutines(t, goroutines)
	m.disk.Heal()
	if got := get(t, reopen(t, m, smallOptions()), Default, "key07"); got != "value" {
		t.Errorf("key07 is %q", got)
	}
}

// TestDiskFull runs out of space: the process ends, and restarts once there is
// space again, with everything that was written.
func TestDiskFull(t *testing.T) {
	goroutines := runtime.NumGoroutine()
	m := newMachine(1, disk.DefaultConfig())
	db := reopen(t, m, smallOptions())
	if err := fillAndFlush(db, 1); err != nil {
		t.Fatal(err)
	}
	m.disk.SetCapacity(m.disk.Used() + 3000)
	for round := 2; len(m.exits) == 0 && round < 100; round++ {
		_ = fillAndFlush(db, round)
	}
	if !m.disk.Dead() && len(m.exits) == 0 {
		t.Fatal("the disk never was full")
	}
	checkEnded(t, m, db, goroutines, "")
	m.disk.SetCapacity(0)
	db = reopen(t, m, smallOptions())
	if got := get(t, db, Default, "key07"); !strings.HasPrefix(got, "round") {
		t.Errorf("key07 is %q", got)
	}
}

// TestLogErrorEndsTheProcess lets the log, the MANIFEST and a directory fail.
// The disk itself ends the process; the zombie can be closed.
func TestLogErrorEndsTheProcess(t *testing.T) {
	for _, class := range []disk.Class{disk.ClassLog, disk.ClassManifest, disk.ClassDir} {
		t.Run(class.String(), func(t *testing.T) {
			goroutines := runtime.NumGoroutine()
			m := newMachine(1, disk.DefaultConfig())
			db := reopen(t, m, smallOptions())
			m.disk.FailWriteAt(class, 1)
			for round := 0; !m.disk.Dead() && round < 10; round++ {
				_ = fillAndFlush(db, round)
			}
			checkEnded(t, m, db, goroutines, "")
		})
	}
}

// TestOpenErrors checks that an opening that fails leaves nothing behind.
func TestOpenErrors(t *testing.T) {
	goroutines := runtime.NumGoroutine()
	m := newMachine(1, disk.Config{})
	for _, opts := range []Options{
		{MemTableSize: 1}, {MemTableSize: 1 << 20}, {LBaseMaxBytes: -1}, {CleanDelay: -1},
	} {
		if _, err := Open(m.process(), opts); err == nil {
			t.Errorf("options %+v are accepted", opts)
		}
	}
	for _, size := range []int64{0, cacheMax} {
		if _, err := NewCaches(size, 10); err == nil {
			t.Errorf("a cache of %d bytes is accepted", size)
		}
	}
	db := reopen(t, m, Options{})
	if _, err := OpenDB(m.process(), "db", Options{}); err == nil {
		t.Error("a database is opened twice")
	}
	db.Close()
	checkGoroutines(t, goroutines)
}
