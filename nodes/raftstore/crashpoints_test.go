package raftstore

import (
	"testing"
	"time"

	"simrun/sim/disk"
)

// crashPoints is a step of the store that is to be recoverable at each of its disk
// operations. The method: the step is taken again and again, each time in a new
// cluster, and one store ends at its first disk operation since, at its second,
// and so on, by a loss of power and by the end of the process, until the step is
// over before the operation comes. For each of these the store recovers
// undisturbed, and for every other one also with another crash while it does.
type crashPoints struct {
	// begin makes a cluster that is about to take the step, and returns the store
	// that is to crash.
	begin func() (*cluster, *testStore)
	// step begins the step, and over reports whether it has ended without a crash.
	step func(c *cluster)
	over func(c *cluster) bool
	// after checks what has become of the cluster. The store is up again.
	after func(c *cluster)
}

// each crashes at each disk operation, and returns how often that was.
func (cp crashPoints) each(t *testing.T) (crashes int) {
	t.Helper()
	for _, kind := range []disk.CrashKind{disk.PowerLoss, disk.ProcessKill} {
		for op := 1; cp.crash(t, op, kind, 0); op += stride() {
			if op%2 == 1 { // to save time
				cp.crash(t, op, kind, 1+7*op%recoveryOps)
			}
			crashes++
		}
	}
	if crashes == 0 {
		t.Error("the step has no disk operation")
	}
	return crashes
}

// recoveryOps is about how many disk operations a store takes from its start to
// its first work.
const recoveryOps = 45

// crash takes the step once. It reports whether there was a crash. If the number
// of an operation of the recovery is given, there is another one then, of the other
// kind: what was read from a disk is not yet what is durable on it.
func (cp crashPoints) crash(t *testing.T, op int, kind disk.CrashKind, again int) bool {
	t.Helper()
	c, s := cp.begin()
	defer c.w.Close()
	defer func() {
		if t.Failed() {
			t.Logf("after a crash (%v) of store %d at disk operation %d of the step and %d of its recovery", kind, s.id, op, again)
		}
	}()
	s.node.Disk().CrashAtOp(op, kind)
	cp.step(c)
	c.until("crash", func() bool { return !s.node.Up() || cp.over(c) })
	crashed := !s.node.Up()
	s.node.Disk().CrashAtOp(again, disk.PowerLoss+disk.ProcessKill-kind)
	s.node.Start()
	if again > 0 {
		c.run(100 * time.Millisecond)
		s.node.Disk().CrashAtOp(0, kind)
		s.node.Start()
	}
	cp.after(c)
	if t.Failed() {
		t.FailNow() // the others would tell the same
	}
	return crashed
}

// stride is between the operations at which a crash is tried.
func stride() int {
	if testing.Short() {
		return 5
	}
	return 1
}

// allReached checks, at the end of a test that has run in full, that all marks
// were reached since.
func allReached(t *testing.T, names ...string) (check func()) {
	var counts []func() uint64
	for _, name := range names {
		counts = append(counts, reached(name))
	}
	return func() {
		t.Helper()
		for i, n := range counts {
			if n() == 0 && !testing.Short() {
				t.Errorf("never reached: %s", names[i])
			}
		}
	}
}

// recovered waits until the regions are n in number, the same on all stores, with
// one leader each, and cover all keys. That none overlap is checked by the store.
func (c *cluster) recovered(n int) {
	c.t.Helper()
	c.agreed()
	c.until("one leader for each region", func() bool {
		leaders := map[uint64]int{}
		for _, s := range c.stores {
			for _, r := range s.Regions() {
				if r.IsLeader {
					leaders[r.Region.GetId()]++
				}
			}
		}
		for _, count := range leaders {
			if count != 1 {
				return false
			}
		}
		return len(leaders) == n
	})
	for _, s := range c.stores {
		if len(s.ranges) != n || len(s.Regions()) != n { // a peer that has ended may not be gone yet
			c.t.Errorf("store %d has %d ranges, want %d: %v", s.id, len(s.ranges), n, s.Regions())
		}
		end := ""
		for i, p := range s.ranges {
			if string(p.region.GetStartKey()) != end || (len(p.region.GetEndKey()) == 0) != (i == n-1) {
				c.t.Errorf("store %d: regions do not meet at %q: %v", s.id, end, p.region)
			}
			end = string(p.region.GetEndKey())
		}
		if got, want := dumpData(c.t, s.eng), dumpData(c.t, c.stores[0].eng); got != want {
			c.t.Errorf("store %d holds\n%s\nstore 1 holds\n%s", s.id, got, want)
		}
	}
}

// settleTime is how long a cluster runs before a step, so that all disk operations
// that come are those of the step.
const settleTime = 500 * time.Millisecond
