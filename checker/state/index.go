package state

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"simrun/checker/verdict"
	"simrun/sim/history"
)

// IndexName is the checker's name in results.
const IndexName = "index"

// SafePoints say how far garbage collection has come.
type SafePoints struct {
	// Settled is the safe point that is in force, Collected the greatest one at which
	// somebody has done all that there is to do. 0 is nowhere.
	Settled, Collected uint64
}

// Index compares the rows of all tables with the entries of their indexes, as the
// newest committed versions of the keys have them: the entries of an index that
// is public are those of the rows, one to one; one that is not may lack some.
// No row has NULL where its table allows none, or a hidden id that nobody was given.
// Nothing is left of a table or an index that is not in the schema, unless its keys
// are to be removed yet; those that were removed or are to be are what the history
// says was dropped. The rows cover the whole key space.
func Index(h *history.History, rows Rows, at SafePoints) verdict.Result {
	x := &indexCheck{r: verdict.Result{Checker: IndexName}}
	m := newScan(rows)
	data := m.newest(valuesOf(rows))
	schema := x.schema(data)
	list, problems := drops(h, data)
	for _, p := range problems {
		x.add(verdict.RecordConflict, "%s", p)
	}
	for i := range list {
		if !list[i].done {
			schema.leaving[list[i].dropped] = true
		}
	}
	for _, key := range slices.Sorted(maps.Keys(data)) {
		if len(key) > 0 && key[0] == 't' {
			x.deal(schema, key, data[key].value)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(schema.tables)) {
		x.rows(schema.tables[id], schema.rowIDs[id])
		x.table(schema.tables[id])
	}
	x.ranges(m, rows, schema, list, at)
	if len(schema.tables) == 0 {
		x.r.Undecided("there are no tables")
	}
	return x.r
}

type indexCheck struct{ r verdict.Result }

func (x *indexCheck) add(a verdict.Anomaly, format string, args ...any) {
	x.r.Add(verdict.Finding{Anomaly: a, Message: fmt.Sprintf(format, args...)})
}

// stamped is the value of a key, the start timestamp of the transaction that has
// written it, and its commit timestamp; 0 if all its keys are locked still.
type stamped struct {
	value         []byte
	start, commit uint64
}

// newScan arranges rows by keys.
func newScan(rows Rows) *scan {
	m := &scan{txns: map[uint64]*txn{}, used: map[version]struct{}{}, long: map[version]struct{}{}}
	m.load(rows)
	return m
}

// valuesOf returns the long values.
func valuesOf(rows Rows) map[version][]byte {
	values := map[version][]byte{}
	for _, row := range rows.Default {
		if user, start, err := decodeVersion(row.Key); err == nil {
			values[version{string(user), start}] = row.Value
		}
	}
	return values
}

// newest returns the values that a read at the end of time would see: the last
// commit of each key, that of a lock included which is committed by its primary.
func (m *scan) newest(values map[version][]byte) map[string]stamped {
	data := map[string]stamped{}
	for _, key := range slices.Sorted(maps.Keys(m.keys)) {
		k := m.keys[key]
		kind, p := byte(0), stamped{}
		for _, w := range k.writes {
			if (w.kind == 'P' || w.kind == 'D') && w.commit > p.commit {
				kind, p = w.kind, stamped{w.short, w.start, w.commit}
			}
		}
		if l := k.lock; l != nil && (l.kind == 'P' || l.kind == 'D') && m.committed(l) {
			kind, p = l.kind, stamped{l.short, l.start, m.commitOf(string(l.primary), l.start)}
		}
		if kind != 'P' {
			continue
		}
		if p.value == nil {
			p.value = values[version{key, p.start}]
		}
		data[key] = p
	}
	return data
}

// committed says whether the transaction of a lock is: its primary has the commit
// record or, if it was to commit asynchronously, all its locks are there. A lock in
// two phases, or a pessimistic one, in the place of one of them ends the asynchronous
// commit.
func (m *scan) committed(l *lock) bool {
	primary := m.keys[string(l.primary)]
	if primary == nil {
		return false
	}
	if m.recorded(string(l.primary), l.start) {
		return true
	}
	p := primary.lock
	if p == nil || p.start != l.start || !p.async || p.kind == 'S' {
		return false
	}
	return !slices.ContainsFunc(p.secondaries, func(key []byte) bool {
		k := m.keys[string(key)]
		held := k != nil && k.lock != nil && k.lock.start == l.start && k.lock.async && k.lock.kind != 'S'
		return !held && !m.recorded(string(key), l.start)
	})
}

// recorded says whether a key has the commit record of a transaction.
func (m *scan) recorded(key string, start uint64) bool { return m.commitOf(key, start) != 0 }

// commitOf returns the timestamp of the commit record that a key has of a
// transaction, 0 if it has none.
func (m *scan) commitOf(key string, start uint64) uint64 {
	k := m.keys[key]
	if k == nil {
		return 0
	}
	i := slices.IndexFunc(k.writes, func(w record) bool { return w.start == start && w.kind != 'R' })
	if i < 0 {
		return 0
	}
	return k.writes[i].commit
}

// deal gives a key of a table to its table.
func (x *indexCheck) deal(s *storedSchema, key string, value []byte) {
	table, index, rest, err := splitTableKey(key)
	if err != nil {
		x.add(verdict.RecordCorrupt, "key %x: %v", key, err)
		return
	}
	t := s.tables[table]
	switch {
	case t == nil:
		if !s.leaving[dropped{table: table}] {
			x.add(verdict.IndexOrphan, "key %x is of table %d, which is not in the schema", key, table)
		}
	case index == 0:
		handle, left, err := takeInt(rest)
		if err == nil && left != "" {
			err = errCut
		}
		cells, err2 := decodeRow(value)
		if err = cmp.Or(err, err2); err != nil {
			x.add(verdict.RecordCorrupt, "row %x = %x of table %s: %v", key, value, t.Name, err)
			return
		}
		t.rows[handle] = cells
	default:
		if t.entries[index] == nil {
			t.entries[index] = map[string]string{}
		}
		t.entries[index][key] = string(value)
		if t.index(index) == nil && !s.leaving[dropped{table, index}] {
			x.add(verdict.IndexOrphan, "key %x is of index %d of table %s, which is not in the schema", key, index, t.Name)
		}
	}
}

// rows looks at the rows of a table by themselves. The highest hidden row id that was given
// to a client is last.
func (x *indexCheck) rows(t *storedTable, last int64) {
	for _, handle := range slices.Sorted(maps.Keys(t.rows)) {
		if t.PrimaryKey < 0 && (handle < 1 || handle > last) {
			x.add(verdict.RecordConflict, "row %d of table %s has an id that nobody was given: the highest is %d", handle, t.Name, last)
		}
		for i := range t.Columns {
			c := &t.Columns[i]
			if cell, ok := t.rows[handle][c.ID]; ok && cell == nil && c.NotNull && i != t.PrimaryKey {
				x.add(verdict.RecordCorrupt, "row %d of table %s has NULL for column %s, which is NOT NULL", handle, t.Name, c.Name)
			}
		}
	}
}

// table compares the rows of a table with each of its indexes.
func (x *indexCheck) table(t *storedTable) {
	x.r.Checked += len(t.rows)
	for i := range t.Indexes {
		index := &t.Indexes[i]
		x.r.Checked += len(t.entries[index.ID])
		x.index(t, index)
	}
}

func (x *indexCheck) index(t *storedTable, index *storedIndex) {
	wanted := map[string]map[string]int64{} // by key and value, whose entry it is
	for _, handle := range slices.Sorted(maps.Keys(t.rows)) {
		key, value, err := t.entry(index, handle)
		if err != nil {
			x.add(verdict.RecordCorrupt, "row %d of table %s: %v", handle, t.Name, err)
			continue
		}
		if wanted[key] == nil {
			wanted[key] = map[string]int64{}
		}
		wanted[key][value] = handle
		if index.State != "public" {
			continue
		}
		there, found := t.entries[index.ID][key]
		switch {
		case !found:
			x.add(verdict.IndexMissing, "row %d of table %s has no entry in index %s: %x is missing", handle, t.Name, index.Name, key)
		case len(wanted[key]) > 1:
			x.add(verdict.NotUnique, "two rows of table %s, one of them %d, have the entry %x of unique index %s", t.Name, handle, key, index.Name)
		case there != value:
			x.add(verdict.IndexMissing, "row %d of table %s has no entry in index %s: %x holds %x", handle, t.Name, index.Name, key, there)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(t.entries[index.ID])) {
		value := t.entries[index.ID][key]
		if _, ok := wanted[key][value]; !ok {
			x.add(verdict.IndexOrphan, "entry %x = %x of index %s.%s is of no row", key, value, t.Name, index.Name)
		}
	}
}

// entry returns the entry that a row has in an index.
func (t *storedTable) entry(index *storedIndex, handle int64) (key, value string, err error) {
	var b bytes.Buffer
	b.WriteByte('t')
	b.Write(flipped(t.ID))
	b.WriteString("_i")
	b.Write(flipped(index.ID))
	distinct := index.Unique
	for _, place := range index.Columns {
		c := &t.Columns[place]
		if place == t.PrimaryKey {
			b.Write(integerDatum(c.Unsigned, uint64(handle))) // the same bits
			continue
		}
		cell, ok := t.rows[handle][c.ID]
		if !ok {
			return "", "", fmt.Errorf("column %s is missing", c.Name)
		}
		if cell == nil {
			distinct = false
			b.WriteByte(0)
			continue
		}
		datum, err := c.datum(cell)
		if err != nil {
			return "", "", fmt.Errorf("column %s: %w", c.Name, err)
		}
		b.Write(datum)
	}
	if distinct {
		return b.String(), string(binary.BigEndian.AppendUint64(nil, uint64(handle))), nil // the same bits
	}
	b.Write(integerDatum(false, uint64(handle))) // the same bits
	return b.String(), "0", nil
}
