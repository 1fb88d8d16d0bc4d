package table

import (
	"bytes"
	"cmp"
	"maps"
	"slices"

	"simrun/nodes/client"
	"simrun/nodes/codec"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/nodes/table/kv"
)

// A plain read of a pessimistic transaction shows the snapshot of its start, with the
// rows that it has changed as it has left them (TiDB's UnionScan). It cannot merge key
// by key: what the transaction has written replaces what was newest when it did, and of
// that row the snapshot may have other entries, which nobody has removed from it. So
// rows are merged, of which the snapshot's are read without anything that the
// transaction has written, and those that it has changed are left out of them.
//
// Such a picture is of no instant. It may show two rows of one unique value: one that
// the snapshot has, and one of the transaction's own, made when that had gone.

// changedRow is what a statement makes of a row.
type changedRow struct {
	table, handle int64
	row           Row // nil: removed
}

// ownRows are the rows of a table that a transaction has changed, by handle; those that
// it has removed are nil.
type ownRows map[int64]Row

// records returns those that are there, by handle.
func (own ownRows) records() (records []Record) {
	for _, handle := range slices.Sorted(maps.Keys(own)) {
		if row := own[handle]; row != nil {
			records = append(records, Record{handle, row})
		}
	}
	return records
}

// note takes over what a statement has made of a row.
func (tx *Tx) note(r changedRow) {
	if tx.written == nil {
		tx.written = map[int64]ownRows{}
	}
	if tx.written[r.table] == nil {
		tx.written[r.table] = ownRows{}
	}
	tx.written[r.table][r.handle] = r.row
}

// own returns the rows that a plain read has to merge with the snapshot, nil if there
// are none. A statement sees what is newest, of which everything that the transaction
// has written and locked is a part.
func (tx *Tx) own(tb *Table) ownRows {
	if tx.within {
		return nil
	}
	return tx.written[tb.ID]
}

// keyed is a record with its place in a scan.
type keyed struct {
	Record
	span int // the place of its span among those of the scan
	key  []byte
}

// keyed returns the place of a record in a scan, and whether it is there at all.
func (tb *Table) keyed(s *Scan, r Record) (k keyed, ok bool) {
	k = keyed{Record: r, key: codec.RowKey(tb.ID, r.Handle)}
	if s.Index != nil {
		k.key, _ = tb.entryKey(s.Index, s.Index.values(r.Row), r.Handle)
	}
	for i, at := range tb.spans(s) {
		if bytes.Compare(k.key, at.start) >= 0 && bytes.Compare(k.key, at.end) < 0 {
			k.span = i
			return k, true
		}
	}
	return k, false
}

//nolint:gochecknoglobals // marks register once
var (
	markMerged  = invariant.NewMark("table: plain read merged with rows that a pessimistic transaction has changed")
	markReplace = invariant.NewMark("table: own version of a row instead of the snapshot's, which has other entries")
)

// scanMerged is Scan with own rows in place of the snapshot's.
func (tx *Tx) scanMerged(t env.Task, tb *Table, s Scan, own ownRows) ([]Record, error) {
	markMerged.Reached()
	all := s
	all.Filter = func(r Record) (bool, error) {
		if mine, changed := own[r.Handle]; changed {
			markReplace.Sometimes(mine != nil && s.Index != nil && !slices.Equal(s.Index.values(mine), s.Index.values(r.Row)))
			return false, nil
		}
		return s.accepts(r)
	}
	records, err := tx.scan(t, tb, all, tx.kv.Unwritten())
	if err != nil {
		return nil, err
	}
	var merged []keyed
	for _, r := range records {
		k, ok := tb.keyed(&s, r)
		invariant.Check(ok, "table: a scan of %s has found row %d outside of its range", tb.Name, r.Handle)
		merged = append(merged, k)
	}
	for _, r := range own.records() {
		k, ok := tb.keyed(&s, r)
		if !ok {
			continue
		}
		if ok, err = s.accepts(r); err != nil {
			return nil, err
		} else if ok {
			merged = append(merged, k)
		}
	}
	slices.SortFunc(merged, func(a, b keyed) int {
		c := cmp.Or(cmp.Compare(a.span, b.span), bytes.Compare(a.key, b.key), cmp.Compare(a.Handle, b.Handle))
		if s.Reverse {
			return -c
		}
		return c
	})
	if s.Limit > 0 && len(merged) > s.Limit {
		merged = merged[:s.Limit]
	}
	records = make([]Record, len(merged))
	for i := range merged {
		records[i] = merged[i].Record
	}
	return records, nil
}

// lookupMerged is Lookup with own rows in place of the snapshot's. Of two rows with the
// value, one of each, it returns its own.
func (tx *Tx) lookupMerged(t env.Task, tb *Table, x *Index, values []Datum, own ownRows) (Record, bool, error) {
	markMerged.Reached()
	s := Scan{Index: x, Range: Point(values...)}
	for _, r := range own.records() {
		if _, ok := tb.keyed(&s, r); ok {
			return r, true, nil
		}
	}
	r, found, err := tx.lookup(t, tb, x, values, tx.kv.Unwritten())
	if _, changed := own[r.Handle]; err != nil || changed {
		return Record{}, false, err
	}
	return r, found, nil
}

// accepts says whether the filter takes a record.
func (s *Scan) accepts(r Record) (bool, error) {
	if s.Filter == nil {
		return true, nil
	}
	return s.Filter(r)
}

// lookup is Lookup by what a reader shows.
func (tx *Tx) lookup(t env.Task, tb *Table, x *Index, values []Datum, from kv.Reader) (Record, bool, error) {
	key, _ := tb.entryKey(x, values, 0)
	value, found, err := from.Get(t, key)
	if err != nil || !found {
		return Record{}, false, err
	}
	records, err := tx.resolve(t, tb, x, []client.Pair{{Key: key, Value: value}}, from)
	if err != nil {
		return Record{}, false, failure("lookup", err)
	}
	return records[0], true, nil
}
