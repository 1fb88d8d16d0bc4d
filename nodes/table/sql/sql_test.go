package sql

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"simrun/nodes/codec"
	"simrun/nodes/table"
	"simrun/nodes/table/memory"
)

// TestStatements runs the statements of testdata one after another, each file on
// a database of its own, and shows what they answer; "explain" also shows how rows
// are found. Commands name a session; @1, @2, ... are its variables.
func TestStatements(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		db := table.New(memory.New(), table.Config{})
		sessions := map[string]*Session{}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			name := "a"
			if len(d.CmdArgs) > 0 {
				name = d.CmdArgs[0].Key
			}
			s := sessions[name]
			if s == nil {
				s = NewSession(db)
				s.Set("one", codec.Int(1))
				s.Set("big", codec.Uint(1<<63))
				s.Set("none", codec.Null())
				sessions[name] = s
			}
			statements, err := Parse(d.Input)
			if err != nil {
				return err.Error() + "\n"
			}
			var out strings.Builder
			for _, st := range statements {
				if d.Cmd == "explain" {
					fmt.Fprintln(&out, explain(t, s, st))
				}
				out.WriteString(answer(s.Exec(memory.Idle{}, st)))
			}
			return out.String()
		})
	})
}

func answer(r *Result, err error) string {
	switch {
	case err != nil:
		return err.Error() + "\n"
	case r.Columns == nil:
		return fmt.Sprintf("ok, %d\n", r.Affected)
	}
	var out strings.Builder
	var names []string
	for _, c := range r.Columns {
		names = append(names, c.Name)
	}
	fmt.Fprintln(&out, strings.Join(names, " | "))
	for _, row := range r.Text() {
		fmt.Fprintln(&out, strings.Join(row, " | "))
	}
	return out.String()
}

// explain tells the plan of a statement that finds rows.
func explain(t *testing.T, s *Session, st *Statement) string {
	t.Helper()
	var src source
	switch run := st.run.(type) {
	case query:
		src = run.source
	case update:
		src = run.source
	case remove:
		src = run.source
	default:
		return "no plan"
	}
	tx, err := s.db.Begin(memory.Idle{})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(memory.Idle{})
	tb, err := tx.Table(src.table)
	if err != nil {
		t.Fatal(err)
	}
	p := choose(s.scope(nil, nil), tb, &src)
	text := p.kind.String()
	if p.index != nil {
		text += " " + p.index.Name
	}
	if len(p.point) > 0 {
		text += fmt.Sprintf(", %v", p.point)
	}
	bound := func(name string, values []table.Datum, open bool) {
		if len(values) > 0 {
			text += fmt.Sprintf(", %s %v", name, values)
			if open {
				text += " excluded"
			}
		}
	}
	bound("from", p.span.Low, p.span.LowOpen)
	bound("to", p.span.High, p.span.HighOpen)
	if p.reverse {
		text += ", downward"
	}
	if !p.ordered {
		text += ", sorted"
	}
	return "-- " + text
}

// FuzzParse: whatever the text, there is a statement or an error with a place.
func FuzzParse(f *testing.F) {
	f.Add("SELECT a, b FROM t WHERE a = @x AND b IN (1, 2.5, 'c') ORDER BY a DESC LIMIT 3 FOR UPDATE")
	f.Add("CREATE TABLE t (a BIGINT UNSIGNED PRIMARY KEY, b VARCHAR(3) NOT NULL, UNIQUE KEY (b, a)); ADMIN CHECK TABLE t")
	f.Add("UPDATE t SET a = -a * 2 WHERE NOT a BETWEEN 1 AND 2 OR b IS NOT NULL; DELETE FROM t")
	f.Fuzz(func(t *testing.T, text string) {
		statements, err := Parse(text)
		var e *Error
		if err != nil && (!errors.As(err, &e) || e.Line < 1 || e.Column < 1) {
			t.Fatalf("error %v", err)
		}
		for _, st := range statements {
			if st.run == nil {
				t.Fatalf("%q does nothing", st.Text)
			}
		}
	})
}

// Goal: a statement tells what it asks for and how it can fail, whoever else is there.
func TestWhatStatementsTell(t *testing.T) {
	for _, c := range []struct {
		text             string
		variables        string
		ofRows, contends bool
		table, drops     string
	}{
		{"SELECT a FROM t WHERE a = @x AND b IN (@y, '@z', \"@z\") OR NOT (c BETWEEN @v AND -@w) LIMIT 1", "x y v w", true, false, "t", ""},
		{"SELECT a FROM t WHERE '@a' IS NULL FOR UPDATE", "", true, false, "t", ""},
		{"SELECT a FROM t FOR UPDATE NOWAIT /* @a */", "", true, true, "t", ""},
		{"SELECT a FROM t FOR UPDATE WAIT 0", "", true, true, "t", ""},
		{"SELECT a FROM t FOR UPDATE WAIT 7", "", true, true, "t", ""},
		{"INSERT INTO t VALUES (@x, 1 + @Y), (3, @x)", "x Y x", true, true, "t", ""},
		{"UPDATE t SET a = @x WHERE b IS NULL", "x", true, true, "t", ""},
		{"DELETE FROM t WHERE a <=> @x", "x", true, false, "t", ""},
		{"BEGIN", "", false, false, "", ""},
		{"COMMIT", "", false, false, "", ""},
		{"ROLLBACK", "", false, false, "", ""},
		{"CREATE TABLE t (a INT PRIMARY KEY)", "", false, false, "", ""},
		{"CREATE UNIQUE INDEX a ON t (a)", "", false, false, "", ""},
		{"DROP TABLE t", "", false, false, "", "t"},
		{"ADMIN CHECK TABLE t", "", false, false, "", ""},
	} {
		statements, err := Parse("COMMIT; " + c.text + "; SELECT a FROM t WHERE a = @other")
		if err != nil {
			t.Fatal(err)
		}
		st := statements[1]
		if got := strings.Join(st.Variables, " "); got != c.variables || st.OfRows() != c.ofRows || st.Contends() != c.contends {
			t.Errorf("%s: variables %q, of rows %v, contends %v", c.text, got, st.OfRows(), st.Contends())
		}
		if st.Table() != c.table || st.Drops() != c.drops {
			t.Errorf("%s: table %q, drops %q", c.text, st.Table(), st.Drops())
		}
	}
}
