package codec

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Kind is what a Datum holds.
type Kind uint8

// The kinds, in the order in which data of different kinds sort.
const (
	KindNull  Kind = iota // nothing; sorts before everything else
	KindBytes             // a string of bytes
	KindInt               // a signed integer
	KindUint              // an unsigned integer, or a date and time in packed form
	KindFloat             // a floating point number, not NaN
)

// Flags precede a datum in a key, so that a key can be decoded without the
// schema. Those that are missing between and after these belong to types that
// are not offered: compact bytes 2, decimal 6, duration 7, varints 8 and 9,
// JSON 10.
const (
	flagNull  byte = 0
	flagBytes byte = 1
	flagInt   byte = 3
	flagUint  byte = 4
	flagFloat byte = 5
)

// Datum is one value of a column. The zero value is NULL. Data are equal by ==
// exactly if they are the same value of the same kind.
type Datum struct {
	kind Kind
	num  uint64 // an integer, or the bits of a float
	str  string
}

// Null returns NULL.
func Null() Datum { return Datum{} }

// Int returns a signed integer.
func Int(v int64) Datum { return Datum{kind: KindInt, num: uint64(v)} }

// Uint returns an unsigned integer.
func Uint(v uint64) Datum { return Datum{kind: KindUint, num: v} }

// Float returns a floating point number, which must not be NaN. Negative zero
// becomes zero.
func Float(v float64) Datum {
	if v == 0 {
		v = 0
	}
	return Datum{kind: KindFloat, num: math.Float64bits(v)}
}

// Bytes returns a string of bytes.
func Bytes(v string) Datum { return Datum{kind: KindBytes, str: v} }

// Kind returns what the datum holds.
func (d Datum) Kind() Kind { return d.kind }

// IsNull says whether the datum is NULL.
func (d Datum) IsNull() bool { return d.kind == KindNull }

// Int returns the value of a datum of KindInt.
func (d Datum) Int() int64 { return int64(d.num) }

// Uint returns the value of a datum of KindUint.
func (d Datum) Uint() uint64 { return d.num }

// Float returns the value of a datum of KindFloat.
func (d Datum) Float() float64 { return math.Float64frombits(d.num) }

// Bytes returns the value of a datum of KindBytes.
func (d Datum) Bytes() string { return d.str }

// Compare orders data as their keys are ordered.
func (d Datum) Compare(o Datum) int {
	if c := cmp.Compare(d.kind, o.kind); c != 0 {
		return c
	}
	switch d.kind {
	case KindNull:
		return 0
	case KindInt:
		return cmp.Compare(d.Int(), o.Int())
	case KindUint:
		return cmp.Compare(d.num, o.num)
	case KindFloat:
		return cmp.Compare(d.Float(), o.Float())
	case KindBytes:
	}
	return strings.Compare(d.str, o.str)
}

// String prints the datum for people.
func (d Datum) String() string {
	switch d.kind {
	case KindNull:
		return "NULL"
	case KindInt:
		return strconv.FormatInt(d.Int(), 10)
	case KindUint:
		return strconv.FormatUint(d.num, 10)
	case KindFloat:
		return strconv.FormatFloat(d.Float(), 'g', -1, 64)
	case KindBytes:
	}
	return strconv.Quote(d.str)
}

// AppendDatum appends the memcomparable form of a datum: a flag, and the value
// as AppendInt64, AppendUint64, AppendFloat64 or AppendBytes write it. No
// encoded datum is a prefix of another one, so that a sequence of data is
// ordered by the first, then by the second, and so on.
func AppendDatum(dst []byte, d Datum) []byte {
	switch d.kind {
	case KindNull:
		return append(dst, flagNull)
	case KindInt:
		return AppendInt64(append(dst, flagInt), d.Int())
	case KindUint:
		return AppendUint64(append(dst, flagUint), d.num)
	case KindFloat:
		return AppendFloat64(append(dst, flagFloat), d.Float())
	case KindBytes:
	}
	return AppendBytes(append(dst, flagBytes), []byte(d.str))
}

// DecodeDatum reads what AppendDatum wrote at the start of b.
func DecodeDatum(b []byte) (d Datum, rest []byte, err error) {
	if len(b) == 0 {
		return d, nil, fmt.Errorf("datum: no flag: %w", ErrMalformed)
	}
	flag, b := b[0], b[1:]
	switch flag {
	case flagNull:
		return Null(), b, nil
	case flagBytes:
		var data []byte
		data, rest, err = DecodeBytes(nil, b)
		d = Bytes(string(data))
	case flagInt:
		var v int64
		v, rest, err = DecodeInt64(b)
		d = Int(v)
	case flagUint:
		var v uint64
		v, rest, err = DecodeUint64(b)
		d = Uint(v)
	case flagFloat:
		var v float64
		v, rest, err = DecodeFloat64(b)
		d = Float(v)
	default:
		err = fmt.Errorf("datum: flag %#02x: %w", flag, ErrMalformed)
	}
	if err != nil {
		return Datum{}, nil, err
	}
	return d, rest, nil
}

// PrefixEnd returns the first key after all those that begin with prefix, nil
// if there is none.
func PrefixEnd(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		end[i]++
		if end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}
