package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// The decoder of TiKV's record formats, written from the format and not from
// the database's own code.

// errCut is for records that end too early.
var errCut = errors.New("it is cut off")

// groupSize is the length of a group of an encoded key; a marker byte follows
// each: 0xff for a full one, less by one for each byte of padding.
const groupSize = 8

// decodeKey undoes the memcomparable encoding of a user key and returns what
// follows it.
func decodeKey(b []byte) (user, rest []byte, err error) {
	for {
		if len(b) < groupSize+1 {
			return nil, nil, errCut
		}
		group, marker := b[:groupSize], b[groupSize]
		b = b[groupSize+1:]
		if marker == 0xff {
			user = append(user, group...)
			continue
		}
		pad := int(0xff - marker)
		if pad > groupSize {
			return nil, nil, fmt.Errorf("marker %#02x", marker)
		}
		if len(bytes.Trim(group[groupSize-pad:], "\x00")) > 0 {
			return nil, nil, fmt.Errorf("padding %x", group[groupSize-pad:])
		}
		return append(user, group[:groupSize-pad]...), b, nil
	}
}

// encodeKey is the inverse of decodeKey.
func encodeKey(user []byte) []byte {
	var out []byte
	for {
		n := min(len(user), groupSize)
		out = append(out, user[:n]...)
		out = append(out, make([]byte, groupSize-n)...)
		out = append(out, byte(0xff-(groupSize-n)))
		user = user[n:]
		if n < groupSize {
			return out
		}
	}
}

// decodeVersion splits the key of a write or default record: an encoded user
// key and a timestamp, inverted so that the newest sorts first.
func decodeVersion(b []byte) (user []byte, ts uint64, err error) {
	user, rest, err := decodeKey(b)
	if err != nil {
		return nil, 0, err
	}
	if len(rest) != 8 {
		return nil, 0, fmt.Errorf("%d bytes where a timestamp of 8 should be", len(rest))
	}
	return user, ^binary.BigEndian.Uint64(rest), nil
}

// fields takes a record apart; the first error sticks.
type fields struct {
	b   []byte
	err error
}

func (f *fields) fail(err error) {
	if f.err == nil {
		f.err = err
	}
	f.b = nil
}

func (f *fields) byte() byte { return append(f.bytes(1), 0)[0] }

func (f *fields) bytes(n int) []byte {
	if n < 0 || n > len(f.b) {
		f.fail(errCut)
		return nil
	}
	out := f.b[:n:n]
	f.b = f.b[n:]
	return out
}

func (f *fields) uvarint() uint64 {
	v, n := binary.Uvarint(f.b)
	if n <= 0 {
		f.fail(errCut)
		return 0
	}
	f.b = f.b[n:]
	return v
}

func (f *fields) uint64() uint64 {
	b := f.bytes(8)
	if b == nil {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}

// compact reads bytes after their length, which is a signed varint.
func (f *fields) compact() []byte {
	v, n := binary.Varint(f.b)
	if n <= 0 || v < 0 || v > int64(len(f.b)) {
		f.fail(errCut)
		return nil
	}
	f.b = f.b[n:]
	return f.bytes(int(v))
}

// count reads the length of a list of elements of at least size bytes each.
func (f *fields) count(size int) int {
	n := f.uvarint()
	if n > uint64(len(f.b)/size) { // a length is not negative
		f.fail(errCut)
		return 0
	}
	return int(n) // bounded above
}

// lock is a decoded lock record.
type lock struct {
	kind        byte // 'P' put, 'D' delete, 'L' lock, 'S' pessimistic
	primary     []byte
	start       uint64
	ttl         uint64
	short       []byte // nil: none
	forUpdate   uint64
	size        uint64
	minCommit   uint64
	async       bool
	secondaries [][]byte
	rollbacks   []uint64
}

func decodeLock(b []byte) (l lock, err error) {
	f := fields{b: b}
	l.kind = f.byte()
	switch l.kind {
	case 'P', 'D', 'L', 'S':
	default:
		return l, fmt.Errorf("lock type %q", l.kind)
	}
	l.primary, l.start, l.ttl = f.compact(), f.uvarint(), f.uvarint()
	for len(f.b) > 0 {
		switch tag := f.byte(); tag {
		case 'v':
			l.short = short(&f)
		case 'f':
			l.forUpdate = f.uint64()
		case 't':
			l.size = f.uint64()
		case 'c':
			l.minCommit = f.uint64()
		case 'a':
			l.async = true
			for n := f.count(1); n > 0; n-- {
				l.secondaries = append(l.secondaries, f.compact())
			}
		case 'r':
			for n := f.count(8); n > 0; n-- {
				l.rollbacks = append(l.rollbacks, f.uint64())
			}
		default:
			f.fail(fmt.Errorf("field %q of a lock", tag))
		}
	}
	return l, f.err
}

// short reads a short value; an empty one is not nil.
func short(f *fields) []byte {
	v := f.bytes(int(f.byte()))
	if v == nil {
		return []byte{}
	}
	return v
}

// write is a decoded write record.
type write struct {
	kind       byte // 'P' put, 'D' delete, 'L' lock, 'R' rollback
	start      uint64
	short      []byte // nil: none
	overlapped bool   // a transaction with start_ts equal to the record's commit_ts was rolled back
}

func decodeWrite(b []byte) (w write, err error) {
	f := fields{b: b}
	w.kind = f.byte()
	switch w.kind {
	case 'P', 'D', 'L', 'R':
	default:
		return w, fmt.Errorf("write type %q", w.kind)
	}
	w.start = f.uvarint()
	for len(f.b) > 0 {
		switch tag := f.byte(); tag {
		case 'v':
			w.short = short(&f)
		case 'R':
			w.overlapped = true
		default:
			f.fail(fmt.Errorf("field %q of a write", tag))
		}
	}
	return w, f.err
}
