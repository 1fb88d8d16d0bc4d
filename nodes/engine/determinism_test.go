package engine

import (
	"fmt"
	"runtime"
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
	if got := db.Metrics(); !failed || got.Tables != 0 {
		t.Fatalf("an error was met: %v; %+v", failed, got)
	}
	return ops
}
