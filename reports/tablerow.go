package reports

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"simrun/nodes/codec"
	"simrun/sim/history"
)

// tables knows the tables of a history by their ids, from what its transactions have read
// and written of the schema. Ids are never used again, neither those of tables nor those
// of columns, so that one picture serves for the whole run.
type tables map[int64]*tableNames

// tableNames is what it takes to read the rows of a table.
type tableNames struct {
	name    string
	columns map[int64]column
}

// column is a column of a table; kind is that of its values in rows.
type column struct {
	name     string
	kind     codec.Kind
	datetime bool // which is an unsigned number of fields
}

// tablesOf collects the tables of a history.
func tablesOf(h *history.History) tables {
	known := tables{}
	if h == nil || !h.Hex {
		return known
	}
	for i := range h.Ops {
		if h.Ops[i].Txn == nil {
			continue
		}
		for j := range h.Ops[i].Txn.Ops {
			op := &h.Ops[i].Txn.Ops[j]
			if op.Value != nil {
				known.learn(op.Key, *op.Value)
			}
			for _, p := range op.Pairs {
				known.learn(p.Key, p.Value)
			}
		}
	}
	return known
}

// described is what the schema says of a table, as far as it takes to read rows.
type described struct {
	ID      int64  `json:"id"`
	Name    string `json:"name"`
	Columns []struct {
		ID       int64  `json:"id"`
		Name     string `json:"name"`
		Type     string `json:"type"`
		Unsigned bool   `json:"unsigned"`
	} `json:"columns"`
}

// description reads the value of a key, if that describes a table.
func description(key, value string) (d described, ok bool) {
	if !isSchemaKey(key) || !strings.HasPrefix(value, hex.EncodeToString([]byte(`{"id":`))) {
		return d, false
	}
	text, err := hex.DecodeString(value)
	return d, err == nil && json.Unmarshal(text, &d) == nil && len(d.Columns) > 0
}

// learn takes the value of a key, if that describes a table.
func (t tables) learn(key, value string) {
	described, ok := description(key, value)
	if !ok {
		return
	}
	table := t[described.ID]
	if table == nil {
		table = &tableNames{columns: map[int64]column{}}
		t[described.ID] = table
	}
	table.name = described.Name
	for _, c := range described.Columns {
		table.columns[c.ID] = column{c.Name, kindOf(c.Type, c.Unsigned), c.Type == "datetime"}
	}
}

// kindOf is how the values of a column's type are written.
func kindOf(kind string, unsigned bool) codec.Kind {
	switch {
	case kind == "varchar":
		return codec.KindBytes
	case kind == "double":
		return codec.KindFloat
	case kind == "datetime", unsigned:
		return codec.KindUint
	}
	return codec.KindInt
}

// isSchemaKey reports whether a key, in hexadecimal, is one of the schema.
func isSchemaKey(key string) bool { return strings.HasPrefix(key, "6d") }

// value is the value of a key, both in hexadecimal, as people read it: a row by the names
// of its columns, and of an index what it leads to.
func (t tables) value(key, value string) string {
	if d, ok := description(key, value); ok {
		columns := make([]string, len(d.Columns))
		for i, c := range d.Columns {
			columns[i] = c.Name + " " + c.Type
		}
		return fmt.Sprintf("table %s(%s)", d.Name, strings.Join(columns, ", "))
	}
	k, err := hex.DecodeString(key)
	b, valueErr := hex.DecodeString(value)
	const infixAt, idAt = 9, 11 // behind the t and the table's number
	if err == nil && valueErr == nil && len(k) > idAt && k[0] == 't' {
		id, _, _ := codec.DecodeInt64(k[1:])
		switch string(k[infixAt:idAt]) {
		case "_r":
			if row, ok := t.row(id, b); ok {
				return row
			}
		case "_i":
			if handle, rest, err := codec.DecodeUint64(b); err == nil && len(rest) == 0 {
				return fmt.Sprintf("row %d", int64(handle)) // the bits are those of a signed number
			}
			return "present"
		}
	}
	return valueText(readableValue(&value), rowMax)
}

// rowMax is how many characters of a row are shown.
const rowMax = 400

// row reads the value of a row; see table.appendRow for how it is written.
func (t tables) row(id int64, b []byte) (words string, ok bool) {
	const version, large, header = 128, 1, 6
	table := t[id]
	if table == nil || len(b) < header || b[0] != version {
		return "", false
	}
	idSize, offsetSize := 1, 2
	if b[1]&large != 0 {
		idSize, offsetSize = 4, 4
	}
	present := int(binary.LittleEndian.Uint16(b[2:]))
	n := present + int(binary.LittleEndian.Uint16(b[4:]))
	data := header + n*idSize + present*offsetSize
	if len(b) < data {
		return "", false
	}
	ids, offsets := b[header:], b[header+n*idSize:]
	type cell struct {
		id   int64
		text string
	}
	var cells []cell
	for i, at := 0, 0; i < n; i++ {
		c := cell{int64(little(ids[i*idSize:][:idSize])), "NULL"} // of at most four bytes
		if i < present {
			end := int(little(offsets[i*offsetSize:][:offsetSize]))
			if end < at || data+end > len(b) {
				return "", false
			}
			c.text, at = table.columns[c.id].text(b[data+at:data+end]), end
		}
		cells = append(cells, c)
	}
	slices.SortFunc(cells, func(a, b cell) int { return int(a.id - b.id) })
	texts := make([]string, len(cells))
	for i, c := range cells {
		name := table.columns[c.id].name
		if name == "" {
			name = fmt.Sprintf("column %d", c.id)
		}
		texts[i] = name + "=" + c.text
	}
	return clip(table.name+"("+strings.Join(texts, ", ")+")", rowMax), true
}

// text is the value of a column as its row has it.
func (c column) text(b []byte) string {
	switch c.kind {
	case codec.KindBytes:
		return codec.Bytes(string(b)).String()
	case codec.KindFloat:
		if v, _, err := codec.DecodeFloat64(b); err == nil {
			return codec.Float(v).String()
		}
	case codec.KindUint:
		if c.datetime {
			return datetime(little(b))
		}
		return codec.Uint(little(b)).String()
	case codec.KindInt:
		if size := len(b); size > 0 && size <= 8 {
			shift := 64 - 8*size
			return codec.Int(int64(little(b)<<shift) >> shift).String() // extends the sign
		}
	case codec.KindNull:
	}
	return hex.EncodeToString(b)
}

// datetime is a date and time in the packed form of table.ParseDateTime, without what is
// below a second.
func datetime(v uint64) string {
	hms, ymd := v>>24&(1<<17-1), v>>41
	return fmt.Sprintf("%04d-%02d-%02d %02d:%02d:%02d", ymd>>5/13, ymd>>5%13, ymd&31, hms>>12, hms>>6&63, hms&63)
}

// little reads a little-endian number of up to 8 bytes.
func little(b []byte) uint64 {
	var whole [8]byte
	copy(whole[:], b)
	return binary.LittleEndian.Uint64(whole[:])
}
