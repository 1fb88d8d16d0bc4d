package workload

import (
	"cmp"
	"fmt"
	"slices"

	"simrun/nodes/codec"
	"simrun/nodes/env"
	"simrun/nodes/table"
	"simrun/sim/stream"
)

// code draws a value of the unique column, now and then NULL.
func (w *tables) code(r *stream.Stream) table.Datum {
	if r.PerMille(100) {
		return codec.Null()
	}
	return codec.Int(int64(r.IntN(2 * w.cfg.Keys)))
}

func (w *tables) row(r *stream.Stream) table.Row {
	n := codec.Int(int64(r.IntN(1000)))
	if r.PerMille(100) {
		n = codec.Null()
	}
	return table.Row{w.id(r.IntN(w.cfg.Keys)), w.code(r), codec.Bytes(tag(r.IntN(5))), n}
}

// write changes a row in one statement.
func (x *tableTx) write(r *stream.Stream) error {
	if r.PerMille(400) {
		row := x.w.row(r)
		return x.statement(func(st *table.Statement) error {
			_, err := st.Insert(x.t, x.tb, row)
			return err
		})
	}
	kind, fresh, wanted := r.IntN(4), x.w.row(r), x.choose(r)
	return x.statement(func(st *table.Statement) error {
		record, found, err := x.pick(st, wanted)
		if err != nil || !found {
			return err
		}
		changed := slices.Clone(record.Row)
		switch kind {
		case 0:
			return st.Delete(x.t, x.tb, record.Handle, record.Row)
		case 1: // the primary key and nothing else
			changed[columnID] = fresh[columnID]
		case 2:
			changed[columnCode] = fresh[columnCode]
		default:
			changed[columnTag], changed[columnN] = fresh[columnTag], fresh[columnN]
		}
		return st.Update(x.t, x.tb, record.Handle, record.Row, changed)
	})
}

// chosen is a row that is to be read by its primary key, or by the unique index.
type chosen struct {
	id, code table.Datum
	byCode   bool
}

// choose draws one.
func (x *tableTx) choose(r *stream.Stream) chosen {
	c := chosen{id: x.w.id(r.IntN(x.w.cfg.Keys)), code: codec.Int(int64(r.IntN(2 * x.w.cfg.Keys)))}
	c.byCode = x.w.primary == noKey || r.PerMille(500)
	return c
}

// tableReader reads single rows: a transaction for itself, or a statement to change
// them.
type tableReader interface {
	Get(t env.Task, tb *table.Table, handle int64) (table.Row, bool, error)
	Lookup(t env.Task, tb *table.Table, x *table.Index, values []table.Datum) (table.Record, bool, error)
}

// pick reads a row.
func (x *tableTx) pick(from tableReader, c chosen) (record table.Record, found bool, err error) {
	if c.byCode {
		return from.Lookup(x.t, x.tb, x.tb.Index("code"), []table.Datum{c.code})
	}
	return x.get(from, c.id)
}

// get reads the row of a primary key.
func (x *tableTx) get(from tableReader, id table.Datum) (record table.Record, found bool, err error) {
	record.Handle = id.Int()
	if x.tb.Unsigned() {
		record.Handle = int64(id.Uint()) // the same bits
	}
	record.Row, found, err = from.Get(x.t, x.tb, record.Handle)
	return record, found, err
}

// read reads in one of the ways in which a user can.
func (x *tableTx) read(r *stream.Stream) error {
	switch way := r.IntN(6); {
	case way == 0 && x.w.primary != noKey:
		return x.primaryRange(r)
	case way == 1:
		return x.tagRange(r)
	case way == 2:
		return x.optional(r)
	case way == 3 && r.PerMille(300):
		x.record.Compared++
		return x.Check(x.t, x.tb)
	}
	_, _, err := x.pick(x, x.choose(r))
	return err
}

// primaryRange reads a range of the primary key in either direction, and compares
// it with the rows themselves: it has each of them, in order, and nothing else.
func (x *tableTx) primaryRange(r *stream.Stream) error {
	low, high := x.w.id(r.IntN(x.w.cfg.Keys)), x.w.id(r.IntN(x.w.cfg.Keys))
	if low.Compare(high) > 0 {
		low, high = high, low
	}
	s := table.Scan{Range: table.Range{Low: []table.Datum{low}, High: []table.Datum{high}}, Reverse: r.PerMille(500)}
	if r.PerMille(300) {
		s.Limit = 1 + r.IntN(4)
	}
	if r.PerMille(200) {
		s.Range.Low = nil
		low = codec.Null() // sorts before every value
	}
	got, err := x.Scan(x.t, x.tb, s)
	if err != nil {
		return err
	}
	var want []table.Record
	for n := range x.w.cfg.Keys {
		id := x.w.id(n)
		if id.Compare(low) < 0 || id.Compare(high) > 0 {
			continue
		}
		record, found, err := x.get(x, id)
		if err != nil {
			return err
		}
		if found {
			want = append(want, record)
		}
	}
	slices.SortFunc(want, func(a, b table.Record) int { return a.Row[columnID].Compare(b.Row[columnID]) })
	if s.Reverse {
		slices.Reverse(want)
	}
	if s.Limit > 0 && len(want) > s.Limit {
		want = want[:s.Limit]
	}
	x.compare(fmt.Sprintf("the primary keys from %v to %v, reverse %v, limit %d", low, high, s.Reverse, s.Limit), got, want)
	return nil
}

// tagRange reads the rows of a tag by the index and compares them with those of a
// scan of the whole table.
func (x *tableTx) tagRange(r *stream.Stream) error {
	word := codec.Bytes(tag(r.IntN(5)))
	s := table.Scan{Index: x.tb.Index("tag"), Range: table.Point(word), Reverse: r.PerMille(500)}
	return x.compareIndex(s, columnCode, func(row table.Row) bool { return row[columnTag] == word })
}

// optional reads a range of an index that is there now and then.
func (x *tableTx) optional(r *stream.Stream) error {
	name, low := []string{"n", "un"}[r.IntN(2)], codec.Int(int64(r.IntN(1000)))
	i := x.tb.Index(name)
	if i == nil || i.State != table.Public {
		return nil
	}
	s := table.Scan{Index: i, Range: table.Range{Low: []table.Datum{low}}, Reverse: r.PerMille(500)}
	return x.compareIndex(s, columnN, func(row table.Row) bool { return !row[columnN].IsNull() && row[columnN].Compare(low) >= 0 })
}

// compareIndex compares a range of an index with the rows that belong there, and
// looks whether it is in the order of a column.
func (x *tableTx) compareIndex(s table.Scan, order int, belongs func(table.Row) bool) error {
	got, err := x.Scan(x.t, x.tb, s)
	if err != nil {
		return err
	}
	want, err := x.Scan(x.t, x.tb, table.Scan{Filter: func(r table.Record) (bool, error) { return belongs(r.Row), nil }})
	if err != nil {
		return err
	}
	what := fmt.Sprintf("index %s, range %+v, reverse %v", s.Index.Name, s.Range, s.Reverse)
	if !sortedBy(got, order, s.Reverse) {
		x.fault("%s: out of order: %s", what, spelled(got))
	}
	byHandle := func(a, b table.Record) int { return cmp.Compare(a.Handle, b.Handle) }
	slices.SortFunc(got, byHandle)
	slices.SortFunc(want, byHandle)
	x.compare(what, got, want)
	return nil
}

// compare records whether two answers of the transaction are the same.
func (x *tableTx) compare(what string, got, want []table.Record) {
	x.record.Compared++
	same := slices.EqualFunc(got, want, func(a, b table.Record) bool { return a.Handle == b.Handle && sameRow(a.Row, b.Row) })
	if !same {
		x.fault("%s: got %s, want %s", what, spelled(got), spelled(want))
	}
}

// fault records what is wrong with an answer, the first one.
func (x *tableTx) fault(format string, args ...any) {
	if x.record.Problem == "" {
		x.record.Problem = fmt.Sprintf(format, args...)
	}
}
