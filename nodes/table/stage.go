package table

import (
	"simrun/nodes/env"
)

// Statement is a part of a transaction that takes effect in whole or not at
// all: what it writes it keeps until its end. It reads the rows that it is to
// change first (Tx.Scan, which does not see what the statement has written), so
// that it never meets its own changes: what an UPDATE has moved ahead in an index
// it does not update again.
type Statement struct {
	tx     *Tx
	writes []staged       // in the order in which they were made, one a key
	places map[string]int // in writes
	locks  [][]byte
}

// staged is what a statement makes of a key.
type staged struct {
	key, value []byte // no value: the key is deleted
}

// Do runs one statement: if fn fails, the transaction is as it was before, and
// can go on.
func (tx *Tx) Do(fn func(s *Statement) error) error {
	tx.use()
	s := &Statement{tx: tx, places: map[string]int{}}
	if err := fn(s); err != nil {
		return failure("statement", err)
	}
	for _, w := range s.writes {
		if w.value == nil {
			tx.kv.Delete(w.key)
		} else {
			tx.kv.Set(w.key, w.value)
		}
	}
	if len(s.locks) > 0 {
		tx.kv.LockKeys(s.locks...)
	}
	return nil
}

// get reads a key as the statement has left it.
func (s *Statement) get(t env.Task, key []byte) ([]byte, bool, error) {
	if i, ok := s.places[string(key)]; ok {
		return s.writes[i].value, s.writes[i].value != nil, nil
	}
	return s.tx.kv.Get(t, key)
}

func (s *Statement) set(key, value []byte) {
	i, ok := s.places[string(key)]
	if !ok {
		i = len(s.writes)
		s.places[string(key)] = i
		s.writes = append(s.writes, staged{key: key})
	}
	s.writes[i].value = value
}

func (s *Statement) remove(key []byte) { s.set(key, nil) }
