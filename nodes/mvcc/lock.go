package mvcc

import (
	"encoding/binary"
	"fmt"

	"simrun/nodes/codec"
)

// LockType says what a transaction means to do with a key.
type LockType byte

// The lock types, by their first byte in the record.
const (
	LockPut         LockType = 'P'
	LockDelete      LockType = 'D'
	LockLock        LockType = 'L' // nothing is written, but nobody else may write
	LockPessimistic LockType = 'S' // taken before prewrite
)

// String returns the type's name.
func (t LockType) String() string {
	switch t {
	case LockPut:
		return "Put"
	case LockDelete:
		return "Delete"
	case LockLock:
		return "Lock"
	case LockPessimistic:
		return "Pessimistic"
	default:
		return fmt.Sprintf("LockType(%#02x)", byte(t))
	}
}

// The optional fields of a lock, in the order in which they are written.
const (
	tagShortValue  = 'v'
	tagForUpdateTS = 'f'
	tagTxnSize     = 't'
	tagMinCommitTS = 'c'
	tagAsyncCommit = 'a'
	tagRollbackTS  = 'r'
)

// Lock is the intent of one transaction on one key.
type Lock struct {
	Type LockType
	// Primary is the decoded key whose records decide the fate of the whole
	// transaction.
	Primary []byte
	// StartTS identifies the transaction.
	StartTS uint64
	// TTL is how many milliseconds after the physical part of StartTS others
	// have to leave the lock alone.
	TTL uint64
	// ShortValue is the value of a Put if it is short, and nil otherwise. An
	// empty value is not nil.
	ShortValue []byte
	// ForUpdateTS is not zero exactly when the transaction is pessimistic.
	ForUpdateTS uint64
	// TxnSize is the number of keys that the transaction has in this region: a
	// hint for resolvers.
	TxnSize uint64
	// MinCommitTS bounds the commit timestamp from below; zero is no bound.
	// Readers below it need not wait.
	MinCommitTS uint64
	// UseAsyncCommit says that the transaction is committed once all its keys
	// are locked. The primary lists the other keys in Secondaries.
	UseAsyncCommit bool
	Secondaries    [][]byte
	// UseOnePC says that the transaction is committed by one entry of the log, of
	// which this lock stands in memory only; it is never stored.
	UseOnePC bool
	// RollbackTS holds the start timestamps of other transactions that were
	// rolled back under this lock and whose Rollback record the commit of this
	// one could overwrite.
	RollbackTS []uint64
}

// AppendTo appends the record to dst.
func (l *Lock) AppendTo(dst []byte) []byte {
	dst = append(dst, byte(l.Type))
	dst = codec.AppendCompactBytes(dst, l.Primary)
	dst = binary.AppendUvarint(dst, l.StartTS)
	dst = binary.AppendUvarint(dst, l.TTL)
	if l.ShortValue != nil {
		dst = appendShortValue(dst, l.ShortValue)
	}
	dst = appendTagged(dst, tagForUpdateTS, l.ForUpdateTS)
	dst = appendTagged(dst, tagTxnSize, l.TxnSize)
	dst = appendTagged(dst, tagMinCommitTS, l.MinCommitTS)
	if l.UseAsyncCommit {
		dst = append(dst, tagAsyncCommit)
		dst = binary.AppendUvarint(dst, uint64(len(l.Secondaries)))
		for _, key := range l.Secondaries {
			dst = codec.AppendCompactBytes(dst, key)
		}
	}
	if len(l.RollbackTS) > 0 {
		dst = append(dst, tagRollbackTS)
		dst = binary.AppendUvarint(dst, uint64(len(l.RollbackTS)))
		for _, ts := range l.RollbackTS {
			dst = codec.AppendUint64(dst, ts)
		}
	}
	return dst
}

// Marshal returns the record in a new slice.
func (l *Lock) Marshal() []byte {
	return l.AppendTo(make([]byte, 0, 64+len(l.Primary)+len(l.ShortValue)))
}

// appendTagged appends an optional number: nothing if it is zero.
func appendTagged(dst []byte, tag byte, v uint64) []byte {
	if v == 0 {
		return dst
	}
	return codec.AppendUint64(append(dst, tag), v)
}

// appendShortValue appends a value of at most ShortValueMax bytes.
func appendShortValue(dst, value []byte) []byte {
	dst = append(dst, tagShortValue, byte(len(value)))
	return append(dst, value...)
}

// DecodeLock reads a lock record. The lock shares the memory of b.
func DecodeLock(b []byte) (*Lock, error) {
	l := &Lock{}
	if err := l.decode(b); err != nil {
		return nil, fmt.Errorf("lock record %x: %w", b, err)
	}
	return l, nil
}

func (l *Lock) decode(b []byte) (err error) {
	if len(b) == 0 {
		return fmt.Errorf("empty: %w", codec.ErrMalformed)
	}
	l.Type = LockType(b[0])
	switch l.Type {
	case LockPut, LockDelete, LockLock, LockPessimistic:
	default:
		return fmt.Errorf("type %#02x: %w", b[0], codec.ErrMalformed)
	}
	if l.Primary, b, err = codec.DecodeCompactBytes(b[1:]); err != nil {
		return fmt.Errorf("primary: %w", err)
	}
	if l.StartTS, b, err = codec.DecodeUvarint(b); err != nil {
		return fmt.Errorf("start_ts: %w", err)
	}
	if l.TTL, b, err = codec.DecodeUvarint(b); err != nil {
		return fmt.Errorf("ttl: %w", err)
	}
	return l.decodeTagged(b)
}

// tagOrder gives each optional field its place, so that fields can be required
// to ascend.
func tagOrder(tag byte) int {
	switch tag {
	case tagShortValue:
		return 1
	case tagForUpdateTS:
		return 2
	case tagTxnSize:
		return 3
	case tagMinCommitTS:
		return 4
	case tagAsyncCommit:
		return 5
	case tagRollbackTS:
		return 6
	default:
		return 0
	}
}

func (l *Lock) decodeTagged(b []byte) (err error) {
	for last := 0; len(b) > 0; {
		tag := b[0]
		order := tagOrder(tag)
		if order <= last {
			return fmt.Errorf("field %q unknown, repeated or out of order: %w", tag, codec.ErrMalformed)
		}
		last = order
		b = b[1:]
		switch tag {
		case tagShortValue:
			l.ShortValue, b, err = decodeShortValue(b)
		case tagForUpdateTS:
			l.ForUpdateTS, b, err = decodeNonZero(b)
		case tagTxnSize:
			l.TxnSize, b, err = decodeNonZero(b)
		case tagMinCommitTS:
			l.MinCommitTS, b, err = decodeNonZero(b)
		case tagAsyncCommit:
			l.UseAsyncCommit = true
			l.Secondaries, b, err = decodeKeys(b)
		case tagRollbackTS:
			l.RollbackTS, b, err = decodeTimestamps(b)
		}
		if err != nil {
			return fmt.Errorf("field %q: %w", tag, err)
		}
	}
	return nil
}

func decodeShortValue(b []byte) (value, rest []byte, err error) {
	if len(b) == 0 || int(b[0]) > len(b)-1 {
		return nil, nil, fmt.Errorf("short value is cut off: %w", codec.ErrMalformed)
	}
	n := int(b[0]) + 1
	return b[1:n:n], b[n:], nil
}

func decodeNonZero(b []byte) (v uint64, rest []byte, err error) {
	v, rest, err = codec.DecodeUint64(b)
	if err == nil && v == 0 {
		err = fmt.Errorf("zero is written by leaving the field out: %w", codec.ErrMalformed)
	}
	return v, rest, err
}

func decodeKeys(b []byte) (keys [][]byte, rest []byte, err error) {
	n, b, err := codec.DecodeUvarint(b)
	if err != nil {
		return nil, nil, err
	}
	// Every key takes at least one byte: a count beyond that would only make
	// us reserve memory in vain.
	if n > uint64(len(b)) {
		return nil, nil, fmt.Errorf("%d keys in %d bytes: %w", n, len(b), codec.ErrMalformed)
	}
	keys = make([][]byte, n)
	for i := range keys {
		if keys[i], b, err = codec.DecodeCompactBytes(b); err != nil {
			return nil, nil, err
		}
	}
	return keys, b, nil
}

func decodeTimestamps(b []byte) (list []uint64, rest []byte, err error) {
	n, b, err := codec.DecodeUvarint(b)
	if err != nil {
		return nil, nil, err
	}
	if n == 0 || n > uint64(len(b))/8 {
		return nil, nil, fmt.Errorf("%d timestamps in %d bytes: %w", n, len(b), codec.ErrMalformed)
	}
	list = make([]uint64, n)
	for i := range list {
		list[i], b, _ = codec.DecodeUint64(b) // the length was checked above
	}
	return list, b, nil
}
