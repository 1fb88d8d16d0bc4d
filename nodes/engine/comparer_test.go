package engine

import (
	"bytes"
	"cmp"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"simrun/nodes/codec"
	"simrun/sim/disk"
)

// storedKey draws a key as it is stored: encoded or not, with or without a
// timestamp, cut off or lengthened.
func storedKey(t *rapid.T, name string) []byte {
	key := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 'a', 0xf7, 0xfe, 0xff}), 0, 20).Draw(t, name)
	if rapid.Bool().Draw(t, name+" encoded") {
		key = codec.EncodeBytes(key)
		if rapid.Bool().Draw(t, name+" version") {
			key = codec.AppendTS(key, uint64(rapid.IntRange(0, 3).Draw(t, name+" ts")))
		}
		key = key[:len(key)-rapid.SampledFrom([]int{0, 0, 0, 1, 8, 9}).Draw(t, name+" cut")%(len(key)+1)]
	}
	return rapid.SampledFrom(AllCFs()).Draw(t, name+" family").appendKey(nil, key)
}

// Pebble's demands on a comparer: keys are in the order of their prefixes first,
// a prefix is its own, and the next prefix after one lies behind all its
// versions, and before those of any other.
func TestComparer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := storedKey(t, "a"), storedKey(t, "b")
		pa, pb := a[:split(a)], b[:split(b)]
		if split(pa) != len(pa) {
			t.Fatalf("the prefix %x of %x has the prefix %x", pa, a, pa[:split(pa)])
		}
		want := cmp.Or(bytes.Compare(pa, pb), bytes.Compare(a[len(pa):], b[len(pb):]))
		if bytes.Compare(a, b) != want {
			t.Fatalf("%x and %x compare as %d, by their prefixes as %d", a, b, bytes.Compare(a, b), want)
		}
		next := comparer.ImmediateSuccessor(nil, pa)
		if split(next) != len(next) || bytes.Compare(a, next) >= 0 {
			t.Fatalf("the next prefix after that of %x is %x", a, next)
		}
		if bytes.Compare(pa, pb) < 0 && bytes.Compare(next, pb) > 0 {
			t.Fatalf("the next prefix after %x is %x, but %x is before", pa, next, pb)
		}
	})
}

// version returns the key of a version in the write family.
func version(key string, ts uint64) []byte {
	return codec.AppendTS(codec.EncodeBytes([]byte(key)), ts)
}

// SeekVersion finds what SeekGE finds, as long as it is a version of the key.
func TestSeekVersion(t *testing.T) {
	_, db := openTest(t, smallOptions())
	for ts := uint64(1); ts < 60; ts++ {
		b := db.NewBatch()
		for i := range 8 {
			if (ts+uint64(i))%3 == 0 {
				b.Put(Write, version(fmt.Sprint("key", i), ts), fmt.Appendf(nil, "%d of %d", ts, i))
			}
		}
		if err := db.Write(b); err != nil {
			t.Fatal(err)
		}
		b.Close()
		if ts%7 == 0 {
			if err := db.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	seek, err := db.NewIter(Write, IterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer seek.Close()
	walk, err := db.NewIter(Write, IterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer walk.Close()
	for i := range 10 {
		key := fmt.Sprint("key", i)
		for ts := uint64(0); ts < 62; ts++ {
			found, exists := seek.SeekVersion(version(key, ts)), walk.SeekGE(version(key, ts))
			for {
				exists = exists && bytes.HasPrefix(walk.Key(), codec.EncodeBytes([]byte(key)))
				if found != exists || found && !bytes.Equal(seek.Key(), walk.Key()) {
					t.Fatalf("%s at %d: found %v, is there %v", key, ts, found, exists)
				}
				if !found {
					break
				}
				found, exists = seek.Next(), walk.Next()
			}
		}
	}
}

// BenchmarkSeekVersion looks for keys that have no versions, in a database with
// tables in all levels that it has: with the filters and without.
func BenchmarkSeekVersion(b *testing.B) {
	m := newMachine(1, disk.Config{})
	db := reopen(b, m, Options{MemTableSize: 64 << 10})
	for ts := range uint64(300) {
		batch := db.NewBatch()
		for i := range 50 {
			batch.Put(Write, version(fmt.Sprintf("key%05d", (int(ts)*37+i*101)%20_000), ts), make([]byte, 60))
		}
		if err := db.Write(batch); err != nil {
			b.Fatal(err)
		}
		batch.Close()
		if ts%40 == 0 {
			m.run(100 * time.Millisecond)
		}
	}
	absent := make([][]byte, 997)
	for i := range absent {
		absent[i] = version(fmt.Sprintf("key%05dx", i*19), 1000)
	}
	for _, how := range []struct {
		name string
		seek func(it *Iterator, key []byte) bool
	}{{"filtered", (*Iterator).SeekVersion}, {"unfiltered", (*Iterator).SeekGE}} {
		b.Run(how.name, func(b *testing.B) {
			it, err := db.NewIter(Write, IterOptions{})
			if err != nil {
				b.Fatal(err)
			}
			defer it.Close()
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				how.seek(it, absent[i*7919%len(absent)])
			}
		})
	}
}
