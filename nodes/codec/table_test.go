package codec

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"
)

// TestTableKeysGolden compares with keys that the documentation of TiDB prints:
// those of DATA_LOCK_WAITS, TIDB_DECODE_KEY, TIDB_ENCODE_RECORD_KEY and
// TIDB_ENCODE_INDEX_KEY, and what follows from their rules.
func TestTableKeysGolden(t *testing.T) {
	index := func(table, index int64, data ...Datum) []byte {
		key := IndexPrefix(table, index)
		for _, d := range data {
			key = AppendDatum(key, d)
		}
		return key
	}
	for _, c := range []struct {
		name string
		got  []byte
		want string
	}{
		{"lock waits", RowKey(53, 1), "7480000000000000355f728000000000000001"},
		{"decode key", RowKey(43, 42451), "74800000000000002b5f72800000000000a5d3"},
		{"record key", RowKey(132, 1), "7480000000000000845f728000000000000001"},
		// The key of a region, as stores and the placement driver have it: a record key, encoded once more.
		{"region key", EncodeBytes(RowKey(59, 1958897)), "7480000000000000ff3b5f728000000000ff1de3f10000000000fa"},
		{"index key", index(127, 1, Int(1), Int(1)), "74800000000000007f5f698000000000000001038000000000000001038000000000000001"},
		{"negative handle", RowKey(1, -1), "7480000000000000015f727fffffffffffffff"},
		{"unique index of a string", index(1, 2, Bytes("ab")), "7480000000000000015f69800000000000000201" + "6162000000000000f9"},
		{"NULL, unsigned, float", index(1, 2, Null(), Uint(5), Float(-1)), "7480000000000000015f698000000000000002" + "00" + "040000000000000005" + "05400fffffffffffff"},
		{"meta", MetaKey("a"), "6d" + "6100000000000000f8" + "0000000000000073"},
		{"meta hash", MetaHashKey("a", "b"), "6d" + "6100000000000000f8" + "0000000000000068" + "6200000000000000f8"},
	} {
		if hex.EncodeToString(c.got) != c.want {
			t.Errorf("%s: %x, want %s", c.name, c.got, c.want)
		}
	}
}

// anyDatum draws data of all kinds, often with extreme values.
func anyDatum() *rapid.Generator[Datum] {
	ints := rapid.OneOf(rapid.Int64(), rapid.SampledFrom([]int64{math.MinInt64, -1, 0, 1, math.MaxInt64}))
	uints := rapid.OneOf(rapid.Uint64(), rapid.SampledFrom([]uint64{0, 1 << 63, 1<<63 - 1, math.MaxUint64}))
	floats := rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{
		0, math.Copysign(0, -1), math.Inf(1), math.Inf(-1), math.SmallestNonzeroFloat64, -math.SmallestNonzeroFloat64, math.MaxFloat64,
	}))
	text := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 'a', 0xf7, 0xff}), 0, 18)
	return rapid.OneOf(
		rapid.Just(Null()), rapid.Map(ints, Int), rapid.Map(uints, Uint), rapid.Map(floats, Float),
		rapid.Map(text, func(b []byte) Datum { return Bytes(string(b)) }),
	)
}

func encodeData(data []Datum) (key []byte) {
	for _, d := range data {
		key = AppendDatum(key, d)
	}
	return key
}

// TestDataOrder: sequences of data of all types, also of different lengths and
// types, are ordered as their encodings, and decode to themselves.
func TestDataOrder(t *testing.T) {
	sequence := rapid.SliceOfN(anyDatum(), 0, 4)
	rapid.Check(t, func(t *rapid.T) {
		a, b := sequence.Draw(t, "a"), sequence.Draw(t, "b")
		if rapid.Bool().Draw(t, "common start") && len(a) > 0 {
			b = append([]Datum{a[0]}, b...)
		}
		want := 0
		for i := 0; want == 0; i++ {
			if i == len(a) || i == len(b) {
				want = len(a) - len(b)
				break
			}
			want = a[i].Compare(b[i])
		}
		got := bytes.Compare(encodeData(a), encodeData(b))
		if (got < 0) != (want < 0) || (got > 0) != (want > 0) {
			t.Fatalf("order of %v and %v: %d, want %d", a, b, got, want)
		}
		rest := encodeData(a)
		for _, d := range a {
			var back Datum
			var err error
			if back, rest, err = DecodeDatum(rest); err != nil || back != d {
				t.Fatalf("%v comes back as %v, %v", d, back, err)
			}
		}
	})
}

// TestTableKeyOrder: keys are ordered by table, then indexes before rows, then by
// index and columns, or handle; and decode to what they were made of.
func TestTableKeyOrder(t *testing.T) {
	id := rapid.OneOf(rapid.Int64(), rapid.Int64Range(-2, 2))
	rapid.Check(t, func(t *rapid.T) {
		ta, tb, ha, hb := id.Draw(t, "table"), id.Draw(t, "table"), id.Draw(t, "handle"), id.Draw(t, "handle")
		a, b := RowKey(ta, ha), RowKey(tb, hb)
		if want := ta < tb || ta == tb && ha < hb; want != (bytes.Compare(a, b) < 0) {
			t.Fatalf("rows %d.%d and %d.%d: %x, %x", ta, ha, tb, hb, a, b)
		}
		table, handle, err := DecodeRowKey(a)
		if err != nil || table != ta || handle != ha {
			t.Fatalf("row %d.%d comes back as %d.%d, %v", ta, ha, table, handle, err)
		}
		data := rapid.SliceOfN(anyDatum(), 1, 3).Draw(t, "columns")
		entry := append(IndexPrefix(ta, hb), encodeData(data)...)
		if bytes.Compare(entry, a) >= 0 {
			t.Fatalf("index entry %x is not before the row %x", entry, a)
		}
		if end := PrefixEnd(IndexPrefix(ta, hb)); bytes.Compare(entry, end) >= 0 {
			t.Fatalf("index entry %x is not before the end %x", entry, end)
		}
		table, index, back, err := DecodeIndexKey(entry)
		if err != nil || table != ta || index != hb || !bytes.Equal(encodeData(back), encodeData(data)) {
			t.Fatalf("entry of %d.%d with %v comes back as %d.%d with %v, %v", ta, hb, data, table, index, back, err)
		}
	})
}

func TestPrefixEnd(t *testing.T) {
	for _, c := range []struct{ prefix, want string }{{"a", "b"}, {"a\xff", "b"}, {"\xff\xff", ""}, {"", ""}, {"a\x00", "a\x01"}} {
		if got := PrefixEnd([]byte(c.prefix)); string(got) != c.want {
			t.Errorf("end of %q is %q, want %q", c.prefix, got, c.want)
		}
	}
}

func TestMalformedTableKeys(t *testing.T) {
	datum := func(b string) error { _, _, err := DecodeDatum([]byte(b)); return err }
	row := func(b string) error { _, _, err := DecodeRowKey([]byte(b)); return err }
	index := func(b string) error { _, _, _, err := DecodeIndexKey([]byte(b)); return err }
	good := string(RowKey(1, 2))
	for _, c := range []struct {
		name   string
		decode func(string) error
		input  string
	}{
		{"datum: empty", datum, ""},
		{"datum: unknown flag", datum, "\x02\x00"},
		{"datum: short integer", datum, "\x03\x80"},
		{"datum: negative zero", datum, "\x05\x7f\xff\xff\xff\xff\xff\xff\xff"},
		{"datum: not a number", datum, "\x05\xff\xf8\x00\x00\x00\x00\x00\x01"},
		{"row: of no table", row, "m" + good[1:]},
		{"row: an index", row, string(IndexPrefix(1, 2))},
		{"row: too long", row, good + "x"},
		{"row: too short", row, good[:12]},
		{"row: no table", row, "t\x80"},
		{"index: a row", index, good},
		{"index: no number", index, good[:9] + "_i"},
		{"index: half a datum", index, string(IndexPrefix(1, 2)) + "\x03"},
	} {
		if err := c.decode(c.input); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: error %v", c.name, err)
		}
	}
}

// FuzzDecodeTableKeys: what is accepted is what the encoders write.
func FuzzDecodeTableKeys(f *testing.F) {
	f.Add(RowKey(53, 1))
	f.Add(append(IndexPrefix(1, 2), encodeData([]Datum{Null(), Int(1), Uint(2), Float(3), Bytes("abc")})...))
	f.Fuzz(func(t *testing.T, b []byte) {
		if d, rest, err := DecodeDatum(b); err == nil {
			if again := append(AppendDatum(nil, d), rest...); !bytes.Equal(again, b) {
				t.Fatalf("datum %x again: %x", b, again)
			}
		}
		if table, handle, err := DecodeRowKey(b); err == nil && !bytes.Equal(RowKey(table, handle), b) {
			t.Fatalf("row key %x again: %x", b, RowKey(table, handle))
		}
		if table, index, data, err := DecodeIndexKey(b); err == nil {
			if again := append(IndexPrefix(table, index), encodeData(data)...); !bytes.Equal(again, b) {
				t.Fatalf("index key %x again: %x", b, again)
			}
		}
	})
}
