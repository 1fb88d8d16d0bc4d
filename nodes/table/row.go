package table

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"simrun/nodes/codec"
)

// The value of a row is TiDB's row format 2, made to find one column without
// decoding the others:
//
//	128  flags  not-null u16  null u16  ids  offsets  values
//
// The ids are those of the columns that are not NULL, ascending, and then those
// of the others. The offsets are the ends of the values. Ids take a byte and
// offsets two, or four each if the first flag is set, which it is where they
// would not fit. All numbers are little-endian. The handle is not among the
// columns: it is in the key.
const (
	rowVersion = 128
	rowLarge   = 1
	rowHeader  = 6
)

// cell is one column of an encoded row.
type cell struct {
	id   int64
	null bool
	data []byte
}

// appendRow appends the value of a row with these cells, which it sorts.
func appendRow(dst []byte, cells []cell) []byte {
	slices.SortFunc(cells, func(a, b cell) int {
		if a.null != b.null {
			if a.null {
				return 1
			}
			return -1
		}
		return cmp.Compare(a.id, b.id)
	})
	nulls, size, large := 0, 0, false
	for _, c := range cells {
		if c.null {
			nulls++
		}
		size += len(c.data)
		large = large || c.id > math.MaxUint8
	}
	large = large || size > math.MaxUint16
	flags := byte(0)
	if large {
		flags = rowLarge
	}
	dst = append(dst, rowVersion, flags)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(cells)-nulls)) // columnMax bounds them
	dst = binary.LittleEndian.AppendUint16(dst, uint16(nulls))
	for _, c := range cells {
		if large {
			dst = binary.LittleEndian.AppendUint32(dst, uint32(c.id)) // ids are small
		} else {
			dst = append(dst, byte(c.id))
		}
	}
	end := 0
	for _, c := range cells[:len(cells)-nulls] {
		end += len(c.data)
		if large {
			dst = binary.LittleEndian.AppendUint32(dst, uint32(end)) // a value is far below 4 GiB
		} else {
			dst = binary.LittleEndian.AppendUint16(dst, uint16(end)) // that is what large says
		}
	}
	for _, c := range cells {
		dst = append(dst, c.data...)
	}
	return dst
}

// splitRow returns the cells of the value of a row, sorted as appendRow sorts
// them. They share the memory of b.
func splitRow(b []byte) ([]cell, error) {
	malformed := func(what string) error { return fmt.Errorf("row: %s: %w", what, codec.ErrMalformed) }
	if len(b) < rowHeader || b[0] != rowVersion || b[1]&^rowLarge != 0 {
		return nil, malformed("header")
	}
	present := int(binary.LittleEndian.Uint16(b[2:]))
	n := present + int(binary.LittleEndian.Uint16(b[4:]))
	idSize, offsetSize := 1, 2
	if b[1] == rowLarge {
		idSize, offsetSize = 4, 4
	}
	if len(b) < rowHeader+n*idSize+present*offsetSize {
		return nil, malformed("shorter than its ids and offsets")
	}
	ids := b[rowHeader:]
	offsets := ids[n*idSize:]
	data := offsets[present*offsetSize:]
	cells := make([]cell, n)
	at, large := 0, false
	for i := range cells {
		c := &cells[i]
		c.id, c.null = int64(little(ids[i*idSize:], idSize)), i >= present
		large = large || c.id > math.MaxUint8
		if i > 0 && cells[i-1].null == c.null && cells[i-1].id >= c.id {
			return nil, malformed("ids out of order")
		}
		if c.null {
			continue
		}
		end := int(little(offsets[i*offsetSize:], offsetSize))
		if end < at || end > len(data) {
			return nil, malformed("offset out of range")
		}
		c.data, at = data[at:end:end], end
	}
	if at != len(data) || (large || len(data) > math.MaxUint16) != (b[1] == rowLarge) {
		return nil, malformed("size of the values")
	}
	return cells, nil
}

// little reads a little-endian number of 1, 2, 4 or 8 bytes.
func little(b []byte, size int) uint64 {
	switch size {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(binary.LittleEndian.Uint16(b))
	case 4:
		return uint64(binary.LittleEndian.Uint32(b))
	}
	return binary.LittleEndian.Uint64(b)
}

// appendCell appends a value that is not NULL: integers in the fewest of 1, 2, 4
// and 8 bytes, floating point numbers in memcomparable form, bytes as they are.
func appendCell(dst []byte, d Datum) []byte {
	switch d.Kind() {
	case codec.KindInt:
		return appendLittle(dst, uint64(d.Int()), signedSize(d.Int())) // the low bytes of two's complement
	case codec.KindUint:
		return appendLittle(dst, d.Uint(), unsignedSize(d.Uint()))
	case codec.KindFloat:
		return codec.AppendFloat64(dst, d.Float())
	case codec.KindBytes, codec.KindNull:
	}
	return append(dst, d.Bytes()...)
}

func appendLittle(dst []byte, v uint64, size int) []byte {
	return append(dst, binary.LittleEndian.AppendUint64(nil, v)[:size]...)
}

func signedSize(v int64) int {
	switch {
	case int64(int8(v)) == v: // that it may not fit is the question
		return 1
	case int64(int16(v)) == v:
		return 2
	case int64(int32(v)) == v:
		return 4
	}
	return 8
}

func unsignedSize(v uint64) int {
	switch {
	case v <= math.MaxUint8:
		return 1
	case v <= math.MaxUint16:
		return 2
	case v <= math.MaxUint32:
		return 4
	}
	return 8
}

// decodeCell reads a value of a kind that is not NULL.
func decodeCell(kind codec.Kind, b []byte) (Datum, error) {
	malformed := fmt.Errorf("row: value %x: %w", b, codec.ErrMalformed)
	switch kind {
	case codec.KindBytes:
		return codec.Bytes(string(b)), nil
	case codec.KindFloat:
		v, rest, err := codec.DecodeFloat64(b)
		if err == nil && len(rest) > 0 {
			err = malformed
		}
		return codec.Float(v), err
	case codec.KindInt, codec.KindUint, codec.KindNull:
	}
	size := len(b)
	if size != 1 && size != 2 && size != 4 && size != 8 {
		return Datum{}, malformed
	}
	u := little(b, size)
	if kind == codec.KindUint {
		if unsignedSize(u) != size {
			return Datum{}, malformed
		}
		return codec.Uint(u), nil
	}
	shift := 64 - 8*size
	v := int64(u<<shift) >> shift // extends the sign
	if signedSize(v) != size {
		return Datum{}, malformed
	}
	return codec.Int(v), nil
}

// encodeRow returns the value of a row.
func (t *Table) encodeRow(row Row) []byte {
	cells := make([]cell, 0, len(row))
	for i, d := range row {
		switch {
		case i == t.PrimaryKey:
		case d.IsNull():
			cells = append(cells, cell{id: t.Columns[i].ID, null: true})
		default:
			cells = append(cells, cell{id: t.Columns[i].ID, data: appendCell(nil, d)})
		}
	}
	return appendRow(nil, cells)
}

// decodeRow returns the row of a key and a value.
func (t *Table) decodeRow(key, value []byte) (handle int64, row Row, err error) {
	table, handle, err := codec.DecodeRowKey(key)
	if err != nil || table != t.ID {
		return 0, nil, inconsistent("%x is no row of table %s: %v", key, t.Name, err)
	}
	cells, err := splitRow(value)
	if err != nil {
		return 0, nil, inconsistent("row %d of table %s: %v", handle, t.Name, err)
	}
	row = make(Row, len(t.Columns))
	left := len(cells)
	for i := range t.Columns {
		c := &t.Columns[i]
		if i == t.PrimaryKey {
			row[i] = t.handleDatum(handle)
			continue
		}
		at := slices.IndexFunc(cells, func(x cell) bool { return x.id == c.ID })
		if at < 0 {
			return 0, nil, inconsistent("row %d of table %s has no column %s", handle, t.Name, c.Name)
		}
		left--
		if cells[at].null {
			continue
		}
		if row[i], err = decodeCell(c.kind(), cells[at].data); err != nil {
			return 0, nil, inconsistent("row %d of table %s, column %s: %v", handle, t.Name, c.Name, err)
		}
	}
	if left != 0 {
		return 0, nil, inconsistent("row %d of table %s has %d columns that the table has not", handle, t.Name, left)
	}
	return handle, row, nil
}

// handleDatum returns the primary key of a handle.
func (t *Table) handleDatum(handle int64) Datum {
	if t.Unsigned() {
		return codec.Uint(uint64(handle)) // the same bits
	}
	return codec.Int(handle)
}

// handleOf returns the handle of a primary key.
func handleOf(primary Datum) int64 {
	if primary.Kind() == codec.KindUint {
		return int64(primary.Uint()) // the same bits
	}
	return primary.Int()
}
