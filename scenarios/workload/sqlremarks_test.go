package workload

import (
	"errors"
	"strings"
	"testing"

	"simrun/nodes/client"
	"simrun/nodes/table"
	"simrun/nodes/table/memory"
	"simrun/nodes/table/sql"
)

// What a remark behind a statement expects of it counts, whatever quotes and comments stand
// before; what is meant to be an expectation and is none, or is one of nothing, is refused.
func TestRemarks(t *testing.T) {
	const script = "-- setup\nCREATE TABLE t (id INT PRIMARY KEY, s VARCHAR(9));\nINSERT INTO t VALUES (1, 'a');\n-- program p\n"
	for _, c := range []struct {
		text string // of the program, from line 5 on
		want expected
	}{
		{"SELECT s FROM t; -- rows 1", expected{1, false}},
		{"SELECT s FROM t; --rows 1", expected{1, false}},
		{"SELECT s FROM t;-- Rows  12 ", expected{12, false}},
		{"SELECT s FROM t\n; # ROWS 0", expected{0, false}},
		{"SELECT s FROM t; SELECT id FROM t; -- rows 2", expected{2, false}},
		{"SELECT s FROM t WHERE s = 'it''s; -- rows 2'; -- rows 1", expected{1, false}},
		{"SELECT s FROM t WHERE s = 'it\\'s;' OR s = \";\"; -- rows 1", expected{1, false}},
		{"SELECT s FROM t WHERE s = 'a\n;\n-- rows 2' AND `s` = \"'\"; -- rows 1", expected{1, false}},
		{"SELECT s FROM t /* it's; */ WHERE id = 1--1; -- rows 1", expected{1, false}},
		{"SELECT s FROM t; /* so far\nso good */ -- rows 1", expected{1, false}},
		{"INSERT INTO t VALUES (1, 'b'); -- may fail", expected{-1, true}},
		{"UPDATE t SET id = 2; -- Rows 1, May Fail", expected{1, true}},
		{"SELECT s FROM t FOR UPDATE NOWAIT; -- rows 1,may  fail", expected{1, true}},
		{"SELECT s FROM t FOR UPDATE WAIT 3; -- may fail", expected{-1, true}},
		{"SELECT s FROM t; -- all rows, rowids and what may be", expected{-1, false}},
		{"SELECT s FROM t; -- it's all; that may fail;", expected{-1, false}},
		{"SELECT s FROM t; /* it may fail */", expected{-1, false}},
		{"SELECT `it's;` FROM t; -- rows 1", expected{1, false}},
		{"-- it's 'for \"people\nSELECT s FROM t; -- rows 1", expected{1, false}},
	} {
		s, err := parseScript(script + c.text)
		if err != nil {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		steps := s.programs[0].steps
		if got := steps[len(steps)-1].expected; got != c.want {
			t.Errorf("%q: expected is %+v, want %+v", c.text, got, c.want)
		}
	}
	const alone = " stands behind no statement: write it behind the semicolon of one, or begin the comment with another word"
	const write = ": write -- rows and a number, -- may fail, or -- rows and a number, may fail; a comment for people begins with another word"
	for _, c := range []struct{ text, want string }{
		{"SELECT s FROM t; -- rows 1; it must be there", "line 5: -- rows 1; it must be there" + write},
		{"SELECT s FROM t; -- rows 1, isn't it", "line 5: -- rows 1, isn't it" + write},
		{"SELECT s FROM t; -- Row 1", "line 5: -- Row 1" + write},
		{"SELECT s FROM t; -- rows", "line 5: -- rows" + write},
		{"SELECT s FROM t; --rows1", "line 5: -- rows1" + write},
		{"SELECT s FROM t; -- rowss 1", "line 5: -- rowss 1" + write},
		{"SELECT s FROM t; -- rows -1", "line 5: -- rows -1" + write},
		{"UPDATE t SET id = 2; -- may fail, rows 1", "line 5: -- may fail, rows 1" + write},
		{"UPDATE t SET id = 2; -- may fail.", "line 5: -- may fail." + write},
		{"SELECT s FROM t;\n-- rows 1", "line 6: -- rows 1" + alone},
		{"-- ROWS 1\nSELECT s FROM t;", "line 5: -- ROWS 1" + alone},
		{"SELECT s FROM t;\n  # rows 1", "line 6: -- rows 1" + alone},
		{"--- rows 1 ---\nSELECT s FROM t;", "line 5: -- rows 1 ---" + alone},
		{"SELECT s FROM t -- rows 1\n;", "line 5: -- rows 1" + alone},
		{"SELECT s FROM t\n-- may fail\n;", "line 6: -- may fail" + alone},
		{"SELECT s FROM t; /* rows 1 */", "line 5: /* rows 1 */ is for people"},
		{"SELECT s FROM t;\n; -- rows 1", "line 6: -- rows and -- may fail stand behind a statement, and here is none"},
		{"SELECT s FROM t;\nBEGIN; -- rows 0", `line 6: "BEGIN" has no rows: leave -- rows out`},
		{"BEGIN; -- may fail", `line 5: "BEGIN" cannot fail and leave its transaction to go on`},
		{"COMMIT; -- may fail", `line 5: "COMMIT" cannot fail and leave`},
		{"ROLLBACK; -- may fail", `line 5: "ROLLBACK" cannot fail and leave`},
		{"DELETE FROM t; -- may fail", `line 5: "DELETE FROM t" cannot fail and leave`},
		{"SELECT s FROM t; -- may fail", `line 5: "SELECT s FROM t" cannot fail and leave`},
		{"SELECT s FROM t FOR UPDATE; -- rows 1, may fail", `line 5: "SELECT s FROM t FOR UPDATE" cannot fail and leave`},
		{"DROP TABLE t; -- may fail", `line 5: "DROP TABLE t" cannot fail and leave`},
		{"SELECT s FROM t;\n-- sum 1\nSELECT id FROM t; -- rows 1", "line 7: -- rows and -- may fail are about the statements of programs, and this is in sum"},
	} {
		if _, err := parseScript(script + c.text); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q: got %v, want %s", c.text, err, c.want)
		}
	}
	if _, err := parseScript(strings.Replace(script, "'a');", "'a'); -- rows 1", 1) + "SELECT s FROM t;"); err == nil || !strings.HasPrefix(err.Error(), "line 3: -- rows and") {
		t.Errorf("rows in the setup: %v", err)
	}
}

// A program goes on behind a statement that may fail where a value is there already, or a
// lock is not to be had, in its transaction and without one; behind any other it ends, and
// where a statement that may fail does so for another reason.
func TestMayFail(t *testing.T) {
	const setup = "-- setup\nCREATE TABLE t (id INT PRIMARY KEY, n INT, UNIQUE KEY n (n));\nINSERT INTO t VALUES (1, 1), (2, 2);\n-- program p\n"
	const locked = "SELECT n FROM t WHERE id = 1 FOR UPDATE NOWAIT;"
	for _, c := range []struct {
		text, want string // what ends the program
		rows       string // the ids then
	}{
		{"BEGIN PESSIMISTIC;\n" + locked + " -- rows 1, may fail\nINSERT INTO t VALUES (3, 3);\nCOMMIT;", "", "1 2 3"},
		{"BEGIN PESSIMISTIC;\n" + locked + "\nINSERT INTO t VALUES (3, 3);\nCOMMIT;", "lock wait", "1 2"},
		{"BEGIN PESSIMISTIC;\nINSERT INTO t VALUES (3, 3);\nINSERT INTO t VALUES (2, 4); -- may fail\nUPDATE t SET n = 3 WHERE id = 2; -- rows 1, may fail\nINSERT INTO t VALUES (4, 4);\nCOMMIT;", "", "1 2 3 4"},
		{"BEGIN PESSIMISTIC;\nINSERT INTO t VALUES (3, 3);\nINSERT INTO t VALUES (2, 4);\nCOMMIT;", "duplicate entry", "1 2"},
		{"BEGIN OPTIMISTIC;\nINSERT INTO t VALUES (2, 4); -- may fail\nINSERT INTO t VALUES (4, 4);\nCOMMIT;", "", "1 2 4"},
		{"INSERT INTO t VALUES (2, 4); -- may fail\nINSERT INTO t VALUES (4, 4);", "", "1 2 4"},
		{"INSERT INTO t VALUES (3, 9999999999); -- may fail\nINSERT INTO t VALUES (4, 4);", "does not fit", "1 2"},
		{"UPDATE t SET n = 9 WHERE id = 9; -- rows 1, may fail\nINSERT INTO t VALUES (4, 4);", "is of 0 rows, not 1", "1 2"},
		{"BEGIN PESSIMISTIC;\nUPDATE t SET n = 9 WHERE id = 1; -- may fail\nCOMMIT;", "deadline", "1 2"},
	} {
		s, parseErr := parseScript(setup + c.text)
		if parseErr != nil {
			t.Fatal(parseErr)
		}
		db := table.New(memory.New(), table.Config{})
		other, session := sql.NewSession(db), sql.NewSession(db)
		do := func(session *sql.Session, text string) *sql.Result {
			statements, err := sql.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			r, err := session.Exec(memory.Idle{}, statements[0])
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		for _, st := range s.setup {
			do(session, st.Text)
		}
		do(other, "BEGIN PESSIMISTIC")
		do(other, "SELECT n FROM t WHERE id = 1 FOR UPDATE")
		err := s.programs[0].run(memory.Idle{}, session, &watched{})
		if (c.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\nended by %v, want %q", c.text, err, c.want)
		}
		session.Close(memory.Idle{})
		var ids []string
		for _, row := range do(session, "SELECT id FROM t").Text() {
			ids = append(ids, row[0])
		}
		if got := strings.Join(ids, " "); got != c.rows {
			t.Errorf("%s\nleaves rows %s, want %s", c.text, got, c.rows)
		}
	}
}

// An error of unknown outcome is none after which a program goes on, whatever it has met.
func TestLeavesTransaction(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{&client.Error{Err: client.ErrLockWait}, true},
		{&client.Error{Err: &table.DuplicateError{}}, true},
		{&client.Error{Err: client.ErrDeadlock}, false},
		{&client.Error{Err: client.ErrWriteConflict}, false},
		{&client.Error{Err: &table.DuplicateError{}, Unknown: true}, false},
	} {
		if got := leavesTransaction(c.err); got != c.want {
			t.Errorf("%v: %v", c.err, got)
		}
	}
}

// Runs of programs are counted, not their transactions: what became of one that ended with
// its client nobody knows.
func TestRunsAreCounted(t *testing.T) {
	w := &sqlLoad{runs: map[string]*ProgramCount{}}
	failed, unknown := errors.New("one row too few"), &client.Error{Unknown: true, Err: client.ErrDeadline}
	for _, err := range []error{nil, nil, failed, unknown} {
		if got := w.counted("p", func() error { return err }); !errors.Is(got, err) {
			t.Errorf("got %v, want %v", got, err)
		}
	}
	func() {
		defer func() { _ = recover() }()
		_ = w.counted("killed", func() error { panic("the client ends") })
	}()
	got := w.Programs()
	want := []ProgramCount{{Name: "killed", Unknown: 1}, {Name: "p", OK: 2, Failed: 1, Unknown: 1}}
	if len(got) != len(want) || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("counted %+v, want %+v", got, want)
	}
}
