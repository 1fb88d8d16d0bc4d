package codec

import (
	"fmt"
	"math"
)

// AppendFloat64 appends v so that the order of the bytes is that of the
// numbers: the bits of a positive number with the sign bit set, those of a
// negative one inverted. Negative zero becomes zero. v must not be NaN, which
// has no place in an order.
func AppendFloat64(dst []byte, v float64) []byte {
	bits := math.Float64bits(v)
	if v >= 0 {
		return AppendUint64(dst, bits|signBit)
	}
	return AppendUint64(dst, ^bits)
}

// DecodeFloat64 reads what AppendFloat64 wrote at the start of b.
func DecodeFloat64(b []byte) (v float64, rest []byte, err error) {
	u, rest, err := DecodeUint64(b)
	if err != nil {
		return 0, nil, fmt.Errorf("float: %w", err)
	}
	if u&signBit != 0 {
		v = math.Float64frombits(u &^ signBit)
	} else {
		v = math.Float64frombits(^u)
	}
	// Negative zero and what is not a number are never written.
	if math.IsNaN(v) || v == 0 && u != signBit {
		return 0, nil, fmt.Errorf("float: bits %#x: %w", u, ErrMalformed)
	}
	return v, rest, nil
}
