package reports

import (
	"testing"

	"simrun/sim/history"
)

func TestDescribeOp(t *testing.T) {
	text := func(s string) *string { return &s }
	txn := func(ops ...history.TxnOp) history.Op {
		return history.Op{Kind: history.Txn, Outcome: history.OK, Txn: &history.TxnRecord{StartTS: 5, CommitTS: 9, Ops: ops}}
	}
	for _, c := range []struct {
		op   history.Op
		want string
	}{
		{history.Op{Kind: history.Read, Key: "k", Outcome: history.OK}, "read k=none"},
		{history.Op{Kind: history.Read, Key: "k", Outcome: history.Unknown}, "read k"},
		{history.Op{Kind: history.Write, Key: "k", Value: text("a b")}, `write k="a b"`},
		{history.Op{Kind: history.CAS, Key: "k", Value: text("2"), Outcome: history.OK, Swapped: true}, "compare-and-swap k from none to 2: swapped"},
		{history.Op{Kind: history.CAS, Key: "k", Expected: text("1"), Value: text("2"), Outcome: history.OK}, "compare-and-swap k from 1 to 2: not swapped"},
		{history.Op{Kind: history.CAS, Key: "k", Expected: text("1"), Value: text("2"), Outcome: history.Failed}, "compare-and-swap k from 1 to 2"},
		{history.Op{Kind: history.Append, Key: "k", Value: text("7")}, "append 7 to k"},
		{history.Op{Kind: history.Acquire, Key: "m"}, "acquire m"},
		{history.Op{Kind: history.Timestamp, Value: text("7"), Outcome: history.OK}, "timestamp 7"},
		{history.Op{Kind: history.Timestamp, Outcome: history.Failed}, "timestamp"},
		{history.Op{Kind: "of-ones-own", Key: "k"}, "of-ones-own k"},
		{history.Op{Kind: history.Txn}, "txn"},
		{
			history.Op{Kind: history.Txn, Txn: &history.TxnRecord{Newest: true, Ops: []history.TxnOp{{Kind: history.TxnRead, Key: "a", Value: text("1")}}}},
			"newest version: read a=1",
		},
		{
			history.Op{Kind: history.Txn, Txn: &history.TxnRecord{StartTS: 5, AsOf: true, Ops: []history.TxnOp{{Kind: history.TxnRead, Key: "a"}}}},
			"snapshot of the past, 5: read a=none",
		},
		{txn(), "transaction, start 5, commit 9: nothing"},
		{
			txn(history.TxnOp{Kind: history.TxnDelete, Key: "a"}, history.TxnOp{Kind: history.TxnLock, Key: "b"},
				history.TxnOp{Kind: history.TxnAppend, Key: "c", Value: text("1")}),
			"transaction, start 5, commit 9: delete a, lock b, append 1 to c",
		},
		{
			txn(history.TxnOp{Kind: history.TxnScan, Key: "a", EndKey: "c", Limit: 2, Reverse: true, Pairs: []history.Pair{{Key: "b", Value: "1"}, {Key: "a", Value: ""}}}),
			`transaction, start 5, commit 9: reverse scan [a, c) limit 2 = {b=1 a=""}`,
		},
	} {
		if got := describeOp(&c.op, value); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}
