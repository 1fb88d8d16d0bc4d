package table

import (
	"slices"
	"strings"
)

// State is how far an index, or the drop of a table, has come: what a
// transaction of a schema version does with it. The order is that of adding;
// removing goes back without Reorganizing.
type State string

// The states.
const (
	// DeleteOnly: entries of rows that are deleted or changed are removed, none are
	// written. It comes before WriteOnly, so that nobody leaves an entry behind
	// which another one, a version ahead, has written. A table in this state is
	// being dropped, and no statement sees it.
	DeleteOnly State = "delete-only"
	// WriteOnly: entries are written and removed; nobody reads them.
	WriteOnly State = "write-only"
	// Reorganizing is WriteOnly for everybody. It is a version of its own because in
	// the first version of WriteOnly transactions of DeleteOnly still commit: only
	// a snapshot from this version on shows every row that has no entry.
	Reorganizing State = "reorganizing"
	// Public: it is complete, and readers use it.
	Public State = "public"
)

// states lists them all, in the order of adding.
func states() []State { return []State{DeleteOnly, WriteOnly, Reorganizing, Public} }

// maintained says whether entries are written.
func (s State) maintained() bool { return s == WriteOnly || s == Reorganizing || s == Public }

// Column is a column of a table.
type Column struct {
	ID     int64  `json:"id"`
	Name   string `json:"name"`
	Type   Type   `json:"type"`
	Length int    `json:"length,omitempty"` // of a VARCHAR, in characters, or in bytes if it is binary
	// Binary is set for a VARCHAR that holds bytes and no text: VARBINARY.
	Binary bool `json:"binary,omitempty"`
	// Precision is to how many digits of a second a DATETIME is rounded.
	Precision int  `json:"precision,omitempty"`
	Unsigned  bool `json:"unsigned,omitempty"`
	NotNull   bool `json:"not_null,omitempty"`
}

// Index is an index of a table.
type Index struct {
	ID      int64  `json:"id"`
	Name    string `json:"name"`
	Unique  bool   `json:"unique,omitempty"`
	State   State  `json:"state"`
	Columns []int  `json:"columns"` // places in Table.Columns
}

// Table is a table as the schema has it. It does not change: a change of the
// schema makes another one.
type Table struct {
	ID      int64    `json:"id"`
	Name    string   `json:"name"`
	State   State    `json:"state"`
	Columns []Column `json:"columns"`
	Indexes []Index  `json:"indexes,omitempty"`
	// PrimaryKey is the place of the column that is the handle, -1 if the handle is
	// a number of the table's own.
	PrimaryKey int   `json:"primary_key"`
	LastIndex  int64 `json:"last_index"` // the highest index id ever given
}

// Definition is what a new table is to be.
type Definition struct {
	Name    string
	Columns []Column // without ids
	// Primary names the columns of the primary key, none if there is none. One
	// integer column is the handle; others become a unique index named PRIMARY.
	Primary []string
	Indexes []IndexDefinition
}

// IndexDefinition is what a new index is to be.
type IndexDefinition struct {
	Name    string
	Unique  bool
	Columns []string
}

// primaryName is the name of the index of a primary key that is no handle.
const primaryName = "PRIMARY"

// checkName refuses the name of the primary key for another index.
func (d *IndexDefinition) checkName(table string) error {
	if strings.EqualFold(d.Name, primaryName) {
		return schemaError("table %s: index %s has the name of the primary key", table, d.Name)
	}
	return nil
}

// columnMax bounds the columns of a table: their ids fit the small form of rows.
const columnMax = 255

// build makes a table of a definition.
func (d *Definition) build(id int64) (*Table, error) {
	if d.Name == "" {
		return nil, schemaError("a table has no name")
	}
	if len(d.Columns) == 0 || len(d.Columns) > columnMax {
		return nil, schemaError("table %s has %d columns: 1 to %d", d.Name, len(d.Columns), columnMax)
	}
	t := &Table{ID: id, Name: d.Name, State: Public, PrimaryKey: -1}
	for i := range d.Columns {
		c := d.Columns[i]
		c.ID = int64(i + 1)
		if err := t.addColumn(c); err != nil {
			return nil, err
		}
	}
	indexes := d.Indexes
	if len(d.Primary) > 0 {
		places, err := t.places(d.Primary)
		if err != nil {
			return nil, err
		}
		for _, p := range places {
			t.Columns[p].NotNull = true
		}
		if c := &t.Columns[places[0]]; len(places) == 1 && c.Type.integer() {
			t.PrimaryKey = places[0]
		} else {
			indexes = append([]IndexDefinition{{Name: primaryName, Unique: true, Columns: d.Primary}}, indexes...)
		}
	}
	for _, def := range d.Indexes {
		if err := def.checkName(d.Name); err != nil {
			return nil, err
		}
	}
	for _, def := range indexes {
		next, err := t.withIndex(def, Public)
		if err != nil {
			return nil, err
		}
		t = next
	}
	return t, nil
}

func (t *Table) addColumn(c Column) error {
	switch {
	case c.Name == "" || t.place(c.Name) >= 0:
		return schemaError("table %s: column %q has no name, or that of another", t.Name, c.Name)
	case !slices.Contains(types(), c.Type):
		return schemaError("column %s.%s: type %q is not offered", t.Name, c.Name, c.Type)
	case (c.Type == VarChar) != (c.Length > 0):
		return schemaError("column %s.%s: a length of %d for a %s", t.Name, c.Name, c.Length, c.Type)
	case c.Precision != 0 && c.Type != DateTime, c.Precision < 0 || c.Precision > PrecisionMax:
		return schemaError("column %s.%s: a %s with %d digits of a second", t.Name, c.Name, c.Type, c.Precision)
	case c.Binary && c.Type != VarChar:
		return schemaError("column %s.%s: a binary %s", t.Name, c.Name, c.Type)
	case c.Unsigned && !c.Type.integer():
		return schemaError("column %s.%s: an unsigned %s", t.Name, c.Name, c.Type)
	}
	t.Columns = append(t.Columns, c)
	return nil
}

// withIndex returns the table with one more index.
func (t *Table) withIndex(def IndexDefinition, state State) (*Table, error) {
	if def.Name == "" || t.Index(def.Name) != nil {
		return nil, schemaError("table %s: index %q has no name, or that of another", t.Name, def.Name)
	}
	if len(def.Columns) == 0 {
		return nil, schemaError("index %s.%s has no columns", t.Name, def.Name)
	}
	places, err := t.places(def.Columns)
	if err != nil {
		return nil, err
	}
	next := *t
	next.LastIndex++
	next.Indexes = append(slices.Clone(t.Indexes), Index{
		ID: next.LastIndex, Name: def.Name, Unique: def.Unique, State: state, Columns: places,
	})
	return &next, nil
}

// withState returns the table with one of its indexes in another state, or
// without it if state is empty.
func (t *Table) withState(index int64, state State) *Table {
	next := *t
	next.Indexes = slices.Clone(t.Indexes)
	i := slices.IndexFunc(next.Indexes, func(x Index) bool { return x.ID == index })
	if state == "" {
		next.Indexes = slices.Delete(next.Indexes, i, i+1)
	} else {
		next.Indexes[i].State = state
	}
	return &next
}

// place returns the place of a column, -1 if there is none of that name.
func (t *Table) place(name string) int {
	return slices.IndexFunc(t.Columns, func(c Column) bool { return strings.EqualFold(c.Name, name) })
}

// Place returns the place of a column among the table's.
func (t *Table) Place(name string) (int, error) {
	if p := t.place(name); p >= 0 {
		return p, nil
	}
	return 0, schemaError("table %s has no column %q", t.Name, name)
}

func (t *Table) places(names []string) ([]int, error) {
	places := make([]int, 0, len(names))
	for _, name := range names {
		p, err := t.Place(name)
		if err != nil {
			return nil, err
		}
		if slices.Contains(places, p) {
			return nil, schemaError("column %s stands twice in a key of table %s", name, t.Name)
		}
		places = append(places, p)
	}
	return places, nil
}

// Index returns the index of that name, in whatever state; nil if there is none.
func (t *Table) Index(name string) *Index {
	for i := range t.Indexes {
		if strings.EqualFold(t.Indexes[i].Name, name) {
			return &t.Indexes[i]
		}
	}
	return nil
}

// index returns the index of that id, nil if there is none.
func (t *Table) index(id int64) *Index {
	for i := range t.Indexes {
		if t.Indexes[i].ID == id {
			return &t.Indexes[i]
		}
	}
	return nil
}

// Unsigned says whether the handle is an unsigned primary key.
func (t *Table) Unsigned() bool { return t.PrimaryKey >= 0 && t.Columns[t.PrimaryKey].Unsigned }

func (t *Table) encode() []byte { return encodeRecord(t) }

// decodeTable reads a descriptor and checks what the code relies on.
func decodeTable(text []byte) (*Table, error) {
	t, err := decodeRecord[Table]("descriptor", text)
	if err != nil {
		return nil, err
	}
	ok := t.PrimaryKey >= -1 && t.PrimaryKey < len(t.Columns) && (t.PrimaryKey < 0 || t.Columns[t.PrimaryKey].Type.integer())
	for _, c := range t.Columns {
		ok = ok && slices.Contains(types(), c.Type) && c.ID > 0 && c.ID <= columnMax && c.Precision >= 0 && c.Precision <= PrecisionMax
	}
	ok = ok && slices.IsSortedFunc(t.Columns, func(a, b Column) int { return int(a.ID - b.ID) })
	for _, x := range t.Indexes {
		ok = ok && slices.Contains(states(), x.State) && len(x.Columns) > 0
		for _, p := range x.Columns {
			ok = ok && p >= 0 && p < len(t.Columns)
		}
	}
	if !ok {
		return nil, inconsistent("descriptor %q", text)
	}
	return t, nil
}
