package engine

import (
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// scanSteps walks over a range and returns how many entries Pebble has passed,
// tombstones and what they hide included.
func scanSteps(t testing.TB, db *DB, cf CF, opts IterOptions) (keys, steps int) {
	t.Helper()
	it, err := db.NewIter(cf, opts)
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		keys++
	}
	if err := it.Error(); err != nil {
		t.Fatal(err)
	}
	stats := it.p.Stats()
	return keys, stats.ForwardStepCount[pebble.InternalIterCall]
}

// singleDelete removes a lock as Pebble's SingleDelete does.
func singleDelete(b *Batch, key []byte) {
	op := b.p.SingleDeleteDeferred(len(key) + 1)
	op.Key[0] = Lock.prefix()
	copy(op.Key[1:], key)
	mustFinish(op)
}

// Why Batch has no SingleDelete: a lock that was put again before it is removed
// comes back when the tombstone meets the newer of the two first. A Delete stays
// until it has covered both.
func TestSingleDeleteIsUnsound(t *testing.T) {
	for _, single := range []bool{true, false} {
		_, db := openTest(t, Options{})
		key := []byte("key")
		steps := []func(b *Batch){
			func(b *Batch) { b.Put(Lock, key, []byte("lock")) },
			func(b *Batch) { b.Put(Lock, key, []byte("lock that lives longer")) },
			func(b *Batch) { b.Delete(Lock, key) },
		}
		if single {
			steps[2] = func(b *Batch) { singleDelete(b, key) }
		}
		for i, step := range steps {
			b := db.NewBatch()
			b.Put(Write, fmt.Append(nil, i), []byte("commit"))
			step(b)
			if err := db.WriteUnsynced(b); err != nil {
				t.Fatal(err)
			}
			b.Close()
			if i != 1 { // the tombstone meets the second lock in the memtable
				if err := db.Flush(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if back := get(t, db, Lock, "key") == "lock"; back != single {
			t.Errorf("single %v: the first lock is back: %v", single, back)
		}
	}
}

// A range in which 100,000 keys were deleted costs only those who look into it,
// since every iterator has bounds, and them only until compactions have dropped
// the tombstones. Memtables are as large as they get, so that the most of them
// are together in one.
func TestTombstones(t *testing.T) {
	const dead = 100_000
	m, db := openTest(t, Options{})
	write := func(fill func(b *Batch, i int), from, to int) {
		t.Helper()
		for from < to {
			b := db.NewBatch()
			for end := min(from+200, to); from < end; from++ {
				fill(b, from)
			}
			if err := db.WriteUnsynced(b); err != nil {
				t.Fatal(err)
			}
			b.Close()
			m.run(time.Millisecond)
		}
	}
	key := func(part string, i int) []byte { return fmt.Appendf(nil, "%s/%06d", part, i) }
	write(func(b *Batch, i int) {
		b.Put(Lock, key("a", i), []byte("lock"))
		b.Put(Lock, key("c", i), []byte("lock"))
	}, 0, 100)
	write(func(b *Batch, i int) { b.Put(Lock, key("b", i), []byte("lock")) }, 0, dead)
	write(func(b *Batch, i int) { b.Delete(Lock, key("b", i)) }, 0, dead-1000)
	m.run(time.Minute)
	write(func(b *Batch, i int) { b.Delete(Lock, key("b", i)) }, dead-1000, dead)

	for _, part := range []string{"a", "c"} {
		keys, steps := scanSteps(t, db, Lock, IterOptions{Lower: []byte(part), Upper: []byte(part + "~")})
		if keys != 100 || steps > 110 {
			t.Errorf("a scan of %d keys beside the deleted ones takes %d steps", keys, steps)
		}
	}
	keys, steps := scanSteps(t, db, Lock, IterOptions{Lower: []byte("b"), Upper: []byte("b~")})
	t.Logf("a scan of the deleted keys takes %d steps", steps)
	if keys != 0 || steps > dead/4 {
		t.Errorf("a scan of the deleted keys finds %d and takes %d steps: compactions do not drop the tombstones", keys, steps)
	}
}
