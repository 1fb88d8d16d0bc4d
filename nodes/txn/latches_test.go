package txn

import (
	"fmt"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/env"
	"simrun/sim"
)

func sameSlotKeys(n int) [][]byte {
	want := slotsOf([][]byte{[]byte("k")})[0]
	keys := [][]byte{[]byte("k")}
	for i := 0; len(keys) < n; i++ {
		key := []byte(fmt.Sprint("other", i))
		if slotsOf([][]byte{key})[0] == want {
			keys = append(keys, key)
		}
	}
	return keys
}

// TestLatchesAreHandedOverInOrder: those who wait for a latch get it in the
// order in which they came, whatever the order in which the loop runs the
// tasks that it wakes, and a newcomer cannot overtake them.
func TestLatchesAreHandedOverInOrder(t *testing.T) {
	for seed := range uint64(20) {
		c := newCluster(t, seed, sim.Seeded)
		var l latches
		var got []int
		keys := sameSlotKeys(2) // a command on two keys of one slot takes it once
		for i := range 5 {
			c.kernel.Go("command", func(task env.Task) {
				task.Sleep(time.Duration(i) * time.Millisecond)
				set := slotsOf(keys)
				l.acquire(task, set)
				got = append(got, i)
				task.Sleep(10 * time.Millisecond)
				l.release(set)
			})
		}
		c.run(t)
		if fmt.Sprint(got) != "[0 1 2 3 4]" {
			t.Fatalf("seed %d: order %v", seed, got)
		}
	}
}

// TestLatchesDoNotDeadlock: commands on overlapping sets of keys, named in
// any order, exclude each other on each key and all come to an end.
func TestLatchesDoNotDeadlock(t *testing.T) {
	for seed := range uint64(20) {
		c := newCluster(t, seed, sim.Seeded)
		var l latches
		holder := map[string]int{}
		done := 0
		for i := range 30 {
			keys := [][]byte{{byte(i % 3)}, {byte(i * 7 % 5)}, {byte(i * 3 % 4)}}
			c.kernel.Go("command", func(task env.Task) {
				task.Sleep(time.Duration(i%4) * time.Millisecond)
				set := slotsOf(keys)
				l.acquire(task, set)
				for _, key := range keys {
					if other, held := holder[string(key)]; held && other != i {
						t.Errorf("seed %d: command %d and %d both hold %x", seed, i, other, key)
					}
					holder[string(key)] = i
				}
				task.Sleep(time.Millisecond)
				for _, key := range keys {
					delete(holder, string(key))
				}
				l.release(set)
				done++
			})
		}
		c.run(t)
		if done != 30 {
			t.Fatalf("seed %d: %d of 30 commands came to an end", seed, done)
		}
	}
}

// TestReleaseWithoutHolder: a latch that is released twice is a bug.
func TestReleaseWithoutHolder(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no violation")
		}
	}()
	var l latches
	l.release(slotsOf([][]byte{[]byte("k")}))
}

// TestCompareAndSwapCounts: increments by compare-and-swap that run at the same
// time, mixed with plain writes of the same value, lose nothing.
func TestCompareAndSwapCounts(t *testing.T) {
	waited := markLatchWait
	before := *waited
	for seed := range uint64(10) {
		c := newCluster(t, seed, sim.Seeded)
		key, swaps, puts := []byte("n"), 0, 0
		for range 8 {
			c.kernel.Go("client", func(task env.Task) {
				for range 10 {
					got := c.sched.RawGet(task, &kvrpcpb.RawGetRequest{Key: key})
					n := len(got.Value)
					r := c.sched.RawCompareAndSwap(task, &kvrpcpb.RawCASRequest{
						Key: key, PreviousNotExist: n == 0, PreviousValue: got.Value, Value: make([]byte, n+1),
					})
					if r.Succeed {
						swaps++
					}
				}
			})
		}
		c.kernel.Go("other key", func(task env.Task) {
			for range 20 {
				c.sched.RawPut(task, &kvrpcpb.RawPutRequest{Key: []byte("m"), Value: []byte("x")})
				puts++
			}
		})
		c.run(t)
		value, err := c.db.Get(0, key)
		if err != nil || len(value) != swaps || swaps < 10 || puts != 20 {
			t.Fatalf("seed %d: %d increments, value %d (%v)", seed, swaps, len(value), err)
		}
	}
	if *waited == before {
		t.Error("no command waited for a latch")
	}
}
