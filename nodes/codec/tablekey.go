package codec

import (
	"bytes"
	"fmt"
)

// Keys of tables. Everything of a table lies together, and its rows after its
// indexes:
//
//	row    t{table}_r{handle}
//	index  t{table}_i{index}{columns}[{handle}]
//	meta   m{key}s           a value of the schema
//	       m{key}h{field}    a value of a map of the schema
//
// Table, index and handle are signed integers in memcomparable form; columns
// are data (AppendDatum), and so is the handle in an index, as KindInt.
const (
	tablePrefix = 't'
	metaPrefix  = 'm'
	rowInfix    = "_r"
	indexInfix  = "_i"

	metaString = 's' // the two kinds of meta keys, as 64-bit integers
	metaHash   = 'h'
)

// RowKeyLen is the length of the key of a row.
const RowKeyLen = 1 + 8 + 2 + 8

// AppendTablePrefix appends what all keys of a table begin with.
func AppendTablePrefix(dst []byte, table int64) []byte {
	return AppendInt64(append(dst, tablePrefix), table)
}

// AppendRowPrefix appends what the keys of all rows of a table begin with.
func AppendRowPrefix(dst []byte, table int64) []byte {
	return append(AppendTablePrefix(dst, table), rowInfix...)
}

// RowKey returns the key of a row.
func RowKey(table, handle int64) []byte {
	return AppendInt64(AppendRowPrefix(make([]byte, 0, RowKeyLen), table), handle)
}

// IndexPrefix returns what all keys of an index begin with.
func IndexPrefix(table, index int64) []byte {
	return AppendInt64(append(AppendTablePrefix(nil, table), indexInfix...), index)
}

// DecodeRowKey returns the table and the handle of the key of a row.
func DecodeRowKey(key []byte) (table, handle int64, err error) {
	table, rest, err := cutInfix(key, rowInfix)
	if err != nil {
		return 0, 0, err
	}
	handle, rest, err = DecodeInt64(rest)
	if err == nil && len(rest) != 0 {
		err = fmt.Errorf("%d bytes after the handle: %w", len(rest), ErrMalformed)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("row key %x: %w", key, err)
	}
	return table, handle, nil
}

// DecodeIndexKey returns the table and the index of the key of an index entry,
// and its data: the columns and perhaps the handle.
func DecodeIndexKey(key []byte) (table, index int64, data []Datum, err error) {
	table, rest, err := cutInfix(key, indexInfix)
	if err != nil {
		return 0, 0, nil, err
	}
	if index, rest, err = DecodeInt64(rest); err != nil {
		return 0, 0, nil, fmt.Errorf("index key %x: %w", key, err)
	}
	for len(rest) > 0 {
		var d Datum
		if d, rest, err = DecodeDatum(rest); err != nil {
			return 0, 0, nil, fmt.Errorf("index key %x: %w", key, err)
		}
		data = append(data, d)
	}
	return table, index, data, nil
}

// cutInfix takes the table and an infix away from a key.
func cutInfix(key []byte, infix string) (table int64, rest []byte, err error) {
	if len(key) == 0 || key[0] != tablePrefix {
		return 0, nil, fmt.Errorf("key %x is of no table: %w", key, ErrMalformed)
	}
	table, rest, err = DecodeInt64(key[1:])
	if err != nil {
		return 0, nil, fmt.Errorf("table of key %x: %w", key, err)
	}
	rest, found := bytes.CutPrefix(rest, []byte(infix))
	if !found {
		return 0, nil, fmt.Errorf("key %x has no %s: %w", key, infix, ErrMalformed)
	}
	return table, rest, nil
}

// MetaKey returns the key of a value of the schema.
func MetaKey(key string) []byte {
	return AppendUint64(AppendBytes([]byte{metaPrefix}, []byte(key)), metaString)
}

// MetaHashPrefix returns what the keys of all fields of a map of the schema begin
// with.
func MetaHashPrefix(key string) []byte {
	return AppendUint64(AppendBytes([]byte{metaPrefix}, []byte(key)), metaHash)
}

// MetaHashKey returns the key of a field of a map of the schema.
func MetaHashKey(key, field string) []byte {
	return AppendBytes(MetaHashPrefix(key), []byte(field))
}
