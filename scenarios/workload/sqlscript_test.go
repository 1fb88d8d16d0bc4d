package workload

import (
	"slices"
	"strings"
	"testing"

	"simrun/nodes/codec"
	"simrun/nodes/table"
	"simrun/nodes/table/memory"
	"simrun/nodes/table/sql"
	"simrun/sim/history"
	"simrun/sim/plan"
	"simrun/sim/stream"
)

const smallScript = `
-- setup
-- a comment that is no heading
CREATE TABLE t (id INT PRIMARY KEY,
  n INT, KEY n (n));
INSERT INTO t VALUES (1, 5), (2, 6);

-- program change, weight 3, a in -1..2, u unique
BEGIN;
UPDATE t SET n = @a
  WHERE id = @a; -- rows 1
COMMIT;
-- program read
SELECT * FROM t;

-- sum 11
SELECT n FROM t;
-- subset
SELECT id FROM t WHERE id = 1;
SELECT id FROM t;
`

// A script is divided into sections and statements, with what is expected of
// them; its variables get their values.
func TestScript(t *testing.T) {
	s, err := parseScript(smallScript)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.setup) != 2 || len(s.programs) != 2 || len(s.sums) != 1 || len(s.subsets) != 1 {
		t.Fatalf("script %+v", s)
	}
	g := s.programs[0]
	if g.name != "change" || g.weight != 3 || len(g.steps) != 3 || g.steps[1].rows != 1 || g.steps[0].rows != -1 {
		t.Errorf("program %+v", g)
	}
	if names, columns := s.tables(); !slices.Equal(names, []string{"t"}) || !slices.Equal(columns, []string{"n"}) {
		t.Errorf("tables %q, columns %q", names, columns)
	}
	if s.sums[0].total != 11 || s.subsets[0][1].Text != "SELECT id FROM t" {
		t.Errorf("invariants %+v, %+v", s.sums, s.subsets)
	}
	seen := map[string]int{}
	for n := range uint64(400) {
		seen[s.draw(stream.New(n, "test")).name]++
	}
	if seen["read"] < 50 || seen["change"] < 200 {
		t.Errorf("drawn %v", seen)
	}
	session := sql.NewSession(table.New(memory.New(), table.Config{}))
	for _, st := range s.setup {
		if _, err := session.Exec(memory.Idle{}, st.Statement); err != nil {
			t.Fatal(err)
		}
	}
	session.Set("a", codec.Int(2))
	g.set(session, stream.New(1, "test"), 77)
	if r, err := session.Exec(memory.Idle{}, s.programs[1].steps[0].Statement); err != nil || r.Affected != 2 {
		t.Errorf("result %+v, %v", r, err)
	}
	places := sqlPlaces(&plan.Workload{Keys: 4, SQL: smallScript})
	if len(places) != 4 || !slices.IsSorted(places) {
		t.Errorf("places %q", places)
	}
}

// What is wrong with a script is told with its line.
func TestMalformedScripts(t *testing.T) {
	for _, c := range []struct{ old, replacement, want string }{
		{"-- setup", "", "line 5: a statement stands before the first section"},
		{"id = @a", "id = ?", "line 11: column 14: a parameter (?) is not offered: write a variable, @name"},
		{"CREATE TABLE", "CREATE TABEL", "line 4: column 12: this is no SQL"},
		{"SELECT * FROM t;\n", "SELECT * FROM t\n", "line 14: the statement does not end"},
		{"change, weight 3", "change, weight 0", "line 8: weight 0: write 1 to 1000"},
		{"a in -1..2", "a in 2..1", "line 8: a in 2..1: the range is empty"},
		{"a in -1..2", "a in 0..9223372036854775807", "line 8: a in 0..9223372036854775807: the range is too wide: write at most 9223372036854775807 numbers"},
		{"a in -1..2", "a in -9223372036854775808..-1", "line 8: a in -9223372036854775808..-1: the range is too wide"},
		{"a in -1..2", "a in -9223372036854775808..9223372036854775807", "line 8: a in -9223372036854775808..9223372036854775807: the range is too wide"},
		{"a in -1..2", "a in 1..9223372036854775808", "line 8: a in 1..9223372036854775808: a number has more than 64 bits: write -9223372036854775808 to"},
		{"a in -1..2", "a in -9223372036854775809..1", "line 8: a in -9223372036854775809..1: a number has more than 64 bits"},
		{"u unique", "u random", `line 8: "u random": write weight 3, or n in 1..10, or o unique`},
		{"-- program change", "-- program Change", `line 8: program "Change" has no name`},
		{"-- sum 11", "-- sum", `line 16: sum "": write a whole number`},
		{"SELECT n FROM t;", "DELETE FROM t;", "line 18: sum stands over one or several SELECTs"},
		{"SELECT id FROM t WHERE id = 1;", "", "line 21: subset stands over two SELECTs"},
		{"-- subset", "-- subset of", "line 18: -- subset stands alone in its line"},
		{"CREATE TABLE t (id INT PRIMARY KEY,\n  n INT, KEY n (n));", "", "line 20: the setup creates no table"},
		{"-- program read\n", "-- program read\n-- program more\n", "line 14: program read has no statements"},
		{"-- program read", "-- program change", "line 13: program change: there is one already: write another name"},
		{"-- program read", "-- program check", "line 13: program check: transactions of the workload itself are called so: write another name"},
		{"-- program read", "-- program setup", "line 13: program setup: transactions of the workload itself are called so"},
		{"-- program read", "-- program probe", "line 13: program probe: transactions of the workload itself are called so"},
		{"u unique", "a unique", "line 8: a unique: there is a variable a already: write another name"},
		{"u unique", "a in 5..6", "line 8: a in 5..6: there is a variable a already: write another name"},
		{"u unique", "u unique, weight 1", "line 8: weight 1: the program has a weight of 3 already: write one"},
	} {
		text := strings.Replace(smallScript, c.old, c.replacement, 1)
		if text == smallScript {
			t.Fatalf("%q is not in the script", c.old)
		}
		if _, err := parseScript(text); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q: got %v, want %s", c.replacement, err, c.want)
		}
	}
	if _, err := parseScript("-- setup\n"); err == nil || !strings.Contains(err.Error(), "there is no program") {
		t.Errorf("no program: %v", err)
	}
	for _, w := range []*plan.Workload{{Name: "sql", SQL: "SELECT"}, {Name: "sql"}, {Name: "bank", SQL: smallScript}} {
		if err := Check(w, plan.Txn); err == nil || !strings.HasPrefix(err.Error(), "workload.sql") {
			t.Errorf("%+v: %v", w, err)
		}
	}
}

// The widest ranges that a heading may name can be drawn from.
func TestWideRanges(t *testing.T) {
	for _, r := range []string{
		"1..9223372036854775807", "0..9223372036854775806", "-1..9223372036854775805",
		"-9223372036854775808..-2", "9223372036854775807..9223372036854775807",
	} {
		s, err := parseScript(strings.Replace(smallScript, "-1..2", r, 1))
		if err != nil {
			t.Errorf("%s: %v", r, err)
			continue
		}
		p := s.programs[0].params[0]
		if n := stream.New(1, "test").Between(p.low, p.high); n < p.low || n > p.high {
			t.Errorf("%s: drawn is %d", r, n)
		}
	}
}

// What can never work is told before anything runs, and what depends on rows and values is
// no mistake.
func TestRehearsal(t *testing.T) {
	check := func(text string) error { return Check(&plan.Workload{Name: "sql", Keys: 1, SQL: text}, plan.Txn) }
	if err := check(smallScript); err != nil {
		t.Error(err)
	}
	for _, c := range []struct{ old, replacement, want string }{
		{"SELECT * FROM t;", "SELECT * FROM tt;", "line 14: program read: not in the schema: there is no table tt"},
		{"SELECT n FROM t;", "SELECT m FROM t;", "line 17: not in the schema"},
		{"SELECT id FROM t;", "SELECT id FROM s;", "line 20: not in the schema"},
		{"n = @a", "n = @v", "line 10: @v has no value: name it in the heading of the program"},
		{"SELECT * FROM t;", `SELECT * FROM t WHERE "it's" = "so" AND id = @v AND "it's" = "so";`, "line 14: @v has no value"},
		{"SELECT * FROM t;", "UPDATE t SET n = n + @v;", "line 14: @v has no value"},
		{"SELECT * FROM t;", "INSERT INTO t VALUES (3, -@v);", "line 14: @v has no value"},
		{"SELECT * FROM t;", "DELETE FROM t WHERE id = 77 AND nosuch = 1;", `line 14: program read: not in the schema: table t has no column "nosuch"`},
		{"SELECT * FROM t;", "UPDATE t SET nosuch = 1 WHERE id = 77;", `line 14: program read: not in the schema: table t has no column "nosuch"`},
		{"SELECT * FROM t;", "DELETE FROM t WHERE id = 77 AND n = 'x';", `line 14: program read: expression has no value: column n and "x" cannot be compared`},
		{"SELECT * FROM t;", "INSERT INTO t VALUES (3, 'abc');", `line 14: program read: expression has no value: column n, which is int, cannot be set to "abc"`},
		{"SELECT * FROM t;", "UPDATE t SET n = n * 1.5 WHERE id = 77;", "line 14: program read: expression has no value: column n, which is int, cannot be set to an expression: a number with a point is a DOUBLE"},
		{"SELECT * FROM t;", "INSERT INTO t (n) VALUES (3);", "line 14: program read: value does not fit: column id cannot be NULL"},
		{"SELECT * FROM t;", "INSERT INTO t VALUES (1, 9999999999);", "line 14: program read: value does not fit: 9999999999 is out of range for column n"},
		{"SELECT * FROM t;", "UPDATE t SET n = 2147483647 + 1 WHERE id = 77;", "line 14: program read: value does not fit: 2147483648 is out of range for column n"},
		{"SELECT * FROM t;", "UPDATE t SET n = 9223372036854775807 + 1;", "line 14: program read: expression has no value: 9223372036854775807 + 1 is out of range"},
		{"SELECT * FROM t;", "INSERT INTO t VALUES (3, 4);\n-- program long, a in 1..2\nINSERT INTO u VALUES ('long', @a, NULL); -- FROM u;", `line 16: program long: value does not fit: "long" is no varchar(3) for column s`},
		{"SELECT * FROM t;", "SELECT n FROM t;\n-- program add, o unique, a in 1..2\nBEGIN;\nINSERT INTO t VALUES (@o, @a);\nCOMMIT;", "line 17: program add: value does not fit: 4294967296 is out of range for column id"},
		{"SELECT n FROM t;", "SELECT s FROM u;", "line 17: column s is varchar, and a sum is of integers"},
		{"SELECT n FROM t;", "SELECT f FROM u;", "line 17: column f is double, and a sum is of integers"},
		{"SELECT n FROM t;", "SELECT n FROM t;\nSELECT d FROM u;", "line 18: column d is datetime, and a sum is of integers"},
		{"SELECT id FROM t WHERE id = 1;", "SELECT s FROM u;", "line 19: column s is varchar, and column id of the other query is int: they are never equal"},
		{"SELECT id FROM t WHERE id = 1;", "SELECT d FROM u;", "line 19: column d is datetime, and column id of the other query is int: they are never equal"},
		{"FROM t;\n-- subset", "FROM t WHERE n = @a;\n-- subset", "line 17: @a has no value"},
		{"COMMIT;", "", "line 10: program change leaves a transaction open"},
		{"BEGIN;", "", "line 12: program change: transaction: none is under way"},
		{"(2, 6);", "(1, 6);", "line 6: the setup fails: duplicate entry"},
		{"(2, 6);", "(2, 6); BEGIN; COMMIT;", "line 6: the setup begins a transaction: leave BEGIN and COMMIT out"},
		{"(2, 6);", "(2, 5);\nCREATE UNIQUE INDEX m ON t (n);", "line 7: the setup fails: duplicate entry (5) for key t.m"},
		{"(2, 6);", "(2, 6); COMMIT;", "line 6: the setup fails: transaction: none is under way"},
		{"(2, 6);", "(2, 6);\nUPDATE t SET n = n + 1;", "line 7: the setup runs a statement again if it is not known whether it was done"},
		{"(2, 6);", "(2, 6);\nUPDATE t SET n = n * 50000;", "line 7: the setup runs a statement again"},
		{"(2, 6);", "(2, 6);\nDELETE FROM t LIMIT 1;", "line 7: the setup runs a statement again"},
		{"(2, 6);", "(2, 6);\nCREATE TABLE u (a INT, b INT UNIQUE);\nINSERT INTO u VALUES (1, NULL), (1, NULL);", "line 8: the setup runs a statement again"},
		{"-- program read", "-- progam read", "line 13: -- progam is no heading: write -- program"},
		{"-- sum 11", "-- sums 11", "line 16: -- sums is no heading"},
		{"-- rows 1", "-- row 1", "line 11: -- row 1: write -- rows and a number"},
	} {
		text := strings.Replace(smallScript, c.old, c.replacement, 1)
		if strings.Contains(c.replacement, "FROM u;") { // a table of everything, in the line of t
			text = strings.Replace(text, "(2, 6);", "(2, 6); CREATE TABLE u (s VARCHAR(3), f DOUBLE, d DATETIME);", 1)
		}
		if err := check(text); text == smallScript || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %v, want %s", c.replacement, err, c.want)
		}
	}
	for _, c := range []struct{ old, replacement string }{
		{"COMMIT;", "COMMIT; -- and that is all"},
		{"SELECT * FROM t;", "-- some of it\nUPDATE t SET n = n - 9223372036854775807 - 100;"},
		{"SELECT * FROM t;", "INSERT INTO t VALUES (1, 9);"},
		{"(2, 6);", "(2, 6); CREATE TABLE u (a INT, b INT UNIQUE); INSERT INTO u VALUES (1, NULL), (1, 2); SELECT * FROM u FOR UPDATE;"},
		{"(2, 6);", "(2, 5); UPDATE t SET n = 6 WHERE id = 2; DELETE FROM t WHERE id = 3; CREATE UNIQUE INDEX m ON t (n); DROP INDEX m ON t; ADMIN CHECK TABLE t;"},
		{"(2, 6);", "(2, 6); DROP TABLE t; CREATE TABLE IF NOT EXISTS t (n INT, id INT); CREATE TABLE IF NOT EXISTS t (n INT);"},
		{"SELECT n FROM t;", "SELECT COUNT(*) FROM t;"},
		{"SELECT * FROM t;", "SELECT n FROM t;\n-- program add, o unique, a in -5000000000..2\nINSERT INTO t VALUES (@o - 9999999999, @a);"},
		{"SELECT * FROM t;", "UPDATE t SET n = NULL, id = (n = 1.5) + 1;"},
		{"(2, 6);", "(2, 5);\n-- program unique\nCREATE UNIQUE INDEX m ON t (n);"},
		{"SELECT * FROM t;", `SELECT * FROM t WHERE "@x" = "@x";`},
		{"SELECT * FROM t;", `SELECT * FROM t WHERE 'it''s @x' = "an \"@y\"" OR 'it\'s @x' = "z";`},
		{"SELECT * FROM t;", "SELECT * FROM t /* and not @x */ WHERE id = 1;"},
	} {
		text := strings.Replace(smallScript, c.old, c.replacement, 1)
		if err := check(text); text == smallScript || err != nil {
			t.Errorf("%q: %v", c.replacement, err)
		}
	}
}

// FuzzScript: a script that is accepted can be drawn from.
func FuzzScript(f *testing.F) {
	f.Add(smallScript)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parseScript(text)
		if err != nil {
			return
		}
		s.draw(stream.New(1, "fuzz")).set(sql.NewSession(nil), stream.New(1, "fuzz"), 1)
		_ = s.rehearse()
		if names, columns := s.tables(); len(names) == 0 || len(names) != len(columns) {
			t.Fatalf("tables %q, columns %q", names, columns)
		}
	})
}

// Sums are of any size and subsets of values, whatever the integers are stored as; NULL is
// neither added nor looked for.
func TestInvariantsByValue(t *testing.T) {
	for _, c := range []struct{ rows, total, want string }{
		{"(1, 1, 18446744073709551615), (2, NULL, NULL)", "1", "add up to 18446744073709551615, not 1"},
		{"(1, 1, 9223372036854775807), (2, NULL, NULL)", "9223372036854775807", ""},
		{"(1, NULL, 1), (2, 2, 9223372036854775808)", "-9223372036854775807", "add up to 9223372036854775809, not -9223372036854775807"},
		{"(1, 2, 5)", "5", `"SELECT n FROM t" returns 2, which "SELECT id FROM t" does not`},
		{"(1, -1, 5), (18446744073709551615, 1, 5)", "10", `returns -1, which "SELECT id FROM t" does not`},
	} {
		text := "-- setup\nCREATE TABLE t (id BIGINT UNSIGNED PRIMARY KEY, n INT, u BIGINT UNSIGNED);\nINSERT INTO t VALUES " + c.rows +
			";\n-- program p\nSELECT * FROM t;\n-- sum " + c.total + "\nSELECT u FROM t;\n-- subset\nSELECT n FROM t;\nSELECT id FROM t;\n"
		s, err := parseScript(text)
		if err == nil {
			err = s.rehearse()
		}
		if err != nil {
			t.Fatal(err)
		}
		session := sql.NewSession(table.New(memory.New(), table.Config{}))
		for _, st := range s.setup {
			if _, err = session.Exec(memory.Idle{}, st.Statement); err != nil {
				t.Fatal(err)
			}
		}
		w, record := &sqlLoad{script: s}, &watched{&history.TxnRecord{}}
		if err = w.compare(memory.Idle{}, session, record); err != nil || !strings.HasSuffix(record.Problem, c.want) || (record.Problem == "") != (c.want == "") {
			t.Errorf("%s: %q, %v, want %q", c.rows, record.Problem, err, c.want)
		}
	}
}
