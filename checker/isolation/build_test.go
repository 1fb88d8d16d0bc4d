package isolation_test

import (
	"slices"

	"simrun/sim/history"
)

// tx builds one transaction of a hand-written history. Its instants follow its
// timestamps, so that real time agrees unless a test says otherwise.
type tx struct {
	client        int
	start, commit uint64
	outcome       history.Outcome
	ops           []history.TxnOp
	invoke, ret   int64 // zero: start and commit
	newest, asOf  bool
	calculated    bool
	pessimistic   bool
	readCommitted bool
	statements    []history.Statement
}

func p(s string) *string { return &s }

func r(k, v string) history.TxnOp {
	op := history.TxnOp{Kind: history.TxnRead, Key: k}
	if v != "" {
		op.Value = p(v)
	}
	return op
}

func w(k, v string) history.TxnOp { return history.TxnOp{Kind: history.TxnWrite, Key: k, Value: p(v)} }
func del(k string) history.TxnOp  { return history.TxnOp{Kind: history.TxnDelete, Key: k} }
func lock(k string) history.TxnOp { return history.TxnOp{Kind: history.TxnLock, Key: k} }
func add(k, v string) history.TxnOp {
	return history.TxnOp{Kind: history.TxnAppend, Key: k, Value: p(v)}
}

// scan takes "k=v" pairs as k, v, k, v.
func scan(from, to string, limit int, reverse bool, kv ...string) history.TxnOp {
	op := history.TxnOp{Kind: history.TxnScan, Key: from, EndKey: to, Limit: limit, Reverse: reverse}
	for i := 0; i < len(kv); i += 2 {
		op.Pairs = append(op.Pairs, history.Pair{Key: kv[i], Value: kv[i+1]})
	}
	return op
}

// ok is a committed transaction; commit 0 is a read-only one.
func ok(start, commit uint64, ops ...history.TxnOp) tx {
	return tx{start: start, commit: commit, outcome: history.OK, ops: ops}
}

func failed(start uint64, ops ...history.TxnOp) tx {
	return tx{start: start, outcome: history.Failed, ops: ops}
}

func unknown(start, commit uint64, ops ...history.TxnOp) tx {
	return tx{start: start, commit: commit, outcome: history.Unknown, ops: ops}
}

// at moves a transaction in real time.
func (t tx) at(invoke, ret int64) tx { t.invoke, t.ret = invoke, ret; return t }
func (t tx) by(client int) tx        { t.client = client; return t }

func build(txs ...tx) *history.History {
	h := &history.History{}
	for i, t := range txs {
		op := history.Op{
			ID: i, Client: 100 + i, Kind: history.Txn, Outcome: t.outcome,
			Invoke: int64(t.start) * 10, Return: int64(max(t.start+1, t.commit))*10 + 5,
			Txn: &history.TxnRecord{
				StartTS: t.start, CommitTS: t.commit, Ops: t.ops, Newest: t.newest, AsOf: t.asOf,
				Calculated: t.calculated, Pessimistic: t.pessimistic, ReadCommitted: t.readCommitted, Statements: t.statements,
			},
		}
		if t.client != 0 {
			op.Client = t.client
		}
		if t.invoke != 0 || t.ret != 0 {
			op.Invoke, op.Return = t.invoke, t.ret
		}
		h.Ops = append(h.Ops, op)
	}
	slices.SortStableFunc(h.Ops, func(a, b history.Op) int { return int(a.Return - b.Return) })
	return h
}

// at gives a read or a lock a timestamp of its own.
func at(ts uint64, op history.TxnOp) history.TxnOp { op.TS = ts; return op }

// pessimistic marks some transactions of a history as such, by their ids.
func pessimistic(h *history.History, ids ...int) *history.History {
	for _, id := range ids {
		h.Ops[id].Txn.Pessimistic = true
	}
	return h
}
