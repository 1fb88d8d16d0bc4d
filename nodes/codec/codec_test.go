package codec

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"
)

// TestBytesGolden compares with the examples of the format's description: the
// encoding is read by other programs and must not change.
func TestBytesGolden(t *testing.T) {
	for _, c := range []struct{ data, want string }{
		{"", "0000000000000000f7"},
		{"\x00", "0000000000000000f8"},
		{"\x01\x02\x03", "0102030000000000fa"},
		{"\x01\x02\x03\x00", "0102030000000000fb"},
		{"\x01\x02\x03\x04\x05\x06\x07", "0102030405060700fe"},
		{"\x00\x00\x00\x00\x00\x00\x00\x00", "0000000000000000ff" + "0000000000000000f7"},
		{"\x01\x02\x03\x04\x05\x06\x07\x08", "0102030405060708ff" + "0000000000000000f7"},
		{"\x01\x02\x03\x04\x05\x06\x07\x08\x09", "0102030405060708ff" + "0900000000000000f8"},
	} {
		got := EncodeBytes([]byte(c.data))
		if hex.EncodeToString(got) != c.want {
			t.Errorf("EncodeBytes(%x) = %x, want %s", c.data, got, c.want)
		}
		if len(got) != EncodedLen(len(c.data)) {
			t.Errorf("EncodedLen(%d) = %d, want %d", len(c.data), EncodedLen(len(c.data)), len(got))
		}
		back, err := DecodeKey(got)
		if err != nil || string(back) != c.data {
			t.Errorf("DecodeKey(%x) = %x, %v", got, back, err)
		}
	}
}

func TestNumbersGolden(t *testing.T) {
	for _, c := range []struct {
		name string
		got  []byte
		want string
	}{
		{"uint64", AppendUint64(nil, 0x0102), "0000000000000102"},
		{"uint64 descending", AppendUint64Desc(nil, 0x0102), "fffffffffffffefd"},
		{"int64 -1", AppendInt64(nil, -1), "7fffffffffffffff"},
		{"int64 0", AppendInt64(nil, 0), "8000000000000000"},
		{"int64 min", AppendInt64(nil, math.MinInt64), "0000000000000000"},
		{"version", AppendTS([]byte("k"), ComposeTS(1, 2)), "6b" + "fffffffffffbfffd"},
		{"newest version", AppendTS(nil, MaxTS), "0000000000000000"},
		{"compact bytes", AppendCompactBytes(nil, []byte("abc")), "06616263"},
		{"end of versions", AppendVersionsEnd(nil, []byte("k")), "6bffffffffffffffffff"},
	} {
		if hex.EncodeToString(c.got) != c.want {
			t.Errorf("%s = %x, want %s", c.name, c.got, c.want)
		}
	}
}

func TestTimestampParts(t *testing.T) {
	ts := ComposeTS(1_700_000_000_000, 5)
	if PhysicalTS(ts) != 1_700_000_000_000 || LogicalTS(ts) != 5 {
		t.Fatalf("parts of %d: %d, %d", ts, PhysicalTS(ts), LogicalTS(ts))
	}
}

// TestMalformed gives each decoder what no encoder writes.
func TestMalformed(t *testing.T) {
	bytesOf := func(b string) error { _, _, err := DecodeBytes(nil, []byte(b)); return err }
	compact := func(b string) error { _, _, err := DecodeCompactBytes([]byte(b)); return err }
	uvarint := func(b string) error { _, _, err := DecodeUvarint([]byte(b)); return err }
	for _, c := range []struct {
		name   string
		decode func(string) error
		input  string
	}{
		{"bytes: empty", bytesOf, ""},
		{"bytes: half a group", bytesOf, "\x00\x00\x00"},
		{"bytes: no last group", bytesOf, "12345678\xff"},
		{"bytes: marker too small", bytesOf, "\x00\x00\x00\x00\x00\x00\x00\x00\xf6"},
		{"bytes: padding not zero", bytesOf, "\x00\x00\x00\x00\x00\x00\x00\x01\xf8"},
		{
			"key: more after the end", func(b string) error { _, err := DecodeKey([]byte(b)); return err },
			"\x00\x00\x00\x00\x00\x00\x00\x00\xf7x",
		},
		{"uint64: short", func(b string) error { _, _, err := DecodeUint64([]byte(b)); return err }, "1234567"},
		{"version: short", func(b string) error { _, _, err := SplitTS([]byte(b)); return err }, "1234567"},
		{"uvarint: empty", uvarint, ""},
		{"uvarint: unfinished", uvarint, "\x80"},
		{"uvarint: not minimal", uvarint, "\x80\x00"},
		{"uvarint: more than 64 bits", uvarint, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"},
		{"compact: negative length", compact, "\x01"},
		{"compact: longer than the input", compact, "\x04a"},
	} {
		if err := c.decode(c.input); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: error %v", c.name, err)
		}
	}
}

// TestBytesOrder: the order of encoded keys, with whatever versions appended,
// is that of the keys and then of the versions, newest first.
func TestBytesOrder(t *testing.T) {
	anyBytes := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 0x7f, 0xf7, 0xfe, 0xff}), 0, 20)
	rapid.Check(t, func(t *rapid.T) {
		a, b := anyBytes.Draw(t, "a"), anyBytes.Draw(t, "b")
		x, y := rapid.Uint64().Draw(t, "x"), rapid.Uint64().Draw(t, "y")
		want := bytes.Compare(a, b)
		if got := bytes.Compare(EncodeBytes(a), EncodeBytes(b)); got != want {
			t.Fatalf("encoded order %d, want %d", got, want)
		}
		if want == 0 {
			want = bytes.Compare(AppendUint64(nil, y), AppendUint64(nil, x))
		}
		if got := bytes.Compare(AppendTS(EncodeBytes(a), x), AppendTS(EncodeBytes(b), y)); got != want {
			t.Fatalf("order with versions %d, want %d", got, want)
		}
		if bytes.Compare(a, b) < 0 {
			end := AppendVersionsEnd(nil, EncodeBytes(a))
			if bytes.Compare(AppendTS(EncodeBytes(a), 0), end) >= 0 || bytes.Compare(end, EncodeBytes(b)) >= 0 {
				t.Fatalf("end of versions %x is not between the keys", end)
			}
		}
	})
}

func TestNumberOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Int64().Draw(t, "a"), rapid.Int64().Draw(t, "b")
		if got := bytes.Compare(AppendInt64(nil, a), AppendInt64(nil, b)); (got < 0) != (a < b) {
			t.Fatalf("signed order %d", got)
		}
		u, v := uint64(a), uint64(b)
		if got := bytes.Compare(AppendUint64Desc(nil, u), AppendUint64Desc(nil, v)); (got < 0) != (u > v) {
			t.Fatalf("descending order %d", got)
		}
		back, rest, err := DecodeInt64(append(AppendInt64(nil, a), 'x'))
		if back != a || string(rest) != "x" || err != nil {
			t.Fatalf("DecodeInt64: %d, %q, %v", back, rest, err)
		}
	})
}

// FuzzDecodeBytes: what is accepted is what the encoder writes.
func FuzzDecodeBytes(f *testing.F) {
	f.Add([]byte("12345678\xff\x00\x00\x00\x00\x00\x00\x00\x00\xf7rest"))
	f.Add(EncodeBytes([]byte("abc")))
	f.Fuzz(func(t *testing.T, b []byte) {
		key, rest, err := DecodeBytes(nil, b)
		if err != nil {
			return
		}
		if again := append(EncodeBytes(key), rest...); !bytes.Equal(again, b) {
			t.Fatalf("%x decodes to %x, which encodes to %x", b, key, again)
		}
	})
}

func FuzzDecodeNumbers(f *testing.F) {
	f.Add([]byte("\x04ab123456789"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if data, rest, err := DecodeCompactBytes(b); err == nil {
			if again := append(AppendCompactBytes(nil, data), rest...); !bytes.Equal(again, b) {
				t.Fatalf("compact bytes %x again: %x", b, again)
			}
		}
		if v, rest, err := DecodeInt64(b); err == nil {
			if again := append(AppendInt64(nil, v), rest...); !bytes.Equal(again, b) {
				t.Fatalf("int64 %x again: %x", b, again)
			}
		}
		if key, ts, err := SplitTS(b); err == nil {
			if again := AppendTS(bytes.Clone(key), ts); !bytes.Equal(again, b) {
				t.Fatalf("version %x again: %x", b, again)
			}
		}
	})
}

func BenchmarkAppendBytes(b *testing.B) {
	key := []byte("account-00000042")
	buf := make([]byte, 0, 64)
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendBytes(buf[:0], key)
	}
}

func BenchmarkDecodeBytes(b *testing.B) {
	key := EncodeBytes([]byte("account-00000042"))
	buf := make([]byte, 0, 64)
	b.ReportAllocs()
	for b.Loop() {
		_, _, _ = DecodeBytes(buf[:0], key)
	}
}
