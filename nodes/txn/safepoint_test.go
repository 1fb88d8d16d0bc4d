package txn

import (
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/sim"
)

// TestSafePointWaits: a safe point is closed only when no command is under way
// that was let in below it. A prewrite waits for its proposal while the safe
// point moves; another one, above it, is not waited for.
func TestSafePointWaits(t *testing.T) {
	const waits = "txn: safe point waits for commands below it"
	before := count(waits)
	c := newCluster(t, 1, sim.Arrival)
	prewrite := func(task env.Task, key string, startTS uint64) *kvrpcpb.PrewriteResponse {
		return c.sched.Prewrite(task, &kvrpcpb.PrewriteRequest{
			PrimaryLock: []byte(key), StartVersion: startTS, LockTtl: 10,
			Mutations: []*kvrpcpb.Mutation{{Op: kvrpcpb.Op_Put, Key: []byte(key), Value: []byte("v")}},
		})
	}
	delays := []time.Duration{20 * time.Millisecond, time.Minute}
	c.delay = func() time.Duration { d := delays[0]; delays = delays[1:]; return d }
	locked, closed := int64(0), int64(0)
	c.kernel.Go("below", func(task env.Task) {
		if r := prewrite(task, "a", 10); len(r.Errors) > 0 {
			t.Error(r)
		}
		locked = c.kernel.Now()
	})
	c.kernel.Go("above", func(task env.Task) { prewrite(task, "b", 60) })
	c.kernel.Go("close", func(task env.Task) {
		task.Sleep(time.Millisecond)
		c.sched.MoveSafePoints(task, SafePoints{Closed: 50})
		closed = c.kernel.Now()
		if r := prewrite(task, "c", 49); len(r.Errors) != 1 || r.Errors[0].Abort == "" {
			t.Errorf("prewrite below the safe point: %v", r)
		}
	})
	delays = append(delays, time.Millisecond)
	c.run(t)
	if closed < locked || closed > locked+int64(time.Second) {
		t.Errorf("closed at %v, the command below ended at %v", time.Duration(closed), time.Duration(locked))
	}
	if count(waits) == before {
		t.Error("nothing was waited for")
	}
}

// count returns how often a mark was reached.
func count(name string) uint64 {
	for _, m := range invariant.Counts() {
		if m.Name == name {
			return m.Count
		}
	}
	return 0
}
