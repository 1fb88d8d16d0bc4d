package history_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"simrun/sim/history"
)

func p(s string) *string { return &s }

// small is a history with every kind of operation.
func small() *history.History {
	total := int64(100)
	return &history.History{
		Header: history.Header{
			Scenario: "bank", Seed: 7, Initial: map[string]string{"a": "60", "b": "40"},
			Bank: &history.Bank{Accounts: []string{"a", "b"}, Total: &total},
		},
		Ops: []history.Op{
			{ID: 1, Client: 1, Kind: history.Write, Invoke: 10, Return: 20, Outcome: history.OK, Key: "k", Value: p("1"), Phase: "storm"},
			{ID: 0, Client: 0, Kind: history.Read, Invoke: 5, Return: 25, Outcome: history.Failed, Key: "k", Error: "region not found"},
			{ID: 2, Client: 1, Kind: history.CAS, Invoke: 21, Return: 30, Outcome: history.OK, Key: "k", Expected: p("1"), Value: p("<2>"), Swapped: true},
			{ID: 3, Client: 0, Kind: history.Txn, Invoke: 26, Return: 40, Outcome: history.OK, Txn: &history.TxnRecord{StartTS: 3, CommitTS: 9, Ops: []history.TxnOp{
				{Kind: history.TxnRead, Key: "a", Value: p("60")},
				{Kind: history.TxnScan, Key: "a", EndKey: "c", Limit: 2, Reverse: true, Pairs: []history.Pair{{Key: "b", Value: "40"}, {Key: "a", Value: "60"}}},
				{Kind: history.TxnWrite, Key: "a", Value: p("50")},
				{Kind: history.TxnDelete, Key: "c"},
				{Kind: history.TxnAppend, Key: "l", Value: p("1")},
				{Kind: history.TxnLock, Key: "b"},
			}}},
			{ID: 4, Client: 2, Kind: history.Append, Invoke: 0, Return: 41, Outcome: history.Unknown, Key: "s", Value: p("x")},
			{ID: 5, Client: 3, Kind: history.Acquire, Invoke: 0, Return: 41, Outcome: history.OK, Key: "m"},
			{ID: 6, Client: 3, Kind: history.Release, Invoke: 41, Return: 41, Outcome: history.OK, Key: "m"},
		},
	}
}

func encode(t testing.TB, h *history.History) string {
	t.Helper()
	var b bytes.Buffer
	if err := history.Encode(&b, h); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestRoundTrip(t *testing.T) {
	text := encode(t, small())
	got, err := history.Decode(strings.NewReader(text), "h")
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, small()) {
		t.Errorf("%s\n%+v", text, got)
	}
}

// TestGolden pins the format: a change of it needs a new version.
func TestGolden(t *testing.T) {
	want, err := os.ReadFile(filepath.Join("testdata", "small.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if got := encode(t, small()); got != string(want) {
		t.Errorf("the format has changed:\n%s", got)
	}
}

// TestMalformed: each fault of a file is one error that names file, line and,
// where there is one, the remedy.
func TestMalformed(t *testing.T) {
	lines := strings.SplitAfter(encode(t, small()), "\n")
	lines = lines[:len(lines)-1]
	edit := func(n int, old, with string) string {
		out := append([]string(nil), lines...)
		if !strings.Contains(out[n], old) {
			t.Fatalf("line %d has no %q", n, old)
		}
		out[n] = strings.Replace(out[n], old, with, 1)
		return strings.Join(out, "")
	}
	without := func(n int) string {
		out := append([]string(nil), lines[:n]...)
		return strings.Join(append(out, lines[n+1:]...), "")
	}
	whole := strings.Join(lines, "")
	for _, c := range []struct {
		name, text, want string
		truncated        bool
	}{
		{"empty", "", "h: the history is empty", true},
		{"something else", "hello\nworld\n", "h:1: not a history", false},
		{"another version", edit(0, `"version":1`, `"version":2`), "h:1: the history has format version 2", false},
		{"unknown header field", edit(0, `"seed"`, `"sede"`), "h:1: malformed line: json: unknown field", false},
		{"unknown consistency", edit(0, `"seed":7`, `"seed":7,"consistency":"none"`), `h:1: consistency "none" is unknown`, false},
		{"header only", lines[0], "h:1: the history ends after 0 operations without its end line", true},
		{"cut header", lines[0][:20], "h:1: the first line is cut off", true},
		{"no end line", strings.Join(lines[:len(lines)-1], ""), "the history ends after 7 operations without its end line, " + strings.TrimSuffix(lines[len(lines)-1], "\n") + ": the file is truncated", true},
		{"cut line", whole[:len(whole)-len(lines[8])-10], "h:8: the last line is cut off", true},
		{"a line lost", without(2), "h:8: the history holds 6 operations and its end line says 7", false},
		{"a line twice", edit(2, lines[2], lines[2]+lines[2]), "h:4: id 0 stands twice", false},
		{"something after the end", whole + "x\n", "h:10: there is something after the end line", false},
		{"unknown field", edit(1, `"key"`, `"kye"`), "h:2: malformed line: json: unknown field", false},
		{"not JSON", edit(3, "{", "("), "h:4: malformed line", false},
		{"an empty line", edit(3, lines[3], "\n"+lines[3]), "h:4: the line is empty", false},
		{"two values", edit(1, "}\n", "} {}\n"), "h:2: malformed line: there is something after the closing brace", false},
		{"unknown outcome", edit(1, `"outcome":"ok"`, `"outcome":"maybe"`), `h:2: outcome "maybe" is none of`, false},
		{"return before invoke", edit(1, `"return":20`, `"return":2`), "h:2: id 1 returns at 2, before", false},
		{"overlap", edit(3, `"invoke":21`, `"invoke":19`), "h:4: client 1 invokes id 2 at 19", false},
		{"out of order", edit(2, `"return":25`, `"return":15`), "h:3: id 0 returns at 15", false},
		{"no kind", edit(1, `"kind":"write"`, `"kind":""`), "h:2: id 1: it has no kind", false},
		{"txn without record", edit(1, `"kind":"write"`, `"kind":"txn"`), "h:2: id 1: a transaction needs the field", false},
		{"cas without value", edit(3, `"value":"<2>",`, ``), `h:4: id 2: kind "cas" needs a value`, false},
		{"swap of a write", edit(1, `"value":"1"`, `"value":"1","swapped":true`), `h:2: id 1: kind "write" has neither`, false},
		{"no commit timestamp", edit(4, `"commit_ts":9,`, ``), "h:5: id 3: it wrote, is committed, and has no commit timestamp", false},
		{"unknown operation", edit(4, `"f":"lock"`, `"f":"luck"`), `h:5: id 3: its operation 5: kind "luck" is unknown`, false},
		{"a read with a limit", edit(4, `"f":"r"`, `"limit":1,"f":"r"`), `h:5: id 3: its operation 0: kind "r" has none of the fields of a scan`, false},
		{"a field in another case", edit(1, `"value":"1"`, `"value":"1","Value":"2"`), `h:2: malformed line: unknown field "Value": names are in lower case`, false},
		{"only in another case", edit(4, `"commit_ts":9`, `"COMMIT_TS":9`), `h:5: malformed line: unknown field "COMMIT_TS"`, false},
		{"a letter that folds to another", edit(1, `"key"`, "\"\u212aey\""), `h:2: malformed line: unknown field`, false},
		{"an escaped name", edit(1, `"key"`, `"\u006bey"`), `h:2: malformed line: unknown field`, false},
		{"a field twice", edit(1, `"value":"1"`, `"value":"2" , "value" : "1"`), `h:2: malformed line: field "value" stands twice`, false},
		{"a field of a pair twice", edit(4, `{"k":"b",`, `{"k":"b","k":"c",`), `h:5: malformed line: field "k" stands twice`, false},
		{"a field twice around an object", edit(4, `"kind":"txn"`, `"txn":{"start_ts":1,"ops":[]},"kind":"txn"`), `h:5: malformed line: field "txn" stands twice`, false},
		{"a header field twice", edit(0, `"seed":7`, `"seed":8,"seed":7`), `h:1: malformed line: field "seed" stands twice`, false},
		{"a header field in another case", edit(0, `"format"`, `"Format"`), `h:1: malformed line: unknown field "Format"`, false},
		{"a key twice at first", edit(0, `"a":"60"`, `"a":"60","\u0061":"50"`), `h:1: malformed line: key "a" stands twice in "initial"`, false},
		{"an end line that counts twice", edit(8, `"ops":7`, `"ops":8,"ops":7`), "h:9: the end line is malformed", false},
		{"end line of another kind", edit(8, `{"end":true`, `{"end":false`), "h:9: the end line is malformed", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, err := history.Decode(strings.NewReader(c.text), "h")
			var e *history.Error
			if !errors.As(err, &e) || !strings.HasPrefix(err.Error(), c.want) && !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %s", err, c.want)
			}
			if e.Truncated != c.truncated {
				t.Errorf("truncated is %t: %v", e.Truncated, err)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than a line: %v", err)
			}
			if c.name == "no end line" && (h == nil || len(h.Ops) != 7) {
				t.Errorf("what is there is lost: %+v", h)
			}
		})
	}
}

// TestEveryPrefixIsTruncated: wherever a file is cut, it is known, except where
// only the last newline is gone.
func TestEveryPrefixIsTruncated(t *testing.T) {
	text := encode(t, small())
	for n := range len(text) - 1 {
		var e *history.Error
		if _, err := history.Decode(strings.NewReader(text[:n]), "h"); !errors.As(err, &e) || !e.Truncated {
			t.Fatalf("cut after %d bytes: %v", n, err)
		}
	}
	if _, err := history.Decode(strings.NewReader(text[:len(text)-1]), "h"); err != nil {
		t.Fatalf("without the last newline: %v", err)
	}
}

// TestNames: what is checked of names is checked of names alone: not of values that look
// like them, nor of the keys that were there at first, whose case means something.
func TestNames(t *testing.T) {
	h := small()
	h.Initial = map[string]string{"k": `"Value":`, "K": "1", `"k":`: "2", `\`: "3", "Bank": "{"}
	h.Ops[0].Value, h.Ops[0].Key = p(`{"Value":"1","Value":"2"}`), `\":`
	got, err := history.Decode(strings.NewReader(encode(t, h)), "h")
	if err != nil || !reflect.DeepEqual(got, h) {
		t.Errorf("comes back as %+v: %v", got, err)
	}
}

// TestMark: the byte order mark of an editor is no part of the history.
func TestMark(t *testing.T) {
	const mark = "\uFEFF"
	if got, err := history.Decode(strings.NewReader(mark+encode(t, small())), "h"); err != nil || !reflect.DeepEqual(got, small()) {
		t.Errorf("comes back as %+v: %v", got, err)
	}
	if _, err := history.Decode(strings.NewReader(mark+mark+encode(t, small())), "h"); err == nil {
		t.Error("two of them are skipped")
	}
}

// TestRecorder: the stream holds what the recorder holds, what is under way at
// the end is unknown, and one client's operations never touch.
func TestRecorder(t *testing.T) {
	var b bytes.Buffer
	rec := history.NewRecorder(history.Header{Scenario: "register", Seed: 3}, &b)
	rec.SetPhase("storm")
	a := rec.Begin(history.Op{Client: 0, Kind: history.Read, Key: "k"}, 10)
	c := rec.Begin(history.Op{Client: 1, Kind: history.Write, Key: "k", Value: p("1")}, 10)
	rec.End(c, history.OK, 12)
	d := rec.Begin(history.Op{Client: 1, Kind: history.Write, Key: "k", Value: p("2")}, 12)
	e := rec.Begin(history.Op{Client: 2, Kind: history.Write, Key: "k", Value: p("3")}, 12)
	rec.Drop(e)
	a.Value = p("1")
	rec.End(a, history.OK, 12)
	if d.Invoke != 13 || rec.Pending() != 1 || rec.Len() != 2 {
		t.Fatalf("%+v, %d under way, %d ended", d, rec.Pending(), rec.Len())
	}
	if soFar := rec.AsOf(15); len(soFar.Ops) != 3 || soFar.Ops[2].ID != d.ID || soFar.Ops[2].Outcome != history.Unknown || rec.Len() != 2 || d.Outcome != "" {
		t.Fatalf("%+v, %+v under way, %d ended", soFar.Ops, d, rec.Len())
	}
	h, err := rec.Close(20)
	if err != nil {
		t.Fatal(err)
	}
	if err = history.Validate(h); err != nil {
		t.Fatal(err)
	}
	if !h.Numbered {
		t.Error("the header does not say that ids are in the order of invocation")
	}
	if last := h.Ops[2]; last.ID != d.ID || last.Outcome != history.Unknown || last.Return != 20 || last.Phase != "storm" || last.Error == "" {
		t.Fatalf("%+v", last)
	}
	got, err := history.Decode(&b, "stream")
	if err != nil || !reflect.DeepEqual(got, h) {
		t.Fatalf("%+v %v", got, err)
	}
}

// A client that begins while it has an operation under way is no sequential one, and refused
// where it does so: the history would be refused later, without a word of who it was.
func TestRecorderRefusesOverlap(t *testing.T) {
	rec := history.NewRecorder(history.Header{}, nil)
	rec.Drop(rec.Begin(history.Op{Client: 1, Kind: history.Read, Key: "k"}, 5))
	rec.Begin(history.Op{Client: 1, Kind: history.Read, Key: "k"}, 10)
	defer func() {
		if said := fmt.Sprint(recover()); !strings.HasPrefix(said, "history: client 1 begins an operation while its operation 1 is under way") {
			t.Errorf("it says %q", said)
		}
	}()
	rec.Begin(history.Op{Client: 1, Kind: history.Read, Key: "k"}, 20)
}

// failing is a full disk.
type failing struct{ left int }

func (f *failing) Write(b []byte) (int, error) {
	if f.left -= len(b); f.left < 0 {
		return 0, errors.New("no space left")
	}
	return len(b), nil
}

// TestRecorderKeepsRecording: a stream that fails is reported, and nothing is
// lost in memory.
func TestRecorderKeepsRecording(t *testing.T) {
	rec := history.NewRecorder(history.Header{}, &failing{left: 200})
	for i := range 10 {
		rec.End(rec.Begin(history.Op{Kind: history.Read, Key: "k"}, int64(i)), history.OK, int64(i))
	}
	if rec.Err() == nil {
		t.Fatal("the failure is not told")
	}
	if h, err := rec.Close(20); err == nil || len(h.Ops) != 10 {
		t.Fatalf("%d operations, %v", len(h.Ops), err)
	}
}

// TestNotUTF8: JSON would change such a value silently.
func TestNotUTF8(t *testing.T) {
	h := small()
	h.Ops[0].Value = p("\xff")
	if err := history.Encode(&bytes.Buffer{}, h); err == nil || !strings.Contains(err.Error(), "not UTF-8") {
		t.Fatalf("%v", err)
	}
}

// TestRoundTripRandom: what is recorded is read back, whatever the strings.
func TestRoundTripRandom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rec := history.NewRecorder(history.Header{Seed: rapid.Uint64().Draw(t, "seed")}, nil)
		text := rapid.String()
		now := int64(0)
		for range rapid.IntRange(0, 20).Draw(t, "ops") {
			v, k := text.Draw(t, "value"), text.Draw(t, "key")
			op := rec.Begin(history.Op{Client: rapid.IntRange(0, 3).Draw(t, "client"), Kind: history.Write, Key: k, Value: &v}, now)
			now += int64(rapid.IntRange(0, 3).Draw(t, "time"))
			rec.End(op, rapid.SampledFrom([]history.Outcome{history.OK, history.Failed, history.Unknown}).Draw(t, "outcome"), now)
		}
		h, _ := rec.Close(now)
		var b bytes.Buffer
		if err := history.Encode(&b, h); err != nil {
			t.Fatal(err)
		}
		got, err := history.Decode(&b, "h")
		if err != nil || !reflect.DeepEqual(got, h) {
			t.Fatalf("%v\n%+v\n%+v", err, got, h)
		}
	})
}

// FuzzDecode: what is accepted is written back to the same, and nothing panics.
func FuzzDecode(f *testing.F) {
	f.Add(encode(f, small()))
	f.Add("{\"format\":\"simrun-history\",\"version\":1,\"seed\":0}\n{\"end\":true,\"ops\":0}\n")
	f.Fuzz(func(t *testing.T, text string) {
		h, err := history.Decode(strings.NewReader(text), "h")
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err = history.Encode(&b, h); err != nil {
			t.Skip("a string that JSON cannot carry")
		}
		again, err := history.Decode(&b, "again")
		if err != nil || fmt.Sprint(again) == "" || len(again.Ops) != len(h.Ops) {
			t.Fatalf("%v", err)
		}
	})
}

func BenchmarkRecord(b *testing.B) {
	rec := history.NewRecorder(history.Header{}, &bytes.Buffer{})
	txn := small().Ops[3].Txn
	b.ReportAllocs()
	for i := range b.N {
		op := rec.Begin(history.Op{Kind: history.Txn, Txn: txn}, int64(i))
		rec.End(op, history.OK, int64(i))
	}
}

func BenchmarkDecode(b *testing.B) {
	h := &history.History{}
	for i := range 1000 {
		op := small().Ops[3]
		op.ID, op.Invoke, op.Return = i, int64(100*i), int64(100*i+50)
		h.Ops = append(h.Ops, op)
	}
	text := encode(b, h)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := history.Decode(strings.NewReader(text), "h"); err != nil {
			b.Fatal(err)
		}
	}
}

// TestReaders: a read of what is newest is one read without any timestamp, a read of
// the past has one and writes nothing.
func TestReaders(t *testing.T) {
	read := history.TxnOp{Kind: history.TxnRead, Key: "a", Value: p("1")}
	late := read
	late.TS = 7
	scan, write := history.TxnOp{Kind: history.TxnScan, Key: "a"}, history.TxnOp{Kind: history.TxnWrite, Key: "a", Value: p("1")}
	for _, c := range []struct {
		txn     history.TxnRecord
		outcome history.Outcome
		want    string
	}{
		{history.TxnRecord{Newest: true, Ops: []history.TxnOp{read}}, history.OK, ""},
		{history.TxnRecord{Newest: true}, history.Failed, ""},
		{history.TxnRecord{Newest: true}, history.OK, "holds no answer"},
		{history.TxnRecord{Newest: true, StartTS: 5, Ops: []history.TxnOp{read}}, history.OK, "has a start timestamp"},
		{history.TxnRecord{Newest: true, Ops: []history.TxnOp{read, read}}, history.OK, "is one read without a timestamp"},
		{history.TxnRecord{Newest: true, Ops: []history.TxnOp{scan}}, history.OK, "is one read without a timestamp"},
		{history.TxnRecord{Newest: true, Ops: []history.TxnOp{late}}, history.OK, "is one read without a timestamp"},
		{history.TxnRecord{AsOf: true, StartTS: 5, Ops: []history.TxnOp{read, scan}}, history.OK, ""},
		{history.TxnRecord{AsOf: true, Ops: []history.TxnOp{read}}, history.OK, "timestamp of the past, and has none"},
		{history.TxnRecord{AsOf: true, StartTS: 5, CommitTS: 6, Ops: []history.TxnOp{write}}, history.OK, "timestamp of the past, and writes"},
	} {
		h := &history.History{Ops: []history.Op{{Kind: history.Txn, Outcome: c.outcome, Txn: &c.txn}}}
		switch err := history.Validate(h); {
		case c.want == "" && err != nil:
			t.Errorf("%+v: %v", c.txn, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%+v: got %v, want %s", c.txn, err, c.want)
		case err != nil:
			continue
		}
		if got, err := history.Decode(strings.NewReader(encode(t, h)), "h"); c.want == "" && (err != nil || !reflect.DeepEqual(got, h)) {
			t.Errorf("%+v comes back as %+v: %v", h, got, err)
		}
	}
}

// TestStatements: what a transaction did at timestamps of its own comes back as it was,
// also from a record that does not tell of its statements; what contradicts itself is
// no record. Whether the timestamps are right is for a checker to say.
func TestStatements(t *testing.T) {
	type st = history.Statement
	read := func(ts uint64) history.TxnOp { return history.TxnOp{Kind: history.TxnRead, Key: "a", TS: ts} }
	write := history.TxnOp{Kind: history.TxnWrite, Key: "a", Value: p("1")}
	for _, c := range []struct {
		txn  history.TxnRecord
		want string
	}{
		{history.TxnRecord{StartTS: 5, Ops: []history.TxnOp{read(7)}}, ""},
		{history.TxnRecord{StartTS: 5, ReadCommitted: true, Statements: []st{{7, 10}, {8, 20}}, Ops: []history.TxnOp{read(7), read(8)}}, ""},
		{history.TxnRecord{StartTS: 5, ReadCommitted: true, Statements: []st{{3, 10}, {2, 10}}, Ops: []history.TxnOp{read(3), read(2)}}, ""},
		{history.TxnRecord{StartTS: 5, CommitTS: 9, ReadCommitted: true, Ops: []history.TxnOp{write, read(0)}}, ""},
		{history.TxnRecord{StartTS: 5, ReadCommitted: true, Ops: []history.TxnOp{read(0)}}, "its operation 0 does not say at which timestamp"},
		{history.TxnRecord{StartTS: 5, ReadCommitted: true, Ops: []history.TxnOp{{Kind: history.TxnScan}}}, "its operation 0 does not say at which timestamp"},
		{history.TxnRecord{StartTS: 5, Statements: []st{{7, 10}}, Ops: []history.TxnOp{read(8)}}, "its operation 0 is at 8, and it has no such statement"},
		{history.TxnRecord{StartTS: 5, Statements: []st{{7, 9}}}, "its statement 0 of timestamp 7 is invoked at 9, which is not between 10 and 20"},
		{history.TxnRecord{StartTS: 5, Statements: []st{{7, 21}}}, "its statement 0 of timestamp 7 is invoked at 21"},
		{history.TxnRecord{StartTS: 5, Statements: []st{{7, 12}, {8, 11}}}, "its statement 1 of timestamp 8 is invoked at 11, which is not between 12 and 20"},
		{history.TxnRecord{StartTS: 5, Statements: []st{{0, 12}}}, "its statement 0 of timestamp 0"},
		{history.TxnRecord{StartTS: 5, AsOf: true, Statements: []st{{7, 12}}}, "reads at a single instant"},
		{history.TxnRecord{Newest: true, Statements: []st{{7, 12}}, Ops: []history.TxnOp{read(0)}}, "reads at a single instant"},
	} {
		h := &history.History{Ops: []history.Op{{Kind: history.Txn, Invoke: 10, Return: 20, Outcome: history.OK, Txn: &c.txn}}}
		err := history.Validate(h)
		if (c.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: got %v, want %q", c.txn, err, c.want)
		}
		if err != nil {
			continue
		}
		if got, err := history.Decode(strings.NewReader(encode(t, h)), "h"); err != nil || !reflect.DeepEqual(got, h) {
			t.Errorf("%+v comes back as %+v: %v", h, got, err)
		}
	}
	const written = `"txn":{"start_ts":5,"read_committed":true,"statements":[{"ts":7,"invoke":10}],"ops":[{"f":"r","key":"a","ts":7}]}`
	h := &history.History{Ops: []history.Op{{Kind: history.Txn, Invoke: 10, Return: 20, Outcome: history.OK, Txn: &history.TxnRecord{
		StartTS: 5, ReadCommitted: true, Statements: []st{{7, 10}}, Ops: []history.TxnOp{read(7)},
	}}}}
	if got := encode(t, h); !strings.Contains(got, written) {
		t.Errorf("%s does not contain %s", got, written)
	}
}
