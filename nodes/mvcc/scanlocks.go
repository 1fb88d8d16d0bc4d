package mvcc

import (
	"bytes"
	"fmt"

	"simrun/nodes/engine"
)

// ScanLocks calls visit for the locks on the encoded keys from lower (included)
// to upper (excluded; nil is no bound), in order, until visit returns false.
// Key and lock are the callee's to keep.
func ScanLocks(snapshot engine.Reader, lower, upper []byte, visit func(key []byte, lock *Lock) bool) error {
	it, err := snapshot.NewIter(engine.Lock, engine.IterOptions{Lower: lower, Upper: upper})
	if err != nil {
		return fmt.Errorf("scan locks: %w", err)
	}
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		lock, err := lockAt(it)
		if err != nil {
			return err
		}
		if !visit(bytes.Clone(it.Key()), lock) {
			break
		}
	}
	return it.Error()
}

// lockAt decodes the lock under the iterator. The lock owns its memory.
func lockAt(it *engine.Iterator) (*Lock, error) {
	value := it.Value()
	if value == nil {
		return nil, it.Error()
	}
	return DecodeLock(bytes.Clone(value))
}
