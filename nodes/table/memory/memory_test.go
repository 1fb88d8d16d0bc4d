package memory

import (
	"errors"
	"slices"
	"testing"

	"simrun/nodes/client"
	"simrun/nodes/table/kv"
)

// TestStore: a transaction sees its snapshot and its own writes; of two that
// write one key the first committer wins, and a lock counts as a write.
func TestStore(t *testing.T) {
	m := New()
	put := func(key, value string) {
		x, _ := m.Begin(Idle{}, kv.Default)
		x.Set([]byte(key), []byte(value))
		if err := x.Commit(Idle{}); err != nil {
			t.Fatal(err)
		}
	}
	put("a", "1")
	put("b", "2")
	reader, _ := m.Begin(Idle{}, kv.Default)
	loser, _ := m.Begin(Idle{}, kv.Default)
	loser.LockKeys([]byte("a"))
	put("a", "3")
	reader.Set([]byte("c"), []byte("4"))
	reader.Delete([]byte("b"))
	pairs, _ := reader.Scan(Idle{}, nil, nil, 0)
	if len(pairs) != 2 || string(pairs[0].Value) != "1" || string(pairs[1].Key) != "c" {
		t.Errorf("scan: %q", pairs)
	}
	pairs, _ = reader.ReverseScan(Idle{}, []byte("a"), []byte("d"), 1)
	if len(pairs) != 1 || string(pairs[0].Key) != "c" {
		t.Errorf("reverse scan: %q", pairs)
	}
	if err := loser.Commit(Idle{}); !errors.Is(err, client.ErrWriteConflict) {
		t.Errorf("a lock beside a write: %v", err)
	}
	if err := reader.Commit(Idle{}); err != nil {
		t.Error(err)
	}
	if keys := m.Keys(); len(keys) != 2 || keys[1] != "c" {
		t.Errorf("keys: %q", keys)
	}
	later, _ := m.Begin(Idle{}, kv.Default)
	if m.DeleteRange([]byte("a"), []byte("z"), later.StartTS()-tick) || len(m.Keys()) != 2 {
		t.Errorf("a range with a version at the timestamp was removed: %q", m.Keys())
	}
	if !m.DeleteRange([]byte("a"), []byte("c"), later.StartTS()) || !slices.Equal(m.Keys(), []string{"c"}) {
		t.Errorf("keys without the range: %q", m.Keys())
	}
}
