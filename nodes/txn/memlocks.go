package txn

import (
	"bytes"
	"slices"

	"simrun/nodes/invariant"
	"simrun/nodes/mvcc"
)

// memoryLocks are the locks of transactions for which this store chooses the
// commit timestamp, from the instant at which it has chosen until the lock, or
// the commit record, is applied. A read that comes in between would find nothing
// in the data, and has raised the greatest timestamp of a read too late to be
// taken into account; so it has to look here. (TiKV's concurrency manager.)
//
// The locks are in the order of their encoded keys. A key has one at most: they
// are published under its latch.
type memoryLocks struct {
	list []memoryLock
}

type memoryLock struct {
	key  []byte // encoded
	lock *mvcc.Lock
}

// search returns the place of the first lock whose key is not below key.
func (m *memoryLocks) search(key []byte) (int, bool) {
	return slices.BinarySearchFunc(m.list, key, func(l memoryLock, key []byte) int { return bytes.Compare(l.key, key) })
}

// publish makes a lock visible to all reads.
func (m *memoryLocks) publish(key []byte, lock *mvcc.Lock) {
	i, found := m.search(key)
	invariant.Check(!found, "txn: key %x is locked in memory twice", key)
	m.list = slices.Insert(m.list, i, memoryLock{key, lock})
}

// release removes the locks of keys: what they stood for is in the data now, or
// never will be.
func (m *memoryLocks) release(keys [][]byte) {
	for _, key := range keys {
		i, found := m.search(key)
		invariant.Check(found, "txn: key %x is not locked in memory", key)
		m.list = slices.Delete(m.list, i, i+1)
	}
}

// check fails with *mvcc.LockedError if the lock of one key is in the way of a
// read.
func (m *memoryLocks) check(key []byte, o mvcc.ReadOptions) error {
	i, found := m.search(key)
	if !found || !markReadMemory.Sometimes(m.list[i].lock.Blocks(key, o)) {
		return nil
	}
	return lockedError(decoded(key), m.list[i].lock)
}

// checkRange fails with *mvcc.LockedError if a lock from lower (included) to
// upper (excluded; empty is no bound) is in the way. The bounds are encoded.
func (m *memoryLocks) checkRange(lower, upper []byte, blocks func(key []byte, lock *mvcc.Lock) bool) error {
	i, _ := m.search(lower)
	for ; i < len(m.list); i++ {
		l := m.list[i]
		if len(upper) > 0 && bytes.Compare(l.key, upper) >= 0 {
			break
		}
		if markScanMemory.Sometimes(blocks(l.key, l.lock)) {
			return lockedError(decoded(l.key), l.lock)
		}
	}
	return nil
}
