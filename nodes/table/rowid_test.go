package table

import (
	"errors"
	"testing"

	"simrun/nodes/client"
	"simrun/nodes/table/memory"
)

// TestRowIDs: clients that take row ids at the same time take different ones, a
// range that was perhaps taken is not used, and who starts again skips ahead.
func TestRowIDs(t *testing.T) {
	store := memory.New()
	a, b := New(store, Config{RowIDBatch: 10}), New(store, Config{RowIDBatch: 10})
	next := func(db *DB) int64 {
		t.Helper()
		id, err := db.nextRowID(memory.Idle{}, 1)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	store.Commit = func() error { // before a has taken its range, b takes one
		store.Commit = nil
		if id := next(b); id != 1 {
			t.Errorf("the first id is %d", id)
		}
		return nil
	}
	if id := next(a); id != 11 {
		t.Errorf("beside 1 to 10, the first id is %d", id)
	}
	if x, y := next(a), next(b); x != 12 || y != 2 {
		t.Errorf("then %d and %d", x, y)
	}
	if id := next(New(store, Config{})); id != 21 {
		t.Errorf("after a restart the first id is %d", id)
	}
	store.Commit = func() error { return &client.Error{Op: "commit", Unknown: true, Err: client.ErrDeadline} }
	_, err := New(store, Config{}).nextRowID(memory.Idle{}, 1)
	if !errors.Is(err, client.ErrFailed) || errors.Is(err, client.ErrUndetermined) {
		t.Errorf("without answers: %v", err)
	}
}
