package table

import (
	"bytes"
	"cmp"
	"errors"
	"maps"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"simrun/nodes/codec"
	"simrun/nodes/table/memory"
)

// The tables of the model differ in their primary key, and have the same other
// columns and indexes: one unique index over two columns, one over a column of
// each type, and one that is not unique.
var modelKeys = map[string]Column{
	"signed":   {Name: "id", Type: BigInt},
	"unsigned": {Name: "id", Type: BigInt, Unsigned: true},
	"text":     {Name: "id", Type: VarChar, Length: 10},
	"none":     {Name: "id", Type: Int, NotNull: true},
}

func modelDefinition(key string) Definition {
	d := Definition{
		Name: "t",
		Columns: []Column{
			{Name: "u", Type: BigInt, Unsigned: true},
			modelKeys[key],
			{Name: "s", Type: VarChar, Length: 12},
			{Name: "f", Type: Double},
			{Name: "d", Type: DateTime},
		},
		Primary: []string{"id"},
		Indexes: []IndexDefinition{
			{Name: "us", Unique: true, Columns: []string{"u", "s"}},
			{Name: "f", Columns: []string{"f"}},
			{Name: "d", Unique: true, Columns: []string{"d"}},
			{Name: "su", Columns: []string{"s", "u"}},
		},
	}
	if key == "none" {
		d.Primary = nil
	}
	return d
}

// modelValue draws a value for a column, small ones most of the time so that
// rows meet, and the extremes of its type.
func modelValue(c *Column) *rapid.Generator[Datum] {
	var g *rapid.Generator[Datum]
	switch {
	case c.Type == BigInt && c.Unsigned:
		g = rapid.Map(rapid.SampledFrom([]uint64{0, 1, 2, 3, 1<<63 - 1, 1 << 63, 1<<63 + 1, math.MaxUint64}), codec.Uint)
	case c.Type == BigInt:
		g = rapid.Map(rapid.SampledFrom([]int64{math.MinInt64, -2, -1, 0, 1, 2, math.MaxInt64}), codec.Int)
	case c.Type == Int:
		g = rapid.Map(rapid.Int64Range(-3, 3), codec.Int)
	case c.Type == Double:
		g = rapid.Map(rapid.SampledFrom([]float64{math.Inf(-1), -1.5, math.Copysign(0, -1), 0, 1e-300, 2.5}), codec.Float).
			Filter(func(d Datum) bool { return !math.IsInf(d.Float(), 0) })
	case c.Type == DateTime:
		g = rapid.Map(rapid.SampledFrom([]string{"1999-12-31 23:59:59", "2000-01-01", "2000-02-29 00:00:00.000001", "2026-11-21 05:00:00"}), codec.Bytes)
	default:
		g = rapid.Map(rapid.SampledFrom([]string{"", "a", "ab", "a\x00", "12345678", "123456789"}), codec.Bytes)
	}
	if c.NotNull {
		return g
	}
	return rapid.OneOf(g, g, g, rapid.Just(codec.Null()))
}

// machine compares one database with maps: the rows as they were committed and
// as the transaction under way sees them. Row ids that nobody sees are taken
// over from the database, which must not give one twice.
type machine struct {
	store     *memory.Store
	db        *DB
	key       string
	tb        *Table
	tx        *Tx
	committed map[int64]Row
	rows      map[int64]Row
	used      map[int64]bool
}

func TestModel(t *testing.T) {
	for _, key := range slices.Sorted(maps.Keys(modelKeys)) {
		t.Run(key, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				store := memory.New()
				store.Pessimistic = rapid.Bool().Draw(rt, "pessimistic")
				m := &machine{store: store, key: key, committed: map[int64]Row{}, used: map[int64]bool{}}
				m.open(rt)
				if err := m.db.CreateTable(memory.Idle{}, modelDefinition(key)); err != nil {
					rt.Fatal(err)
				}
				m.begin(rt)
				rt.Repeat(map[string]func(*rapid.T){
					"":         m.check,
					"insert":   m.insert,
					"insert 2": m.insert,
					"insert 3": m.insert,
					"update":   m.update,
					"delete":   m.remove,
					"scan":     m.scan,
					"lookup":   m.lookup,
					"commit":   m.commit,
					"rollback": m.rollback,
					"restart":  m.restart,
				})
			})
		})
	}
}

func (m *machine) open(rt *rapid.T) {
	m.db = New(m.store, Config{PageRows: rapid.IntRange(1, 4).Draw(rt, "page"), RowIDBatch: rapid.IntRange(1, 3).Draw(rt, "batch")})
}

func (m *machine) begin(rt *rapid.T) {
	var err error
	if m.tx, err = m.db.Begin(memory.Idle{}); err == nil {
		m.tb, err = m.tx.Table("t")
	}
	if err != nil {
		rt.Fatal(err)
	}
	m.rows = maps.Clone(m.committed)
}

func (m *machine) commit(rt *rapid.T) {
	if err := m.tx.Commit(memory.Idle{}); err != nil {
		rt.Fatal(err)
	}
	m.committed = m.rows
	m.begin(rt)
}

func (m *machine) rollback(rt *rapid.T) {
	m.tx.Rollback(memory.Idle{})
	m.begin(rt)
}

// restart ends the client: row ids that it has taken and not used are lost.
func (m *machine) restart(rt *rapid.T) {
	m.tx.Rollback(memory.Idle{})
	m.open(rt)
	m.begin(rt)
}

func (m *machine) drawRow(rt *rapid.T) Row {
	row := make(Row, len(m.tb.Columns))
	for i := range row {
		row[i] = modelValue(&m.tb.Columns[i]).Draw(rt, m.tb.Columns[i].Name)
	}
	return row
}

// insert inserts a few rows in one statement, which take effect together or not
// at all.
func (m *machine) insert(rt *rapid.T) {
	var rows []Row
	for range rapid.IntRange(1, 3).Draw(rt, "rows") {
		rows = append(rows, m.drawRow(rt))
	}
	after := maps.Clone(m.rows)
	expected := true
	var given []int64
	err := m.tx.Do(memory.Idle{}, func(s *Statement) error {
		for _, row := range rows {
			handle, err := s.Insert(memory.Idle{}, m.tb, row)
			stored, _ := m.tb.convert(row)
			if m.tb.PrimaryKey >= 0 {
				handle = handleOf(stored[m.tb.PrimaryKey])
			}
			if expected = m.free(after, handle, stored, nil); !expected {
				return err
			}
			if err != nil {
				return err
			}
			after[handle] = stored
			given = append(given, handle)
		}
		return nil
	})
	m.outcome(rt, err, expected)
	if expected {
		m.rows = after
	}
	for _, h := range given {
		if m.tb.PrimaryKey < 0 {
			if m.used[h] {
				rt.Fatalf("row id %d was given twice", h)
			}
			m.used[h] = true
		}
	}
}

// free says whether a row may have these values beside others.
func (m *machine) free(rows map[int64]Row, handle int64, row Row, except *int64) bool {
	for h, other := range rows {
		if except != nil && h == *except {
			continue
		}
		if h == handle && m.tb.PrimaryKey >= 0 {
			return false
		}
		for i := range m.tb.Indexes {
			x := &m.tb.Indexes[i]
			if v := x.values(row); x.distinct(v) && slices.Equal(v, x.values(other)) {
				return false
			}
		}
	}
	return true
}

func (m *machine) outcome(rt *rapid.T, err error, expected bool) {
	if expected && err != nil || !expected && !errors.Is(err, ErrDuplicate) {
		rt.Fatalf("got error %v; the model takes it: %v", err, expected)
	}
}

func (m *machine) pickRow(rt *rapid.T) int64 {
	if len(m.rows) == 0 {
		rt.Skip("no rows")
	}
	return rapid.SampledFrom(slices.Sorted(maps.Keys(m.rows))).Draw(rt, "row")
}

// update changes some columns of a row, the primary key among them.
func (m *machine) update(rt *rapid.T) {
	handle := m.pickRow(rt)
	changed := m.rows[handle].clone()
	for i := range changed {
		if rapid.IntRange(0, 2).Draw(rt, "change") == 0 {
			changed[i] = modelValue(&m.tb.Columns[i]).Draw(rt, m.tb.Columns[i].Name)
		}
	}
	stored, _ := m.tb.convert(changed)
	next := handle
	if m.tb.PrimaryKey >= 0 {
		next = handleOf(stored[m.tb.PrimaryKey])
	}
	expected := m.free(m.rows, next, stored, &handle)
	err := m.tx.Do(memory.Idle{}, func(s *Statement) error { return s.Update(memory.Idle{}, m.tb, handle, m.rows[handle], changed) })
	m.outcome(rt, err, expected)
	if expected {
		delete(m.rows, handle)
		m.rows[next] = stored
	}
}

func (m *machine) remove(rt *rapid.T) {
	handle := m.pickRow(rt)
	if err := m.tx.Do(memory.Idle{}, func(s *Statement) error { return s.Delete(memory.Idle{}, m.tb, handle, m.rows[handle]) }); err != nil {
		rt.Fatal(err)
	}
	delete(m.rows, handle)
}

// scan reads a range of the primary key or an index, in either direction, with a
// limit and a filter perhaps.
func (m *machine) scan(rt *rapid.T) {
	s := Scan{Reverse: rapid.Bool().Draw(rt, "reverse"), Limit: rapid.IntRange(0, 3).Draw(rt, "limit")}
	columns := []int{m.tb.PrimaryKey}
	if n := rapid.IntRange(-1, len(m.tb.Indexes)-1).Draw(rt, "index"); n >= 0 {
		s.Index = &m.tb.Indexes[n]
		columns = s.Index.Columns
	}
	if columns[0] >= 0 {
		s.Range = m.drawRange(rt, columns)
	}
	if rapid.IntRange(0, 3).Draw(rt, "filter") == 0 {
		s.Filter = func(r Record) (bool, error) { return !r.Row[2].IsNull(), nil }
	}
	var want []Record
	for h, row := range m.rows {
		if r := (Record{h, row}); inRange(s.Range, columns, row) && (s.Filter == nil || !row[2].IsNull()) {
			want = append(want, r)
		}
	}
	slices.SortFunc(want, func(a, b Record) int {
		if columns[0] >= 0 {
			for _, c := range columns {
				if order := a.Row[c].Compare(b.Row[c]); order != 0 {
					return order
				}
			}
		}
		return cmp.Compare(a.Handle, b.Handle)
	})
	if s.Reverse {
		slices.Reverse(want)
	}
	if s.Limit > 0 && len(want) > s.Limit {
		want = want[:s.Limit]
	}
	got, err := m.tx.Scan(memory.Idle{}, m.tb, s)
	if err != nil || !slices.EqualFunc(got, want, sameRecord) {
		rt.Fatalf("scan %+v:\ngot  %v, %v\nwant %v", s, got, err, want)
	}
	if n, err := m.tx.Count(memory.Idle{}, m.tb, s); err != nil || n != len(want) {
		rt.Fatalf("count %+v: %d, %v, want %d", s, n, err, len(want))
	}
}

func sameRecord(a, b Record) bool { return a.Handle == b.Handle && slices.Equal(a.Row, b.Row) }

func (m *machine) drawRange(rt *rapid.T, columns []int) Range {
	draw := func(name string) (values []Datum) {
		for _, c := range columns[:rapid.IntRange(0, len(columns)).Draw(rt, name)] {
			column := m.tb.Columns[c]
			v, _ := column.Convert(modelValue(&column).Draw(rt, name))
			values = append(values, v)
		}
		return values
	}
	return Range{
		Low: draw("low"), LowOpen: rapid.Bool().Draw(rt, "low open"),
		High: draw("high"), HighOpen: rapid.Bool().Draw(rt, "high open"),
	}
}

// inRange is what Range says, column by column.
func inRange(r Range, columns []int, row Row) bool {
	compare := func(bound []Datum) int {
		for i, v := range bound {
			if c := row[columns[i]].Compare(v); c != 0 {
				return c
			}
		}
		return 0
	}
	if c := compare(r.Low); len(r.Low) > 0 && (c < 0 || c == 0 && r.LowOpen) {
		return false
	}
	c := compare(r.High)
	return len(r.High) == 0 || c < 0 || c == 0 && !r.HighOpen
}

// lookup reads single rows by primary key and by unique index.
func (m *machine) lookup(rt *rapid.T) {
	if m.tb.PrimaryKey >= 0 {
		c := m.tb.Columns[m.tb.PrimaryKey]
		handle := handleOf(modelValue(&c).Draw(rt, "id"))
		row, found, err := m.tx.Get(memory.Idle{}, m.tb, handle)
		if want, exists := m.rows[handle]; err != nil || found != exists || !slices.Equal(row, want) {
			rt.Fatalf("get %d: %v %v %v, want %v", handle, row, found, err, want)
		}
	}
	x := m.tb.Index("d")
	day, _ := m.tb.Columns[x.Columns[0]].Convert(modelValue(&Column{Type: DateTime, NotNull: true}).Draw(rt, "d"))
	got, found, err := m.tx.Lookup(memory.Idle{}, m.tb, x, []Datum{day})
	want, exists := Record{}, false
	for h, row := range m.rows {
		if row[x.Columns[0]] == day {
			want, exists = Record{h, row}, true
		}
	}
	if err != nil || found != exists || !sameRecord(got, want) {
		rt.Fatalf("lookup %v: %v %v %v, want %v", day, got, found, err, want)
	}
}

// check looks at everything after every step.
func (m *machine) check(rt *rapid.T) {
	if err := m.tx.Check(memory.Idle{}, m.tb); err != nil {
		rt.Fatal(err)
	}
	records, err := m.tx.Scan(memory.Idle{}, m.tb, Scan{})
	if err != nil || len(records) != len(m.rows) {
		rt.Fatalf("%d records, %v, want %d", len(records), err, len(m.rows))
	}
	for _, r := range records {
		if want := m.rows[r.Handle]; !slices.Equal(r.Row, want) {
			rt.Fatalf("record %v, want %v", r, want)
		}
	}
}

// TestRowGolden compares with values as the description of row format 2 makes
// them.
func TestRowGolden(t *testing.T) {
	tb := &Table{ID: 1, Name: "t", PrimaryKey: 0, Columns: []Column{
		{ID: 1, Name: "id", Type: BigInt},
		{ID: 2, Name: "a", Type: BigInt},
		{ID: 3, Name: "s", Type: VarChar, Length: 5},
		{ID: 4, Name: "n", Type: BigInt},
		{ID: 5, Name: "u", Type: BigInt, Unsigned: true},
		{ID: 6, Name: "f", Type: Double},
	}}
	for _, c := range []struct {
		row  Row
		want []byte
	}{
		{
			Row{codec.Int(7), codec.Int(-1), codec.Bytes("abc"), codec.Null(), codec.Uint(300), codec.Float(1)},
			[]byte{
				128, 0, 4, 0, 1, 0, 2, 3, 5, 6, 4, 1, 0, 4, 0, 6, 0, 14, 0,
				255, 'a', 'b', 'c', 44, 1, 0xbf, 0xf0, 0, 0, 0, 0, 0, 0,
			},
		},
		{
			Row{codec.Int(7), codec.Null(), codec.Null(), codec.Null(), codec.Null(), codec.Null()},
			[]byte{128, 0, 0, 0, 5, 0, 2, 3, 4, 5, 6},
		},
	} {
		got := tb.encodeRow(c.row)
		if !bytes.Equal(got, c.want) {
			t.Errorf("%v:\ngot  %v\nwant %v", c.row, got, c.want)
		}
		if _, back, err := tb.decodeRow(codec.RowKey(1, 7), got); err != nil || !slices.Equal(back, c.row) {
			t.Errorf("%v comes back as %v, %v", c.row, back, err)
		}
	}
}

// FuzzSplitRow: what is accepted is what appendRow writes.
func FuzzSplitRow(f *testing.F) {
	f.Add([]byte{128, 0, 1, 0, 1, 0, 2, 4, 3, 0, 'a', 'b', 'c'})
	f.Add(appendRow(nil, []cell{{id: 300, data: []byte("x")}, {id: 2, null: true}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		cells, err := splitRow(b)
		if err != nil {
			return
		}
		if again := appendRow(nil, cells); !bytes.Equal(again, b) {
			t.Fatalf("%v again: %v", b, again)
		}
	})
}
