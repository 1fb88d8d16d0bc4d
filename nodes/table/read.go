package table

import (
	"bytes"
	"slices"

	"simrun/nodes/client"
	"simrun/nodes/codec"
	"simrun/nodes/env"
	"simrun/nodes/table/kv"
)

// Record is a row with its handle.
type Record struct {
	Handle int64
	Row    Row
}

// Scan says what to read and in which order.
type Scan struct {
	// Index is the public index to go by; nil is the primary key.
	Index *Index
	// Range bounds the key that it goes by.
	Range Range
	// Reverse goes down.
	Reverse bool
	// Limit is the most records; 0 is none.
	Limit int
	// Filter, if set, takes a record or leaves it out.
	Filter func(Record) (bool, error)
}

// Get reads the row of a handle.
func (tx *Tx) Get(t env.Task, tb *Table, handle int64) (Row, bool, error) {
	tx.use()
	key := codec.RowKey(tb.ID, handle)
	value, found, err := tx.kv.Get(t, key)
	if err != nil || !found {
		return nil, false, err
	}
	_, row, err := tb.decodeRow(key, value)
	return row, err == nil, failure("get", err)
}

// Lookup reads the row with these values of a unique index, none of them NULL.
func (tx *Tx) Lookup(t env.Task, tb *Table, x *Index, values []Datum) (Record, bool, error) {
	tx.use()
	if own := tx.own(tb); own != nil {
		return tx.lookupMerged(t, tb, x, values, own)
	}
	return tx.lookup(t, tb, x, values, tx.kv)
}

// Scan reads records in the order of a key. Where the key has equal values, the
// order is that of the handles as signed integers.
func (tx *Tx) Scan(t env.Task, tb *Table, s Scan) ([]Record, error) {
	if own := tx.own(tb); own != nil {
		return tx.scanMerged(t, tb, s, own)
	}
	return tx.scan(t, tb, s, tx.kv)
}

// scan is Scan of what a reader shows.
func (tx *Tx) scan(t env.Task, tb *Table, s Scan, from kv.Reader) ([]Record, error) {
	var records []Record
	err := tx.pages(t, tb, &s, from, s.Filter == nil, func(pairs []client.Pair) (more bool, err error) {
		page, err := tx.records(t, tb, s.Index, pairs, from)
		if err != nil {
			return false, err
		}
		for _, r := range page {
			if ok, err := s.accepts(r); err != nil {
				return false, err
			} else if !ok {
				continue
			}
			if records = append(records, r); len(records) == s.Limit {
				return false, nil
			}
		}
		return true, nil
	})
	if err != nil {
		return nil, failure("scan", err)
	}
	return records, nil
}

// Count counts the records that Scan would return; without a filter it does not
// look up rows.
func (tx *Tx) Count(t env.Task, tb *Table, s Scan) (int, error) {
	if s.Filter != nil || tx.own(tb) != nil {
		records, err := tx.Scan(t, tb, s)
		return len(records), err
	}
	n := 0
	err := tx.pages(t, tb, &s, tx.kv, true, func(pairs []client.Pair) (bool, error) {
		n += len(pairs)
		return s.Limit == 0 || n < s.Limit, nil
	})
	return n, failure("count", err)
}

// spans returns the keys of a scan, in its order if it goes up.
func (t *Table) spans(s *Scan) []span {
	if s.Index != nil {
		return []span{t.entrySpan(s.Index, s.Range)}
	}
	return t.rowSpans(s.Range)
}

// pages reads the keys of a scan page by page until visit wants no more. If
// exact, every pair counts towards the limit.
func (tx *Tx) pages(t env.Task, tb *Table, s *Scan, from kv.Reader, exact bool, visit func([]client.Pair) (more bool, err error)) error {
	tx.use()
	spans := tb.spans(s)
	read := from.Scan
	if s.Reverse {
		spans = slices.Clone(spans)
		slices.Reverse(spans)
		read = from.ReverseScan
	}
	seen := 0
	for _, at := range spans {
		for bytes.Compare(at.start, at.end) < 0 {
			size := tx.db.cfg.PageRows
			if exact && s.Limit > 0 {
				size = min(size, s.Limit-seen)
			}
			pairs, err := read(t, at.start, at.end, size)
			if err != nil {
				return err
			}
			if len(pairs) == 0 {
				break
			}
			seen += len(pairs)
			if more, err := visit(pairs); err != nil || !more {
				return err
			}
			if len(pairs) < size {
				break
			}
			if last := pairs[len(pairs)-1].Key; s.Reverse {
				at.end = last
			} else {
				at.start = append(bytes.Clone(last), 0)
			}
		}
	}
	return nil
}

// records decodes the rows of a page, which are looked up if it is one of an
// index.
func (tx *Tx) records(t env.Task, tb *Table, x *Index, pairs []client.Pair, from kv.Reader) ([]Record, error) {
	if x != nil {
		return tx.resolve(t, tb, x, pairs, from)
	}
	records := make([]Record, len(pairs))
	for i, p := range pairs {
		var err error
		if records[i].Handle, records[i].Row, err = tb.decodeRow(p.Key, p.Value); err != nil {
			return nil, err
		}
	}
	return records, nil
}

// resolve looks up the rows of index entries. Both are of one timestamp, so every
// entry has its row.
func (tx *Tx) resolve(t env.Task, tb *Table, x *Index, entries []client.Pair, from kv.Reader) ([]Record, error) {
	keys := make([][]byte, len(entries))
	values := make([][]Datum, len(entries))
	for i, e := range entries {
		var handle int64
		var err error
		if values[i], handle, err = tb.decodeEntry(x, e.Key, e.Value); err != nil {
			return nil, err
		}
		keys[i] = codec.RowKey(tb.ID, handle)
	}
	rows, err := from.BatchGet(t, keys)
	if err != nil {
		return nil, err
	}
	if len(rows) != len(keys) {
		return nil, tb.disagree("%d of %d entries of index %s.%s have no row", len(keys)-len(rows), len(keys), tb.Name, x.Name)
	}
	records, err := tx.records(t, tb, nil, rows, from)
	if err != nil {
		return nil, err
	}
	for i, r := range records {
		if !slices.Equal(x.values(r.Row), values[i]) {
			return nil, tb.disagree("index %s.%s has (%s) for row %d, which has (%s)",
				tb.Name, x.Name, tb.describe(x, values[i]), r.Handle, tb.describe(x, x.values(r.Row)))
		}
	}
	return records, nil
}
