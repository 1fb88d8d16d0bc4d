package mvcc

import (
	"bytes"
	"fmt"
	"slices"

	"simrun/nodes/codec"
	"simrun/nodes/engine"
	"simrun/nodes/invariant"
)

// ReadOptions says which state a read sees.
type ReadOptions struct {
	// TS is the timestamp: the read sees what was committed at or before it.
	TS uint64
	// Bypass holds the start timestamps of transactions whose locks do not
	// matter, because the caller knows that they are rolled back or will commit
	// after TS. It is short.
	Bypass []uint64
	// SkipPrimary lets a read of a single key at codec.MaxTS pass the lock on a
	// primary key, for the transaction is not committed before that lock is gone -
	// unless it needs no second phase (async commit, one-phase commit). A read of
	// several keys would not be of one instant.
	SkipPrimary bool
}

// LockedError is the answer to a read that must wait until the fate of the
// lock's transaction is known.
type LockedError struct {
	Key  []byte // decoded
	Lock *Lock
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("key %q is locked by transaction %d", e.Key, e.Lock.StartTS)
}

// Blocks reports whether the lock on the encoded key may hide a version that
// the read must see.
func (l *Lock) Blocks(key []byte, o ReadOptions) bool {
	if l.Type != LockPut && l.Type != LockDelete {
		return false
	}
	if l.StartTS > o.TS || l.MinCommitTS > o.TS || slices.Contains(o.Bypass, l.StartTS) {
		return false
	}
	if !o.SkipPrimary || o.TS != codec.MaxTS || !bytes.Equal(codec.EncodeBytes(l.Primary), key) {
		return true
	}
	if markPrimaryPassed.Sometimes(!l.UseAsyncCommit && !l.UseOnePC) {
		return false
	}
	markPrimaryHeeded.Reached()
	return true
}

//nolint:gochecknoglobals // marks register once
var (
	markPrimaryPassed = invariant.NewMark("mvcc: primary lock passed by a read of the newest version")
	markPrimaryHeeded = invariant.NewMark("mvcc: primary lock of a transaction without a second phase met by a read of the newest version")
)

// Version is one write record and its place among the versions of its key.
type Version struct {
	CommitTS uint64
	Write
}

// Reader reads the records of single keys from one snapshot. It keeps one
// iterator open over the write family, so that a command on several keys pays
// for it once.
type Reader struct {
	snapshot     engine.Reader
	lower, upper []byte
	writes       *engine.Iterator // nil until the first use
	seek         []byte           // scratch for keys to seek
}

// NewReader returns a reader of the encoded keys from first to last, both
// included.
func NewReader(snapshot engine.Reader, first, last []byte) *Reader {
	// One buffer for the bound and the seek keys.
	buf := make([]byte, 0, 2*(len(last)+codec.TSLen+1))
	upper := codec.AppendVersionsEnd(buf, last)
	n := len(upper)
	return &Reader{snapshot: snapshot, lower: first, upper: upper[:n:n], seek: upper[n:n:cap(upper)]}
}

// Close releases the iterator. The reader may be used again.
func (r *Reader) Close() {
	if r.writes != nil {
		r.writes.Close()
		r.writes = nil
	}
}

// LoadLock returns the lock on key, or nil. The lock owns its memory.
func (r *Reader) LoadLock(key []byte) (*Lock, error) {
	b, err := r.snapshot.Get(engine.Lock, key)
	if err != nil || b == nil {
		return nil, err
	}
	return DecodeLock(b)
}

// SeekWrite returns the newest version of key with CommitTS <= ts, of whatever
// type. It is valid until the reader moves again.
func (r *Reader) SeekWrite(key []byte, ts uint64) (v Version, ok bool, err error) {
	if r.writes == nil {
		it, err := r.snapshot.NewIter(engine.Write, engine.IterOptions{Lower: r.lower, Upper: r.upper})
		if err != nil {
			return Version{}, false, err
		}
		r.writes = it
	}
	r.seek = codec.AppendTS(append(r.seek[:0], key...), ts)
	r.writes.SeekVersion(r.seek)
	return versionOf(r.writes, key)
}

// NextWrite returns the version of key before the one that SeekWrite or
// NextWrite returned last. It is valid until the reader moves again.
func (r *Reader) NextWrite(key []byte) (v Version, ok bool, err error) {
	r.writes.Next()
	return versionOf(r.writes, key)
}

// versionOf decodes the record under the iterator if it belongs to key.
func versionOf(it *engine.Iterator, key []byte) (v Version, ok bool, err error) {
	if !it.Valid() {
		return Version{}, false, it.Error()
	}
	k := it.Key()
	if len(k) != len(key)+codec.TSLen || !bytes.Equal(k[:len(key)], key) {
		return Version{}, false, nil
	}
	if v.CommitTS, _, err = codec.DecodeUint64Desc(k[len(key):]); err != nil {
		return Version{}, false, err
	}
	value := it.Value()
	if value == nil {
		return Version{}, false, it.Error()
	}
	v.Write, err = DecodeWrite(value)
	return v, err == nil, err
}

// Value is what a read found. The zero Value is an absent key.
type Value struct {
	// Data is the value; nil exactly when the key is absent.
	Data     []byte
	CommitTS uint64
}

// Get reads key as of o.TS. It fails with *LockedError if a lock is in the way.
func (r *Reader) Get(key []byte, o ReadOptions) (Value, error) {
	lock, err := r.LoadLock(key)
	if err != nil {
		return Value{}, err
	}
	if lock != nil && lock.Blocks(key, o) {
		return Value{}, lockedError(key, lock)
	}
	return r.GetCommitted(key, o.TS)
}

// lockedError returns a *LockedError, or what is wrong with the key.
func lockedError(key []byte, lock *Lock) error {
	raw, err := codec.DecodeKey(key)
	if err != nil {
		return err
	}
	return &LockedError{Key: raw, Lock: lock}
}

// GetCommitted reads the newest value of key that was committed at or before
// ts, whatever lock there is.
func (r *Reader) GetCommitted(key []byte, ts uint64) (Value, error) {
	v, ok, err := r.NewestChange(key, ts)
	if err != nil || !ok || v.Type == WriteDelete {
		return Value{}, err
	}
	data, err := loadValue(r.snapshot, key, v.Write)
	return Value{Data: data, CommitTS: v.CommitTS}, err
}

// NewestChange returns the newest Put or Delete of key with CommitTS <= ts: the
// other records do not change the key. It is valid until the reader moves
// again.
func (r *Reader) NewestChange(key []byte, ts uint64) (v Version, ok bool, err error) {
	for v, ok, err = r.SeekWrite(key, ts); ok; v, ok, err = r.NextWrite(key) {
		if v.Type == WritePut || v.Type == WriteDelete {
			break
		}
	}
	return v, ok, err
}

// loadValue returns a copy of the value that a Put committed.
func loadValue(snapshot engine.Reader, key []byte, w Write) ([]byte, error) {
	if w.ShortValue != nil {
		return bytes.Clone(w.ShortValue), nil
	}
	at := codec.AppendTS(append(make([]byte, 0, len(key)+codec.TSLen), key...), w.StartTS)
	value, err := snapshot.Get(engine.Default, at)
	if err == nil && value == nil {
		invariant.Fail("mvcc: key %x committed by transaction %d has no value", key, w.StartTS)
	}
	return value, err
}
