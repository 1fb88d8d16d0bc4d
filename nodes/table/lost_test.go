package table

import (
	"errors"
	"testing"

	"simrun/nodes/client"
	"simrun/nodes/codec"
	"simrun/nodes/table/kv"
	"simrun/nodes/table/memory"
)

// onTable is a statement on a table that is known when it runs.
type onTable func(tb *Table) func(s *Statement) error

// change changes one column of a row, found by its handle.
func change(id int64, column int, v int64) onTable {
	return func(tb *Table) func(s *Statement) error {
		return func(s *Statement) error {
			row, _, err := s.Get(memory.Idle{}, tb, id)
			if err != nil {
				return err
			}
			changed := row.clone()
			changed[column] = codec.Int(v)
			return s.Update(memory.Idle{}, tb, id, row, changed)
		}
	}
}

func removal(id int64) onTable {
	return func(tb *Table) func(s *Statement) error {
		return func(s *Statement) error {
			row, _, err := s.Get(memory.Idle{}, tb, id)
			if err != nil {
				return err
			}
			return s.Delete(memory.Idle{}, tb, id, row)
		}
	}
}

func insertion(id, a int64) onTable {
	return func(tb *Table) func(s *Statement) error { return insertRow(tb, id, a) }
}

// byB reads all rows by the index b.
func byB(tb *Table) func(s *Statement) error {
	return func(s *Statement) error {
		_, err := s.Scan(memory.Idle{}, tb, Scan{Index: tb.Index("b")})
		return err
	}
}

// byA reads the row with the value 11 of the unique index.
func byA(tb *Table) func(s *Statement) error {
	return func(s *Statement) error {
		_, _, err := s.Lookup(memory.Idle{}, tb, tb.Index("u"), []Datum{codec.Int(11)})
		return err
	}
}

// TestLostLocks: a transaction that has lost its locks without noticing may meet entries
// that others have written for rows that it has changed. That is its own end and no fault
// of the data, in whichever way it is found; and if nobody tells whether the locks are
// there, it is an error that accuses nobody.
func TestLostLocks(t *testing.T) {
	for _, c := range []struct {
		name         string
		mine, theirs onTable
		then         onTable // nil: the table is checked
	}{
		{"a row that looks otherwise", change(1, 2, 8), change(1, 2, 9), byB},
		{"an entry of a row that is removed", removal(1), change(1, 1, 11), byA},
		{"more entries than rows", change(1, 2, 8), change(1, 2, 9), nil},
		{"a row without an entry", change(1, 1, 11), insertion(5, 11), nil},
	} {
		for _, answers := range []bool{true, false} {
			f, store := currentFixture(t)
			tx, tb := f.open(kv.Pessimistic)
			f.must(tx.Do(memory.Idle{}, c.mine(tb)))
			store.Expire()
			other, _ := f.open(kv.Optimistic)
			f.must(other.Do(memory.Idle{}, c.theirs(tb)))
			f.commit(other)
			want := client.ErrRolledBack
			if !answers {
				want = client.ErrDeadline
				store.Holding = func() error { return &client.Error{Op: "held", Err: client.ErrDeadline} }
			}
			err := disagreeing(tx, tb, c.then)
			if !errors.Is(err, want) || !errors.Is(err, client.ErrFailed) || errors.Is(err, ErrInconsistent) {
				t.Errorf("%s: %v, want %v", c.name, err, want)
			}
			last, _ := f.open(kv.Optimistic)
			f.must(last.Check(memory.Idle{}, tb))
		}
	}
}

func disagreeing(tx *Tx, tb *Table, fn onTable) error {
	if fn == nil {
		return tx.Check(memory.Idle{}, tb)
	}
	return tx.Do(memory.Idle{}, fn(tb))
}

// TestNoLocksToBlame: data that are wrong are told to be: if the locks are held; if the
// transaction has written nothing in the table, so that it sees what everybody does; and
// if a row does not decode.
func TestNoLocksToBlame(t *testing.T) {
	entry := func(tb *Table) ([]byte, []byte) { // of a row that is not there
		key, value, _ := tb.entry(tb.Index("b"), numbers(7, 70), 7)
		return key, value
	}
	rubbish := func(tb *Table) ([]byte, []byte) { return codec.RowKey(tb.ID, 2), []byte("rubbish") }
	for _, c := range []struct {
		name   string
		mine   onTable
		lost   bool
		broken func(tb *Table) (key, value []byte)
	}{
		{"the locks are held", change(1, 2, 8), false, entry},
		{"nothing is written", func(tb *Table) func(s *Statement) error {
			return func(s *Statement) error {
				s.Lock(tb, 1)
				return nil
			}
		}, true, entry},
		{"a row does not decode", change(1, 2, 8), true, rubbish},
	} {
		for _, then := range []onTable{byB, nil} {
			f, store := currentFixture(t)
			tx, tb := f.open(kv.Pessimistic)
			f.must(tx.Do(memory.Idle{}, c.mine(tb)))
			if c.lost {
				store.Expire()
			}
			raw, err := store.Begin(memory.Idle{}, kv.Optimistic)
			f.must(err)
			raw.Set(c.broken(tb))
			f.must(raw.Commit(memory.Idle{}))
			if err = disagreeing(tx, tb, then); !errors.Is(err, ErrInconsistent) || !errors.Is(err, client.ErrFailed) {
				t.Errorf("%s: %v", c.name, err)
			}
		}
	}
}
