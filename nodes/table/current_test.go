package table

import (
	"errors"
	"testing"
	"time"

	"simrun/nodes/client"
	"simrun/nodes/codec"
	"simrun/nodes/table/kv"
	"simrun/nodes/table/memory"
)

// currentFixture is a database with rows 1 to 3 of a table with a unique index u over
// the column a and an index b over b, and its store.
func currentFixture(t *testing.T) (*fixture, *memory.Store) {
	store := memory.New()
	f := &fixture{t, New(store, Config{})}
	f.must(f.db.CreateTable(memory.Idle{}, Definition{
		Name: "t", Primary: []string{"id"},
		Columns: []Column{{Name: "id", Type: BigInt}, {Name: "a", Type: BigInt}, {Name: "b", Type: BigInt}},
		Indexes: []IndexDefinition{{Name: "u", Unique: true, Columns: []string{"a"}}, {Name: "b", Columns: []string{"b"}}},
	}))
	for id := range int64(3) {
		f.insert(id+1, 10*(id+1))
	}
	return f, store
}

// open begins a transaction.
func (f *fixture) open(mode kv.Mode) (*Tx, *Table) {
	f.Helper()
	tx, err := f.db.BeginIn(memory.Idle{}, mode)
	f.must(err)
	tb, err := tx.Table("t")
	f.must(err)
	return tx, tb
}

// set gives a row a value of a, by the row's handle.
func set(tb *Table, id, a int64) func(s *Statement) error {
	return func(s *Statement) error {
		row, found, err := s.Get(memory.Idle{}, tb, id)
		if err != nil || !found {
			return err
		}
		changed := row.clone()
		changed[1] = codec.Int(a)
		return s.Update(memory.Idle{}, tb, id, row, changed)
	}
}

// TestStatementReadsWhatIsNewest: a statement sees what others have committed since the
// transaction began, a plain read does not, except for rows that the transaction has
// changed, of which it shows nothing that they were before.
func TestStatementReadsWhatIsNewest(t *testing.T) {
	f, _ := currentFixture(t)
	tx, tb := f.open(kv.Pessimistic)
	other, _ := f.open(kv.Optimistic)
	f.must(other.Do(memory.Idle{}, set(tb, 1, 11)))
	f.must(other.Do(memory.Idle{}, set(tb, 2, 21)))
	f.commit(other)

	f.must(tx.Do(memory.Idle{}, func(s *Statement) error {
		r, found, err := s.Lookup(memory.Idle{}, tb, tb.Index("u"), []Datum{codec.Int(11)})
		if !found || r.Handle != 1 {
			t.Errorf("by the new value a statement finds %v, %v", r, found)
		}
		return err
	}))
	f.must(tx.Do(memory.Idle{}, set(tb, 1, 20))) // the value that row 2 has in the snapshot
	plain := func(values ...int64) {
		t.Helper()
		records, err := tx.Scan(memory.Idle{}, tb, Scan{Index: tb.Index("u")})
		f.must(err)
		var got []int64
		for _, r := range records {
			got = append(got, r.Handle, r.Row[1].Int())
		}
		for i := range values {
			if len(got) != len(values) || got[i] != values[i] {
				t.Errorf("by index, handles and values are %v, want %v", got, values)
				return
			}
		}
		if n, err := tx.Count(memory.Idle{}, tb, Scan{Index: tb.Index("u")}); err != nil || n != len(values)/2 {
			t.Errorf("count %d, %v", n, err)
		}
	}
	plain(1, 20, 2, 20, 3, 30) // of no instant: row 2 is that of the snapshot
	if r, found, err := tx.Lookup(memory.Idle{}, tb, tb.Index("u"), []Datum{codec.Int(20)}); err != nil || !found || r.Handle != 1 {
		t.Errorf("of two rows with the value not its own: %v, %v, %v", r, found, err)
	}
	for _, gone := range []int64{10, 11} {
		if r, found, err := tx.Lookup(memory.Idle{}, tb, tb.Index("u"), []Datum{codec.Int(gone)}); err != nil || found {
			t.Errorf("%d is found: %v, %v", gone, r, err)
		}
	}
	f.must(tx.Do(memory.Idle{}, func(s *Statement) error {
		row, _, err := s.Get(memory.Idle{}, tb, 3)
		f.must(err)
		return s.Delete(memory.Idle{}, tb, 3, row)
	}))
	plain(1, 20, 2, 20)
	f.must(tx.Check(memory.Idle{}, tb))
	f.commit(tx)
	last, _ := f.open(kv.Optimistic)
	f.must(last.Check(memory.Idle{}, tb))
}

// TestStatementRunsAgain: who commits between a statement's reads and its locks makes
// it begin again, with what is newest then.
func TestStatementRunsAgain(t *testing.T) {
	f, store := currentFixture(t)
	tx, tb := f.open(kv.Pessimistic)
	store.Locking = func() error {
		store.Locking = nil
		other, _ := f.open(kv.Optimistic)
		f.must(other.Do(memory.Idle{}, set(tb, 1, 15)))
		f.commit(other)
		return nil
	}
	var seen []int64
	f.must(tx.Do(memory.Idle{}, func(s *Statement) error {
		row, _, err := s.Get(memory.Idle{}, tb, 1)
		f.must(err)
		seen = append(seen, row[1].Int())
		changed := row.clone()
		changed[1] = codec.Int(row[1].Int() + 1)
		return s.Update(memory.Idle{}, tb, 1, row, changed)
	}))
	f.commit(tx)
	if len(seen) != 2 || seen[0] != 10 || seen[1] != 15 {
		t.Errorf("the statement has seen %v", seen)
	}
	last, _ := f.open(kv.Optimistic)
	if row, _, err := last.Get(memory.Idle{}, tb, 1); err != nil || row[1].Int() != 16 {
		t.Errorf("the row is %v, %v", row, err)
	}
}

// TestWhatIsLocked: rows, distinct entries and what was looked up in vain, and no other
// entries. A statement that fails keeps nothing.
func TestWhatIsLocked(t *testing.T) {
	f, store := currentFixture(t)
	tx, tb := f.open(kv.Pessimistic)
	do := func(what string, locked int, want error, fn func(s *Statement) error) {
		t.Helper()
		if err := tx.Do(memory.Idle{}, fn); !errors.Is(err, want) || want != nil && !errors.Is(err, client.ErrFailed) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
		if n := store.Locked(); n != locked {
			t.Errorf("%s: %d keys are locked, want %d", what, n, locked)
		}
	}
	insert := func(id int64, a Datum) func(s *Statement) error {
		return func(s *Statement) error {
			_, err := s.Insert(memory.Idle{}, tb, Row{codec.Int(id), a, codec.Int(7)})
			return err
		}
	}
	do("insert", 2, nil, insert(4, codec.Int(40)))
	do("insert of NULL", 3, nil, insert(5, codec.Null()))
	do("a taken primary key", 3, ErrDuplicate, insert(1, codec.Int(50)))
	do("a taken value", 3, ErrDuplicate, insert(6, codec.Int(10)))
	do("the second of two rows", 3, ErrDuplicate, func(s *Statement) error {
		if err := insert(6, codec.Int(60))(s); err != nil {
			return err
		}
		return insert(7, codec.Int(60))(s)
	})
	do("an absent row", 4, nil, set(tb, 8, 80))
	do("an absent value", 5, nil, func(s *Statement) error {
		_, _, err := s.Lookup(memory.Idle{}, tb, tb.Index("u"), []Datum{codec.Int(90)})
		return err
	})
	do("a row for update", 6, nil, func(s *Statement) error {
		s.Lock(tb, 2)
		return nil
	})
	refused := errors.New("refused")
	store.Locking = func() error { return refused }
	do("locks refused", 6, refused, set(tb, 3, 33))
	store.Locking = nil

	other, _ := f.open(kv.Pessimistic)
	if err := other.Do(memory.Idle{}, insertRow(tb, 9, 90)); !errors.Is(err, client.ErrDeadline) {
		t.Errorf("a value whose absence is locked can be inserted: %v", err)
	}
	late, _ := f.open(kv.Optimistic)
	f.must(late.Do(memory.Idle{}, insertRow(tb, 8, 81)))
	if err := late.Commit(memory.Idle{}); !errors.Is(err, client.ErrWriteConflict) {
		t.Errorf("a row whose absence is locked can be inserted: %v", err)
	}
	f.commit(tx)
	if store.Locked() != 0 {
		t.Errorf("%d keys are locked after the end", store.Locked())
	}
	f.must(other.Do(memory.Idle{}, insertRow(tb, 9, 90)))
	f.commit(other)
}

func insertRow(tb *Table, id, a int64) func(s *Statement) error {
	return func(s *Statement) error {
		_, err := s.Insert(memory.Idle{}, tb, numbers(id, a))
		return err
	}
}

// TestStatementSchema: a statement reads a version of the schema behind, and not two:
// then an index that the transaction takes for public may lack rows.
func TestStatementSchema(t *testing.T) {
	f, store := currentFixture(t)
	f.db.cfg.Lease = 2 * time.Second
	pass(store, 3)
	f.must(discard(f.db.DropIndex(memory.Idle{}, "t", "b", 0)))
	tx, tb := f.open(kv.Pessimistic)
	step := func() {
		for {
			_, err := f.db.Work(memory.Idle{})
			if err == nil {
				return
			}
			if !errors.Is(err, ErrLease) {
				t.Fatal(err)
			}
		}
	}
	byB := func(s *Statement) error {
		records, err := s.Scan(memory.Idle{}, tb, Scan{Index: tb.Index("b")})
		if err == nil && len(records) != 4 {
			t.Errorf("%d rows by the index", len(records))
		}
		return err
	}
	f.insert(4, 40)
	f.must(tx.Do(memory.Idle{}, byB)) // within the lease
	step()                            // write-only
	pass(store, 3)
	f.must(tx.Do(memory.Idle{}, byB))
	step() // delete-only: a row more without an entry
	f.insert(5, 50)
	if err := tx.Do(memory.Idle{}, byB); !errors.Is(err, ErrSchemaChanged) || !errors.Is(err, client.ErrFailed) {
		t.Errorf("two versions behind: %v", err)
	}
	if err := tx.Check(memory.Idle{}, tb); !errors.Is(err, ErrSchemaChanged) {
		t.Errorf("two versions behind, rows and entries agree: %v", err)
	}
	if records, err := tx.Scan(memory.Idle{}, tb, Scan{Index: tb.Index("b")}); err != nil || len(records) != 3 {
		t.Errorf("the snapshot, of the version it has, shows %v, %v", records, err)
	}
}
