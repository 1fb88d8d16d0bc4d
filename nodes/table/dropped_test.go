package table

import (
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"simrun/nodes/client"
	"simrun/nodes/codec"
	"simrun/nodes/table/kv"
	"simrun/nodes/table/memory"
)

// collect is what garbage collection does with the ranges that were dropped up to a
// safe point. (client.Collector does it over regions.)
func collect(store *memory.Store, safePoint uint64) error {
	d := NewDropped(store)
	ranges, err := d.Dropped(memory.Idle{}, safePoint)
	for _, r := range ranges {
		if store.DeleteRange(r.Start, r.End, safePoint) {
			err = errors.Join(err, d.Done(memory.Idle{}, r, safePoint))
		}
	}
	return err
}

// tsOf returns a timestamp above all that is committed.
func tsOf(store *memory.Store) uint64 {
	tx, _ := store.Begin(memory.Idle{}, kv.Optimistic)
	return tx.StartTS()
}

// dropped returns a database with one table of a few rows, of which an index was
// dropped between two timestamps.
func dropped(t *testing.T) (store *memory.Store, db *DB, before, after uint64) {
	t.Helper()
	store = memory.New()
	db = New(store, Config{})
	if err := db.CreateTable(memory.Idle{}, stormDefinition()); err != nil {
		t.Fatal(err)
	}
	insert(t, db, 0, 5)
	before = tsOf(store)
	if err := db.DropIndex(memory.Idle{}, "t", "b", time.Hour); err != nil {
		t.Fatal(err)
	}
	return store, db, before, tsOf(store)
}

func insert(t *testing.T, db *DB, from, to int64) {
	t.Helper()
	tx, err := db.Begin(memory.Idle{})
	if err != nil {
		t.Fatal(err)
	}
	tb, err := tx.Table("t")
	if err != nil {
		t.Fatal(err)
	}
	err = tx.Do(memory.Idle{}, func(s *Statement) error {
		for i := from; i < to; i++ {
			if _, failed := s.Insert(memory.Idle{}, tb, Row{codec.Int(i), codec.Int(i), codec.Int(i)}); failed != nil {
				return failed
			}
		}
		return nil
	})
	if err = errors.Join(err, tx.Commit(memory.Idle{})); err != nil {
		t.Fatal(err)
	}
}

// keysOf returns how many keys there are of the rows and of an index of the table.
func keysOf(store *memory.Store, index int64) (rows, entries int) {
	for _, key := range store.Keys() {
		if strings.HasPrefix(key, string(codec.AppendRowPrefix(nil, 1))) {
			rows++
		}
		if strings.HasPrefix(key, string(codec.IndexPrefix(1, index))) {
			entries++
		}
	}
	return rows, entries
}

// TestDropped follows a range: nobody is told of it at a safe point before its drop;
// from then on it is told until it is done, which changes nothing the second time.
// The rows of the table stay, and an index that takes the name has keys of its own.
func TestDropped(t *testing.T) {
	store, db, before, after := dropped(t)
	d := NewDropped(store)
	told := func(safePoint uint64) []client.DroppedRange {
		ranges, err := d.Dropped(memory.Idle{}, safePoint)
		if err != nil {
			t.Fatal(err)
		}
		return ranges
	}
	if ranges := told(before); len(ranges) != 0 {
		t.Errorf("dropped before the drop: %v", ranges)
	}
	ranges := told(after)
	prefix := codec.IndexPrefix(1, 1)
	if len(ranges) != 1 || string(ranges[0].Start) != string(prefix) || string(ranges[0].End) != string(codec.PrefixEnd(prefix)) {
		t.Fatalf("dropped: %v", ranges)
	}
	if err := db.AddIndex(memory.Idle{}, "t", IndexDefinition{Name: "b", Columns: []string{"b"}}, time.Hour); err != nil {
		t.Fatal(err)
	}
	if rows, entries := keysOf(store, 1); rows != 5 || entries != 5 {
		t.Fatalf("%d rows and %d entries wait", rows, entries)
	}
	if !store.DeleteRange(ranges[0].Start, ranges[0].End, after) {
		t.Fatal("the range is in use")
	}
	for range 2 {
		if err := d.Done(memory.Idle{}, ranges[0], after); err != nil {
			t.Fatal(err)
		}
	}
	if ranges := told(after); len(ranges) != 0 {
		t.Errorf("dropped, and done: %v", ranges)
	}
	rows, entries := keysOf(store, 1)
	_, fresh := keysOf(store, 2)
	if rows != 5 || entries != 0 || fresh != 5 {
		t.Errorf("%d rows, %d entries of the index that was dropped, %d of the one that has its name", rows, entries, fresh)
	}
}

// TestDroppedOneVersionBehind: who began before an index was dropped removes one of
// its entries afterwards. Its record is above the safe point, and nothing is
// removed until a later one.
func TestDroppedOneVersionBehind(t *testing.T) {
	store := memory.New()
	db := New(store, Config{})
	if err := db.CreateTable(memory.Idle{}, stormDefinition()); err != nil {
		t.Fatal(err)
	}
	insert(t, db, 0, 3)
	if err := discard(db.DropIndex(memory.Idle{}, "t", "b", 0)); err != nil {
		t.Fatal(err)
	}
	step := func() {
		if _, err := db.Work(memory.Idle{}); err != nil {
			t.Fatal(err)
		}
	}
	step() // write-only
	step() // delete-only
	late, err := db.Begin(memory.Idle{})
	if err != nil {
		t.Fatal(err)
	}
	step() // absent
	safePoint := tsOf(store)
	tb, _ := late.Table("t")
	row, _, err := late.Get(memory.Idle{}, tb, 1)
	if err == nil {
		err = late.Do(memory.Idle{}, func(s *Statement) error { return s.Delete(memory.Idle{}, tb, 1, row) })
	}
	if err = errors.Join(err, late.Commit(memory.Idle{})); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		safePoint uint64
		left      int
	}{{safePoint, 2}, {tsOf(store), 0}} {
		if err := collect(store, c.safePoint); err != nil {
			t.Fatal(err)
		}
		if _, entries := keysOf(store, 1); entries != c.left {
			t.Errorf("%d entries are left after the safe point %d", entries, c.safePoint)
		}
	}
}

// TestDroppedRecords: a record that says nonsense is told, and removes nothing.
func TestDroppedRecords(t *testing.T) {
	for _, text := range []string{
		"{", `{"job":1,"start":"x","end":"74"}`, `{"job":1,"start":"74","end":"7"}`, `{"job":1,"start":"","end":"74"}`, `{"job":1,"start":"75","end":"74"}`,
	} {
		store := memory.New()
		x, _ := store.Begin(memory.Idle{}, kv.Optimistic)
		x.Set(droppedKey(1), []byte(text))
		if err := x.Commit(memory.Idle{}); err != nil {
			t.Fatal(err)
		}
		if ranges, err := NewDropped(store).Dropped(memory.Idle{}, tsOf(store)); !errors.Is(err, ErrInconsistent) || len(ranges) > 0 {
			t.Errorf("%s: %v, %v", text, ranges, err)
		}
	}
	store, _, _, _ := dropped(t)
	if err := NewDropped(store).Done(memory.Idle{}, client.DroppedRange{ID: 7}, 1); err != nil {
		t.Errorf("a range that nobody dropped: %v", err)
	}
	text, found, err := store.GetAt(memory.Idle{}, tsOf(store), droppedKey(2))
	if err != nil || !found || !slices.Contains(strings.Split(string(text), `"`), hex.EncodeToString(codec.IndexPrefix(1, 1))) {
		t.Errorf("the record is %s, %v, %v", text, found, err)
	}
}
