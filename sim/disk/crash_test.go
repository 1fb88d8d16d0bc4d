package disk_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"simrun/sim/disk"
)

// TestCrashAtEveryOp ends the process at each single operation of a workload
// that commits, flushes and compacts, and every second time again in the middle
// of the recovery. Pebble must open, and find a prefix of the commits that holds
// all that were durable.
func TestCrashAtEveryOp(t *testing.T) {
	const steps = 60
	stride := 1
	if testing.Short() {
		stride = 7
	}
	for _, kind := range []disk.CrashKind{disk.ProcessKill, disk.PowerLoss} {
		t.Run(kind.String(), func(t *testing.T) {
			var total disk.Stats
			op, ended := 1, false
			for ; !ended; op += stride {
				n := newNode(t, uint64(op%5), disk.DefaultConfig())
				n.disk.CrashAtOp(op, kind)
				alive := n.open()
				for i := 0; alive && i < steps; i++ {
					n.clock.now += int64(n.rng.IntN(int(2 * time.Millisecond)))
					alive = n.step()
				}
				ended = alive
				again := op%2 == 0
				if again {
					n.disk.CrashAtOp(1+n.rng.IntN(30), disk.PowerLoss)
				}
				n.end(disk.ProcessKill, kind == disk.ProcessKill && alive && !again)
				add(&total, n.disk.Stats())
				n.close()
			}
			t.Logf("%d operations: %+v", op, total)
			if !testing.Short() && kind == disk.PowerLoss && (total.Kept == 0 || total.Lost == 0 || total.Torn == 0 || total.Holed == 0 ||
				total.LostEntries == 0 || total.Unissued == 0) {
				t.Errorf("a kind of loss never happened: %+v", total)
			}
		})
	}
}

// close shuts the store down in order.
func (n *node) close() {
	n.t.Helper()
	if err := n.store.Close(); err != nil {
		n.t.Fatal(err)
	}
}

func add(total *disk.Stats, s disk.Stats) {
	total.Ops += s.Ops
	total.Kills += s.Kills
	total.PowerLoss += s.PowerLoss
	total.Deaths += s.Deaths
	total.Incomplete += s.Incomplete
	total.Kept += s.Kept
	total.Lost += s.Lost
	total.Torn += s.Torn
	total.Holed += s.Holed
	total.LostBytes += s.LostBytes
	total.LostEntries += s.LostEntries
	total.Unissued += s.Unissued
}

// TestCrashChain lives through hundreds of processes of one database, which end
// at any operation or instant, in any way, also during recovery, with a
// device that is often far behind.
func TestCrashChain(t *testing.T) {
	lives := 900
	if testing.Short() {
		lives = 300
	}
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			n := newNode(t, seed, disk.DefaultConfig())
			if !n.open() {
				t.Fatal("died without a fault")
			}
			commits := 0
			for range lives / 3 {
				commits += n.live()
			}
			n.close()
			s := n.disk.Stats()
			t.Logf("%d commits, %d jobs, %d bytes: %+v", commits, n.jobs, n.disk.Used(), s)
			if !testing.Short() && (s.Deaths == 0 || s.Kills == 0 || s.PowerLoss == 0 || s.Kept == 0 || s.Torn == 0 || s.Holed == 0) {
				t.Errorf("a kind of crash never happened: %+v", s)
			}
		})
	}
}

// live runs a process to its end and recovers.
func (n *node) live() (commits int) {
	kind := disk.PowerLoss
	if n.rng.IntN(3) == 0 {
		kind = disk.ProcessKill
	}
	if n.rng.IntN(2) == 0 {
		n.disk.CrashAtOp(1+n.rng.IntN(150), kind)
	}
	if n.faulty {
		n.arm()
	}
	slow := n.rng.IntN(3) == 0
	alive := true
	for range 1 + n.rng.IntN(60) {
		pause := int(3 * time.Millisecond)
		if slow {
			pause /= 30
		}
		n.clock.now += int64(n.rng.IntN(pause))
		if alive = n.step(); !alive {
			break
		}
		commits++
	}
	if alive && n.rng.IntN(2) == 0 {
		n.disk.CrashAtOp(0, kind)
	}
	n.disarm()
	n.end(kind, false)
	return commits
}

// arm picks a fault other than a crash.
func (n *node) arm() {
	switch n.rng.IntN(5) {
	case 0:
		for i := range 1 + n.rng.IntN(3) {
			n.armed = append(n.armed, n.disk.FailWriteAt(disk.ClassTable, i+1))
		}
	case 1:
		n.disk.SetCapacity(n.disk.Used() + int64(n.rng.IntN(100<<10)))
	case 2:
		classes := []disk.Class{disk.ClassLog, disk.ClassManifest, disk.ClassDir, disk.ClassOther}
		n.armed = append(n.armed, n.disk.FailWriteAt(classes[n.rng.IntN(len(classes))], 1))
	case 3:
		n.disk.Slow(100 + n.rng.IntN(20000))
	case 4:
		n.disk.Freeze()
	}
}

func (n *node) disarm() {
	for _, id := range n.armed {
		n.disk.Disarm(id)
	}
	n.armed = n.armed[:0]
	n.disk.SetCapacity(0)
	n.disk.Slow(1000)
	if n.rng.IntN(2) == 0 { // else the crash finds it frozen, and perhaps the next process
		n.disk.Thaw()
	}
}

// TestFaultChain is TestCrashChain with read and write errors, a disk that fills,
// freezes and slowness: whatever happens, Pebble gets on with it or the process dies
// and recovers, and nothing durable is lost.
func TestFaultChain(t *testing.T) {
	n := newNode(t, 9, disk.DefaultConfig())
	n.faulty = true
	n.open()
	lives := 300
	if testing.Short() {
		lives = 100
	}
	reasons := map[string]int{}
	n.disk.OnDeath(func(reason string, kind disk.CrashKind) { reasons[reason+" by "+kind.String()]++ })
	for range lives {
		n.live()
	}
	n.close()
	s := n.disk.Stats()
	t.Logf("%v %+v", reasons, s)
	if s.ReadErrors == 0 || s.WriteErrors == 0 || s.SpaceErrors == 0 || s.Stalled == 0 {
		t.Errorf("a fault never took effect: %+v", s)
	}
}

// TestKillLosesNothing kills the process between operations: every commit that
// was written must be there, synced or not.
func TestKillLosesNothing(t *testing.T) {
	n := newNode(t, 3, disk.DefaultConfig())
	n.open()
	for range 100 {
		for range n.rng.IntN(30) {
			n.clock.now += int64(n.rng.IntN(int(time.Millisecond)))
			n.step()
		}
		n.end(disk.ProcessKill, true)
	}
	n.close()
}

// TestZombiesLeaveNothing looks at goroutines and heap after hundreds of crashes.
func TestZombiesLeaveNothing(t *testing.T) {
	n := newNode(t, 4, disk.DefaultConfig())
	n.open()
	lives := 300
	if testing.Short() {
		lives = 100
	}
	run := func(lives int) {
		for range lives {
			n.disk.CrashAtOp(1+n.rng.IntN(60), disk.PowerLoss)
			for n.step() {
				n.clock.now += int64(n.rng.IntN(int(time.Millisecond)))
			}
			n.end(disk.PowerLoss, false)
		}
	}
	run(20)
	goroutines, heap := goroutinesAndHeap(0)
	run(lives)
	after, heapAfter := goroutinesAndHeap(goroutines)
	t.Logf("goroutines %d -> %d, heap %d -> %d KiB", goroutines, after, heap>>10, heapAfter>>10)
	if after > goroutines {
		t.Errorf("%d goroutines were left", after-goroutines)
	}
	if heapAfter > heap+8<<20 {
		t.Errorf("the heap has grown from %d to %d", heap, heapAfter)
	}
	n.close()
}

// goroutinesAndHeap waits a moment for goroutines that are about to end.
func goroutinesAndHeap(want int) (int, uint64) {
	for range 100 {
		if runtime.NumGoroutine() <= want {
			break
		}
		time.Sleep(time.Millisecond)
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return runtime.NumGoroutine(), m.HeapAlloc
}
