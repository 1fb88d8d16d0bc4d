package state

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"simrun/checker/verdict"
	"simrun/sim/history"
)

// The schema of the tests: one table of two integers, the first its primary key,
// with an index over the second.
func descriptor(unique, state string) string {
	return `{"id":1,"name":"t","primary_key":0,"columns":[{"id":1,"name":"id","type":"bigint"},{"id":2,"name":"a","type":"int"}],` +
		`"indexes":[{"id":1,"name":"x",` + unique + `"state":"` + state + `","columns":[1]}]}`
}

const uniqueIndex = `"unique":true,`

func bigEndian(v uint64) string { return string(binary.BigEndian.AppendUint64(nil, v)) }

func metaKey(name, field string) string {
	return "m" + string(encodeKey([]byte(name))) + bigEndian('h') + string(encodeKey([]byte(field)))
}

func tableKey(rest string) string { return "t" + bigEndian(1<<63+1) + rest }

func rowKey(handle int64) string { return tableKey("_r" + string(flipped(handle))) }

// entryKey is an entry of the index for a value, or NULL, and perhaps a handle.
func entryKey(data ...string) string {
	return tableKey("_i" + bigEndian(1<<63+1) + strings.Join(data, ""))
}

func intDatum(v int64) string { return string(integerDatum(false, uint64(v))) }

const nullDatum = "\x00"

// rowOf is the value of a row: a one-byte integer, or NULL.
func rowOf(a int8) string { return "\x80\x00\x01\x00\x00\x00\x02\x01\x00" + string([]byte{byte(a)}) }

// columnsOf is the value of a row with both columns in it.
func columnsOf(id, a int8) string {
	return "\x80\x00\x02\x00\x00\x00\x01\x02\x01\x00\x02\x00" + string([]byte{byte(id), byte(a)})
}

const rowOfNull = "\x80\x00\x00\x00\x01\x00\x02"

// rowsOf returns the records of keys and values that were each committed.
func rowsOf(pairs map[string]string) (rows Rows) {
	for key, value := range pairs {
		rows.Write = append(rows.Write, Row{versionKey(key, 20), []byte("P\x0av" + string([]byte{byte(len(value))}) + value)})
	}
	return rows
}

// indexOf checks rows without a history, in which nothing was dropped.
func indexOf(rows Rows) verdict.Result { return Index(&history.History{}, rows, SafePoints{}) }

// TestIndex changes tables that are in order, one thing at a time.
func TestIndex(t *testing.T) {
	table := metaKey("DB:1", "Table:0000000000000001")
	unique := map[string]string{
		table:                            descriptor(uniqueIndex, "public"),
		rowKey(-5):                       rowOf(7),
		rowKey(3):                        rowOfNull,
		entryKey(intDatum(7)):            string(binary.BigEndian.AppendUint64(nil, 1<<64-5)),
		entryKey(nullDatum, intDatum(3)): "0",
	}
	plain := map[string]string{
		table:                               descriptor("", "public"),
		rowKey(1):                           rowOf(-7),
		rowKey(2):                           rowOf(-7),
		entryKey(intDatum(-7), intDatum(1)): "0",
		entryKey(intDatum(-7), intDatum(2)): "0",
	}
	counter := metaKey("TID:1", "0000000000000001")
	hidden := map[string]string{
		table:     `{"id":1,"name":"t","primary_key":-1,"columns":[{"id":1,"name":"id","type":"bigint"},{"id":2,"name":"a","type":"int"}]}`,
		rowKey(1): columnsOf(4, 5),
		rowKey(2): columnsOf(4, 6),
		counter:   "2",
	}
	for _, c := range []struct {
		name    string
		base    map[string]string
		key     string
		value   string // "" takes the key away
		want    verdict.Anomaly
		message string
	}{
		{"in order", unique, "", "", "", ""},
		{"in order, not unique", plain, "", "", "", ""},
		{"a row without entry", unique, rowKey(4), rowOf(9), verdict.IndexMissing, "row 4 of table t has no entry in index x"},
		{"an entry without row", unique, rowKey(3), "", verdict.IndexOrphan, "is of no row"},
		{"the entry of a row that was moved", unique, entryKey(intDatum(7)), bigEndian(4), verdict.IndexMissing, "row -5 of table t"},
		{"two rows with a unique value", unique, rowKey(4), rowOf(7), verdict.NotUnique, "two rows"},
		{"an entry of NULL is missing", unique, entryKey(nullDatum, intDatum(3)), "", verdict.IndexMissing, "row 3"},
		{"the row has changed", plain, rowKey(1), rowOf(6), verdict.IndexMissing, "row 1"},
		{"not public lacks entries", plain, table, descriptor("", "write-only"), "", ""},
		{"a row that does not decode", plain, rowKey(1), "\x80", verdict.RecordCorrupt, "row"},
		{"a key that is no key", plain, tableKey("_x"), "0", verdict.RecordCorrupt, "no key of a row"},
		{"an index that is not there", plain, tableKey("_i" + bigEndian(1<<63+2)), "0", verdict.IndexOrphan, "index 2 of table t"},
		{"a table that is not there", plain, "t" + bigEndian(1<<63+9) + "_r" + bigEndian(5), rowOf(1), verdict.IndexOrphan, "table 9"},
		{"a descriptor that is none", plain, table, "{", verdict.RecordCorrupt, "descriptor"},
		{"a descriptor of columns that are not there", plain, table, strings.Replace(descriptor("", "public"), `[1]`, `[5]`, 1), verdict.RecordCorrupt, "descriptor"},
		{"NULL where there is to be none", unique, table, strings.Replace(descriptor(uniqueIndex, "public"), `"int"`, `"int","not_null":true`, 1), verdict.RecordCorrupt, "row 3 of table t has NULL for column a"},
		{"no NULL", plain, table, strings.Replace(descriptor("", "public"), `"int"`, `"int","not_null":true`, 1), "", ""},
		{"hidden ids", hidden, "", "", "", ""},
		{"a hidden id above those that were given", hidden, counter, "1", verdict.RecordConflict, "row 2 of table t has an id that nobody was given: the highest is 1"},
		{"hidden ids without a counter", hidden, counter, "", verdict.RecordConflict, "row 1 of table t"},
		{"a hidden id below 1", hidden, rowKey(0), columnsOf(0, 0), verdict.RecordConflict, "row 0 of table t"},
		{"a counter that is none", hidden, counter, "x", verdict.RecordCorrupt, "counter of row ids"},
		{"a dropped range that is none", plain, metaKey("GCDeleteRange", "1"), "{", verdict.RecordConflict, "record 1 of a dropped range"},
	} {
		pairs := map[string]string{}
		for k, v := range c.base {
			pairs[k] = v
		}
		if pairs[c.key] = c.value; c.value == "" {
			delete(pairs, c.key)
		}
		r := indexOf(rowsOf(pairs))
		found := slices.ContainsFunc(r.Findings, func(f verdict.Finding) bool { return f.Anomaly == c.want && strings.Contains(f.Message, c.message) })
		if c.want == "" && r.Verdict != verdict.OK || c.want != "" && !found {
			t.Errorf("%s: %+v", c.name, r)
		}
	}
	if r := indexOf(Rows{}); r.Verdict != verdict.Unknown {
		t.Errorf("without tables: %+v", r)
	}
}

// TestNewest: the newest version of a key counts, and a lock whose transaction is
// committed counts as its commit does.
func TestNewest(t *testing.T) {
	rows := Rows{
		Default: []Row{{versionKey("long", 10), []byte("a long value")}},
		Write: []Row{
			putW("long", 10, 20),
			putW("a", 10, 20, 'v', 1, '1'), putW("a", 30, 40, 'v', 1, '2'),
			{versionKey("gone", 40), []byte("D\x1e")},
			putW("gone", 10, 20, 'v', 1, '1'),
			putW("locked", 10, 20, 'v', 1, '1'),
			putW("pending", 10, 20, 'v', 1, '1'),
		},
		Lock: []Row{
			putL("locked", "a", 30, 'v', 1, '3'),        // its primary is committed at 40
			putL("pending", "primary", 50, 'v', 1, '9'), // its primary is locked
			putL("primary", "primary", 50, 'v', 1, '9'),
			putL("lost", "nowhere", 60, 'v', 1, '9'),
			putL("async", "async", 70, 'v', 1, '4', 'a', 1, 4, 'b', '2'), // with one secondary, b2
			putL("b2", "async", 70, 'v', 1, '5', 'a', 0),
		},
	}
	want := map[string]string{"long": "a long value", "a": "2", "locked": "3", "pending": "1", "async": "4", "b2": "5"}
	got := newScan(rows).newest(valuesOf(rows))
	if len(got) != len(want) {
		t.Errorf("got %v, want %q", got, want)
	}
	for k, v := range want {
		if string(got[k].value) != v {
			t.Errorf("%s holds %q, want %q", k, got[k].value, v)
		}
	}
}

// TestHex: a history in hexadecimal is compared with the keys that it means.
func TestHex(t *testing.T) {
	value, key := "ff", "80"
	h := &history.History{Header: history.Header{Hex: true}, Ops: []history.Op{{
		ID: 1, Kind: history.Txn, Outcome: history.OK,
		Txn: &history.TxnRecord{StartTS: 10, CommitTS: 20, Ops: []history.TxnOp{{Kind: history.TxnWrite, Key: key, Value: &value}}},
	}}}
	if r := Acknowledged(h, Rows{Write: []Row{putW("\x80", 10, 20, 'v', 1, 0xff)}}, 0); r.Verdict != verdict.OK || r.Checked != 1 {
		t.Errorf("%+v", r)
	}
	if r := Acknowledged(h, Rows{Write: []Row{putW("\x80", 10, 20, 'v', 1, 0xfe)}}, 0); r.Verdict != verdict.Violation {
		t.Errorf("%+v", r)
	}
}

// FuzzIndex: whatever is stored, the checker does not fail.
func FuzzIndex(f *testing.F) {
	f.Add(rowKey(1), rowOf(7), descriptor(uniqueIndex, "public"))
	f.Add(entryKey(intDatum(7)), bigEndian(5), descriptor("", "public"))
	f.Fuzz(func(_ *testing.T, key, value, table string) {
		if len(value) < 250 && len(table) < 250 {
			indexOf(rowsOf(map[string]string{key: value, metaKey("DB:1", "Table:1"): table, rowKey(2): rowOf(2)}))
		}
	})
}
