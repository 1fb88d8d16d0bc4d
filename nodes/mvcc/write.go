package mvcc

import (
	"encoding/binary"
	"fmt"

	"simrun/nodes/codec"
	"simrun/nodes/invariant"
)

// WriteType says how a transaction ended on a key.
type WriteType byte

// The write types, by their first byte in the record.
const (
	WritePut      WriteType = 'P'
	WriteDelete   WriteType = 'D'
	WriteLock     WriteType = 'L' // committed without changing the key
	WriteRollback WriteType = 'R'
)

// String returns the type's name.
func (t WriteType) String() string {
	switch t {
	case WritePut:
		return "Put"
	case WriteDelete:
		return "Delete"
	case WriteLock:
		return "Lock"
	case WriteRollback:
		return "Rollback"
	default:
		return fmt.Sprintf("WriteType(%#02x)", byte(t))
	}
}

// CommittedType is the type of the write record that commits a lock of type t.
// A pessimistic lock leaves no record.
func CommittedType(t LockType) WriteType {
	switch t {
	case LockPut:
		return WritePut
	case LockDelete:
		return WriteDelete
	case LockLock:
		return WriteLock
	default:
		invariant.Fail("mvcc: commit of %v", t)
		return 0
	}
}

// tagOverlappedRollback marks a write record that also stands for a Rollback.
const tagOverlappedRollback = 'R'

// protectedRollback is the short value of a Rollback that must not be
// collapsed.
//
//nolint:gochecknoglobals // a constant of a type that Go has no constants of
var protectedRollback = []byte("p")

// Write says how one transaction ended on one key. It is stored under the
// commit timestamp, a Rollback under the start timestamp.
type Write struct {
	Type WriteType
	// StartTS identifies the transaction, and finds a long value.
	StartTS uint64
	// ShortValue is the value of a Put if it is short, and nil otherwise.
	ShortValue []byte
	// OverlappedRollback says that, beside this transaction's commit, the
	// transaction whose start timestamp equals the commit timestamp was rolled
	// back on this key.
	OverlappedRollback bool
}

// NewRollback returns the record of a transaction that was rolled back. A
// protected one is never collapsed: it must stop a late prewrite.
func NewRollback(startTS uint64, protected bool) Write {
	w := Write{Type: WriteRollback, StartTS: startTS}
	if protected {
		w.ShortValue = protectedRollback
	}
	return w
}

// IsProtected reports whether the record is a Rollback that must be kept.
func (w *Write) IsProtected() bool {
	return w.Type == WriteRollback && string(w.ShortValue) == string(protectedRollback)
}

// AppendTo appends the record to dst.
func (w *Write) AppendTo(dst []byte) []byte {
	dst = append(dst, byte(w.Type))
	dst = binary.AppendUvarint(dst, w.StartTS)
	if w.ShortValue != nil {
		dst = appendShortValue(dst, w.ShortValue)
	}
	if w.OverlappedRollback {
		dst = append(dst, tagOverlappedRollback)
	}
	return dst
}

// Marshal returns the record in a new slice.
func (w *Write) Marshal() []byte {
	return w.AppendTo(make([]byte, 0, 1+binary.MaxVarintLen64+2+len(w.ShortValue)+1))
}

// DecodeWrite reads a write record, which shares the memory of b.
func DecodeWrite(b []byte) (Write, error) {
	w, err := decodeWrite(b)
	if err != nil {
		return Write{}, fmt.Errorf("write record %x: %w", b, err)
	}
	return w, nil
}

func decodeWrite(b []byte) (w Write, err error) {
	if len(b) == 0 {
		return w, fmt.Errorf("empty: %w", codec.ErrMalformed)
	}
	w.Type = WriteType(b[0])
	switch w.Type {
	case WritePut, WriteDelete, WriteLock, WriteRollback:
	default:
		return w, fmt.Errorf("type %#02x: %w", b[0], codec.ErrMalformed)
	}
	if w.StartTS, b, err = codec.DecodeUvarint(b[1:]); err != nil {
		return w, fmt.Errorf("start_ts: %w", err)
	}
	if len(b) > 0 && b[0] == tagShortValue {
		if w.ShortValue, b, err = decodeShortValue(b[1:]); err != nil {
			return w, err
		}
	}
	if len(b) > 0 && b[0] == tagOverlappedRollback {
		w.OverlappedRollback, b = true, b[1:]
	}
	if len(b) > 0 {
		return w, fmt.Errorf("field %q unknown, repeated or out of order: %w", b[0], codec.ErrMalformed)
	}
	return w, nil
}
