package sql

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"simrun/nodes/table"
	"simrun/nodes/table/memory"
)

// The model of SQL is a list of rows, whose values are nil, a number of any size
// or a text, and conditions that are evaluated by their definition. It shares no
// code with what is tested.
type (
	cellValue any // nil, *big.Int or string
	modelRow  []cellValue
)

// The columns of the model's table: its primary key, signed or unsigned; a unique
// one; a text and a number, which share an index.
const (
	colID = iota
	colU
	colS
	colN
)

var columnNames = []string{"id", "u", "s", "n"}

func bigOf(text string) *big.Int {
	v, ok := new(big.Int).SetString(text, 10)
	if !ok {
		panic(text)
	}
	return v
}

// literal is a value as SQL text.
func literal(v cellValue) string {
	switch v := v.(type) {
	case *big.Int:
		return v.String()
	case string:
		return "'" + strings.ReplaceAll(v, "'", "''") + "'"
	}
	return "NULL"
}

// shown is a value as results show it.
func shown(v cellValue) string {
	if s, ok := v.(string); ok {
		return s
	}
	return literal(v)
}

// order compares two values of a column, NULL first.
func order(a, b cellValue) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return -1
	case b == nil:
		return 1
	}
	if x, ok := a.(*big.Int); ok {
		return x.Cmp(b.(*big.Int))
	}
	return strings.Compare(a.(string), b.(string))
}

// atom is a comparison of a column with a value. A condition is atoms joined by
// AND, or by OR.
type atom struct {
	column int
	op     string
	value  cellValue
}

type condition struct {
	atoms []atom
	or    bool
}

func (c *condition) text() string {
	if len(c.atoms) == 0 {
		return ""
	}
	var parts []string
	for _, a := range c.atoms {
		switch a.op {
		case "IS NULL", "IS NOT NULL":
			parts = append(parts, columnNames[a.column]+" "+a.op)
		default:
			parts = append(parts, fmt.Sprintf("%s %s %s", columnNames[a.column], a.op, literal(a.value)))
		}
	}
	joined := " AND "
	if c.or {
		joined = " OR "
	}
	return " WHERE " + strings.Join(parts, joined)
}

// holds evaluates an atom: 1 is true, 0 false, -1 unknown.
func (a atom) holds(row modelRow) int {
	v := row[a.column]
	yes := func(b bool) int {
		if b {
			return 1
		}
		return 0
	}
	switch {
	case a.op == "IS NULL":
		return yes(v == nil)
	case a.op == "IS NOT NULL":
		return yes(v != nil)
	case v == nil || a.value == nil:
		return -1
	}
	c := order(v, a.value)
	return yes(map[string]bool{"=": c == 0, "<>": c != 0, "<": c < 0, "<=": c <= 0, ">": c > 0, ">=": c >= 0}[a.op])
}

func (c *condition) accepts(row modelRow) bool {
	if len(c.atoms) == 0 {
		return true
	}
	for _, a := range c.atoms {
		if h := a.holds(row); c.or == (h == 1) {
			return c.or
		}
	}
	return !c.or
}

// sqlMachine compares a session with the model.
type sqlMachine struct {
	session   *Session
	unsigned  bool
	open      bool
	rows      []modelRow
	committed []modelRow // while a transaction is under way
}

func TestModel(t *testing.T) {
	for _, unsigned := range []bool{true, false} {
		t.Run(fmt.Sprintf("unsigned=%v", unsigned), func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				store := memory.New()
				store.Pessimistic = rapid.Bool().Draw(rt, "pessimistic")
				db := table.New(store, table.Config{PageRows: rapid.IntRange(1, 4).Draw(rt, "page"), BackfillBatch: 2})
				m := &sqlMachine{session: NewSession(db), unsigned: unsigned}
				word := ""
				if unsigned {
					word = " UNSIGNED"
				}
				m.run(rt, "CREATE TABLE t (id BIGINT"+word+" PRIMARY KEY, u BIGINT, s VARCHAR(5), n INT, UNIQUE KEY (u), KEY (s, n))")
				rt.Repeat(map[string]func(*rapid.T){
					"":         func(rt *rapid.T) { m.run(rt, "ADMIN CHECK TABLE t") },
					"insert":   m.insert,
					"insert 2": m.insert,
					"update":   m.update,
					"delete":   m.remove,
					"select":   m.query,
					"select 2": m.query,
					"count":    m.count,
					"begin":    m.transaction,
					"index":    m.index,
				})
			})
		})
	}
}

// exec runs one statement.
func (m *sqlMachine) exec(rt *rapid.T, text string) (*Result, error) {
	statements, err := Parse(text)
	if err != nil {
		rt.Fatalf("%s: %v", text, err)
	}
	return m.session.Exec(memory.Idle{}, statements[0])
}

// run runs one statement that succeeds.
func (m *sqlMachine) run(rt *rapid.T, text string) *Result {
	r, err := m.exec(rt, text)
	if err != nil {
		rt.Fatalf("%s: %v", text, err)
	}
	return r
}

func (m *sqlMachine) value(rt *rapid.T, column int) cellValue {
	draw := func(texts ...string) cellValue { return bigOf(rapid.SampledFrom(texts).Draw(rt, columnNames[column])) }
	if column != colID && rapid.IntRange(0, 4).Draw(rt, "null") == 0 {
		return nil
	}
	switch {
	case column == colID && m.unsigned:
		return draw("0", "1", "2", "3", "9223372036854775807", "9223372036854775808", "18446744073709551615")
	case column == colID:
		return draw("-9223372036854775808", "-2", "-1", "0", "1", "2", "9223372036854775807")
	case column == colS:
		return rapid.SampledFrom([]string{"", "a", "ab", "b", "it's"}).Draw(rt, "s")
	}
	return draw("-3", "-2", "-1", "0", "1", "2", "3")
}

func (m *sqlMachine) condition(rt *rapid.T) *condition {
	c := &condition{or: rapid.IntRange(0, 3).Draw(rt, "or") == 0}
	for range rapid.IntRange(0, 3).Draw(rt, "atoms") {
		a := atom{column: rapid.IntRange(0, colN).Draw(rt, "column")}
		a.op = rapid.SampledFrom([]string{"=", "=", "<>", "<", "<=", ">", ">=", "IS NULL", "IS NOT NULL"}).Draw(rt, "op")
		a.value = m.value(rt, a.column)
		c.atoms = append(c.atoms, a)
	}
	return c
}

// selected returns the rows of a condition, in the order of columns, each downward
// or not, of which the last is the primary key.
func (m *sqlMachine) selected(c *condition, columns []int, reverse []bool) []modelRow {
	var rows []modelRow
	for _, row := range m.rows {
		if c.accepts(row) {
			rows = append(rows, row)
		}
	}
	slices.SortFunc(rows, func(a, b modelRow) int {
		for i, column := range columns {
			if o := order(a[column], b[column]); o != 0 && reverse[i] {
				return -o
			} else if o != 0 {
				return o
			}
		}
		return 0
	})
	return rows
}

// drawOrdering draws an ORDER BY that leaves nothing open.
func drawOrdering(rt *rapid.T) (columns []int, reverse []bool, text string) {
	columns = slices.Clone(rapid.SampledFrom([][]int{{colID}, {colU, colID}, {colS, colN, colID}, {colN, colID}, {colS, colID}}).Draw(rt, "order"))
	down := rapid.Bool().Draw(rt, "down")
	for i, c := range columns {
		r := down
		if rapid.IntRange(0, 5).Draw(rt, "other") == 0 {
			r = !r
		}
		reverse = append(reverse, r)
		text += map[bool]string{true: ", ", false: " ORDER BY "}[i > 0] + columnNames[c] + map[bool]string{true: " DESC", false: ""}[r]
	}
	return columns, reverse, text
}

// free says whether there may be such rows: no primary key and no unique value
// twice.
func free(rows []modelRow) bool {
	for i, a := range rows {
		for _, b := range rows[:i] {
			if order(a[colID], b[colID]) == 0 || a[colU] != nil && b[colU] != nil && order(a[colU], b[colU]) == 0 {
				return false
			}
		}
	}
	return true
}

// outcome takes over the rows of a statement that succeeded. One that fails does
// so for a duplicate, or a value out of range.
func (m *sqlMachine) outcome(rt *rapid.T, text string, affected int, after []modelRow, ok bool) {
	r, err := m.exec(rt, text)
	switch {
	case ok && err != nil:
		rt.Fatalf("%s: %v", text, err)
	case ok && r.Affected != affected:
		rt.Fatalf("%s: %d rows, want %d", text, r.Affected, affected)
	case ok:
		m.rows = after
	case !errors.Is(err, table.ErrDuplicate) && !errors.Is(err, table.ErrValue) && !errors.Is(err, ErrExpression):
		rt.Fatalf("%s: error %v", text, err)
	}
}

func (m *sqlMachine) insert(rt *rapid.T) {
	after := slices.Clone(m.rows)
	var lists []string
	n := rapid.IntRange(1, 3).Draw(rt, "rows")
	for range n {
		row := modelRow{m.value(rt, colID), m.value(rt, colU), m.value(rt, colS), m.value(rt, colN)}
		after = append(after, row)
		lists = append(lists, fmt.Sprintf("(%s, %s, %s, %s)", literal(row[0]), literal(row[1]), literal(row[2]), literal(row[3])))
	}
	m.outcome(rt, "INSERT INTO t VALUES "+strings.Join(lists, ", "), n, after, free(after))
}

// update sets or adds to some columns of some rows. It does so row by row, so
// that a value which only a later row gives up is a duplicate.
func (m *sqlMachine) update(rt *rapid.T) {
	c := m.condition(rt)
	columns, reverse, by := drawOrdering(rt)
	rows := m.selected(c, columns, reverse)
	limit := ""
	if rapid.Bool().Draw(rt, "limited") {
		n := rapid.IntRange(0, 2).Draw(rt, "limit")
		rows, limit = rows[:min(n, len(rows))], fmt.Sprintf(" LIMIT %d", n)
	}
	var sets []string
	change := map[int]func(modelRow) cellValue{}
	for _, column := range rapid.SliceOfNDistinct(rapid.IntRange(0, colN), 1, 2, rapid.ID).Draw(rt, "set") {
		if column != colS && rapid.Bool().Draw(rt, "add") {
			d := rapid.SampledFrom([]int64{-1, 1}).Draw(rt, "addend")
			sets = append(sets, fmt.Sprintf("%s = %s + %d", columnNames[column], columnNames[column], d))
			change[column] = func(row modelRow) cellValue {
				if row[column] == nil {
					return nil
				}
				return new(big.Int).Add(row[column].(*big.Int), big.NewInt(d))
			}
			continue
		}
		v := m.value(rt, column)
		sets = append(sets, columnNames[column]+" = "+literal(v))
		change[column] = func(modelRow) cellValue { return v }
	}
	after, ok := slices.Clone(m.rows), true
	for _, row := range rows {
		changed := slices.Clone(row)
		for column, fn := range change {
			changed[column] = fn(row)
		}
		i := slices.IndexFunc(after, func(r modelRow) bool { return &r[0] == &row[0] })
		after[i] = changed
		if ok = m.fits(changed) && free(after); !ok {
			break
		}
	}
	m.outcome(rt, "UPDATE t SET "+strings.Join(sets, ", ")+c.text()+by+limit, len(rows), after, ok)
}

// fits says whether the primary key is in its range; the other numbers are small.
func (m *sqlMachine) fits(row modelRow) bool {
	id := row[colID].(*big.Int)
	if m.unsigned {
		return id.IsUint64()
	}
	return id.IsInt64()
}

func (m *sqlMachine) remove(rt *rapid.T) {
	c := m.condition(rt)
	columns, reverse, by := drawOrdering(rt)
	gone := m.selected(c, columns, reverse)
	n := rapid.IntRange(0, 3).Draw(rt, "limit")
	gone = gone[:min(n, len(gone))]
	after := slices.DeleteFunc(slices.Clone(m.rows), func(r modelRow) bool {
		return slices.ContainsFunc(gone, func(g modelRow) bool { return &g[0] == &r[0] })
	})
	m.outcome(rt, fmt.Sprintf("DELETE FROM t%s%s LIMIT %d", c.text(), by, n), len(gone), after, true)
}

func (m *sqlMachine) query(rt *rapid.T) {
	c := m.condition(rt)
	columns, reverse, by := drawOrdering(rt)
	rows := m.selected(c, columns, reverse)
	text, locks := "SELECT * FROM t"+c.text(), ""
	if rapid.IntRange(0, 3).Draw(rt, "for update") == 0 {
		locks = " FOR UPDATE"
	}
	ordered := rapid.Bool().Draw(rt, "ordered")
	if ordered {
		text += by
		if rapid.Bool().Draw(rt, "limited") {
			n := rapid.IntRange(0, 3).Draw(rt, "limit")
			text += fmt.Sprintf(" LIMIT %d", n)
			rows = rows[:min(n, len(rows))]
		}
	}
	var want, got []string
	for _, row := range rows {
		want = append(want, fmt.Sprintf("%s|%s|%s|%s", shown(row[0]), shown(row[1]), shown(row[2]), shown(row[3])))
	}
	for _, row := range m.run(rt, text+locks).Text() {
		got = append(got, strings.Join(row, "|"))
	}
	if !ordered {
		slices.Sort(want)
		slices.Sort(got)
	}
	if !slices.Equal(got, want) {
		rt.Fatalf("%s:\ngot  %q\nwant %q", text, got, want)
	}
}

func (m *sqlMachine) count(rt *rapid.T) {
	c := m.condition(rt)
	want := fmt.Sprint(len(m.selected(c, nil, nil)))
	if got := m.run(rt, "SELECT COUNT(*) FROM t"+c.text()).Text()[0][0]; got != want {
		rt.Fatalf("count%s: %s, want %s", c.text(), got, want)
	}
}

func (m *sqlMachine) transaction(rt *rapid.T) {
	if !m.open {
		m.run(rt, rapid.SampledFrom([]string{"BEGIN", "BEGIN PESSIMISTIC", "BEGIN OPTIMISTIC", "START TRANSACTION"}).Draw(rt, "begin"))
		m.open, m.committed = true, slices.Clone(m.rows)
		return
	}
	m.open = false
	if rapid.Bool().Draw(rt, "commit") {
		m.run(rt, "COMMIT")
		return
	}
	m.run(rt, "ROLLBACK")
	m.rows = m.committed
}

// index adds or drops an index, so that other plans are made.
func (m *sqlMachine) index(rt *rapid.T) {
	if m.open {
		rt.Skip("a transaction is under way")
	}
	name := rapid.SampledFrom([]string{"x", "y"}).Draw(rt, "index")
	text := map[string]string{"x": "CREATE INDEX x ON t (n, id)", "y": "CREATE UNIQUE INDEX y ON t (s, u)"}[name]
	if _, err := m.exec(rt, text); errors.Is(err, table.ErrSchema) {
		_, _ = m.exec(rt, "DROP INDEX "+name+" ON t") // it was there, or its values are not unique
	} else if err != nil {
		rt.Fatalf("%s: %v", text, err)
	}
	// Uniqueness of (s, u) follows from that of u, unless u is NULL.
}
