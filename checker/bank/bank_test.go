package bank_test

import (
	"slices"
	"testing"

	"simrun/checker/bank"
	"simrun/checker/verdict"
	"simrun/sim/history"
)

func p(s string) *string { return &s }

func scan(limit int, kv ...string) history.TxnOp {
	op := history.TxnOp{Kind: history.TxnScan, Key: "a", EndKey: "z", Limit: limit}
	for i := 0; i < len(kv); i += 2 {
		op.Pairs = append(op.Pairs, history.Pair{Key: kv[i], Value: kv[i+1]})
	}
	return op
}

// from is a scan that begins elsewhere, to one that ends elsewhere.
func from(start string, limit int, kv ...string) history.TxnOp {
	op := scan(limit, kv...)
	op.Key = start
	return op
}

func to(end string, limit int, kv ...string) history.TxnOp {
	op := scan(limit, kv...)
	op.EndKey = end
	return op
}

func backward(op history.TxnOp) history.TxnOp {
	op.Reverse = true
	return op
}

func read(k, v string) history.TxnOp {
	return history.TxnOp{Kind: history.TxnRead, Key: k, Value: p(v)}
}

// build makes a history of a bank with accounts a and b and a total of 10, which were there at
// first.
func build(ops ...[]history.TxnOp) *history.History {
	total := int64(10)
	h := &history.History{Header: history.Header{
		Initial: map[string]string{"a": "3", "b": "7"}, Bank: &history.Bank{Accounts: []string{"a", "b"}, Total: &total},
	}}
	for i, o := range ops {
		h.Ops = append(h.Ops, history.Op{ID: i, Invoke: int64(2 * i), Return: int64(2*i + 1), Kind: history.Txn, Outcome: history.OK, Txn: &history.TxnRecord{StartTS: uint64(i + 1), Ops: o}})
	}
	return h
}

func write(k, v string) history.TxnOp {
	return history.TxnOp{Kind: history.TxnWrite, Key: k, Value: p(v)}
}

func lock(k string) history.TxnOp { return history.TxnOp{Kind: history.TxnLock, Key: k} }

func at(ts uint64, op history.TxnOp) history.TxnOp { op.TS = ts; return op }

func TestCheck(t *testing.T) {
	type ops = []history.TxnOp
	for _, c := range []struct {
		name    string
		want    verdict.Verdict
		anomaly verdict.Anomaly
		ops     ops
	}{
		{"in order", verdict.OK, "", ops{scan(0, "a", "3", "b", "7")}},
		{"in order, read one by one", verdict.OK, "", ops{read("a", "3"), read("b", "7")}},
		{"in order, in two scans with other keys", verdict.OK, "", ops{scan(0, "a", "3", "b", "7", "c", "x")}},
		{"total", verdict.Violation, verdict.BankTotal, ops{scan(0, "a", "3", "b", "8")}},
		{"overdrawn", verdict.Violation, verdict.BankNegative, ops{scan(0, "a", "-1", "b", "11")}},
		{"an account lost", verdict.Violation, verdict.BankAccounts, ops{scan(0, "a", "10")}},
		{"no number", verdict.Violation, verdict.GarbageRead, ops{read("a", "x"), read("b", "7")}},
		{"in order, in pages", verdict.OK, "", ops{scan(1, "a", "3"), from("a\x00", 1, "b", "7"), from("b\x00", 1)}},
		{"in order, in pages from the end", verdict.OK, "", ops{backward(scan(1, "b", "7")), backward(to("b", 1, "a", "3"))}},
		{"total over pages", verdict.Violation, verdict.BankTotal, ops{scan(1, "a", "3"), from("a\x00", 1, "b", "6")}},
		{"an account lost between pages", verdict.Violation, verdict.BankAccounts, ops{scan(1, "a", "3"), from("a\x00", 1)}},
		{"the last page is missing", verdict.Unknown, "", ops{scan(1, "a", "3")}},
		{"not a full read", verdict.Unknown, "", ops{read("a", "3")}},
		{"a limit that leaves accounts out", verdict.Unknown, "", ops{scan(1, "a", "3")}},
		{"each read at an instant of its own", verdict.Unknown, "", ops{at(5, read("a", "3")), at(6, read("b", "8"))}},
		{"total, at one later instant", verdict.Violation, verdict.BankTotal, ops{at(5, read("a", "3")), at(5, read("b", "8"))}},
		{"total, at the second of two instants", verdict.Violation, verdict.BankTotal, ops{scan(0, "a", "3", "b", "7"), at(6, scan(0, "a", "3", "b", "8"))}},
		{"its own writes", verdict.Unknown, "", ops{write("a", "9"), scan(0, "a", "9", "b", "7")}},
		{"its own writes, between the reads", verdict.Unknown, "", ops{read("a", "3"), write("b", "8"), read("b", "8")}},
		{"in order, before its own writes", verdict.OK, "", ops{read("a", "3"), read("b", "7"), write("a", "9"), scan(0, "a", "9", "b", "7")}},
		{"total, before its own writes", verdict.Violation, verdict.BankTotal, ops{read("a", "3"), read("b", "8"), write("a", "4"), write("b", "6")}},
		{"total, and it locks what it reads", verdict.Violation, verdict.BankTotal, ops{lock("a"), read("a", "3"), lock("b"), read("b", "8"), write("b", "7")}},
		{"total, in one statement for update", verdict.Violation, verdict.BankTotal, ops{at(5, lock("a")), at(5, lock("b")), at(5, read("a", "3")), at(5, read("b", "8"))}},
		{"each read for update at an instant of its own", verdict.Unknown, "", ops{at(5, lock("a")), at(5, read("a", "3")), at(6, lock("b")), at(6, read("b", "8"))}},
		{"a part for update", verdict.Unknown, "", ops{read("a", "3"), at(6, lock("b")), at(6, read("b", "8"))}},
	} {
		got := bank.Check(build(c.ops))
		if got.Verdict != c.want || (c.anomaly != "" && got.Findings[0].Anomaly != c.anomaly) {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

// TestClosable: an account that is absent holds nothing, and what it held is
// elsewhere.
func TestClosable(t *testing.T) {
	for _, c := range []struct {
		want verdict.Verdict
		ops  []history.TxnOp
	}{
		{verdict.OK, []history.TxnOp{scan(0, "a", "10")}},
		{verdict.OK, []history.TxnOp{{Kind: history.TxnRead, Key: "a"}, read("b", "10")}},
		{verdict.Violation, []history.TxnOp{scan(0, "a", "3")}},
		{verdict.Violation, []history.TxnOp{scan(0)}},
	} {
		h := build(c.ops)
		h.Bank.Closable = true
		if got := bank.Check(h); got.Verdict != c.want || (c.want == verdict.Violation && got.Findings[0].Anomaly != verdict.BankTotal) {
			t.Errorf("%+v", got)
		}
	}
}

// TestForeign: accounts and total are those of the first full read.
func TestForeign(t *testing.T) {
	h := build([]history.TxnOp{scan(0, "a", "3", "b", "7")}, []history.TxnOp{scan(0, "a", "4", "b", "7")})
	h.Bank = &history.Bank{Negative: true}
	for i := range h.Ops {
		h.Ops[i].Txn.Ops[0].Key, h.Ops[i].Txn.Ops[0].EndKey = "", ""
	}
	got := bank.Check(h)
	if got.Verdict != verdict.Violation || len(got.Findings[0].Evidence) != 2 {
		t.Errorf("%+v", got)
	}
}

// TestWriters: of a pessimistic transaction without timestamps nobody knows which answers are of
// its snapshot, and where no accounts are named nobody knows whether a writer has read them
// all. Of one that is judged not everything is: it has written, or locked.
func TestWriters(t *testing.T) {
	reads := []history.TxnOp{read("a", "3"), read("b", "8")}
	writer := slices.Concat(reads, []history.TxnOp{write("b", "7")})
	whole := build([]history.TxnOp{scan(0, "a", "3", "b", "7")})
	pessimistic, stamped, unnamed := build(writer), build(writer), build([]history.TxnOp{scan(0, "a", "3"), write("a", "4")})
	pessimistic.Ops[0].Txn.Pessimistic, pessimistic.Ops[0].Txn.StartTS = true, 0
	stamped.Ops[0].Txn.Pessimistic = true
	unnamed.Bank.Accounts = nil
	for i, c := range []struct {
		h     *history.History
		want  verdict.Verdict
		whole int
	}{
		{pessimistic, verdict.Unknown, 0},
		{stamped, verdict.Violation, 0},
		{unnamed, verdict.Unknown, 0},
		{build(writer), verdict.Violation, 0},
		{build([]history.TxnOp{lock("a"), scan(0, "a", "3", "b", "7")}), verdict.OK, 0},
		{whole, verdict.OK, 1},
	} {
		if got, whole := bank.Whole(c.h); got.Verdict != c.want || whole != c.whole {
			t.Errorf("%d: %d, %+v", i, whole, got)
		}
	}
}

// TestOpening: who writes may be somebody who puts the money there. It was there as soon as
// somebody else has seen it.
func TestOpening(t *testing.T) {
	absent := func(k string) history.TxnOp { return history.TxnOp{Kind: history.TxnRead, Key: k} }
	fill := []history.TxnOp{absent("a"), absent("b"), write("a", "3"), write("b", "7")}
	half := []history.TxnOp{read("a", "3"), absent("b"), write("b", "7")}
	seen := []history.TxnOp{scan(0, "a", "3", "b", "7")}
	for i, c := range []struct {
		ops     [][]history.TxnOp
		checked int
		want    verdict.Verdict
	}{
		{[][]history.TxnOp{fill, seen}, 1, verdict.OK},
		{[][]history.TxnOp{half, seen}, 1, verdict.OK},
		{[][]history.TxnOp{half, seen, seen}, 2, verdict.OK},
		{[][]history.TxnOp{seen, half}, 2, verdict.Violation},
		{[][]history.TxnOp{seen, fill}, 2, verdict.Violation},
	} {
		for _, unknown := range []bool{false, true} { // the total
			h := build(c.ops...)
			h.Bank.Closable = true
			if h.Initial = nil; unknown {
				h.Bank.Total = nil
			}
			if got := bank.Check(h); got.Checked != c.checked || got.Verdict != c.want {
				t.Errorf("%d: %+v", i, got)
			}
			if h.Ops[1].Invoke = h.Ops[0].Return; c.want == verdict.Violation {
				if got := bank.Check(h); got.Checked != 1 || got.Verdict != verdict.OK {
					t.Errorf("%d, at once: %+v", i, got)
				}
			}
		}
	}
}

// TestNoBank: a history of something else is not judged.
func TestNoBank(t *testing.T) {
	if got := bank.Check(&history.History{}); got.Verdict != verdict.Unknown {
		t.Errorf("%+v", got)
	}
}
