package table

import (
	"slices"
	"strings"

	"simrun/nodes/codec"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
)

// Insert adds a row, which has a value for every column. It fails with
// ErrDuplicate if the row's primary key or a unique value is taken, with ErrValue
// if a value does not fit.
func (s *Statement) Insert(t env.Task, tb *Table, row Row) (handle int64, err error) {
	row, err = tb.convert(row)
	if err != nil {
		return 0, err
	}
	if tb.PrimaryKey >= 0 {
		handle = handleOf(row[tb.PrimaryKey])
		err = s.checkHandle(t, tb, handle)
	} else {
		handle, err = s.tx.db.nextRowID(t, tb.ID)
	}
	if err != nil {
		return 0, err
	}
	for i := range tb.Indexes {
		if err := s.addEntry(t, tb, &tb.Indexes[i], row, handle); err != nil {
			return 0, err
		}
	}
	s.setRow(tb, handle, row)
	return handle, nil
}

// Delete removes a row, which the statement has read, with its entries.
func (s *Statement) Delete(t env.Task, tb *Table, handle int64, row Row) error {
	for i := range tb.Indexes {
		if err := s.removeEntry(t, tb, &tb.Indexes[i], row, handle); err != nil {
			return err
		}
	}
	s.removeRow(tb, handle)
	return nil
}

// Update makes changed of a row, which the statement has read. Another primary
// key is another handle, which stands in every entry of the row.
func (s *Statement) Update(t env.Task, tb *Table, handle int64, row, changed Row) error {
	changed, err := tb.convert(changed)
	if err != nil {
		return err
	}
	next := handle
	if tb.PrimaryKey >= 0 {
		next = handleOf(changed[tb.PrimaryKey])
	}
	if next != handle {
		if err := s.checkHandle(t, tb, next); err != nil {
			return err
		}
		s.removeRow(tb, handle)
	}
	for i := range tb.Indexes {
		x := &tb.Indexes[i]
		if next == handle && slices.Equal(x.values(row), x.values(changed)) {
			continue
		}
		if err := s.removeEntry(t, tb, x, row, handle); err != nil {
			return err
		}
		if err := s.addEntry(t, tb, x, changed, next); err != nil {
			return err
		}
	}
	s.setRow(tb, next, changed)
	return nil
}

func (s *Statement) setRow(tb *Table, handle int64, row Row) {
	s.set(codec.RowKey(tb.ID, handle), tb.encodeRow(row))
	s.changed(tb, handle, row)
}

func (s *Statement) removeRow(tb *Table, handle int64) {
	s.remove(codec.RowKey(tb.ID, handle))
	s.changed(tb, handle, nil)
}

// Lock makes the transaction conflict with every other that changes or locks
// the row: SELECT FOR UPDATE.
func (s *Statement) Lock(tb *Table, handle int64) {
	s.locks = append(s.locks, codec.RowKey(tb.ID, handle))
}

// convert returns the row with values of its columns' types.
func (t *Table) convert(row Row) (Row, error) {
	invariant.Check(len(row) == len(t.Columns), "table: a row of %d values for the %d columns of %s", len(row), len(t.Columns), t.Name)
	row = row.clone()
	for i := range row {
		var err error
		if row[i], err = t.Columns[i].Convert(row[i]); err != nil {
			return nil, err
		}
	}
	return row, nil
}

// checkHandle makes sure that there is no row of that primary key.
func (s *Statement) checkHandle(t env.Task, tb *Table, handle int64) error {
	_, found, err := s.get(t, codec.RowKey(tb.ID, handle))
	if err == nil && found {
		err = &DuplicateError{tb.Name, primaryName, tb.handleDatum(handle).String()}
	}
	return err
}

// addEntry writes the entry of a row, if the index is kept so far.
func (s *Statement) addEntry(t env.Task, tb *Table, x *Index, row Row, handle int64) error {
	if !x.State.maintained() {
		markNotAdded.Reached()
		return nil
	}
	key, value, distinct := tb.entry(x, row, handle)
	if distinct {
		there, found, err := s.get(t, key)
		if err != nil {
			return err
		}
		if found && string(there) != string(value) {
			return &DuplicateError{tb.Name, x.Name, tb.describe(x, x.values(row))}
		}
	}
	s.stage(key, value, !distinct)
	return nil
}

//nolint:gochecknoglobals // marks register once
var (
	markNotAdded   = invariant.NewMark("table: wrote no entry of an index that is delete-only")
	markNotRemoved = invariant.NewMark("table: left the entry of another row in a unique index that is not public")
)

// removeEntry removes the entry of a row. Before a unique index is public, two
// rows may have the same value, of which only one has the entry.
func (s *Statement) removeEntry(t env.Task, tb *Table, x *Index, row Row, handle int64) error {
	key, value, distinct := tb.entry(x, row, handle)
	if distinct && x.State != Public {
		there, found, err := s.get(t, key)
		if err != nil {
			return err
		}
		if !found || string(there) != string(value) {
			markNotRemoved.Sometimes(found)
			return nil
		}
	}
	s.stage(key, nil, !distinct)
	return nil
}

// describe lists the values of an entry of an index, for a message.
func (t *Table) describe(x *Index, values []Datum) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = v.String()
		if c := &t.Columns[x.Columns[i]]; c.Type == DateTime {
			words[i] = c.Format(v)
		}
	}
	return strings.Join(words, ", ")
}
