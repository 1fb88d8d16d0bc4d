package state

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"simrun/checker/verdict"
)

// The decoder of TiDB's keys and rows and of the schema, written from the formats
// and not from the database's own code.

// storedSchema is what the keys of the schema say.
type storedSchema struct {
	tables map[int64]*storedTable
	// leaving is what is in no schema any more and whose keys are to be removed.
	leaving map[dropped]bool
	// rowIDs are the highest hidden row ids that were given to clients, by table.
	rowIDs map[int64]int64
}

// dropped is a table, or an index of one.
type dropped struct{ table, index int64 }

type storedTable struct {
	ID         int64
	Name       string
	Columns    []storedColumn
	Indexes    []storedIndex
	PrimaryKey int `json:"primary_key"`

	rows    map[int64]map[int64][]byte  // by handle and column; a nil cell is NULL
	entries map[int64]map[string]string // by index and key
}

type storedColumn struct {
	ID       int64
	Name     string
	Type     string
	Unsigned bool
	NotNull  bool `json:"not_null"`
}

type storedIndex struct {
	ID      int64
	Name    string
	Unique  bool
	State   string
	Columns []int
}

func (t *storedTable) index(id int64) *storedIndex {
	for i := range t.Indexes {
		if t.Indexes[i].ID == id {
			return &t.Indexes[i]
		}
	}
	return nil
}

// tablesMap is the map of the schema that has the descriptors of tables, rowIDMap that of
// their counters of hidden row ids.
const (
	tablesMap = "DB:1"
	rowIDMap  = "TID:1"
)

// schema reads the descriptors of tables, and their counters.
func (x *indexCheck) schema(data map[string]stamped) *storedSchema {
	s := &storedSchema{tables: map[int64]*storedTable{}, leaving: map[dropped]bool{}, rowIDs: map[int64]int64{}}
	for key, p := range data {
		name, field, ok := splitMetaKey(key)
		if !ok {
			continue
		}
		if name == rowIDMap {
			id, err := strconv.ParseInt(field, 16, 64)
			last, err2 := strconv.ParseInt(string(p.value), 10, 64)
			if err = cmp.Or(err, err2); err != nil {
				x.add(verdict.RecordCorrupt, "counter of row ids %s = %s: %v", field, p.value, err)
			}
			s.rowIDs[id] = last
		}
		if name != tablesMap || !strings.HasPrefix(field, "Table:") {
			continue
		}
		t := &storedTable{rows: map[int64]map[int64][]byte{}, entries: map[int64]map[string]string{}}
		if err := json.Unmarshal(p.value, t); err != nil || !t.valid() {
			x.add(verdict.RecordCorrupt, "descriptor %s = %s: %v", field, p.value, err)
			continue
		}
		s.tables[t.ID] = t
	}
	return s
}

func (t *storedTable) valid() bool {
	ok := t.PrimaryKey >= -1 && t.PrimaryKey < len(t.Columns)
	for _, index := range t.Indexes {
		for _, place := range index.Columns {
			ok = ok && place >= 0 && place < len(t.Columns)
		}
	}
	return ok
}

// splitMetaKey takes the key of a field of a map of the schema apart.
func splitMetaKey(key string) (name, field string, ok bool) {
	rest, ok := strings.CutPrefix(key, "m")
	if !ok {
		return "", "", false
	}
	user, left, err := decodeKey([]byte(rest))
	if err != nil || len(left) < 8 || binary.BigEndian.Uint64(left) != 'h' {
		return "", "", false
	}
	sub, left, err := decodeKey(left[8:])
	return string(user), string(sub), err == nil && len(left) == 0
}

var errForeign = errors.New("it is no key of a row or an index")

// splitTableKey takes a key of a table apart; the index is 0 for a row.
func splitTableKey(key string) (table, index int64, rest string, err error) {
	table, rest, err = takeInt(key[1:])
	if err != nil {
		return 0, 0, "", err
	}
	if after, ok := strings.CutPrefix(rest, "_r"); ok {
		return table, 0, after, nil
	}
	after, ok := strings.CutPrefix(rest, "_i")
	if !ok {
		return 0, 0, "", errForeign
	}
	index, rest, err = takeInt(after)
	if err == nil && index == 0 {
		err = errForeign
	}
	return table, index, rest, err
}

// takeInt reads a signed integer whose sign bit is flipped.
func takeInt(b string) (v int64, rest string, err error) {
	if len(b) < 8 {
		return 0, "", errCut
	}
	return int64(binary.BigEndian.Uint64([]byte(b[:8])) ^ 1<<63), b[8:], nil // the same bits
}

// flipped is the inverse of takeInt.
func flipped(v int64) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(v)^1<<63) // the same bits
}

// integerDatum returns an integer as it stands in the key of an index.
func integerDatum(unsigned bool, bits uint64) []byte {
	if unsigned {
		return binary.BigEndian.AppendUint64([]byte{4}, bits)
	}
	return append([]byte{3}, flipped(int64(bits))...) // the same bits
}

// datum returns a cell as it stands in the key of an index.
func (c *storedColumn) datum(cell []byte) ([]byte, error) {
	switch c.Type {
	case "varchar":
		return append([]byte{1}, encodeKey(cell)...), nil
	case "double":
		if len(cell) != 8 {
			return nil, errCut
		}
		return append([]byte{5}, cell...), nil
	case "bigint", "int", "datetime":
	default:
		return nil, fmt.Errorf("type %q", c.Type)
	}
	var bits uint64
	for i := len(cell) - 1; i >= 0; i-- {
		bits = bits<<8 | uint64(cell[i])
	}
	switch len(cell) {
	case 1, 2, 4, 8:
	default:
		return nil, errCut
	}
	unsigned := c.Unsigned || c.Type == "datetime"
	if shift := 64 - 8*len(cell); !unsigned {
		bits = uint64(int64(bits<<shift) >> shift) // extends the sign
	}
	return integerDatum(unsigned, bits), nil
}

// decodeRow reads a value in row format 2: the cells by column, nil for NULL.
func decodeRow(b []byte) (map[int64][]byte, error) {
	if len(b) < 6 || b[0] != 128 || b[1] > 1 {
		return nil, errors.New("it is not in row format 2")
	}
	idSize, offsetSize := 1, 2
	if b[1] == 1 {
		idSize, offsetSize = 4, 4
	}
	present, nulls := int(b[2])|int(b[3])<<8, int(b[4])|int(b[5])<<8
	number := func(at, size int) int {
		if size == 1 {
			return int(b[at])
		}
		if size == 2 {
			return int(binary.LittleEndian.Uint16(b[at:]))
		}
		return int(binary.LittleEndian.Uint32(b[at:]))
	}
	offsets := 6 + (present+nulls)*idSize
	data := offsets + present*offsetSize
	if len(b) < data {
		return nil, errCut
	}
	cells := map[int64][]byte{}
	start := 0
	for i := range present + nulls {
		id := int64(number(6+i*idSize, idSize))
		if i >= present {
			cells[id] = nil
			continue
		}
		end := number(offsets+i*offsetSize, offsetSize)
		if end < start || data+end > len(b) {
			return nil, errCut
		}
		cells[id] = append([]byte{}, b[data+start:data+end]...)
		start = end
	}
	if data+start != len(b) {
		return nil, errors.New("bytes follow its last value")
	}
	return cells, nil
}
