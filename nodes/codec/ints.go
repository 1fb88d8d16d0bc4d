package codec

import (
	"encoding/binary"
	"fmt"
)

// signBit flipped makes the order of signed integers that of unsigned ones.
const signBit = 1 << 63

// AppendUint64 appends v big-endian: ascending bytes for ascending numbers.
func AppendUint64(dst []byte, v uint64) []byte { return binary.BigEndian.AppendUint64(dst, v) }

// DecodeUint64 reads what AppendUint64 wrote at the start of b.
func DecodeUint64(b []byte) (v uint64, rest []byte, err error) {
	if len(b) < 8 {
		return 0, nil, fmt.Errorf("integer: %d of 8 bytes: %w", len(b), ErrMalformed)
	}
	return binary.BigEndian.Uint64(b), b[8:], nil
}

// AppendInt64 appends v big-endian with its sign bit flipped, so that negative
// numbers sort before positive ones.
func AppendInt64(dst []byte, v int64) []byte { return AppendUint64(dst, uint64(v)^signBit) }

// DecodeInt64 reads what AppendInt64 wrote at the start of b.
func DecodeInt64(b []byte) (v int64, rest []byte, err error) {
	u, rest, err := DecodeUint64(b)
	return int64(u ^ signBit), rest, err
}

// AppendUint64Desc appends v big-endian with all bits inverted: descending
// bytes for ascending numbers.
func AppendUint64Desc(dst []byte, v uint64) []byte { return AppendUint64(dst, ^v) }

// DecodeUint64Desc reads what AppendUint64Desc wrote at the start of b.
func DecodeUint64Desc(b []byte) (v uint64, rest []byte, err error) {
	u, rest, err := DecodeUint64(b)
	return ^u, rest, err
}

// DecodeUvarint reads an unsigned varint (binary.AppendUvarint) at the start
// of b. A number that is written longer than it need be is rejected.
func DecodeUvarint(b []byte) (v uint64, rest []byte, err error) {
	v, n := binary.Uvarint(b)
	if n <= 0 || n > 1 && b[n-1] == 0 {
		return 0, nil, fmt.Errorf("varint: truncated, too large or not minimal: %w", ErrMalformed)
	}
	return v, b[n:], nil
}

// AppendCompactBytes appends data after its length as a signed varint.
func AppendCompactBytes(dst, data []byte) []byte {
	return append(binary.AppendVarint(dst, int64(len(data))), data...)
}

// DecodeCompactBytes reads what AppendCompactBytes wrote at the start of b.
// The result shares the memory of b.
func DecodeCompactBytes(b []byte) (data, rest []byte, err error) {
	u, rest, err := DecodeUvarint(b)
	if err != nil {
		return nil, nil, fmt.Errorf("length of bytes: %w", err)
	}
	// A signed varint is an unsigned one in zigzag order: even numbers are the
	// lengths, odd ones are negative.
	if u&1 != 0 || u>>1 > uint64(len(rest)) {
		return nil, nil, fmt.Errorf("bytes: length out of range with %d bytes left: %w", len(rest), ErrMalformed)
	}
	n := u >> 1
	return rest[:n:n], rest[n:], nil
}
