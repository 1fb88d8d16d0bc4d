package table

import (
	"simrun/nodes/client"
	"simrun/nodes/env"
)

// Statement is a part of a transaction that takes effect in whole or not at
// all: what it writes it keeps until its end. It reads the rows that it is to
// change first (Get, Lookup and Scan do not see what the statement has written), so
// that it never meets its own changes: what an UPDATE has moved ahead in an index
// it does not update again.
type Statement struct {
	tx     *Tx
	writes []staged       // in the order in which they were made, one a key
	places map[string]int // in writes
	locks  [][]byte
	rows   []changedRow // what the writes make of rows, in the same order
	absent bool         // it locks a key that it has looked up in vain
}

// staged is what a statement makes of a key.
type staged struct {
	key, value []byte // no value: the key is deleted
	// derived: whoever writes the key writes or locks a row, and a pessimistic transaction
	// does not lock it.
	derived bool
}

// Do runs one statement: if fn fails, the transaction is as it was before, and can
// go on.
//
// In an optimistic transaction fn reads the snapshot, and what it writes and locks is
// locked by the commit. In a pessimistic one it reads what is newest, its locks are
// taken at its end, and it runs again, from the beginning and at a later timestamp, if
// others came between (current.go); so it does nothing but read and stage. A
// transaction whose statement fails with client.ErrDeadlock is to be rolled back.
func (tx *Tx) Do(t env.Task, fn func(s *Statement) error) error {
	return tx.DoWithin(t, client.WaitAlways, fn)
}

// DoWithin is Do with a limit to the time for which a pessimistic transaction waits for
// the locks of others. It fails with client.ErrLockWait when that is over.
func (tx *Tx) DoWithin(t env.Task, wait client.LockWait, fn func(s *Statement) error) error {
	tx.use()
	if tx.Pessimistic() {
		return tx.doCurrent(t, wait, fn)
	}
	s := newStatement(tx)
	if err := fn(s); err != nil {
		return failure("statement", err)
	}
	s.apply()
	if len(s.locks) > 0 {
		tx.kv.LockKeys(s.locks...)
	}
	return nil
}

// apply hands over what the statement writes.
func (s *Statement) apply() {
	for _, w := range s.writes {
		switch {
		case w.value == nil && w.derived:
			s.tx.kv.DeleteDerived(w.key)
		case w.value == nil:
			s.tx.kv.Delete(w.key)
		case w.derived:
			s.tx.kv.SetDerived(w.key, w.value)
		default:
			s.tx.kv.Set(w.key, w.value)
		}
	}
}

func newStatement(tx *Tx) *Statement { return &Statement{tx: tx, places: map[string]int{}} }

// get reads a key as the statement has left it.
func (s *Statement) get(t env.Task, key []byte) ([]byte, bool, error) {
	if i, ok := s.places[string(key)]; ok {
		return s.writes[i].value, s.writes[i].value != nil, nil
	}
	return s.tx.kv.Get(t, key)
}

// set writes a key that is locked by itself: of a row, or of a distinct entry, which
// rows race for.
func (s *Statement) set(key, value []byte) { s.stage(key, value, false) }

// stage writes a key; no value deletes it.
func (s *Statement) stage(key, value []byte, derived bool) {
	i, ok := s.places[string(key)]
	if !ok {
		i = len(s.writes)
		s.places[string(key)] = i
		s.writes = append(s.writes, staged{key: key, derived: derived && s.tx.Pessimistic()})
	}
	s.writes[i].value = value
}

func (s *Statement) remove(key []byte) { s.set(key, nil) }

// changed notes what becomes of a row, nil if it is removed.
func (s *Statement) changed(tb *Table, handle int64, row Row) {
	s.rows = append(s.rows, changedRow{tb.ID, handle, row})
}
