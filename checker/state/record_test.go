package state

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestKeyGolden pins the encoding of keys: groups of eight and a marker.
func TestKeyGolden(t *testing.T) {
	for _, c := range []struct{ user, encoded string }{
		{"", "0000000000000000 f7"},
		{"abc", "6162630000000000 fa"},
		{"abcdefgh", "6162636465666768 ff 0000000000000000 f7"},
		{"abcdefghi", "6162636465666768 ff 6900000000000000 f8"},
	} {
		b := unhex(t, c.encoded)
		user, rest, err := decodeKey(b)
		if err != nil || string(user) != c.user || len(rest) != 0 {
			t.Errorf("decode %s: %q %x %v", c.encoded, user, rest, err)
		}
		if got := encodeKey([]byte(c.user)); !bytes.Equal(got, b) {
			t.Errorf("encode %q: %x", c.user, got)
		}
		user, ts, err := decodeVersion(append(b, unhex(t, "fffffffffffffffe")...))
		if err != nil || string(user) != c.user || ts != 1 {
			t.Errorf("version of %q: %q %d %v", c.user, user, ts, err)
		}
	}
}

// TestRecordGolden pins TiKV's record formats byte by byte.
func TestRecordGolden(t *testing.T) {
	locks := []struct {
		bytes string
		want  lock
	}{
		{"50 02 6b 0a e807", lock{kind: 'P', primary: []byte("k"), start: 10, ttl: 1000}},
		{"50 02 6b 0a e807 76 02 6162", lock{kind: 'P', primary: []byte("k"), start: 10, ttl: 1000, short: []byte("ab")}},
		{"50 02 6b 0a e807 76 00 63 000000000000000c", lock{kind: 'P', primary: []byte("k"), start: 10, ttl: 1000, short: []byte{}, minCommit: 12}},
		{
			"53 02 6b 0a 00 66 000000000000000b 74 0000000000000003 61 02 02 6d 04 6e6f 72 01 0000000000000009",
			lock{
				kind: 'S', primary: []byte("k"), start: 10, forUpdate: 11, size: 3, async: true,
				secondaries: [][]byte{[]byte("m"), []byte("no")}, rollbacks: []uint64{9},
			},
		},
	}
	for _, c := range locks {
		if got, err := decodeLock(unhex(t, c.bytes)); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v %v", c.bytes, got, err)
		}
	}
	writes := []struct {
		bytes string
		want  write
	}{
		{"50 0a", write{kind: 'P', start: 10}},
		{"50 ac02 76 01 61 52", write{kind: 'P', start: 300, short: []byte("a"), overlapped: true}},
		{"52 0a 76 01 70", write{kind: 'R', start: 10, short: []byte("p")}},
	}
	for _, c := range writes {
		if got, err := decodeWrite(unhex(t, c.bytes)); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v %v", c.bytes, got, err)
		}
	}
	for _, bad := range []string{"", "51", "50", "50 02", "50 02 6b 0a", "50 02 6b 0a 00 76 05 61", "50 02 6b 0a 00 7a", "50 02 6b 0a 00 61 ff01"} {
		if l, err := decodeLock(unhex(t, bad)); err == nil {
			t.Errorf("lock %s is accepted: %+v", bad, l)
		}
	}
	for _, bad := range []string{"", "53 0a", "50", "50 80", "50 0a 76", "50 0a 46"} {
		if w, err := decodeWrite(unhex(t, bad)); err == nil {
			t.Errorf("write %s is accepted: %+v", bad, w)
		}
	}
}

// TestKeyRoundTrip: every key survives, and order is kept.
func TestKeyRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.SliceOf(rapid.Byte()).Draw(t, "a"), rapid.SliceOf(rapid.Byte()).Draw(t, "b")
		user, rest, err := decodeKey(encodeKey(a))
		if err != nil || !bytes.Equal(user, a) || len(rest) != 0 {
			t.Fatalf("%x: %x %x %v", a, user, rest, err)
		}
		if bytes.Compare(a, b) != bytes.Compare(encodeKey(a), encodeKey(b)) {
			t.Fatalf("%x and %x change places", a, b)
		}
	})
}

// FuzzRecords: no input makes the decoders fail other than by an error.
func FuzzRecords(f *testing.F) {
	f.Add([]byte("P\x02k\x0a\x00v\x01a"))
	f.Add([]byte("S\x02k\x0a\x00a\x02\x02m\x04no"))
	f.Fuzz(func(_ *testing.T, b []byte) {
		_, _ = decodeLock(b)
		_, _ = decodeWrite(b)
		_, _, _ = decodeVersion(b)
	})
}
