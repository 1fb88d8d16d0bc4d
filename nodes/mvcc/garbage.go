package mvcc

import (
	"bytes"
	"fmt"
	"slices"

	"simrun/nodes/codec"
	"simrun/nodes/engine"
)

// Garbage is a write record that no read at or above a safe point needs, and that
// no transaction which began at or above it asks for.
type Garbage struct {
	StartTS, CommitTS uint64
	// Long says that the value in the default family goes with the record.
	Long bool
}

// sieve finds the garbage among the versions of one key, which it gets from the
// newest to the oldest.
//
// Of the versions up to the safe point the newest change stays if it is a Put.
// Lock and Rollback records change nothing, so that none of them is the version
// that reads see (tikv#1021: they must not be taken for it). What stands at the
// safe point itself and tells of a rollback belongs to a transaction that began
// there, and stays.
type sieve struct {
	safePoint uint64
	seen      bool // the newest change
}

func (s *sieve) drops(v *Version) bool {
	if v.CommitTS > s.safePoint {
		return false
	}
	visible := !s.seen && v.Type == WritePut
	s.seen = s.seen || v.Type == WritePut || v.Type == WriteDelete
	atSafePoint := v.CommitTS == s.safePoint && (v.Type == WriteRollback || v.OverlappedRollback)
	return !visible && !atSafePoint
}

// Garbage returns the records of key to remove when nobody reads below
// safePoint, the oldest first: removed one by one in this order, every state in
// between shows the same to whoever reads at or above the safe point. In
// particular a Delete goes after all that it hides.
func (r *Reader) Garbage(key []byte, safePoint uint64) ([]Garbage, error) {
	var list []Garbage
	s := sieve{safePoint: safePoint}
	for v, ok, err := r.SeekWrite(key, safePoint); ; v, ok, err = r.NextWrite(key) {
		if err != nil {
			return nil, err
		}
		if !ok {
			slices.Reverse(list)
			return list, nil
		}
		if s.drops(&v) {
			list = append(list, Garbage{v.StartTS, v.CommitTS, v.Type == WritePut && v.ShortValue == nil})
		}
	}
}

// KeysWithGarbage calls visit for the encoded keys from lower (included) to upper
// (excluded; nil is no bound) that have garbage, in order, until visit returns
// false. The key is the callee's to keep.
func KeysWithGarbage(snapshot engine.Reader, lower, upper []byte, safePoint uint64, visit func(key []byte) bool) error {
	it, err := snapshot.NewIter(engine.Write, engine.IterOptions{Lower: lower, Upper: upper})
	if err != nil {
		return fmt.Errorf("look for garbage: %w", err)
	}
	defer it.Close()
	var key []byte
	s := sieve{safePoint: safePoint}
	for ok := it.First(); ok; {
		user, _, err := codec.SplitTS(it.Key())
		if err != nil {
			return err
		}
		if !bytes.Equal(user, key) {
			key = append(key[:0], user...)
			s.seen = false
		}
		v, _, err := versionOf(it, key)
		switch {
		case err != nil:
			return err
		case !s.drops(&v):
			ok = it.Next()
		case !visit(bytes.Clone(key)):
			return nil
		default:
			ok = it.SeekGE(codec.AppendVersionsEnd(nil, key))
		}
	}
	return it.Error()
}
