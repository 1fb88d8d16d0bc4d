package client

import (
	"bytes"
	"slices"
)

// write is what a transaction has buffered for one key.
type write struct {
	key   []byte
	value []byte // of a writePut
	kind  writeKind
	// mustNotExist: the key must not exist in the transaction's snapshot, nor be
	// written by others before it commits (Insert).
	mustNotExist bool
	// locked: a pessimistic transaction holds its lock.
	locked bool
	// derived: whoever writes the key locks another one first (SetDerived).
	derived bool
}

// writeKind is what becomes of the key.
type writeKind uint8

const (
	writeLock   writeKind = iota // nothing, but others must not write it (LockKeys)
	writePut                     // it gets the value
	writeDelete                  // it is removed
)

// membuffer holds the writes of a transaction in the order of their keys, one a
// key. Inserting in ascending order is cheapest.
type membuffer struct {
	sorted []write
	bytes  int // keys and values
}

// search returns the place of the first write whose key is not less than key.
func (m *membuffer) search(key []byte) (int, bool) {
	n := len(m.sorted)
	if n == 0 || bytes.Compare(m.sorted[n-1].key, key) < 0 {
		return n, false
	}
	return slices.BinarySearchFunc(m.sorted, key, func(w write, key []byte) int { return bytes.Compare(w.key, key) })
}

// find returns the write to key, or nil. It is valid until the next change.
func (m *membuffer) find(key []byte) *write {
	if i, ok := m.search(key); ok {
		return &m.sorted[i]
	}
	return nil
}

// at returns the write to key, which it makes if need be.
func (m *membuffer) at(key []byte) *write {
	i, ok := m.search(key)
	if !ok {
		m.sorted = slices.Insert(m.sorted, i, write{key: bytes.Clone(key)})
		m.bytes += len(key)
	}
	return &m.sorted[i]
}

func (m *membuffer) put(key, value []byte) *write {
	w := m.at(key)
	m.bytes += len(value) - len(w.value)
	w.kind, w.value = writePut, append(w.value[:0], value...)
	return w
}

func (m *membuffer) delete(key []byte) {
	w := m.at(key)
	m.bytes -= len(w.value)
	w.kind, w.value = writeDelete, nil
}

// lock adds key without changing what is to become of it.
func (m *membuffer) lock(key []byte) { m.at(key) }

// within returns the writes with keys from lo to hi, hi excluded; an empty hi
// is no bound.
func (m *membuffer) within(lo, hi []byte) []write {
	if isEmpty(lo, hi) {
		return nil
	}
	from, _ := m.search(lo)
	to := len(m.sorted)
	if len(hi) > 0 {
		to, _ = m.search(hi)
	}
	return m.sorted[from:to]
}
