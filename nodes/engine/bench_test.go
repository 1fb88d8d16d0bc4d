package engine

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
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
	b.ReportMetric(float64(db.Metrics().Flushes), "flushes")
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

func filled(b *testing.B, n int) (*machine, *DB) {
	m, db := openTest(b, Options{})
	batch := db.NewBatch()
	key, value := make([]byte, 16), make([]byte, 84)
	for i := range n {
		binary.BigEndian.PutUint64(key, uint64(i))
		batch.Put(Default, key, value)
		if batch.Count() == 100 {
			mustWrite(b, db, batch)
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

// BenchmarkOpen closes and opens both databases of a store.
func BenchmarkOpen(b *testing.B) {
	m := newMachine(vfs.NewMem())
	b.ReportAllocs()
	for b.Loop() {
		es, err := Open(m.env(), Options{})
		if err != nil {
			b.Fatal(err)
		}
		es.Close()
		m.reboot()
	}
}
