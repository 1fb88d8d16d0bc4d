package engine

import (
	"fmt"
	"runtime"
	"slices"
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
		if slices.Equal(want, got) {
			continue
		}
		for j := range min(len(want), len(got)) {
			if want[j] != got[j] {
				t.Fatalf("round %d, GOMAXPROCS %d: first difference, operation %d:\n  %v\n  %v", i, procs, j, want[j], got[j])
			}
		}
		t.Fatalf("round %d, GOMAXPROCS %d: %d operations, then %d", i, procs, len(want), len(got))
	}
}
