package table

import (
	"slices"

	"simrun/nodes/codec"
)

// entryValue is the value of an entry whose key ends with the handle: there is
// nothing to say, but a value must not be empty.
const entryValue = "0"

// values returns the columns of an index in a row.
func (x *Index) values(row Row) []Datum {
	values := make([]Datum, len(x.Columns))
	for i, p := range x.Columns {
		values[i] = row[p]
	}
	return values
}

// distinct says whether a row with these values is the only one that may have
// them: NULL equals nothing, itself neither.
func (x *Index) distinct(values []Datum) bool {
	return x.Unique && len(values) == len(x.Columns) && !slices.ContainsFunc(values, Datum.IsNull)
}

// entryKey returns the key of the entry of a row, and whether it is distinct.
func (t *Table) entryKey(x *Index, values []Datum, handle int64) (key []byte, distinct bool) {
	key = codec.IndexPrefix(t.ID, x.ID)
	for _, d := range values {
		key = codec.AppendDatum(key, d)
	}
	if x.distinct(values) {
		return key, true
	}
	return codec.AppendDatum(key, codec.Int(handle)), false
}

// entry returns the entry of a row.
func (t *Table) entry(x *Index, row Row, handle int64) (key, value []byte, distinct bool) {
	key, distinct = t.entryKey(x, x.values(row), handle)
	if !distinct {
		return key, []byte(entryValue), false
	}
	return key, codec.AppendUint64(nil, uint64(handle)), true // the same bits
}

// decodeEntry returns the values and the handle of an entry.
func (t *Table) decodeEntry(x *Index, key, value []byte) (values []Datum, handle int64, err error) {
	table, index, data, err := codec.DecodeIndexKey(key)
	n := len(x.Columns)
	if err != nil || table != t.ID || index != x.ID || len(data) < n || len(data) > n+1 {
		return nil, 0, inconsistent("%x is no entry of index %s.%s: %v", key, t.Name, x.Name, err)
	}
	values = data[:n]
	if !x.distinct(values) {
		if len(data) == n || data[n].Kind() != codec.KindInt || string(value) != entryValue {
			return nil, 0, inconsistent("entry %x = %x of index %s.%s has no handle", key, value, t.Name, x.Name)
		}
		return values, data[n].Int(), nil
	}
	u, rest, err := codec.DecodeUint64(value)
	if err != nil || len(rest) > 0 || len(data) > n {
		return nil, 0, inconsistent("entry %x = %x of unique index %s.%s: %v", key, value, t.Name, x.Name, err)
	}
	return values, int64(u), nil // the same bits
}
