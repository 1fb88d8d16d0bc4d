package workload

import (
	"errors"
	"strings"
	"testing"

	"simrun/nodes/table"
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
			if _, err := session.Exec(memory.Idle{}, st); err != nil {
				t.Fatal(err)
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
