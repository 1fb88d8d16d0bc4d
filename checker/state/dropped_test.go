package state

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"simrun/checker/verdict"
	"simrun/sim/history"
)

// A store in which the index 1 of a table was dropped by transaction 30, which
// committed at 40, and the table 9 by transaction 32, which committed at 41. Before
// that transaction 10 wrote rows and entries, and committed at 20.

const (
	droppedIndex = "0000000000000005"
	droppedTable = "0000000000000006"
)

// rangeRecord is the record of the range with a prefix.
func rangeRecord(prefix string, safePoint int) string {
	end := []byte(prefix)
	end[len(end)-1]++
	record := fmt.Sprintf(`{"job":5,"start":"%x","end":"%x"`, prefix, end)
	if safePoint != 0 {
		record += fmt.Sprintf(`,"safe_point":%d`, safePoint)
	}
	return record + "}"
}

func table9(rest string) string { return "t" + bigEndian(1<<63+9) + rest }

var withoutIndex = strings.Replace(descriptor("", "public"), `{"id":1,"name":"x","state":"public","columns":[1]}`, "", 1)

// txnOf is a transaction that was acknowledged: it wrote pairs, and deleted keys
// whose value is "".
func txnOf(id int, start, commit uint64, pairs ...string) history.Op {
	x := &history.TxnRecord{StartTS: start, CommitTS: commit}
	for i := 0; i < len(pairs); i += 2 {
		op := history.TxnOp{Kind: history.TxnDelete, Key: hex.EncodeToString([]byte(pairs[i]))}
		if pairs[i+1] != "" {
			value := hex.EncodeToString([]byte(pairs[i+1]))
			op.Kind, op.Value = history.TxnWrite, &value
		}
		x.Ops = append(x.Ops, op)
	}
	return history.Op{ID: id, Kind: history.Txn, Outcome: history.OK, Txn: x}
}

// put is the record of a committed value.
func put(key string, start, commit uint64, value string) Row {
	return putW(key, start, commit, append([]byte{'v', byte(len(value))}, value...)...)
}

func deletion(key string, start, commit uint64) Row {
	return Row{versionKey(key, commit), []byte{'D', byte(start)}}
}

// drops9 is the history of the drops, and the records of the schema that they leave.
func drops9() (h *history.History, schema []Row) {
	t1, t9 := metaKey(tablesMap, tableField(1)), metaKey(tablesMap, tableField(9))
	index, table := rangeRecord(tableKey("_i"+bigEndian(1<<63+1)), 0), rangeRecord(table9(""), 0)
	h = &history.History{Header: history.Header{Hex: true, Tables: true}, Ops: []history.Op{
		txnOf(1, 10, 20, rowKey(1), rowOf(7), entryKey(intDatum(7), intDatum(1)), "0", table9("_r"+bigEndian(5)), rowOf(1)),
		txnOf(2, 30, 40, t1, withoutIndex, metaKey(droppedMap, droppedIndex), index),
		txnOf(3, 32, 41, t9, "", metaKey(droppedMap, droppedTable), table),
	}}
	schema = []Row{
		put(t1, 30, 40, withoutIndex), put(metaKey(droppedMap, droppedIndex), 30, 40, index),
		deletion(t9, 32, 41), put(metaKey(droppedMap, droppedTable), 32, 41, table),
		put(rowKey(1), 10, 20, rowOf(7)),
	}
	return h, schema
}

// TestDropped changes what is stored, or known, of two ranges that were dropped: what
// was removed of them is believed as far as store and history agree on the drop and
// the safe point is above it, and what must not be there is found.
func TestDropped(t *testing.T) {
	entry, row := entryKey(intDatum(7), intDatum(1)), table9("_r"+bigEndian(5))
	entries := []Row{put(entry, 10, 20, "0"), put(row, 10, 20, rowOf(1))}
	indexKey, tableKey9 := metaKey(droppedMap, droppedIndex), metaKey(droppedMap, droppedTable)
	removed := func(safePoint int) []Row {
		return []Row{
			deletion(indexKey, 60, 61), put(metaKey(removedMap, droppedIndex), 60, 61, rangeRecord(tableKey("_i"+bigEndian(1<<63+1)), safePoint)),
			deletion(tableKey9, 62, 63), put(metaKey(removedMap, droppedTable), 62, 63, rangeRecord(table9(""), safePoint)),
		}
	}
	_, schema := drops9()
	for _, c := range []struct {
		name  string
		rows  []Row
		locks []Row
		at    SafePoints
		edit  func(ops []history.Op)
		gone  []string // keys whose records are not there
		// lost is how many transactions Acknowledged misses, found what Index finds.
		lost  int
		found verdict.Anomaly
	}{
		{name: "they wait", rows: entries, at: SafePoints{Settled: 35}},
		{name: "they wait, and a round failed", rows: entries, at: SafePoints{Settled: 50, Collected: 35}},
		{name: "they wait, and a round was done", rows: entries, at: SafePoints{Settled: 50, Collected: 50}, found: verdict.RangeLeft},
		{name: "they are empty, and a round was done", at: SafePoints{Settled: 50, Collected: 50}, found: verdict.RangeLeft},
		{name: "one was removed in part", rows: entries[1:], at: SafePoints{Settled: 50, Collected: 35}},
		{name: "one was removed in part, below its drop", rows: entries[1:], at: SafePoints{Settled: 39}, lost: 1},
		{
			name: "somebody one version behind", rows: append(slices.Clone(entries), deletion(entry, 29, 55), deletion(row, 29, 56)),
			at: SafePoints{Settled: 50, Collected: 50},
		},
		{
			name: "a lock of somebody one version behind", rows: entries, locks: []Row{putL(entry, entry, 29), putL(row, row, 29)},
			at: SafePoints{Settled: 50, Collected: 50},
		},
		{name: "a lock of somebody later", rows: entries, locks: []Row{putL(entry, entry, 45)}, found: verdict.RangeWritten},
		{name: "an entry written later", rows: append(slices.Clone(entries), put(entry, 29, 45, "0")), found: verdict.RangeWritten},
		{name: "a deletion by somebody later", rows: append(slices.Clone(entries), deletion(entry, 45, 46)), found: verdict.RangeWritten},

		{name: "they were removed", rows: removed(50), at: SafePoints{Settled: 50, Collected: 50}},
		{name: "they were removed, and their records too", rows: removed(50), gone: []string{indexKey, tableKey9}, at: SafePoints{Settled: 70, Collected: 70}},
		{name: "a record is gone too early", rows: removed(50), gone: []string{indexKey}, at: SafePoints{Settled: 39, Collected: 39}, lost: 2, found: verdict.RangeEarly},
		{name: "removed at a safe point below the drop", rows: removed(39), at: SafePoints{Settled: 50}, found: verdict.RangeEarly},
		{name: "removed at a safe point that is none", rows: removed(70), at: SafePoints{Settled: 50}, found: verdict.RangeEarly},
		{name: "removed, and a deletion is left", rows: append(removed(50), deletion(entry, 29, 45)), at: SafePoints{Settled: 50}, found: verdict.RangeLeft},
		{name: "removed, and a lock is left", rows: removed(50), locks: []Row{putL(entry, entry, 45)}, at: SafePoints{Settled: 50}, found: verdict.RangeLeft},

		{
			name: "nobody has dropped it", rows: removed(50), at: SafePoints{Settled: 50},
			edit: func(ops []history.Op) { ops[1].Outcome = history.Failed }, lost: 2, found: verdict.RecordConflict,
		},
		{
			name: "the outcome is not known", rows: removed(50), at: SafePoints{Settled: 50},
			edit: func(ops []history.Op) { ops[1].Outcome = history.Unknown },
		},
		{
			name: "the outcome and the timestamp are not known", rows: removed(50), at: SafePoints{Settled: 50},
			edit: func(ops []history.Op) { ops[1].Outcome, ops[1].Txn.CommitTS = history.Unknown, 0 },
		},
		{
			name: "the timestamp is not known, and somebody wrote before it", rows: append(slices.Clone(entries), put(entryKey(intDatum(8), intDatum(1)), 29, 39, "0")),
			at: SafePoints{Settled: 50, Collected: 35}, edit: func(ops []history.Op) { ops[1].Outcome, ops[1].Txn.CommitTS = history.Unknown, 0 },
		},
		{
			name: "the timestamp is not known, and somebody wrote after it", rows: append(slices.Clone(entries), put(entryKey(intDatum(8), intDatum(1)), 29, 45, "0")),
			at: SafePoints{Settled: 50, Collected: 35}, edit: func(ops []history.Op) { ops[1].Outcome, ops[1].Txn.CommitTS = history.Unknown, 0 },
			found: verdict.RangeWritten,
		},
		{
			name: "the table kept the index", rows: removed(50), at: SafePoints{Settled: 50}, lost: 2, found: verdict.RecordConflict,
			edit: func(ops []history.Op) {
				text := hex.EncodeToString([]byte(descriptor("", "public")))
				ops[1].Txn.Ops[0].Value = &text
			},
		},
		{
			name: "the table was not dropped", rows: removed(50), at: SafePoints{Settled: 50}, lost: 1, found: verdict.RecordConflict,
			edit: func(ops []history.Op) { ops[2].Txn.Ops = ops[2].Txn.Ops[1:] },
		},
		{
			name: "it dropped another range", rows: removed(50), at: SafePoints{Settled: 50}, lost: 2, found: verdict.RecordConflict,
			edit: func(ops []history.Op) {
				text := hex.EncodeToString([]byte(rangeRecord(tableKey("_i"+bigEndian(1<<63+2)), 0)))
				ops[1].Txn.Ops[1].Value = &text
			},
		},
		{
			name: "the table is there", rows: append(slices.Clone(entries), put(metaKey(tablesMap, tableField(9)), 45, 46, strings.Replace(withoutIndex, `"id":1`, `"id":9`, 1))),
			found: verdict.RecordConflict,
		},
		{name: "a record that is none", rows: append(slices.Clone(entries), put(metaKey(droppedMap, "7"), 45, 46, "{")), found: verdict.RecordConflict},
		{name: "a record of rows", rows: append(slices.Clone(entries), put(metaKey(droppedMap, "7"), 45, 46, rangeRecord(tableKey("_r"), 0))), found: verdict.RecordConflict},
		{name: "a record of half an index", rows: append(slices.Clone(entries), put(metaKey(droppedMap, "7"), 45, 46, rangeRecord(entryKey(intDatum(7)), 0))), found: verdict.RecordConflict},
		{name: "a record of the schema", rows: append(slices.Clone(entries), put(metaKey(droppedMap, "7"), 45, 46, rangeRecord("m", 0))), found: verdict.RecordConflict},
		{
			name: "a record with another end", found: verdict.RecordConflict,
			rows: append(slices.Clone(entries), put(metaKey(droppedMap, "7"), 45, 46, strings.Replace(rangeRecord(table9(""), 0), `"end":"7480000000000000`, `"end":"7580000000000000`, 1))),
		},
	} {
		edited, _ := drops9()
		if c.edit != nil {
			c.edit(edited.Ops)
		}
		rows := Rows{Lock: c.locks, Write: slices.Concat(schema, c.rows)}
		for _, key := range c.gone {
			rows.Write = slices.DeleteFunc(rows.Write, func(r Row) bool { return strings.HasPrefix(string(r.Key), string(encodeKey([]byte(key)))) })
		}
		acknowledged := Acknowledged(edited, rows, c.at.Settled)
		if len(acknowledged.Findings) != c.lost {
			t.Errorf("%s: acknowledged: %+v", c.name, acknowledged.Findings)
		}
		index := Index(edited, rows, c.at)
		ok := index.Verdict == verdict.OK
		if c.found != "" {
			ok = slices.ContainsFunc(index.Findings, func(f verdict.Finding) bool { return f.Anomaly == c.found })
		}
		if !ok {
			t.Errorf("%s: index: %+v", c.name, index.Findings)
		}
	}
}
