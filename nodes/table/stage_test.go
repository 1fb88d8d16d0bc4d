package table

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"simrun/nodes/client"
	"simrun/nodes/codec"
	"simrun/nodes/table/memory"
)

// TestVersionsApart: who began two versions ago does not commit, who began one
// ago does, and with nothing written nobody is asked.
func TestVersionsApart(t *testing.T) {
	store := memory.New()
	db := New(store, Config{})
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(db.CreateTable(memory.Idle{}, stormDefinition()))
	begin := func(id int64, writes bool) *Tx {
		tx, err := db.Begin(memory.Idle{})
		check(err)
		tb, err := tx.Table("t")
		check(err)
		if writes {
			check(tx.Do(memory.Idle{}, func(s *Statement) error {
				_, err := s.Insert(memory.Idle{}, tb, Row{codec.Int(id), codec.Int(id), codec.Int(id)})
				return err
			}))
		}
		return tx
	}
	oldest, reader := begin(1, true), begin(0, false)
	check(discard(db.AddIndex(memory.Idle{}, "t", IndexDefinition{Name: "a", Columns: []string{"a"}}, 0)))
	step := func() {
		_, err := db.Work(memory.Idle{})
		check(err)
	}
	step() // delete-only
	older := begin(2, true)
	step() // write-only
	if err := oldest.Commit(memory.Idle{}); !errors.Is(err, ErrSchemaChanged) || !errors.Is(err, client.ErrFailed) {
		t.Errorf("two versions behind: %v", err)
	}
	check(older.Commit(memory.Idle{}))
	check(reader.Commit(memory.Idle{}))
	for range 3 {
		step() // reorganizing, the backfill, public
	}
	tx := begin(3, false)
	tb, err := tx.Table("t")
	check(err)
	check(tx.Check(memory.Idle{}, tb))
	if x := tb.Index("a"); x == nil || x.State != Public {
		t.Errorf("the index is %+v", x)
	}
}

// discard takes the error of a job that nobody has worked on for nothing.
func discard(err error) error {
	if errors.Is(err, client.ErrUndetermined) {
		return nil
	}
	return err
}

// TestDuplicateValues: a unique index over values that are not unique is not
// added, and leaves nothing behind.
func TestDuplicateValues(t *testing.T) {
	store := memory.New()
	db := New(store, Config{BackfillBatch: 2})
	if err := db.CreateTable(memory.Idle{}, stormDefinition()); err != nil {
		t.Fatal(err)
	}
	tx, _ := db.Begin(memory.Idle{})
	tb, _ := tx.Table("t")
	err := tx.Do(memory.Idle{}, func(s *Statement) error {
		for i := range int64(6) {
			if _, err := s.Insert(memory.Idle{}, tb, Row{codec.Int(i), codec.Int(i % 5), codec.Int(i)}); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = tx.Commit(memory.Idle{})
	}
	if err != nil {
		t.Fatal(err)
	}
	before := len(store.Keys())
	collected := func() []string {
		if failed := collect(store, tsOf(store)); failed != nil {
			t.Error(failed)
		}
		return store.Keys()
	}
	err = db.AddIndex(memory.Idle{}, "t", IndexDefinition{Name: "a", Unique: true, Columns: []string{"a"}}, time.Hour)
	const want = "job: failed without effect: duplicate entry (0) for key t.a"
	if !errors.Is(err, ErrDuplicate) || errors.Is(err, ErrSchema) || errors.Is(err, client.ErrUndetermined) || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if after := len(collected()); after != before+2 { // the job, in the history, and its range
		t.Errorf("%d keys, and %d afterwards: %q", before, after, store.Keys())
	}
	if err := db.AddIndex(memory.Idle{}, "t", IndexDefinition{Name: "a", Columns: []string{"a"}}, time.Hour); err != nil {
		t.Error(err)
	}
	if err := db.DropTable(memory.Idle{}, "t", time.Hour); err != nil {
		t.Error(err)
	}
	if slices.ContainsFunc(collected(), func(k string) bool { return bytes.HasPrefix([]byte(k), []byte("t")) }) {
		t.Errorf("keys are left: %q", store.Keys())
	}
	if err := db.DropTable(memory.Idle{}, "t", time.Hour); !errors.Is(err, ErrSchema) {
		t.Errorf("the table is dropped again: %v", err)
	}
}
