package jepsen_test

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"simrun/sim/history"
	"simrun/sim/history/jepsen"
)

// TestExportStatements: what transactions did at timestamps of their own is in the
// output, and comes back: scans as reads, the locks before everything else, and instants
// as the lines between which they lie. What was acknowledged before a statement was
// invoked ends on a line above it, and what was acknowledged at that very instant does not.
func TestExportStatements(t *testing.T) {
	txn := func(id, client int, invoke, ret int64, outcome history.Outcome, x history.TxnRecord) history.Op {
		return history.Op{ID: id, Client: client, Kind: history.Txn, Invoke: invoke, Return: ret, Outcome: outcome, Txn: &x}
	}
	h := &history.History{Ops: []history.Op{
		txn(0, 0, 10, 30, history.OK, history.TxnRecord{StartTS: 2, CommitTS: 3, Ops: []history.TxnOp{{Kind: history.TxnLock, Key: "5"}}}),
		txn(1, 1, 20, 40, history.OK, history.TxnRecord{
			StartTS: 4, CommitTS: 9, Pessimistic: true, ReadCommitted: true,
			Statements: []history.Statement{{TS: 5, Invoke: 30}, {TS: 6, Invoke: 31}, {TS: 8, Invoke: 31}},
			Ops: []history.TxnOp{
				{Kind: history.TxnLock, Key: "x", TS: 5},
				{Kind: history.TxnRead, Key: "x", TS: 5},
				{Kind: history.TxnScan, TS: 6, Pairs: []history.Pair{{Key: "y", Value: "1"}, {Key: "z", Value: "2"}}},
				{Kind: history.TxnWrite, Key: "x", Value: p("7")},
				{Kind: history.TxnLock, Key: "z", TS: 8},
			},
		}),
		txn(2, 2, 31, 50, history.Unknown, history.TxnRecord{
			StartTS: 7, Pessimistic: true, Statements: []history.Statement{{TS: 10, Invoke: 45}},
			Ops: []history.TxnOp{{Kind: history.TxnLock, Key: "x", TS: 10}, {Kind: history.TxnRead, Key: "x", TS: 10}, {Kind: history.TxnDelete, Key: "x"}},
		}),
		txn(3, 0, 60, 70, history.OK, history.TxnRecord{StartTS: 11, Ops: []history.TxnOp{{Kind: history.TxnRead, Key: "x", TS: 12}}}), // without instants
	}}
	var b bytes.Buffer
	if err := jepsen.WriteEDN(&b, h); err != nil {
		t.Fatal(err)
	}
	const want = `{:index 0, :time 10, :process 0, :type :invoke, :f :txn, :value []}
{:index 1, :time 20, :process 1, :type :invoke, :f :txn, :value [[:r "x" nil] [:r "y" nil] [:r "z" nil] [:w "x" 7]]}
{:index 2, :time 30, :process 0, :type :ok, :f :txn, :value [], :start-ts 2, :commit-ts 3, :locks [[5 nil]]}
{:index 3, :time 31, :process 2, :type :invoke, :f :txn, :value [[:r "x" nil] [:w "x" nil]]}
{:index 4, :time 40, :process 1, :type :ok, :f :txn, :value [[:r "x" nil] [:r "y" 1] [:r "z" 2] [:w "x" 7]], :start-ts 4, :commit-ts 9, :pessimistic true, :read-committed true, :statements [[5 2] [6 3] [8 3]], :op-ts [5 6 6 nil], :locks [["x" 5] ["z" 8]]}
{:index 5, :time 50, :process 2, :type :info, :f :txn, :value [[:r "x" nil] [:w "x" nil]], :start-ts 7, :pessimistic true, :statements [[10 5]], :op-ts [10 nil], :locks [["x" 10]]}
{:index 6, :time 60, :process 0, :type :invoke, :f :txn, :value [[:r "x" nil]]}
{:index 7, :time 70, :process 0, :type :ok, :f :txn, :value [[:r "x" nil]], :start-ts 11, :op-ts [12]}
`
	if b.String() != want {
		t.Fatalf("got\n%s", b.String())
	}
	got := readAll(t, want)
	for i, x := range []history.TxnRecord{
		{StartTS: 2, CommitTS: 3, Ops: []history.TxnOp{{Kind: history.TxnLock, Key: "5"}}},
		{
			StartTS: 4, CommitTS: 9, Pessimistic: true, ReadCommitted: true,
			Statements: []history.Statement{{TS: 5, Invoke: 2}, {TS: 6, Invoke: 3}, {TS: 8, Invoke: 3}},
			Ops: []history.TxnOp{
				{Kind: history.TxnLock, Key: "x", TS: 5},
				{Kind: history.TxnLock, Key: "z", TS: 8},
				{Kind: history.TxnRead, Key: "x", TS: 5},
				{Kind: history.TxnRead, Key: "y", Value: p("1"), TS: 6},
				{Kind: history.TxnRead, Key: "z", Value: p("2"), TS: 6},
				{Kind: history.TxnWrite, Key: "x", Value: p("7")},
			},
		},
		{
			StartTS: 7, Pessimistic: true, Statements: []history.Statement{{TS: 10, Invoke: 5}},
			Ops: []history.TxnOp{{Kind: history.TxnLock, Key: "x", TS: 10}, {Kind: history.TxnDelete, Key: "x"}},
		},
		{StartTS: 11, Ops: []history.TxnOp{{Kind: history.TxnRead, Key: "x", TS: 12}}},
	} {
		if !reflect.DeepEqual(*got.Ops[i].Txn, x) {
			t.Errorf("%+v came back as %+v", x, got.Ops[i].Txn)
		}
	}
}

// TestMalformedStatements: what is no statement and no lock is told with its line.
func TestMalformedStatements(t *testing.T) {
	const begin = `{:process 0, :type :invoke, :f :txn, :value [[:r "x" nil]]}` + "\n"
	for _, c := range []struct{ end, want string }{
		{":statements [[5]]", "h:1: one of :statements is [timestamp line]"},
		{":statements [[0 1]]", "h:1: one of :statements is [timestamp line]"},
		{":statements [[5 nil]]", "h:1: one of :statements is [timestamp line]"},
		{":statements [5]", "h:1: one of :statements is [timestamp line]"},
		{":statements [[5 7]]", "its statement 0 of timestamp 5 is invoked at 7"},
		{":locks [[5]]", "h:1: one of :locks is [key timestamp]"},
		{":locks [5]", "h:1: one of :locks is [key timestamp]"},
		{":statements [[5 1]], :op-ts [6]", "its operation 0 is at 6, and it has no such statement"},
	} {
		text := begin + `{:process 0, :type :ok, :f :txn, :value [[:r "x" nil]], :start-ts 3, ` + c.end + "}"
		if _, err := jepsen.Read(strings.NewReader(text), "h"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.end, err, c.want)
		}
	}
}
