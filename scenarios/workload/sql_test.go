package workload

import (
	"errors"
	"strings"
	"testing"

	"simrun/nodes/client"
	"simrun/nodes/env"
	"simrun/nodes/table"
	"simrun/nodes/table/kv"
	"simrun/nodes/table/memory"
	"simrun/nodes/table/sql"
	"simrun/sim/history"
)

// Goal: a table that programs drop may be missing from the probe and the final reads; one
// that none drops may not. The sums and subsets of other tables are looked at nevertheless.
func TestDroppedTables(t *testing.T) {
	const text = `-- setup
CREATE TABLE t (id INT PRIMARY KEY, n INT);
CREATE TABLE x (id INT PRIMARY KEY, n INT);
INSERT INTO t VALUES (1, 5);
-- program drop
DROP TABLE x;
-- program make
CREATE TABLE x (id INT PRIMARY KEY, n INT);
-- sum 9
SELECT n FROM x;
-- subset
SELECT id FROM t;
SELECT id FROM x;
-- sum 6
SELECT n FROM t;
`
	for _, c := range []struct{ name, text, problem string }{
		{"dropped by a program", text, "add up to 5, not 6"},
		{"dropped by nobody", strings.Replace(text, "DROP TABLE x;", "SELECT n FROM x;", 1), ""},
	} {
		s, err := parseScript(c.text)
		if err != nil {
			t.Fatal(err)
		}
		session := sql.NewSession(table.New(memory.New(), table.Config{}))
		run := func(st *sql.Statement) {
			t.Helper()
			if _, failed := session.Exec(memory.Idle{}, st); failed != nil {
				t.Fatal(failed)
			}
		}
		for _, st := range s.setup {
			run(st.Statement)
		}
		drop, err := sql.Parse("DROP TABLE x")
		if err != nil {
			t.Fatal(err)
		}
		run(drop[0])
		w, record := &sqlLoad{script: s}, &watched{&history.TxnRecord{}}
		may := c.problem != ""
		if err := w.touch(memory.Idle{}, session); errors.Is(err, table.ErrSchema) == may || may && err != nil {
			t.Errorf("%s: the probe: %v", c.name, err)
		}
		if err := w.compare(memory.Idle{}, session, record); errors.Is(err, table.ErrSchema) == may || may && err != nil {
			t.Errorf("%s: the final reads: %v", c.name, err)
		}
		if !strings.Contains(record.Problem, c.problem) || !may && record.Problem != "" {
			t.Errorf("%s: found %q, want %q", c.name, record.Problem, c.problem)
		}
	}
}

// faulty is a store whose clients do not always learn what became of what they asked for.
type faulty struct {
	*memory.Store
	begins, commits int
	refused         map[int]bool // which of the begins fail
	unanswered      map[int]bool // which of the commits are done, and their answers lost
}

// Begin implements kv.Store.
func (f *faulty) Begin(t env.Task, mode kv.Mode) (kv.Txn, error) {
	f.begins++
	if f.refused[f.begins] {
		return nil, &client.Error{Op: "begin", Err: client.ErrDeadline}
	}
	x, err := f.Store.Begin(t, mode)
	return faultyTxn{x, f}, err
}

type faultyTxn struct {
	kv.Txn
	of *faulty
}

// Commit implements kv.Txn.
func (x faultyTxn) Commit(t env.Task) error {
	x.of.commits++
	err := x.Txn.Commit(t)
	if err == nil && x.of.unanswered[x.of.commits] {
		err = &client.Error{Op: "commit", Unknown: true, Err: client.ErrDeadline}
	}
	return err
}

// Goal: the setup comes to its end whichever of its statements has an unknown outcome, and
// whatever fails after that; each is done once.
func TestSetupAfterUnknownOutcomes(t *testing.T) {
	const end = "\n-- program p\nSELECT n FROM t;\n"
	for _, c := range []struct {
		name, setup         string
		unanswered, refused []int // commits and begins
		limit               int   // how many attempts give jobs no time
		want                string
	}{
		{"an insert", "CREATE TABLE t (id INT PRIMARY KEY, n INT);\nINSERT INTO t VALUES (1, 10), (2, 20);", []int{2}, nil, 0, "10 20"},
		{"an insert, and a failure then", "CREATE TABLE t (id INT PRIMARY KEY, n INT);\nINSERT INTO t VALUES (1, 10), (2, 20);", []int{2}, []int{3, 4}, 0, "10 20"},
		{"a table, and a failure then", "CREATE TABLE t (id INT PRIMARY KEY, n INT);\nINSERT INTO t VALUES (1, 10);", []int{1}, []int{2, 3}, 0, "10"},
		{"an update", "CREATE TABLE t (id INT PRIMARY KEY, n INT);\nINSERT INTO t VALUES (1, 10);\nUPDATE t SET n = 3;", []int{3, 4}, nil, 0, "3"},
		{"a drop that is under way", "CREATE TABLE t (id INT);\nDROP TABLE t;\nCREATE TABLE t (id INT PRIMARY KEY, n INT);\nINSERT INTO t VALUES (1, 10);", nil, []int{5}, 1, "10"},
	} {
		s, err := parseScript("-- setup\n" + c.setup + end)
		if err == nil {
			err = s.rehearse()
		}
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		store := &faulty{Store: memory.New(), refused: map[int]bool{}, unanswered: map[int]bool{}}
		for _, n := range c.unanswered {
			store.unanswered[n] = true
		}
		for _, n := range c.refused {
			store.refused[n] = true
		}
		db, w := table.New(store, table.Config{}), &sqlLoad{script: s}
		session := sql.NewSession(db)
		err = errors.New("not begun")
		for attempt := 0; err != nil && attempt < 9; attempt++ {
			session = sql.NewSession(db)
			if attempt < c.limit {
				session.JobLimit = 1
			}
			err = w.prepare(memory.Idle{}, session, db)
			session.Close(memory.Idle{})
		}
		if err != nil {
			t.Errorf("%s: the setup does not end: %v", c.name, err)
			continue
		}
		r, err := session.Exec(memory.Idle{}, s.programs[0].steps[0].Statement)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, row := range r.Text() {
			got = append(got, row[0])
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: the rows are %v, want %s", c.name, got, c.want)
		}
	}
}
