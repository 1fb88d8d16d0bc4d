package codec

import (
	"bytes"
	"fmt"
)

// groupSize is the number of data bytes in a group; a marker byte follows.
const groupSize = 8

// marker is what follows a full group. A group with n bytes of padding, which
// is the last one, has the marker minus n: a shorter string is the smaller one
// where the padding is equal to real zero bytes.
const marker = 0xFF

// EncodedLen returns the length of the memcomparable form of n bytes.
func EncodedLen(n int) int { return (n/groupSize + 1) * (groupSize + 1) }

// AppendBytes appends the memcomparable form of data to dst: groups of eight
// bytes, the last one padded with zeros, each followed by a marker. A length
// that is a multiple of eight ends with a group of padding only, so that the
// end is always visible.
func AppendBytes(dst, data []byte) []byte {
	for len(data) >= groupSize {
		dst = append(dst, data[:groupSize]...)
		dst = append(dst, marker)
		data = data[groupSize:]
	}
	var last [groupSize + 1]byte
	n := copy(last[:groupSize], data)
	last[groupSize] = marker - byte(groupSize-n)
	return append(dst, last[:]...)
}

// EncodeBytes returns the memcomparable form of data in a new slice.
func EncodeBytes(data []byte) []byte {
	return AppendBytes(make([]byte, 0, EncodedLen(len(data))), data)
}

// DecodeBytes reads one memcomparable string at the start of b. It appends the
// decoded bytes to dst and returns what follows the string in b.
func DecodeBytes(dst, b []byte) (decoded, rest []byte, err error) {
	for group := 0; ; group++ {
		if len(b) < groupSize+1 {
			return nil, nil, fmt.Errorf("memcomparable bytes: group %d has %d of %d bytes: %w",
				group, len(b), groupSize+1, ErrMalformed)
		}
		pad := marker - b[groupSize]
		if pad > groupSize {
			return nil, nil, fmt.Errorf("memcomparable bytes: group %d has marker %#02x: %w",
				group, b[groupSize], ErrMalformed)
		}
		n := groupSize - int(pad)
		dst = append(dst, b[:n]...)
		if pad == 0 {
			b = b[groupSize+1:]
			continue
		}
		var zeros [groupSize]byte
		if !bytes.Equal(b[n:groupSize], zeros[n:]) {
			return nil, nil, fmt.Errorf("memcomparable bytes: group %d is not padded with zeros: %w",
				group, ErrMalformed)
		}
		return dst, b[groupSize+1:], nil
	}
}

// DecodeKey decodes b, which must be one memcomparable string and nothing else.
func DecodeKey(b []byte) ([]byte, error) {
	key, rest, err := DecodeBytes(make([]byte, 0, len(b)), b)
	if err != nil {
		return nil, err
	}
	if len(rest) != 0 {
		return nil, fmt.Errorf("memcomparable bytes: %d bytes after the end: %w", len(rest), ErrMalformed)
	}
	return key, nil
}
