package table

import (
	"testing"

	"simrun/nodes/codec"
)

// TestEntryOfAnother: while a unique index is filled, a row that has no entry yet
// may have the value of one that has; when it changes, the other's entry stays.
func TestEntryOfAnother(t *testing.T) {
	db := New(newMemStore(t), Config{BackfillBatch: 1})
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(db.CreateTable(idle{}, stormDefinition()))
	do := func(fn func(s *Statement, tx *Tx, tb *Table) error) {
		t.Helper()
		tx, err := db.Begin(idle{})
		check(err)
		tb, err := tx.Table("t")
		check(err)
		check(tx.Do(func(s *Statement) error { return fn(s, tx, tb) }))
		check(tx.Commit(idle{}))
	}
	row := func(id, a int64) Row { return Row{codec.Int(id), codec.Int(a), codec.Int(0)} }
	insert := func(id, a int64) {
		t.Helper()
		do(func(s *Statement, _ *Tx, tb *Table) error {
			_, err := s.Insert(idle{}, tb, row(id, a))
			return err
		})
	}
	insert(1, 10)
	insert(9, 20)
	check(discard(db.AddIndex(idle{}, "t", IndexDefinition{Name: "a", Unique: true, Columns: []string{"a"}}, 0)))
	step := func() {
		t.Helper()
		_, err := db.Work(idle{})
		check(err)
	}
	for range 4 { // delete-only, write-only, reorganizing, the entry of row 1
		step()
	}
	insert(2, 20) // as row 9, which has no entry yet
	do(func(s *Statement, _ *Tx, tb *Table) error { return s.Update(idle{}, tb, 9, row(9, 20), row(9, 30)) })
	for range 4 {
		step()
	}
	do(func(_ *Statement, tx *Tx, tb *Table) error {
		if x := tb.Index("a"); x == nil || x.State != Public {
			t.Errorf("the index is %+v", x)
		}
		return tx.Check(idle{}, tb)
	})
}
