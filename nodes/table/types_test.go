package table

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"simrun/nodes/codec"
)

// TestDateTime: what is written is read, in the order of time.
func TestDateTime(t *testing.T) {
	last := uint64(0)
	for _, text := range []string{"0000-01-01 00:00:00", "1999-12-31 23:59:59", "1999-12-31 23:59:59.999999", "2000-01-01 00:00:00", "2000-02-29 00:00:00"} {
		packed, err := ParseDateTime(text)
		if err != nil || FormatDateTime(packed) != text || packed <= last {
			t.Errorf("%s: %d after %d, %s, %v", text, packed, last, FormatDateTime(packed), err)
		}
		last = packed
	}
	// TiDB's own packed form of an instant, by its formula.
	if packed, _ := ParseDateTime("2021-09-01 12:34:56.000123"); packed != ((2021*13+9)<<5|1)<<41|(12<<12|34<<6|56)<<24|123 {
		t.Errorf("packed %d", packed)
	}
	for _, text := range []string{"", "2000-13-01", "2001-02-29", "2000-01-01 24:00:00", "2000-01-01 1:00:00", "2000-01-01 00:00:00.", "2000-01-01 00:00:00.1234567", "2000-1-01", "+200-01-01"} {
		if packed, err := ParseDateTime(text); err == nil {
			t.Errorf("%q is %d", text, packed)
		}
	}
	if FormatDateTime(1) != "" {
		t.Error("1 is an instant")
	}
}

// TestDateTimeOrder: packed instants, and so their keys, are in the order of time.
func TestDateTimeOrder(t *testing.T) {
	instant := rapid.Custom(func(t *rapid.T) time.Time {
		return time.Unix(rapid.Int64Range(-62_167_219_200, 253_402_300_799).Draw(t, "seconds"), // the years 0 to 9999
			rapid.Int64Range(0, 999_999).Draw(t, "microseconds")*1000).UTC()
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := instant.Draw(t, "a"), instant.Draw(t, "b")
		if rapid.Bool().Draw(t, "close") {
			b = a.Add(time.Duration(rapid.Int64Range(-120_000_000, 120_000_000).Draw(t, "apart")) * time.Microsecond)
			if b.Year() < 0 || b.Year() > 9999 {
				return
			}
		}
		key := func(x time.Time) []byte {
			packed, err := ParseDateTime(x.Format("2006-01-02 15:04:05.000000"))
			if err != nil {
				t.Fatal(err)
			}
			return codec.AppendDatum(nil, codec.Uint(packed))
		}
		if got := bytes.Compare(key(a), key(b)); got != a.Compare(b) {
			t.Fatalf("%v and %v: %d", a, b, got)
		}
	})
}

// TestConvert: what fits a column becomes a value of it, and nothing else does.
func TestConvert(t *testing.T) {
	for _, c := range []struct {
		column Column
		in     Datum
		want   string
	}{
		{Column{Type: BigInt}, codec.Uint(5), "5"},
		{Column{Type: BigInt}, codec.Uint(1 << 63), "error"},
		{Column{Type: BigInt, Unsigned: true}, codec.Int(-1), "error"},
		{Column{Type: BigInt, Unsigned: true}, codec.Int(7), "7"},
		{Column{Type: Int}, codec.Int(1 << 31), "error"},
		{Column{Type: Int, Unsigned: true}, codec.Uint(1<<32 - 1), "4294967295"},
		{Column{Type: Int}, codec.Bytes("1"), "error"},
		{Column{Type: Double}, codec.Int(3), "3"},
		{Column{Type: Double}, codec.Int(1<<53 + 1), "error"},
		{Column{Type: VarChar, Length: 2}, codec.Bytes("ab"), `"ab"`},
		{Column{Type: VarChar, Length: 2}, codec.Bytes("abc"), "error"},
		{Column{Type: VarChar, Length: 2}, codec.Int(1), "error"},
		{Column{Type: VarChar, Length: 2}, codec.Bytes("éß"), `"éß"`},
		{Column{Type: VarChar, Length: 2}, codec.Bytes("éße"), "error"},
		{Column{Type: VarChar, Length: 2}, codec.Bytes("\xff\xfe"), `"\xff\xfe"`},
		{Column{Type: VarChar, Length: 2, Binary: true}, codec.Bytes("éß"), "error"},
		{Column{Type: VarChar, Length: 4, Binary: true}, codec.Bytes("éß"), `"éß"`},
		{Column{Type: DateTime}, codec.Bytes("tomorrow"), "error"},
		{Column{Type: DateTime}, codec.Uint(5), "error"},
		{Column{Type: BigInt}, codec.Null(), "NULL"},
		{Column{Type: BigInt, NotNull: true}, codec.Null(), "error"},
	} {
		got, err := c.column.Convert(c.in)
		text := fmt.Sprint(got)
		if err != nil {
			text = "error"
			if !errors.Is(err, ErrValue) {
				t.Errorf("%v: %v", c.in, err)
			}
		}
		if text != c.want {
			t.Errorf("%v for %+v: %s, want %s", c.in, c.column, text, c.want)
		}
	}
}

// TestConvertErrors: what is no integer is not called out of range.
func TestConvertErrors(t *testing.T) {
	for _, c := range []struct {
		in   Datum
		want string
	}{
		{codec.Int(1 << 31), "2147483648 is out of range for column n"},
		{codec.Uint(1 << 63), "9223372036854775808 is out of range for column n"},
		{codec.Bytes("abc"), `"abc" is no int for column n`},
		{codec.Float(7), "7, a DOUBLE as numbers with a point are, is no int for column n"},
	} {
		column := Column{Name: "n", Type: Int}
		if _, err := column.Convert(c.in); err == nil || err.Error() != "value does not fit: "+c.want {
			t.Errorf("%v: %v, want %s", c.in, err, c.want)
		}
	}
}
