package engine

import (
	"fmt"
	"path"
	"runtime"
	"strings"
	"testing"
	"time"

	"simrun/sim/disk"
	"simrun/sim/stream"
)

// traceOfWrites returns the disk's operations under batches of all sizes, from
// one entry to more than Pebble puts into a memtable.
func traceOfWrites(t *testing.T, seed uint64) []disk.Op {
	t.Helper()
	var ops []disk.Op
	m := newMachine(seed, disk.DefaultConfig())
	m.disk.SetObserver(func(op disk.Op) { ops = append(ops, op) })
	opts := smallOptions()
	opts.RateBytesPerSec = 256 << 10 // work that takes its time, and writes that stall
	opts.L0SlowdownFiles, opts.L0StopFiles = 6, 10
	flows := &watcher{}
	opts.Observer = flows
	db := reopen(t, m, opts)
	defer db.Close()
	rand := stream.New(seed, "batches")
	for range 400 {
		b := db.NewBatch()
		size := 1 << rand.IntN(12)
		for i := range 1 + rand.IntN(1<<rand.IntN(8)) {
			b.Put(Default, fmt.Appendf(nil, "%04d", rand.IntN(1000)+i), make([]byte, rand.IntN(size)))
		}
		write := db.Write
		if rand.IntN(2) == 0 {
			write = db.WriteUnsynced
		}
		if err := write(b); err != nil {
			t.Fatal(err)
		}
		b.Close()
		m.run(time.Duration(rand.IntN(5)) * time.Millisecond)
		for range 100 { // what cannot wait, once in a while, does not
			if db.Admit(func() {}) {
				break
			}
			m.run(time.Millisecond)
		}
	}
	if len(flows.flows) < 10 {
		t.Errorf("writes have stalled %d times only", len(flows.flows))
	}
	return ops
}

// difference describes the first difference of two lists of operations, if there
// is one.
func difference(want, got []disk.Op) string {
	for j := range min(len(want), len(got)) {
		if want[j] != got[j] {
			return fmt.Sprintf("first difference, operation %d:\n  %v\n  %v", j, want[j], got[j])
		}
	}
	if len(want) != len(got) {
		return fmt.Sprintf("%d operations, then %d", len(want), len(got))
	}
	return ""
}

// TestOneTrace writes batches of all sizes at several GOMAXPROCS, on a machine
// that is busy with something else, and compares all operations of the disk.
func TestOneTrace(t *testing.T) {
	rounds := 30
	if testing.Short() {
		rounds = 3
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	stop := make(chan struct{})
	defer close(stop)
	for range 4 {
		go func() {
			for {
				select {
				case <-stop:
					return
				default:
					runtime.Gosched()
				}
			}
		}()
	}
	want := traceOfWrites(t, 1)
	for i := range rounds {
		procs := []int{1, 2, 8}[i%3]
		runtime.GOMAXPROCS(procs)
		got := traceOfWrites(t, 1)
		if d := difference(want, got); d != "" {
			t.Fatalf("round %d, GOMAXPROCS %d: %s", i, procs, d)
		}
	}
}

// errorRun is what a database did while one operation on a table failed.
type errorRun struct {
	ops    []disk.Op
	writes int // of tables, syncs included, that could have failed
	failed bool
	// compacted is how many compactions have succeeded before the log was recovered.
	compacted int64
}

// deleteAll deletes the whole column family, so that what compacts the deletion
// writes no table.
func deleteAll(t *testing.T, db *DB) {
	t.Helper()
	b := db.NewBatch()
	defer b.Close()
	b.DeleteRange(Default, nil, nil)
	if err := db.Write(b); err != nil {
		t.Fatal(err)
	}
}

// runWithError lets arm arm an error, and then flushes, compacts, and recovers a
// log into a table.
func runWithError(t *testing.T, seed uint64, arm func(*machine) disk.ErrorID) errorRun {
	t.Helper()
	var r errorRun
	m := newMachine(seed, disk.DefaultConfig())
	m.disk.SetObserver(func(op disk.Op) {
		r.ops = append(r.ops, op)
		if (op.Kind == disk.OpWrite || op.Kind == disk.OpSync) && path.Ext(op.Name) == ".sst" {
			r.writes++
		}
	})
	opts := smallOptions()
	opts.TargetFileSize, opts.LBaseMaxBytes = 2<<10, 4<<10
	crash := func(db *DB) *DB {
		m.crash(disk.ProcessKill) // which empties the caches
		db.Close()
		return reopen(t, m, opts)
	}
	step := func(db *DB, round int) {
		if err := fillAndFlush(db, round); err != nil {
			t.Fatal(err)
		}
		m.run(time.Second)
	}
	db := reopen(t, m, opts)
	for round := range 5 { // one of which level 0 still has
		step(db, round)
	}
	db = crash(db)
	r.writes = 0
	id := arm(m)
	for round := range 3 {
		step(db, 5+round)
	}
	deleteAll(t, db)
	if err := db.Flush(); err != nil {
		t.Fatal(err)
	}
	m.run(time.Second)
	step(db, 8)
	compactions := db.p.Metrics().Compact
	r.compacted = compactions.Count - compactions.CancelledCount - compactions.FailedCount
	deleteAll(t, db)
	r.failed = m.disk.Struck(id)
	db = crash(db)
	m.run(time.Second)
	step(db, 9)
	r.failed = r.failed || m.disk.Struck(id)
	if len(m.exits) > 0 {
		t.Fatalf("the process ended: %q", m.exits)
	}
	if got := get(t, db, Default, "key07"); !strings.HasPrefix(got, "round 9") {
		t.Fatalf("key07 is %q", got)
	}
	return r
}

// compareWithError compares the operations at several GOMAXPROCS. As many compactions
// shall be done as without the error: what has failed is done at once.
// It reports whether the error was met.
func compareWithError(t *testing.T, seed uint64, clean int64, arm func(*machine) disk.ErrorID) bool {
	t.Helper()
	var want errorRun
	for i, procs := range []int{1, 2, 8} {
		runtime.GOMAXPROCS(procs)
		got := runWithError(t, seed, arm)
		if i == 0 {
			want = got
		} else if d := difference(want.ops, got.ops); d != "" {
			t.Errorf("GOMAXPROCS %d: %s", procs, d)
		}
	}
	if want.compacted != clean {
		t.Errorf("%d compactions, without the error %d", want.compacted, clean)
	}
	return want.failed
}

// TestOneTraceWithErrors lets each write and sync of a table fail in turn, and the
// first reads of one.
func TestOneTraceWithErrors(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	stride, seeds := 1, uint64(3)
	if testing.Short() {
		stride, seeds = 7, 1
	}
	met := 0
	for seed := range seeds {
		clean := runWithError(t, 1+seed, func(*machine) disk.ErrorID { return 0 })
		for n := 1; n <= clean.writes && seed == 0; n += stride {
			t.Run(fmt.Sprintf("write %d", n), func(t *testing.T) {
				arm := func(m *machine) disk.ErrorID { return m.disk.FailWriteAt(disk.ClassTable, n) }
				if !compareWithError(t, 1+seed, clean.compacted, arm) {
					t.Error("the error was not met")
				}
			})
		}
		for n := 1; n <= 5; n += stride {
			t.Run(fmt.Sprintf("seed %d, read %d", 1+seed, n), func(t *testing.T) {
				arm := func(m *machine) disk.ErrorID { return m.disk.FailReadAt(n) }
				if compareWithError(t, 1+seed, clean.compacted, arm) {
					met++
				}
			})
		}
	}
	t.Logf("%d reads have failed", met)
	if met == 0 {
		t.Error("no read has failed")
	}
}

// TestRetryAwaitsCleaner lets a flush fail once, also one that Pebble does while it
// is opened, and makes Pebble's cleaning goroutine slow, or the second attempt of
// the flush. Which of the two comes first decides whether the compaction that
// follows, which writes no table, has a change of the directory to sync.
func TestRetryAwaitsCleaner(t *testing.T) {
	for _, opening := range []bool{false, true} {
		t.Run(fmt.Sprintf("opening=%v", opening), func(t *testing.T) {
			slowRetry := traceOfRetry(t, opening, false)
			slowCleaner := traceOfRetry(t, opening, true)
			if d := difference(slowRetry, slowCleaner); d != "" {
				t.Fatal(d)
			}
		})
	}
}

func traceOfRetry(t *testing.T, opening, slowCleaner bool) []disk.Op {
	t.Helper()
	var ops []disk.Op
	failed := false
	m := newMachine(1, disk.DefaultConfig())
	m.disk.SetObserver(func(op disk.Op) {
		ops = append(ops, op)
		failed = failed || op.Outcome == disk.Failed
		if failed && op.Kind == disk.OpCreate && !slowCleaner {
			time.Sleep(5 * time.Millisecond)
		}
	})
	hinder := func(db *DB) {
		failTableWrites(m, 1)
		if slowCleaner {
			db.cleaner.mu.Lock()
			time.AfterFunc(20*time.Millisecond, db.cleaner.mu.Unlock)
		}
	}
	db := reopen(t, m, smallOptions())
	if err := fillAndFlush(db, 0); err != nil {
		t.Fatal(err)
	}
	deleteAll(t, db)
	if opening {
		m.crash(disk.ProcessKill)
		db.Close()
		var err error
		if db, err = newDB(m.process(), "db", smallOptions()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(db.Close)
		hinder(db)
		if err := db.open(); err != nil {
			t.Fatal(err)
		}
	} else {
		hinder(db)
		if err := db.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	m.run(time.Second)
	if total := db.p.Metrics().Total(); !failed || total.TablesCount != 0 {
		t.Fatalf("an error was met: %v; %d tables", failed, total.TablesCount)
	}
	return ops
}
