package checker_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"simrun/checker"
	"simrun/checker/verdict"
	"simrun/sim/history"
)

func p(s string) *string { return &s }

// TestMerge fixes the order of verdicts: unknown is never OK, and nothing is
// worse than a violation.
func TestMerge(t *testing.T) {
	order := []checker.Verdict{checker.OK, checker.Unknown, checker.Unrecoverable, checker.Violation}
	for i, a := range order {
		for j, b := range order {
			if got, want := checker.Merge(a, b), order[max(i, j)]; got != want {
				t.Errorf("%v and %v: %v", a, b, got)
			}
		}
		back, err := verdict.Parse(a.String())
		if err != nil || back != a {
			t.Errorf("%v: %v %v", a, back, err)
		}
	}
	if checker.Merge() != checker.OK {
		t.Error("nothing at all is not OK")
	}
	if _, err := verdict.Parse("ok"); err == nil {
		t.Error("a verdict in small letters is accepted")
	}
}

// TestHistory: the checkers that run are those that the kinds call for.
func TestHistory(t *testing.T) {
	txn := history.Op{ID: 1, Kind: history.Txn, Outcome: history.OK, Invoke: 1, Return: 2, Txn: &history.TxnRecord{StartTS: 1, Ops: []history.TxnOp{{Kind: history.TxnRead, Key: "a", Value: p("5")}}}}
	unstamped := txn
	unstamped.Txn = &history.TxnRecord{Ops: txn.Txn.Ops}
	blind := txn
	blind.Txn = &history.TxnRecord{Ops: []history.TxnOp{{Kind: history.TxnDelete, Key: "a"}}}
	newest := txn
	newest.Txn = &history.TxnRecord{Newest: true, Ops: txn.Txn.Ops}
	read := history.Op{ID: 2, Kind: history.Read, Key: "k", Outcome: history.OK, Invoke: 3, Return: 4}
	total := int64(5)
	account := history.Header{Initial: map[string]string{"a": "5"}, Bank: &history.Bank{Accounts: []string{"a"}, Total: &total}}
	balances := txn
	balances.Txn = &history.TxnRecord{Ops: []history.TxnOp{{Kind: history.TxnScan, Pairs: []history.Pair{{Key: "a", Value: "5"}}}}}
	foreignBank := history.Header{Foreign: true, Bank: &history.Bank{}}
	twoAccounts := history.Header{Initial: map[string]string{"a": "5", "b": "0"}, Bank: &history.Bank{Accounts: []string{"a", "b"}, Total: &total}}
	aborted, dirty, both := txn, txn, txn
	aborted.Outcome, aborted.Txn = history.Failed, &history.TxnRecord{Ops: []history.TxnOp{{Kind: history.TxnWrite, Key: "a", Value: p("999")}}}
	dirty.Txn = &history.TxnRecord{Ops: []history.TxnOp{{Kind: history.TxnRead, Key: "a", Value: p("999")}}}
	both.Txn = &history.TxnRecord{Ops: []history.TxnOp{{Kind: history.TxnScan, Pairs: []history.Pair{{Key: "a", Value: "5"}, {Key: "b", Value: "0"}}}}}
	deposit, deposits := both, both // each reads all accounts, and both write one of them
	deposit.Txn = &history.TxnRecord{Ops: append(slices.Clone(both.Txn.Ops), history.TxnOp{Kind: history.TxnWrite, Key: "b", Value: p("1")})}
	deposits.Txn = &history.TxnRecord{Ops: append(slices.Clone(both.Txn.Ops), history.TxnOp{Kind: history.TxnWrite, Key: "b", Value: p("2")})}
	for _, c := range []struct {
		name string
		h    history.History
		want string
	}{
		{"nothing", history.History{}, "[history UNKNOWN]"},
		{"nothing, of another tool", history.History{Header: history.Header{Foreign: true}}, "[history UNKNOWN]"},
		{"only what nobody knows", history.History{Ops: []history.Op{{Kind: "other"}}}, "[history UNKNOWN]"},
		{"a register, and a key that only others touched", history.History{Ops: []history.Op{read, {ID: 3, Kind: "raed", Key: "b", Outcome: history.OK, Invoke: 5, Return: 6}}}, "[linear OK history UNKNOWN]"},
		{"a register, and another kind without effect", history.History{Ops: []history.Op{read, {ID: 3, Kind: "raed", Key: "b", Outcome: history.Failed, Invoke: 5, Return: 6}}}, "[linear OK]"},
		{"transfers of a bank of another tool", history.History{Header: foreignBank, Ops: []history.Op{{Kind: "transfer", Outcome: history.OK}, balances}}, "[bank OK]"},
		{"a register", history.History{Ops: []history.Op{read}}, "[linear OK]"},
		{"a bank", history.History{Header: account, Ops: []history.Op{txn, read}}, "[linear OK isolation OK skew OK bank OK]"},
		{"a value out of nowhere", history.History{Ops: []history.Op{txn}}, "[isolation VIOLATION skew UNKNOWN]"},
		{"a newest version out of nowhere", history.History{Ops: []history.Op{newest}}, "[isolation VIOLATION skew UNKNOWN]"},
		{"no timestamps", history.History{Ops: []history.Op{unstamped}}, "[cycles VIOLATION]"},
		{"no timestamps, of values that tell nothing", history.History{Ops: []history.Op{blind}}, "[cycles UNKNOWN]"},
		{"some without timestamps", history.History{Header: account, Ops: []history.Op{txn, unstamped}}, "[isolation UNKNOWN skew OK bank OK]"},
		{"no timestamps, of a bank", history.History{Header: account, Ops: []history.Op{unstamped}}, "[bank OK]"},
		{"no timestamps, of a bank, and a part of it", history.History{Header: account, Ops: []history.Op{unstamped, blind}}, "[bank OK cycles OK]"},
		{"no timestamps, of a bank, and an aborted read", history.History{Header: twoAccounts, Ops: []history.Op{aborted, dirty, both}}, "[bank OK cycles VIOLATION]"},
		{"no timestamps, of a bank, and a write that failed", history.History{Header: twoAccounts, Ops: []history.Op{aborted, both}}, "[bank OK cycles OK]"},
		{"no timestamps, of a bank, and a lost update", history.History{Header: twoAccounts, Ops: []history.Op{deposit, deposits}}, "[bank OK cycles VIOLATION]"},
		{"no timestamps, of a bank of another tool, and a part of it", history.History{Header: foreignBank, Ops: []history.Op{{Kind: "transfer", Outcome: history.OK}, both, unstamped}}, "[bank UNKNOWN]"},
		{"a multi-register", history.History{Header: history.Header{Initial: account.Initial, Consistency: history.StrictSerializable}, Ops: []history.Op{unstamped}}, "[cycles OK]"},
		{"a multi-register of values that tell nothing", history.History{Header: history.Header{Consistency: history.StrictSerializable}, Ops: []history.Op{blind}}, "[linear OK]"},
	} {
		var got []string
		for _, r := range checker.History(&c.h, checker.Options{}) {
			got = append(got, r.Checker+" "+r.Verdict.String())
		}
		if s := fmt.Sprint(got); s != c.want {
			t.Errorf("%s: %s, want %s", c.name, s, c.want)
		}
	}
}

// TestSearchFromUnknownStart: a register of which it is not known what it held at first,
// and one client, each of whose calls is over before the next one. Where the values do not
// tell, an order is searched for.
func TestSearchFromUnknownStart(t *testing.T) {
	for _, c := range []struct{ calls, want string }{
		{"r5 w1 r1 r1", "[cycles OK]"},
		{"r5 w1 r1 r5", "[cycles VIOLATION]"},
		{"r1 w1 r1 r1", "[linear OK]"}, // it may have been there before
		{"r1 w2 r2 w1 r2", "[linear VIOLATION]"},
	} {
		h := history.History{Header: history.Header{InitialUnknown: true, Consistency: history.StrictSerializable}}
		for i, call := range strings.Fields(c.calls) {
			op := history.TxnOp{Kind: history.TxnKind(call[:1]), Key: "x", Value: p(call[1:])}
			h.Ops = append(h.Ops, history.Op{
				ID: i, Kind: history.Txn, Outcome: history.OK, Invoke: int64(2 * i), Return: int64(2*i + 1), Txn: &history.TxnRecord{Ops: []history.TxnOp{op}},
			})
		}
		var got []string
		for _, r := range checker.History(&h, checker.Options{}) {
			got = append(got, r.Checker+" "+r.Verdict.String())
		}
		if s := fmt.Sprint(got); s != c.want {
			t.Errorf("%s: %s, want %s", c.calls, s, c.want)
		}
	}
}

// TestStrangeKinds: what was not judged is named and counted.
func TestStrangeKinds(t *testing.T) {
	h := history.History{Ops: []history.Op{{Kind: "scna", Outcome: history.Unknown}, {Kind: "raed", Outcome: history.OK}, {Kind: "scna", Outcome: history.OK}}}
	const want = `operations not judged, no checker knows their kind: 1 of kind "raed", 2 of kind "scna"`
	if r := checker.History(&h, checker.Options{}); len(r) != 1 || r[0].Reason != want {
		t.Errorf("%+v", r)
	}
}

// TestJSON pins the form of a result in a report.
func TestJSON(t *testing.T) {
	r := checker.Result{Checker: "isolation", Checked: 2}
	r.Add(checker.Finding{Anomaly: verdict.G1a, Message: "m", Evidence: []int{3, 1}})
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"checker":"isolation","verdict":"VIOLATION","checked":2,"findings":[{"checker":"isolation","anomaly":"G1a","message":"m","evidence":[3,1]}]}`
	if string(b) != want {
		t.Errorf("%s", b)
	}
	var back checker.Result
	if err := json.Unmarshal(b, &back); err != nil || back.Verdict != checker.Violation {
		t.Errorf("%+v %v", back, err)
	}
}

// TestFindingsBounded: a system that is broken everywhere gives a short report
// that counts the rest.
func TestFindingsBounded(t *testing.T) {
	var h history.History
	for i := range 100 {
		h.Ops = append(h.Ops, history.Op{
			ID: i, Client: i, Kind: history.Txn, Outcome: history.OK, Invoke: int64(2 * i), Return: int64(2*i + 1),
			Txn: &history.TxnRecord{StartTS: uint64(i + 1), Ops: []history.TxnOp{{Kind: history.TxnRead, Key: "k", Value: p(fmt.Sprint(i))}}},
		})
	}
	r := checker.History(&h, checker.Options{})[0]
	if len(r.Findings) != verdict.FindingsMax || r.More != 80 {
		t.Errorf("%d findings and %d more", len(r.Findings), r.More)
	}
	again := checker.History(&h, checker.Options{})[0]
	if !slices.EqualFunc(r.Findings, again.Findings, func(a, b checker.Finding) bool { return a.Message == b.Message }) {
		t.Error("the same history gives another answer")
	}
}

// TestStrangers: a transaction without timestamps may have written what others read who
// have them. It is not known where, so nothing is said of such an answer, and everything of
// all others.
func TestStrangers(t *testing.T) {
	op := func(f history.TxnKind, key, value string) history.TxnOp {
		o := history.TxnOp{Kind: f, Key: key}
		if value != "" {
			o.Value = p(value)
		}
		return o
	}
	txn := func(start, commit uint64, outcome history.Outcome, ops ...history.TxnOp) history.Op {
		return history.Op{Kind: history.Txn, Outcome: outcome, Txn: &history.TxnRecord{StartTS: start, CommitTS: commit, Ops: ops}}
	}
	newest := func(o history.TxnOp) history.Op {
		return history.Op{Kind: history.Txn, Outcome: history.OK, Txn: &history.TxnRecord{Newest: true, Ops: []history.TxnOp{o}}}
	}
	const r, w, d, scan, list = history.TxnRead, history.TxnWrite, history.TxnDelete, history.TxnScan, history.TxnAppend
	all := func(pairs ...history.Pair) history.TxnOp { return history.TxnOp{Kind: scan, Pairs: pairs} }
	first := txn(1, 2, history.OK, op(w, "x", "1"))
	for _, c := range []struct {
		name, want string
		ops        []history.Op
	}{
		{"its value", "UNKNOWN", []history.Op{first, txn(0, 0, history.Unknown, op(w, "x", "2")), txn(5, 0, history.OK, op(r, "x", "2"))}},
		{"not its value", "OK", []history.Op{first, txn(0, 0, history.Unknown, op(w, "x", "2")), txn(5, 0, history.OK, op(r, "x", "1"))}},
		{"a value that it did not write", "VIOLATION", []history.Op{first, txn(0, 0, history.Unknown, op(w, "x", "2")), txn(5, 0, history.OK, op(r, "x", "3"))}},
		{"one that failed", "VIOLATION", []history.Op{first, txn(0, 0, history.Failed, op(w, "x", "2")), txn(5, 0, history.OK, op(r, "x", "2"))}},
		{"a value that was there before", "UNKNOWN", []history.Op{
			first, txn(3, 4, history.OK, op(w, "x", "2")), txn(0, 0, history.Unknown, op(w, "x", "1")), txn(6, 0, history.OK, op(r, "x", "1")),
		}},
		{"its deletion", "UNKNOWN", []history.Op{first, txn(0, 0, history.Unknown, op(d, "x", "")), txn(6, 0, history.OK, op(r, "x", ""))}},
		{"a key that it alone names, by a scan", "UNKNOWN", []history.Op{
			first, txn(0, 0, history.Unknown, op(w, "y", "2")), txn(6, 0, history.OK, all(history.Pair{Key: "x", Value: "1"}, history.Pair{Key: "y", Value: "2"})),
		}},
		{"a key that it alone names, and nothing", "OK", []history.Op{
			first, txn(0, 0, history.Unknown, op(w, "y", "2")), txn(6, 0, history.OK, all(history.Pair{Key: "x", Value: "1"})),
		}},
		{"its value, as what is newest", "UNKNOWN", []history.Op{first, txn(0, 0, history.Unknown, op(w, "x", "2")), newest(op(r, "x", "2"))}},
		{"its value, as what is newest of a key of its own", "UNKNOWN", []history.Op{txn(0, 0, history.Unknown, op(w, "x", "2")), newest(op(r, "x", "2"))}},
		{"what is newest, and is not its value", "VIOLATION", []history.Op{first, txn(0, 0, history.Unknown, op(w, "x", "2")), newest(op(r, "x", "3"))}},
		{"its element", "UNKNOWN", []history.Op{
			txn(1, 2, history.OK, op(list, "l", "a")), txn(0, 0, history.Unknown, op(list, "l", "b")), txn(6, 0, history.OK, op(r, "l", "a b")),
		}},
		{"two values of unknown outcome, of which one is its", "UNKNOWN", []history.Op{
			first, txn(3, 4, history.Unknown, op(w, "x", "2"), op(w, "y", "2")), txn(0, 0, history.Unknown, op(w, "x", "2")),
			txn(6, 0, history.OK, op(r, "x", "2")), txn(7, 0, history.OK, op(r, "y", "")),
		}},
		{"acknowledged", "UNKNOWN", []history.Op{first, txn(0, 0, history.OK, op(w, "x", "2")), txn(5, 0, history.OK, op(r, "x", "2"))}},
	} {
		var h history.History
		for i, o := range c.ops {
			o.ID, o.Client, o.Invoke, o.Return = i, i, int64(10*i), int64(10*i+5)
			h.Ops = append(h.Ops, o)
		}
		if err := history.Validate(&h); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if got := checker.History(&h, checker.Options{})[0]; got.Checker != "isolation" || got.Verdict.String() != c.want {
			t.Errorf("%s: %+v, want %s", c.name, got, c.want)
		}
	}
}
