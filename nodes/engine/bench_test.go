package engine

import (
	"encoding/binary"
	"testing"
	"time"

	"simrun/sim/disk"
)

// BenchmarkCommit is one synced batch of one entry of 100 bytes, flushes and
// compactions included.
func BenchmarkCommit(b *testing.B) {
	m, db := openTest(b, Options{})
	batch := db.NewBatch()
	key, value := make([]byte, 16), make([]byte, 84)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		binary.BigEndian.PutUint64(key, uint64(i%10000))
		batch.Reset()
		batch.Put(Default, key, value)
		if err := db.Write(batch); err != nil {
			b.Fatal(err)
		}
		m.run(100 * time.Microsecond)
	}
	b.ReportMetric(float64(db.p.Metrics().Flush.Count), "flushes")
}

// BenchmarkCommitUnsynced is the same batch, left to the operating system.
func BenchmarkCommitUnsynced(b *testing.B) {
	m, db := openTest(b, Options{})
	batch := db.NewBatch()
	key, value := make([]byte, 16), make([]byte, 84)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		binary.BigEndian.PutUint64(key, uint64(i%10000))
		batch.Reset()
		batch.Put(Default, key, value)
		if err := db.WriteUnsynced(batch); err != nil {
			b.Fatal(err)
		}
		m.run(100 * time.Microsecond)
	}
}

// filled returns a database of n entries.
func filled(b *testing.B, n int) (*machine, *DB) {
	m, db := openTest(b, Options{})
	batch := db.NewBatch()
	key, value := make([]byte, 16), make([]byte, 84)
	for i := range n {
		binary.BigEndian.PutUint64(key, uint64(i))
		batch.Put(Default, key, value)
		if batch.p.Count() == 100 {
			if err := db.Write(batch); err != nil {
				b.Fatal(err)
			}
			batch.Reset()
			m.run(time.Millisecond)
		}
	}
	return m, db
}

func BenchmarkGet(b *testing.B) {
	_, db := filled(b, 10000)
	key := make([]byte, 16)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		binary.BigEndian.PutUint64(key, uint64(i*7919%10000))
		if v, err := db.Get(Default, key); v == nil || err != nil {
			b.Fatal(v, err)
		}
	}
}

// BenchmarkSnapshotGet takes a snapshot, reads one key and closes it.
func BenchmarkSnapshotGet(b *testing.B) {
	_, db := filled(b, 10000)
	key := make([]byte, 16)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s := db.NewSnapshot()
		binary.BigEndian.PutUint64(key, uint64(i*7919%10000))
		if v, err := s.Get(Default, key); v == nil || err != nil {
			b.Fatal(v, err)
		}
		s.Close()
	}
}

// BenchmarkScan opens an iterator and reads 100 keys.
func BenchmarkScan(b *testing.B) {
	_, db := filled(b, 10000)
	key := make([]byte, 16)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		binary.BigEndian.PutUint64(key, uint64(i*7919%9900))
		it, err := db.NewIter(Default, IterOptions{Lower: key})
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		for ok := it.First(); ok && n < 100; ok = it.Next() {
			n += len(it.Value()) / 84
		}
		if n != 100 {
			b.Fatal(n)
		}
		it.Close()
	}
}

// BenchmarkOpen kills a store and opens both of its databases.
func BenchmarkOpen(b *testing.B) {
	m := newMachine(1, disk.Config{})
	caches, err := NewCaches(8<<20, 100)
	if err != nil {
		b.Fatal(err)
	}
	defer caches.Close()
	b.ReportAllocs()
	for b.Loop() {
		es, err := Open(m.process(), Options{Caches: caches})
		if err != nil {
			b.Fatal(err)
		}
		m.run(100 * time.Millisecond) // obsolete files are deleted
		m.crash(disk.ProcessKill)
		es.Close()
	}
}

// BenchmarkLockColumn writes and removes locks, as transactions do, each once, with
// either kind of tombstone, and looks at all of them now and then, as the resolution of
// locks does. Written is what flushes and compactions have written per pair.
func BenchmarkLockColumn(b *testing.B) {
	for _, how := range []struct {
		name   string
		remove func(b *Batch, key []byte)
	}{
		{"delete", func(b *Batch, key []byte) { b.Delete(Lock, key) }},
		{"single-delete", singleDelete},
	} {
		b.Run(how.name, func(b *testing.B) {
			m, db := openTest(b, Options{MemTableSize: 64 << 10})
			batch := db.NewBatch()
			key, lock := make([]byte, 16), make([]byte, 60)
			steps := 0
			for i := 0; b.Loop(); i++ {
				for _, write := range []func(){
					func() { batch.Put(Lock, key, lock) },
					func() {
						how.remove(batch, key)
						batch.Put(Write, key, lock[:20])
					},
				} {
					binary.BigEndian.PutUint64(key, uint64(i*7919%5000))
					batch.Reset()
					write()
					if err := db.WriteUnsynced(batch); err != nil {
						b.Fatal(err)
					}
				}
				m.run(100 * time.Microsecond)
				if i%1000 == 999 {
					_, n := scanSteps(b, db, Lock, IterOptions{})
					steps += n
				}
			}
			total := db.p.Metrics().Total()
			b.ReportMetric(float64(total.TableBytesFlushed+total.TableBytesCompacted)/float64(b.N), "written/pair")
			b.ReportMetric(float64(steps)/float64(max(b.N/1000, 1)), "steps/scan")
		})
	}
}
