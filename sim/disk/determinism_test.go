package disk_test

import (
	"runtime"
	"testing"
	"time"

	"simrun/sim/disk"
)

// traced is the operations of a run, and the contents after each crash.
type traced struct {
	ops    []disk.Op
	images []uint64
	stats  disk.Stats
}

func runTraced(t *testing.T, seed uint64, lives int) traced {
	t.Helper()
	var tr traced
	n := newNode(t, seed, disk.DefaultConfig())
	n.disk.SetObserver(func(op disk.Op) { tr.ops = append(tr.ops, op) })
	n.faulty = true
	n.open()
	for range lives {
		n.live()
		tr.images = append(tr.images, n.disk.Digest())
	}
	n.close()
	tr.stats = n.disk.Stats()
	return tr
}

// TestDeterminism runs a seed, with its crashes, at several GOMAXPROCS and at
// different seconds of the wall clock, and compares all operations, what the
// crashes left, and the counters. It names the first difference.
func TestDeterminism(t *testing.T) {
	lives, rounds := 80, []int{1, 2, 8, 2}
	if testing.Short() {
		lives, rounds = 15, []int{1, 2, 8}
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for seed := range uint64(2) {
		runtime.GOMAXPROCS(1)
		want := runTraced(t, seed, lives)
		t.Logf("seed %d: %d operations, %+v", seed, len(want.ops), want.stats)
		for _, procs := range rounds {
			time.Sleep(1100 * time.Millisecond / time.Duration(len(rounds)-1)) // creation times are in seconds
			runtime.GOMAXPROCS(procs)
			compare(t, want, runTraced(t, seed, lives), procs)
		}
	}
}

func compare(t *testing.T, want, got traced, procs int) {
	t.Helper()
	for i := range min(len(want.ops), len(got.ops)) {
		if want.ops[i] != got.ops[i] {
			t.Fatalf("GOMAXPROCS %d: first difference:\n  %v\n  %v", procs, want.ops[i], got.ops[i])
		}
		if a, b := want.ops[i].Digest(), got.ops[i].Digest(); a != b {
			t.Fatalf("equal operations with digests %x and %x", a, b)
		}
	}
	if len(want.ops) != len(got.ops) {
		t.Fatalf("GOMAXPROCS %d: %d operations, then %d", procs, len(want.ops), len(got.ops))
	}
	for i := range want.images {
		if want.images[i] != got.images[i] {
			t.Fatalf("GOMAXPROCS %d: image %d differs", procs, i)
		}
	}
	if want.stats != got.stats {
		t.Fatalf("GOMAXPROCS %d: counters differ:\n  %+v\n  %+v", procs, want.stats, got.stats)
	}
}
