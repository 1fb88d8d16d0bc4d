package sql

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strings"

	"simrun/nodes/codec"
	"simrun/nodes/table"
)

// value is a datum and the column that it comes from, if it does.
type value struct {
	table.Datum
	column *table.Column
}

// ErrExpression is why an expression has no value: a result out of range, or
// operands that do not go together.
var ErrExpression = errors.New("expression has no value")

// ErrOutOfRange is why, of these, the result of a calculation is none: other values may
// have one.
var ErrOutOfRange = errors.New("out of range")

func exprError(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrExpression, fmt.Sprintf(format, args...))
}

// truth is what a condition is: true, false, or neither for NULL.
func truth(v value) (is, known bool, err error) {
	switch v.Kind() {
	case codec.KindNull:
		return false, false, nil
	case codec.KindInt:
		return v.Int() != 0, true, nil
	case codec.KindUint:
		return v.Uint() != 0, true, nil
	case codec.KindFloat:
		return v.Float() != 0, true, nil
	case codec.KindBytes:
	}
	return false, false, exprError("%v is no condition", v.Datum)
}

func boolean(b bool) value {
	if b {
		return value{Datum: codec.Int(1)}
	}
	return value{Datum: codec.Int(0)}
}

// compare orders two values that are not NULL.
func compare(a, b value) (int, error) {
	a, err := asTime(a, b.column)
	if err == nil {
		b, err = asTime(b, a.column)
	}
	if err != nil {
		return 0, err
	}
	if text := a.Kind() == codec.KindBytes; text != (b.Kind() == codec.KindBytes) {
		return 0, exprError("%v and %v cannot be compared", a.Datum, b.Datum)
	} else if text {
		return strings.Compare(a.Bytes(), b.Bytes()), nil
	}
	if a.Kind() == codec.KindFloat || b.Kind() == codec.KindFloat {
		x, y := float(a), float(b)
		switch {
		case x < y:
			return -1, nil
		case x > y:
			return 1, nil
		}
		return 0, nil
	}
	x, y := integerOf(a), integerOf(b)
	switch {
	case x.negative != y.negative && x.negative:
		return -1, nil
	case x.negative != y.negative:
		return 1, nil
	case x.size == y.size:
		return 0, nil
	case (x.size < y.size) != x.negative:
		return -1, nil
	}
	return 1, nil
}

// asTime turns a text beside a DATETIME into one.
func asTime(v value, beside *table.Column) (value, error) {
	if v.Kind() != codec.KindBytes || v.column != nil || beside == nil || beside.Type != table.DateTime {
		return v, nil
	}
	packed, err := table.ParseDateTime(v.Bytes())
	if err != nil {
		return v, exprError("%v", err)
	}
	return value{Datum: codec.Uint(packed), column: beside}, nil
}

func float(v value) float64 {
	switch v.Kind() {
	case codec.KindInt:
		return float64(v.Int())
	case codec.KindUint:
		return float64(v.Uint())
	default:
		return v.Float()
	}
}

// integer is a whole number of either sign.
type integer struct {
	negative bool // never with a size of 0
	size     uint64
}

func integerOf(v value) integer {
	if v.Kind() == codec.KindInt && v.Int() < 0 {
		return integer{true, -uint64(v.Int())} // the size of the least one too
	}
	return integer{false, v.Uint()}
}

// operator is + - or *.
type operator byte

// arithmetic calculates with two numbers that are not NULL. The result is
// unsigned if one of them is, and out of range if it does not fit, as in MySQL.
func arithmetic(op operator, a, b value) (value, error) {
	for _, v := range []value{a, b} {
		if v.Kind() == codec.KindBytes || v.column != nil && v.column.Type == table.DateTime {
			return v, exprError("%c over %v, which is no number", op, v.Datum)
		}
	}
	if a.Kind() == codec.KindFloat || b.Kind() == codec.KindFloat {
		return floating(op, float(a), float(b))
	}
	x, y := integerOf(a), integerOf(b)
	r, ok := x.times(y)
	if op != '*' {
		if op == '-' && y.size != 0 {
			y.negative = !y.negative
		}
		r, ok = x.plus(y)
	}
	unsigned := a.Kind() == codec.KindUint || b.Kind() == codec.KindUint
	switch {
	case !ok, unsigned && r.negative, r.negative && r.size > 1<<63, !unsigned && !r.negative && r.size > math.MaxInt64:
		return a, fmt.Errorf("%w: %v %c %v is %w", ErrExpression, a.Datum, op, b.Datum, ErrOutOfRange)
	case unsigned:
		return value{Datum: codec.Uint(r.size)}, nil
	case r.negative:
		return value{Datum: codec.Int(-int64(r.size))}, nil // -2^63 too
	}
	return value{Datum: codec.Int(int64(r.size))}, nil // it was looked at
}

// negative is a number that is not NULL with the other sign: of an unsigned one, too, it is
// signed, as in MySQL, and out of range if it does not fit.
func negative(v value) (value, error) {
	switch v.Kind() {
	case codec.KindInt, codec.KindUint:
		x := integerOf(v)
		if x.size > 1<<63 || x.negative && x.size == 1<<63 {
			return v, fmt.Errorf("%w: -(%v) is %w", ErrExpression, v.Datum, ErrOutOfRange)
		}
		if x.negative {
			return value{Datum: codec.Int(int64(x.size))}, nil // it was looked at
		}
		return value{Datum: codec.Int(-int64(x.size))}, nil // -2^63 too
	case codec.KindFloat:
		return value{Datum: codec.Float(-v.Float())}, nil
	case codec.KindBytes, codec.KindNull:
	}
	return v, exprError("- over %v, which is no number", v.Datum)
}

func (x integer) plus(y integer) (integer, bool) {
	if x.negative == y.negative {
		sum, carry := bits.Add64(x.size, y.size, 0)
		return integer{x.negative, sum}, carry == 0
	}
	if x.size < y.size {
		x, y = y, x
	}
	size := x.size - y.size
	return integer{x.negative && size != 0, size}, true
}

func (x integer) times(y integer) (integer, bool) {
	high, low := bits.Mul64(x.size, y.size)
	return integer{x.negative != y.negative && low != 0, low}, high == 0
}

// floating calculates with floating point numbers. Each operation is rounded by
// itself, on every machine: the conversions see to it.
func floating(op operator, x, y float64) (value, error) {
	var r float64
	switch op {
	case '+':
		r = float64(x + y)
	case '-':
		r = float64(x - y)
	default:
		r = float64(x * y)
	}
	if math.IsInf(r, 0) || math.IsNaN(r) {
		return value{}, fmt.Errorf("%w: %v %c %v is %w", ErrExpression, x, op, y, ErrOutOfRange)
	}
	return value{Datum: codec.Float(r)}, nil
}
