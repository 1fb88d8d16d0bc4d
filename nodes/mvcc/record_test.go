package mvcc

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"simrun/nodes/codec"
)

// fullLock has every field.
func fullLock() Lock {
	return Lock{
		Type: LockPut, Primary: []byte("pk"), StartTS: 300, TTL: 5, ShortValue: []byte("val"),
		ForUpdateTS: 301, TxnSize: 2, MinCommitTS: 302, UseAsyncCommit: true,
		Secondaries: [][]byte{[]byte("a"), {}}, RollbackTS: []uint64{7},
	}
}

// TestLockGolden pins the format of locks.
func TestLockGolden(t *testing.T) {
	for _, c := range []struct {
		name string
		lock Lock
		want string
	}{
		{"least", Lock{Type: LockDelete, Primary: []byte("pk"), StartTS: 1, TTL: 3}, "44 04 706b 01 03"},
		{
			"empty value",
			Lock{Type: LockPut, Primary: []byte("pk"), StartTS: 1, TTL: 3, ShortValue: []byte{}},
			"50 04 706b 01 03 76 00",
		},
		{"full", fullLock(), "50 04 706b ac02 05 76 03 76616c 66 000000000000012d 74 0000000000000002 " +
			"63 000000000000012e 61 02 02 61 00 72 01 0000000000000007"},
		{"lock", Lock{Type: LockLock, StartTS: 1}, "4c 00 01 00"},
		{"pessimistic", Lock{Type: LockPessimistic, StartTS: 1, ForUpdateTS: 1}, "53 00 01 00 66 0000000000000001"},
	} {
		want := strings.ReplaceAll(c.want, " ", "")
		if got := hex.EncodeToString(c.lock.Marshal()); got != want {
			t.Errorf("%s: %s, want %s", c.name, got, want)
		}
	}
}

// TestWriteGolden pins the format of write records.
func TestWriteGolden(t *testing.T) {
	overlapped := Write{Type: WriteDelete, StartTS: 300, OverlappedRollback: true}
	rollback, protected := NewRollback(5, false), NewRollback(5, true)
	for _, c := range []struct {
		name  string
		write Write
		want  string
	}{
		{"put", Write{Type: WritePut, StartTS: 300, ShortValue: []byte("v")}, "50 ac02 76 01 76"},
		{"put of a long value", Write{Type: WritePut, StartTS: 1}, "50 01"},
		{"overlapped", overlapped, "44 ac02 52"},
		{"lock", Write{Type: WriteLock, StartTS: 1}, "4c 01"},
		{"rollback", rollback, "52 05"},
		{"protected rollback", protected, "52 05 76 01 70"},
	} {
		want := strings.ReplaceAll(c.want, " ", "")
		if got := hex.EncodeToString(c.write.Marshal()); got != want {
			t.Errorf("%s: %s, want %s", c.name, got, want)
		}
	}
	if rollback.IsProtected() || !protected.IsProtected() {
		t.Error("protection is not told apart")
	}
}

// TestMalformedRecords gives the decoders what no encoder writes.
func TestMalformedRecords(t *testing.T) {
	lock := func(b []byte) error { _, err := DecodeLock(b); return err }
	write := func(b []byte) error { _, err := DecodeWrite(b); return err }
	for _, c := range []struct {
		name, input string
		decode      func([]byte) error
	}{
		{"lock: empty", "", lock},
		{"lock: type", "51 00 01 00", lock},
		{"lock: no ttl", "50 00 01", lock},
		{"lock: primary cut off", "50 04 70", lock},
		{"lock: unknown field", "50 00 01 00 7a", lock},
		{"lock: field twice", "50 00 01 00 76 00 76 00", lock},
		{"lock: fields out of order", "50 00 01 00 74 0000000000000001 66 0000000000000001", lock},
		{"lock: zero field", "50 00 01 00 74 0000000000000000", lock},
		{"lock: value cut off", "50 00 01 00 76 02 00", lock},
		{"lock: too many secondaries", "50 00 01 00 61 ffffffff0f", lock},
		{"lock: no rollback timestamps", "50 00 01 00 72 00", lock},
		{"lock: rollback timestamps cut off", "50 00 01 00 72 02 0000000000000007", lock},
		{"write: empty", "", write},
		{"write: type", "53 01", write},
		{"write: no start_ts", "50", write},
		{"write: value cut off", "50 01 76 02 00", write},
		{"write: unknown field", "50 01 46", write},
		{"write: fields out of order", "50 01 52 76 00", write},
	} {
		input, err := hex.DecodeString(strings.ReplaceAll(c.input, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.decode(input); !errors.Is(err, codec.ErrMalformed) {
			t.Errorf("%s: error %v", c.name, err)
		}
	}
}

// TestTypesComplete: every type has a name, and every lock that is committed
// has a type of record.
func TestTypesComplete(t *testing.T) {
	for _, l := range []LockType{LockPut, LockDelete, LockLock, LockPessimistic} {
		if strings.Contains(l.String(), "(") {
			t.Errorf("lock type %c has no name", l)
		}
		if l != LockPessimistic && strings.Contains(CommittedType(l).String(), "(") {
			t.Errorf("lock type %v has no write type", l)
		}
	}
	for _, f := range []Fate{FateUnknown, FateCommitted, FateRolledBack} {
		if strings.Contains(f.String(), "?") {
			t.Errorf("fate %d has no name", f)
		}
	}
}

// TestRecordRoundTrip: records of all shapes are read as they were written.
func TestRecordRoundTrip(t *testing.T) {
	value := rapid.OneOf(rapid.Just([]byte(nil)), rapid.SliceOfN(rapid.Byte(), 0, ShortValueMax))
	ts := rapid.OneOf(rapid.Just(uint64(0)), rapid.Uint64())
	rapid.Check(t, func(t *rapid.T) {
		l := Lock{
			Type:    rapid.SampledFrom([]LockType{LockPut, LockDelete, LockLock, LockPessimistic}).Draw(t, "type"),
			Primary: rapid.SliceOfN(rapid.Byte(), 0, 30).Draw(t, "primary"),
			StartTS: ts.Draw(t, "start"), TTL: ts.Draw(t, "ttl"), ShortValue: value.Draw(t, "value"),
			ForUpdateTS: ts.Draw(t, "for update"), TxnSize: ts.Draw(t, "size"), MinCommitTS: ts.Draw(t, "min commit"),
			UseAsyncCommit: rapid.Bool().Draw(t, "async"), RollbackTS: rapid.SliceOfN(rapid.Uint64(), 0, 3).Draw(t, "rollback"),
		}
		if l.UseAsyncCommit {
			l.Secondaries = rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 9), 0, 3).Draw(t, "secondaries")
		}
		got, err := DecodeLock(l.Marshal())
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Marshal(), l.Marshal()) || got.StartTS != l.StartTS || got.TTL != l.TTL ||
			(got.ShortValue == nil) != (l.ShortValue == nil) || len(got.Secondaries) != len(l.Secondaries) {
			t.Fatalf("lock %+v, want %+v", got, l)
		}
		w := Write{
			Type:    rapid.SampledFrom([]WriteType{WritePut, WriteDelete, WriteLock, WriteRollback}).Draw(t, "write type"),
			StartTS: l.StartTS, ShortValue: l.ShortValue, OverlappedRollback: l.UseAsyncCommit,
		}
		again, err := DecodeWrite(w.Marshal())
		if err != nil || again.Type != w.Type || again.StartTS != w.StartTS || !bytes.Equal(again.ShortValue, w.ShortValue) ||
			(again.ShortValue == nil) != (w.ShortValue == nil) || again.OverlappedRollback != w.OverlappedRollback {
			t.Fatalf("write %+v, want %+v (%v)", again, w, err)
		}
	})
}

// FuzzDecodeLock: what is accepted is what the encoder writes.
func FuzzDecodeLock(f *testing.F) {
	l := fullLock()
	f.Add(l.Marshal())
	f.Fuzz(func(t *testing.T, b []byte) {
		if lock, err := DecodeLock(b); err == nil && !bytes.Equal(lock.Marshal(), b) {
			t.Fatalf("%x decodes to %+v, which encodes to %x", b, lock, lock.Marshal())
		}
	})
}

func FuzzDecodeWrite(f *testing.F) {
	w := NewRollback(5, true)
	f.Add(w.Marshal())
	f.Fuzz(func(t *testing.T, b []byte) {
		if write, err := DecodeWrite(b); err == nil && !bytes.Equal(write.Marshal(), b) {
			t.Fatalf("%x decodes to %+v, which encodes to %x", b, write, write.Marshal())
		}
	})
}
