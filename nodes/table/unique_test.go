package table

import (
	"errors"
	"testing"

	"simrun/nodes/client"
	"simrun/nodes/codec"
	"simrun/nodes/table/memory"
)

// TestEntryOfAnother: while a unique index is filled, a row that has no entry yet
// may have the value of one that has; when it changes, the other's entry stays.
func TestEntryOfAnother(t *testing.T) {
	f := halfFilled(t)
	f.insert(0, 20) // as row 9, which has no entry yet; the backfill does not come back to row 0
	f.commit(f.begin(func(s *Statement, _ *Tx, tb *Table) error {
		return s.Update(memory.Idle{}, tb, 9, numbers(9, 20), numbers(9, 30))
	}))
	f.finish()
}

// TestBackfillLocksRows: a transaction that changes a row, and saw no entry of it
// to remove, does not commit beside the backfill that writes the entry.
func TestBackfillLocksRows(t *testing.T) {
	f := halfFilled(t)
	tx := f.begin(func(s *Statement, _ *Tx, tb *Table) error {
		return s.Update(memory.Idle{}, tb, 9, numbers(9, 20), numbers(9, 30))
	})
	f.step()
	if err := tx.Commit(memory.Idle{}); !errors.Is(err, client.ErrWriteConflict) {
		t.Errorf("it commits beside the backfill: %v", err)
	}
	f.finish()
}

// numbers is a row of the table of the storm.
func numbers(id, a int64) Row { return Row{codec.Int(id), codec.Int(a), codec.Int(0)} }

// fixture is a database of one table.
type fixture struct {
	*testing.T
	db *DB
}

// halfFilled returns a table of the rows 1 and 9, of which the first is in its
// unique index a and the second is not yet.
func halfFilled(t *testing.T) *fixture {
	f := &fixture{t, New(memory.New(), Config{BackfillBatch: 1})}
	f.must(f.db.CreateTable(memory.Idle{}, stormDefinition()))
	f.insert(1, 10)
	f.insert(9, 20)
	f.must(discard(f.db.AddIndex(memory.Idle{}, "t", IndexDefinition{Name: "a", Unique: true, Columns: []string{"a"}}, 0)))
	for range 4 { // delete-only, write-only, reorganizing, the entry of row 1
		f.step()
	}
	return f
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// begin runs a statement in a transaction.
func (f *fixture) begin(fn func(s *Statement, tx *Tx, tb *Table) error) *Tx {
	f.Helper()
	tx, err := f.db.Begin(memory.Idle{})
	f.must(err)
	tb, err := tx.Table("t")
	f.must(err)
	f.must(tx.Do(memory.Idle{}, func(s *Statement) error { return fn(s, tx, tb) }))
	return tx
}

func (f *fixture) commit(tx *Tx) {
	f.Helper()
	f.must(tx.Commit(memory.Idle{}))
}

func (f *fixture) insert(id, a int64) {
	f.Helper()
	f.commit(f.begin(func(s *Statement, _ *Tx, tb *Table) error {
		_, err := s.Insert(memory.Idle{}, tb, numbers(id, a))
		return err
	}))
}

func (f *fixture) step() {
	f.Helper()
	_, err := f.db.Work(memory.Idle{})
	f.must(err)
}

// finish fills the index and compares it with the rows.
func (f *fixture) finish() {
	f.Helper()
	for range 4 {
		f.step()
	}
	f.begin(func(_ *Statement, tx *Tx, tb *Table) error {
		if x := tb.Index("a"); x == nil || x.State != Public {
			f.Errorf("the index is %+v", x)
		}
		return tx.Check(memory.Idle{}, tb)
	})
}
