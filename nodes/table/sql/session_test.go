package sql

import (
	"errors"
	"testing"

	"simrun/nodes/client"
	"simrun/nodes/env"
	"simrun/nodes/table"
	"simrun/nodes/table/kv"
	"simrun/nodes/table/memory"
)

// TestDeadlockEndsTheTransaction: the statement that closes a circle of waits ends its
// transaction, with everything that it had done; nothing else does.
func TestDeadlockEndsTheTransaction(t *testing.T) {
	store := memory.New()
	s := NewSession(table.New(store, table.Config{}))
	run := func(text string) error {
		t.Helper()
		statements, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, st := range statements {
			if _, err = s.Exec(memory.Idle{}, st); err != nil {
				return err
			}
		}
		return nil
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(run("CREATE TABLE t (id INT PRIMARY KEY, n INT); INSERT INTO t VALUES (1, 1), (2, 2)"))
	must(run("BEGIN PESSIMISTIC; UPDATE t SET n = 10 WHERE id = 1"))
	store.Locking = func() error { return client.ErrDeadline }
	if err := run("UPDATE t SET n = 20 WHERE id = 2"); !errors.Is(err, client.ErrDeadline) || errors.Is(err, ErrDeadlock) || !s.Open() {
		t.Errorf("a lock that could not be had: %v, open %v", err, s.Open())
	}
	store.Locking = func() error { return &client.DeadlockError{StartTS: 1, Chain: []uint64{1, 2}} }
	err := run("UPDATE t SET n = 20 WHERE id = 2")
	if !errors.Is(err, ErrDeadlock) || !errors.Is(err, client.ErrDeadlock) || !errors.Is(err, client.ErrFailed) || s.Open() {
		t.Errorf("a deadlock: %v, open %v", err, s.Open())
	}
	store.Locking = nil
	if store.Locked() != 0 {
		t.Errorf("%d keys are locked", store.Locked())
	}
	if err = run("COMMIT"); !errors.Is(err, ErrTransaction) {
		t.Errorf("a commit of nothing: %v", err)
	}
	must(run("BEGIN PESSIMISTIC; UPDATE t SET n = n + 100 WHERE id = 1; COMMIT"))
	statements, _ := Parse("SELECT n FROM t")
	r, err := s.Exec(memory.Idle{}, statements[0])
	must(err)
	if text := r.Text(); text[0][0] != "101" || text[1][0] != "2" {
		t.Errorf("the rows are %v", text)
	}
}

// interrupted is a store in which something happens at the beginning of a transaction.
type interrupted struct {
	kv.Store
	in     int // how many transactions are begun before
	happen func()
}

// Begin implements kv.Store.
func (i *interrupted) Begin(t env.Task, mode kv.Mode) (kv.Txn, error) {
	x, err := i.Store.Begin(t, mode)
	if i.in--; i.in == -1 {
		i.happen()
	}
	return x, err
}

// Goal: of two who create a table if it is not there, the one who comes too late succeeds as
// well: behind the look at the schema, and inside the transaction that changes it.
func TestTwoCreateATable(t *testing.T) {
	create, err := Parse("CREATE TABLE IF NOT EXISTS t (id INT PRIMARY KEY); CREATE TABLE t (id INT PRIMARY KEY)")
	if err != nil {
		t.Fatal(err)
	}
	for in, st := range []*Statement{create[0], create[0], create[1]} {
		store := memory.New()
		other := NewSession(table.New(store, table.Config{}))
		meanwhile := func() {
			if _, err := other.Exec(memory.Idle{}, create[1]); err != nil {
				t.Fatal(err)
			}
		}
		s := NewSession(table.New(&interrupted{store, in % 2, meanwhile}, table.Config{}))
		if _, err := s.Exec(memory.Idle{}, st); (err == nil) != (st == create[0]) {
			t.Errorf("%s, created by somebody else at transaction %d: %v", st.Text, in%2, err)
		}
	}
}
