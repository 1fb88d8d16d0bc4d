package mvcc

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"simrun/nodes/codec"
	"simrun/nodes/engine"
	"simrun/nodes/invariant"
)

func put(startTS uint64, value string) Write {
	return Write{Type: WritePut, StartTS: startTS, ShortValue: []byte(value)}
}

func (s *store) reader(key string) (*Reader, []byte) {
	enc := codec.EncodeBytes([]byte(key))
	return NewReader(s, enc, enc), enc
}

// TestGetSkipsWhatChangesNothing: a read at T returns the newest Put at or
// before T, passes Lock and Rollback records, and ends at a Delete.
func TestGetSkipsWhatChangesNothing(t *testing.T) {
	s := openStore(t)
	long := bytes.Repeat([]byte("x"), ShortValueMax+1)
	s.putVersion("k", 10, put(5, "one"), nil)
	s.putVersion("k", 15, NewRollback(15, true), nil)
	s.putVersion("k", 20, Write{Type: WriteLock, StartTS: 18}, nil)
	s.putVersion("k", 30, Write{Type: WriteDelete, StartTS: 25}, nil)
	s.putVersion("k", 40, Write{Type: WritePut, StartTS: 35}, long)
	s.putVersion("k\x00", 1, put(0, "neighbour"), nil)
	s.putVersion("j", 1, put(0, "neighbour"), nil)
	for _, c := range []struct {
		ts, commitTS uint64
		want         string
	}{
		{9, 0, ""},
		{10, 10, "one"},
		{17, 10, "one"},
		{29, 10, "one"},
		{30, 0, ""},
		{39, 0, ""},
		{40, 40, string(long)},
		{codec.MaxTS, 40, string(long)},
	} {
		r, key := s.reader("k")
		got, err := r.Get(key, ReadOptions{TS: c.ts})
		if err != nil || string(got.Data) != c.want || (got.Data == nil) != (c.commitTS == 0) || got.CommitTS != c.commitTS {
			t.Errorf("get at %d: %.10q@%d, %v; want %.10q@%d", c.ts, got.Data, got.CommitTS, err, c.want, c.commitTS)
		}
		r.Close()
	}
}

// TestLockBlocks goes through the rule of what a reader has to wait for.
func TestLockBlocks(t *testing.T) {
	key := codec.EncodeBytes([]byte("pk"))
	base := Lock{Type: LockPut, Primary: []byte("pk"), StartTS: 10, TTL: 1}
	for _, c := range []struct {
		name string
		edit func(*Lock)
		read ReadOptions
		want bool
	}{
		{"put", func(*Lock) {}, ReadOptions{TS: 10}, true},
		{"delete", func(l *Lock) { l.Type = LockDelete }, ReadOptions{TS: 10}, true},
		{"lock", func(l *Lock) { l.Type = LockLock }, ReadOptions{TS: 10}, false},
		{"pessimistic", func(l *Lock) { l.Type = LockPessimistic }, ReadOptions{TS: 10}, false},
		{"started later", func(*Lock) {}, ReadOptions{TS: 9}, false},
		{"commits later", func(l *Lock) { l.MinCommitTS = 21 }, ReadOptions{TS: 20}, false},
		{"may commit at once", func(l *Lock) { l.MinCommitTS = 20 }, ReadOptions{TS: 20}, true},
		{"bypassed", func(*Lock) {}, ReadOptions{TS: 20, Bypass: []uint64{9, 10}}, false},
		{"primary, newest", func(*Lock) {}, ReadOptions{TS: codec.MaxTS, SkipPrimary: true}, false},
		{"primary, newest of several", func(*Lock) {}, ReadOptions{TS: codec.MaxTS}, true},
		{"primary, not newest", func(*Lock) {}, ReadOptions{TS: codec.MaxTS - 1, SkipPrimary: true}, true},
		{"async", func(l *Lock) { l.UseAsyncCommit = true }, ReadOptions{TS: codec.MaxTS, SkipPrimary: true}, true},
		{"secondary", func(l *Lock) { l.Primary = []byte("other") }, ReadOptions{TS: codec.MaxTS, SkipPrimary: true}, true},
	} {
		l := base
		c.edit(&l)
		if got := l.Blocks(key, c.read); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestGetMeetsLock(t *testing.T) {
	s := openStore(t)
	s.putLock("k", Lock{Type: LockPut, Primary: []byte("k"), StartTS: 10, TTL: 1})
	r, key := s.reader("k")
	defer r.Close()
	_, err := r.Get(key, ReadOptions{TS: 10})
	var locked *LockedError
	if !errors.As(err, &locked) || string(locked.Key) != "k" || locked.Lock.StartTS != 10 {
		t.Fatalf("error %v", err)
	}
}

// TestCommitRecord: the order of commits is not that of starts, so that a
// record may lie anywhere above the start timestamp.
func TestCommitRecord(t *testing.T) {
	s := openStore(t)
	s.putVersion("k", 20, Write{Type: WritePut, StartTS: 15, ShortValue: []byte("v"), OverlappedRollback: true}, nil)
	s.putVersion("k", 40, put(5, "late"), nil)
	s.putVersion("k", 30, put(25, "v"), nil)
	s.putVersion("k", 12, NewRollback(12, false), nil)
	for _, c := range []struct {
		startTS    uint64
		fate       Fate
		commitTS   uint64
		overlapped bool
	}{
		{5, FateCommitted, 40, false},
		{15, FateCommitted, 20, false},
		{20, FateRolledBack, 0, false},
		{12, FateRolledBack, 0, false},
		{13, FateUnknown, 0, false},
		{30, FateUnknown, 0, true},
		{50, FateUnknown, 0, false},
	} {
		r, key := s.reader("k")
		rec, err := r.CommitRecord(key, c.startTS)
		if err != nil || rec.Fate != c.fate || rec.CommitTS != c.commitTS || (rec.Overlapped != nil) != c.overlapped {
			t.Errorf("record of %d: %+v, %v", c.startTS, rec, err)
		}
		r.Close()
	}
}

// TestCommitRecordChecks: a transaction with two fates is a bug that must not
// go unnoticed, and so is a committed value that is not there.
func TestCommitRecordChecks(t *testing.T) {
	violates := func(name string, fn func()) {
		defer func() {
			if _, ok := recover().(invariant.Violation); !ok {
				t.Errorf("%s: no violation", name)
			}
		}()
		fn()
	}
	s := openStore(t)
	s.putVersion("k", 20, put(10, "v"), nil)
	s.putVersion("k", 10, NewRollback(10, false), nil)
	s.putVersion("long", 20, Write{Type: WritePut, StartTS: 10}, nil)
	violates("committed and rolled back", func() {
		r, key := s.reader("k")
		_, _ = r.CommitRecord(key, 10)
	})
	violates("value missing", func() {
		r, key := s.reader("long")
		_, _ = r.GetCommitted(key, 20)
	})
}

// history is the naive model of a store: all records in plain lists.
type history struct {
	versions map[string][]Version // ascending commit timestamps
	locks    map[string]*Lock
}

func drawHistory(t *rapid.T, s *store) history {
	h := history{map[string][]Version{}, map[string]*Lock{}}
	keys := rapid.SliceOfNDistinct(rapid.StringOfN(rapid.SampledFrom([]rune("ab\x00")), 0, 9, -1), 1, 6,
		func(s string) string { return s }).Draw(t, "keys")
	for _, key := range keys {
		ts := uint64(0)
		for range rapid.IntRange(0, 20).Draw(t, "versions") {
			start := ts + 1
			ts = start + uint64(rapid.IntRange(1, 3).Draw(t, "duration"))
			v := Version{CommitTS: ts, Write: Write{
				Type:    rapid.SampledFrom([]WriteType{WritePut, WritePut, WriteDelete, WriteLock, WriteRollback}).Draw(t, "type"),
				StartTS: start,
			}}
			var long []byte
			switch {
			case v.Type == WriteRollback:
				v.CommitTS, v.Write = start, NewRollback(start, rapid.Bool().Draw(t, "protected"))
			case v.Type == WritePut && rapid.IntRange(0, 4).Draw(t, "long") == 0:
				long = bytes.Repeat([]byte(fmt.Sprint(start)), ShortValueMax)
			case v.Type == WritePut:
				v.ShortValue = []byte(fmt.Sprint(start))
			}
			h.versions[key] = append(h.versions[key], v)
			s.putVersion(key, v.CommitTS, v.Write, long)
		}
		if rapid.IntRange(0, 3).Draw(t, "locked") == 0 {
			l := Lock{
				Type:    rapid.SampledFrom([]LockType{LockPut, LockDelete, LockLock}).Draw(t, "lock type"),
				Primary: []byte("p"), StartTS: uint64(rapid.IntRange(1, 40).Draw(t, "lock start")), TTL: 1,
			}
			h.locks[key] = &l
			s.putLock(key, l)
		}
	}
	return h
}

// scan is what a scan must return, as text.
func (h *history) scan(lower, upper string, o ScanOptions) []string {
	all := map[string]bool{}
	for key := range h.versions {
		all[key] = true
	}
	for key := range h.locks {
		all[key] = true
	}
	var rows []string
	for key := range all {
		if key < lower || upper != "" && key >= upper {
			continue
		}
		if l := h.locks[key]; l != nil && l.Blocks(nil, o.ReadOptions) {
			rows = append(rows, fmt.Sprintf("%q locked by %d", key, l.StartTS))
			continue
		}
		var newest *Version
		for i, v := range h.versions[key] {
			if v.CommitTS <= o.TS && (v.Type == WritePut || v.Type == WriteDelete) {
				newest = &h.versions[key][i]
			}
		}
		if newest != nil && newest.Type == WritePut {
			value := string(newest.ShortValue)
			if newest.ShortValue == nil {
				value = string(bytes.Repeat([]byte(fmt.Sprint(newest.StartTS)), ShortValueMax))
			}
			rows = append(rows, fmt.Sprintf("%q=%q@%d", key, value, newest.CommitTS))
		}
	}
	slices.Sort(rows)
	slices.SortFunc(rows, func(a, b string) int { return bytes.Compare(unquoted(a), unquoted(b)) })
	if o.Reverse {
		slices.Reverse(rows)
	}
	return rows
}

// unquoted returns the key at the start of a row.
func unquoted(row string) []byte {
	var key string
	if _, err := fmt.Sscanf(row, "%q", &key); err != nil {
		panic(err)
	}
	return []byte(key)
}

// TestScanModel compares scans and gets over random records with the naive
// model, in both directions and with all bounds.
func TestScanModel(t *testing.T) {
	s := openStore(t)
	rapid.Check(t, func(t *rapid.T) {
		s.t = t
		s.clear()
		h := drawHistory(t, s)
		bound := rapid.StringOfN(rapid.SampledFrom([]rune("abc\x00")), 0, 9, -1)
		lower, upper := bound.Draw(t, "lower"), bound.Draw(t, "upper")
		o := ScanOptions{
			ReadOptions: ReadOptions{TS: uint64(rapid.IntRange(0, 90).Draw(t, "ts"))},
			Reverse:     rapid.Bool().Draw(t, "reverse"),
			Lower:       codec.EncodeBytes([]byte(lower)),
		}
		if upper != "" {
			o.Upper = codec.EncodeBytes([]byte(upper))
		}
		scanner, err := NewScanner(s, o)
		if err != nil {
			t.Fatal(err)
		}
		defer scanner.Close()
		var got []string
		for {
			p, ok, err := scanner.Next()
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			if p.Lock != nil {
				got = append(got, fmt.Sprintf("%q locked by %d", p.Key, p.Lock.StartTS))
			} else {
				got = append(got, fmt.Sprintf("%q=%q@%d", p.Key, p.Data, p.CommitTS))
			}
		}
		if want := h.scan(lower, upper, o); !slices.Equal(got, want) {
			t.Fatalf("scan %+v:\n got %q\nwant %q", o, got, want)
		}
	})
}

// TestScanLocksStops: locks come in order of their keys until the caller has
// enough.
func TestScanLocksStops(t *testing.T) {
	s := openStore(t)
	for i, key := range []string{"c", "a", "b", "d"} {
		s.putLock(key, Lock{Type: LockPut, Primary: []byte(key), StartTS: uint64(i + 1), TTL: 1})
	}
	var got []string
	err := ScanLocks(s, nil, codec.EncodeBytes([]byte("d")), func(key []byte, l *Lock) bool {
		got = append(got, fmt.Sprintf("%x:%d", key[:1], l.StartTS))
		return len(got) < 2
	})
	if err != nil || fmt.Sprint(got) != "[61:2 62:3]" {
		t.Fatalf("%v, %v", got, err)
	}
}

func benchmarkStore(b *testing.B, keys int) *store {
	s := openStore(b)
	for i := range keys {
		for v := range uint64(3) {
			s.putVersion(fmt.Sprintf("account-%04d", i), 10*v+5, put(10*v, "1000"), nil)
		}
	}
	return s
}

func BenchmarkGet(b *testing.B) {
	s := benchmarkStore(b, 100)
	key := codec.EncodeBytes([]byte("account-0050"))
	snapshot := s.NewSnapshot()
	defer snapshot.Close()
	b.ReportAllocs()
	for b.Loop() {
		r := NewReader(snapshot, key, key)
		if v, err := r.Get(key, ReadOptions{TS: 100}); err != nil || v.Data == nil {
			b.Fatal(v, err)
		}
		r.Close()
	}
}

func BenchmarkScan100(b *testing.B) {
	s := benchmarkStore(b, 100)
	var reader engine.Reader = s
	b.ReportAllocs()
	for b.Loop() {
		scanner, err := NewScanner(reader, ScanOptions{ReadOptions: ReadOptions{TS: 100}})
		if err != nil {
			b.Fatal(err)
		}
		for n := 0; ; n++ {
			_, ok, err := scanner.Next()
			if err != nil || !ok && n != 100 {
				b.Fatal(n, err)
			}
			if !ok {
				break
			}
		}
		scanner.Close()
	}
}
