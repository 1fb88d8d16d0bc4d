package table

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"simrun/nodes/codec"
)

// Type is the type of a column.
type Type string

// The types.
const (
	BigInt   Type = "bigint"
	Int      Type = "int"
	Double   Type = "double"
	VarChar  Type = "varchar" // of Column.Length
	DateTime Type = "datetime"
)

func types() []Type { return []Type{BigInt, Int, Double, VarChar, DateTime} }

// integer says whether values of the type are integers.
func (t Type) integer() bool { return t == BigInt || t == Int }

// Datum is one value of a row. A DATETIME is a KindUint in packed form.
type Datum = codec.Datum

// Row is the values of all columns of a table, in their order.
type Row []Datum

func (r Row) clone() Row { return slices.Clone(r) }

// kind returns of which kind the column's values are, if they are not NULL.
func (c *Column) kind() codec.Kind {
	switch c.Type {
	case BigInt, Int:
		if c.Unsigned {
			return codec.KindUint
		}
		return codec.KindInt
	case Double:
		return codec.KindFloat
	case VarChar:
		return codec.KindBytes
	case DateTime:
	}
	return codec.KindUint
}

// Convert returns v as a value of the column: integers of either sign become
// the column's, integers become floating point numbers where that loses
// nothing, a text becomes a date and time, which is rounded to the column's precision.
// What has no such value is an error of class ErrValue.
func (c *Column) Convert(v Datum) (Datum, error) {
	if v.IsNull() {
		if c.NotNull {
			return v, valueError("column %s cannot be NULL", c.Name)
		}
		return v, nil
	}
	switch c.Type {
	case BigInt, Int:
		return c.integer(v)
	case Double:
		return c.double(v)
	case VarChar:
		if v.Kind() == codec.KindBytes && c.lengthOf(v.Bytes()) <= c.Length {
			return v, nil
		}
		name := string(c.Type)
		if c.Binary {
			name = "varbinary"
		}
		return v, valueError("%v is no %s(%d) for column %s", v, name, c.Length, c.Name)
	case DateTime:
	}
	return c.dateTime(v)
}

// lengthOf returns the length of a text as the column counts it: a byte that is no UTF-8 is a
// character.
func (c *Column) lengthOf(text string) int {
	if c.Binary {
		return len(text)
	}
	return utf8.RuneCountInString(text)
}

func (c *Column) dateTime(v Datum) (Datum, error) {
	packed := v.Uint()
	switch v.Kind() {
	case codec.KindBytes:
		var err error
		if packed, err = ParseDateTime(v.Bytes()); err != nil {
			return v, valueError("column %s: %v", c.Name, err)
		}
	case codec.KindUint:
		if FormatDateTime(packed) == "" {
			return v, valueError("%v is no %s for column %s", v, c.Type, c.Name)
		}
	default:
		return v, valueError("%v is no %s for column %s", v, c.Type, c.Name)
	}
	rounded := roundDateTime(packed, c.Precision)
	if rounded != packed && FormatDateTime(rounded) == "" { // it was at the end of the last year
		return v, valueError("%v is no %s for column %s", v, c.Type, c.Name)
	}
	return codec.Uint(rounded), nil
}

func (c *Column) integer(v Datum) (Datum, error) {
	lowest, highest := int64(math.MinInt64), int64(math.MaxInt64)
	top := uint64(math.MaxUint64)
	if c.Type == Int {
		lowest, highest, top = math.MinInt32, math.MaxInt32, math.MaxUint32
	}
	switch {
	case c.Unsigned && v.Kind() == codec.KindUint && v.Uint() <= top:
		return v, nil
	case c.Unsigned && v.Kind() == codec.KindInt && v.Int() >= 0 && uint64(v.Int()) <= top:
		return codec.Uint(uint64(v.Int())), nil
	case !c.Unsigned && v.Kind() == codec.KindInt && v.Int() >= lowest && v.Int() <= highest:
		return v, nil
	case !c.Unsigned && v.Kind() == codec.KindUint && v.Uint() <= uint64(highest):
		return codec.Int(int64(v.Uint())), nil
	}
	switch v.Kind() {
	case codec.KindFloat:
		return v, valueError("%v, a DOUBLE as numbers with a point are, is no %s for column %s", v, c.Type, c.Name)
	case codec.KindBytes:
		return v, valueError("%v is no %s for column %s", v, c.Type, c.Name)
	case codec.KindInt, codec.KindUint, codec.KindNull:
	}
	return v, valueError("%v is out of range for column %s", v, c.Name)
}

// exact is the largest integer up to which every one is a float64.
const exact = 1 << 53

func (c *Column) double(v Datum) (Datum, error) {
	switch {
	case v.Kind() == codec.KindFloat && !math.IsNaN(v.Float()) && !math.IsInf(v.Float(), 0):
		return v, nil
	case v.Kind() == codec.KindInt && v.Int() >= -exact && v.Int() <= exact:
		return codec.Float(float64(v.Int())), nil
	case v.Kind() == codec.KindUint && v.Uint() <= exact:
		return codec.Float(float64(v.Uint())), nil
	}
	return v, valueError("%v is no %s for column %s", v, c.Type, c.Name)
}

// Format prints a value of the column as SQL text does.
func (c *Column) Format(v Datum) string {
	switch {
	case v.IsNull():
		return "NULL"
	case c.Type == DateTime:
		seconds, fraction, _ := strings.Cut(FormatDateTime(v.Uint()), ".")
		if c.Precision == 0 {
			return seconds
		}
		return seconds + "." + (fraction + "000000")[:c.Precision]
	case c.Type == VarChar:
		return v.Bytes()
	}
	return v.String()
}

// The packed form of a date and time: from the highest bits, thirteen months a
// year (a month may be zero in MySQL), five bits of day, five of hour, six of
// minute, six of second, 24 of microsecond. Packed values are ordered as the
// instants are.
func pack(year, month, day, hour, minute, second, micro uint64) uint64 {
	ymd := (year*13+month)<<5 | day
	hms := hour<<12 | minute<<6 | second
	return (ymd<<17|hms)<<24 | micro
}

// unpack is the inverse of pack.
func unpack(v uint64) (d, c [3]uint64, micro uint64) {
	micro, rest := v&(1<<24-1), v>>24
	hms, ymd := rest&(1<<17-1), rest>>17
	return [3]uint64{ymd >> 5 / 13, ymd >> 5 % 13, ymd & 31}, [3]uint64{hms >> 12, hms >> 6 & 63, hms & 63}, micro
}

// PrecisionMax is the most digits of a second that a DATETIME has.
const PrecisionMax = 6

// roundDateTime rounds the packed form of a date and time to some digits of a second,
// halves up, as MySQL does. What is rounded up may be none.
func roundDateTime(v uint64, precision int) uint64 {
	unit := uint64(1)
	for range PrecisionMax - precision {
		unit *= 10
	}
	d, c, micro := unpack(v)
	if micro%unit == 0 {
		return v
	}
	const second = 1_000_000
	if micro = (micro + unit/2) / unit * unit; micro < second {
		return pack(d[0], d[1], d[2], c[0], c[1], c[2], micro)
	}
	next := time.Date(int(d[0]), time.Month(d[1]), int(d[2]), int(c[0]), int(c[1]), int(c[2])+1, 0, time.UTC)
	year, month, day := next.Date()
	hour, minute, sec := next.Clock()
	return pack(uint64(year), uint64(month), uint64(day), uint64(hour), uint64(minute), uint64(sec), 0) // not negative
}

// ParseDateTime returns the packed form of "2006-01-02 15:04:05", with up to
// six digits of a second, or of a date alone.
func ParseDateTime(text string) (uint64, error) {
	date, clock, hasClock := strings.Cut(text, " ")
	if !hasClock {
		clock = "00:00:00"
	}
	var d, c [3]uint64
	clock, fraction, hasFraction := strings.Cut(clock, ".")
	micro, ok := digits(fraction+strings.Repeat("0", max(0, 6-len(fraction))), 6)
	ok = ok && (!hasFraction || fraction != "")
	ok = ok && fields(date, "-", [3]int{4, 2, 2}, &d) && fields(clock, ":", [3]int{2, 2, 2}, &c)
	if !ok || d[1] < 1 || d[1] > 12 || d[2] < 1 || d[2] > daysOf(d[0], d[1]) || c[0] > 23 || c[1] > 59 || c[2] > 59 {
		return 0, fmt.Errorf("%q is no date and time: write '2006-01-02 15:04:05'", text)
	}
	return pack(d[0], d[1], d[2], c[0], c[1], c[2], micro), nil
}

func fields(text, separator string, widths [3]int, out *[3]uint64) bool {
	parts := strings.Split(text, separator)
	if len(parts) != 3 {
		return false
	}
	for i, part := range parts {
		v, ok := digits(part, widths[i])
		if !ok {
			return false
		}
		out[i] = v
	}
	return true
}

// digits reads a number of exactly n digits.
func digits(text string, n int) (v uint64, ok bool) {
	if len(text) != n {
		return 0, false
	}
	for i := range n {
		if text[i] < '0' || text[i] > '9' {
			return 0, false
		}
		v = v*10 + uint64(text[i]-'0')
	}
	return v, true
}

func daysOf(year, month uint64) uint64 {
	switch {
	case month == 2 && year%4 == 0 && (year%100 != 0 || year%400 == 0):
		return 29
	case month == 2:
		return 28
	case month == 4 || month == 6 || month == 9 || month == 11:
		return 30
	}
	return 31
}

// FormatDateTime is the inverse of ParseDateTime; "" if v is not the packed
// form of a date and time.
func FormatDateTime(v uint64) string {
	d, c, micro := unpack(v)
	text := fmt.Sprintf("%04d-%02d-%02d %02d:%02d:%02d.%06d", d[0], d[1], d[2], c[0], c[1], c[2], micro)
	if back, err := ParseDateTime(text); err != nil || back != v {
		return ""
	}
	return strings.TrimSuffix(text, ".000000")
}
