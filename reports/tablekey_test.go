package reports

import (
	"encoding/hex"
	"strings"
	"testing"

	"simrun/checker"
	"simrun/nodes/codec"
	"simrun/sim/history"
)

// Keys that the database writes are read as what they mean, and so are the bounds of
// scans; what is none of these stays as it is.
func TestReadableKey(t *testing.T) {
	entry := codec.AppendDatum(codec.AppendDatum(codec.IndexPrefix(21, 1), codec.Bytes("ann")), codec.Int(-7))
	for want, key := range map[string][]byte{
		"t21_r7":             codec.RowKey(21, 7),
		"t21_r-7":            codec.RowKey(21, -7),
		"t21_r7+00":          append(codec.RowKey(21, 7), 0),
		"t21":                codec.AppendTablePrefix(nil, 21),
		"t21_r":              codec.AppendRowPrefix(nil, 21),
		"end of t21_r":       codec.PrefixEnd(codec.AppendRowPrefix(nil, 21)),
		`t21_i1("ann", -7)`:  entry,
		"t21_i1":             codec.IndexPrefix(21, 1),
		"t21_i2":             codec.PrefixEnd(codec.IndexPrefix(21, 1)),
		"m[SchemaVersion]":   codec.MetaKey("SchemaVersion"),
		"m[DB:1/Table:15]":   codec.MetaHashKey("DB:1", "Table:15"),
		"m[DB:1/]":           codec.MetaHashPrefix("DB:1"),
		"end of m[DB:1/]":    codec.PrefixEnd(codec.MetaHashPrefix("DB:1")),
		"7461":               []byte("ta"),
		"74616263":           []byte("tabc"),
		"6d6f7265":           []byte("more"),
		"72656769737465722f": []byte("register/"),
	} {
		if got := readableKey(hex.EncodeToString(key)); got != want {
			t.Errorf("%x is read as %s, want %s", key, got, want)
		}
	}
	if got := readableKey("plain text"); got != "plain text" {
		t.Errorf("got %s", got)
	}
}

// tableRun is a run with one transaction on a table, and a finding about it.
func tableRun() *Run {
	text := func(b []byte) string { return hex.EncodeToString(b) }
	version, row := text([]byte("31")), text([]byte{128, 0, 1})
	h := &history.History{Header: history.Header{Scenario: "table", Hex: true, Tables: true}}
	h.Ops = append(h.Ops, history.Op{Kind: history.Txn, Client: 1, Return: 5, Outcome: history.OK, Txn: &history.TxnRecord{StartTS: 3, CommitTS: 4, Ops: []history.TxnOp{
		{Kind: history.TxnRead, Key: text(codec.MetaKey("SchemaVersionKey")), Value: &version},
		{Kind: history.TxnWrite, Key: text(codec.RowKey(21, 7)), Value: &row},
		{
			Kind: history.TxnScan, Key: text(codec.IndexPrefix(21, 1)), EndKey: text(codec.IndexPrefix(21, 2)),
			Pairs: []history.Pair{{Key: text(codec.AppendDatum(codec.IndexPrefix(21, 1), codec.Int(5))), Value: text([]byte("0"))}},
		},
	}}})
	r := &Result{Scenario: "table", Checkers: []checker.Result{{Checker: "isolation", Checked: 1}}}
	r.Checkers[0].Add(checker.Finding{Anomaly: "G-single", Message: "key " + text(codec.RowKey(21, 7)) + " was not seen", Evidence: []int{0}})
	r.Conclude()
	return &Run{Plan: bankPlan, History: h, Result: r}
}

// Text and page have the keys of tables as people search for them, and the history
// keeps them as they were recorded.
func TestTablesAreReadable(t *testing.T) {
	run := tableRun()
	const want = `write t21_r7=800001, scan [t21_i1, t21_i2) = {t21_i1(5)=present}, and 1 read of the schema`
	text := strings.Join(strings.Fields(string(verdictText(t, run, TextOptions{}))), " ")
	data := drawn(t, pageOf(t, run))
	if !strings.Contains(text, want) || !strings.HasSuffix(data.Ops[0].Text, want) {
		t.Errorf("the text has\n%s\nthe page\n%s\nand neither may lack\n%s", text, data.Ops[0].Text, want)
	}
	if message := "key t21_r7 was not seen"; !strings.Contains(text, message) || !strings.HasSuffix(data.Flags[0].Text, message) {
		t.Errorf("the finding is told as %s", data.Flags[0].Text)
	}
	if op := &run.History.Ops[0]; op.Txn.Ops[0].Key != hex.EncodeToString(codec.MetaKey("SchemaVersionKey")) || *op.Txn.Ops[0].Value != "3331" {
		t.Errorf("the history was changed: %+v", op.Txn.Ops[0])
	}
}
