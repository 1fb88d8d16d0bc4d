package workload

import (
	"encoding/hex"
	"errors"

	"simrun/nodes/client"
	"simrun/nodes/env"
	"simrun/nodes/table/kv"
	"simrun/sim/history"
)

// tableStore is the database under a client's tables: it records every
// transaction, also those that take the steps of schema changes, with all that
// it reads and writes key by key. So tables are judged like everything else that
// lies on transactions.
type tableStore struct{ session *Session }

// errGivenUp is why the record says that a transaction failed which its client
// rolled back.
var errGivenUp = &client.Error{Op: "rollback", Err: errors.New("given up")}

// Begin implements kv.Store.
func (st tableStore) Begin(t env.Task) (kv.Txn, error) {
	s := st.session
	op := s.begin(history.Op{Kind: history.Txn, Txn: &history.TxnRecord{}})
	tx, err := s.DB.BeginWith(t, s.options)
	if err != nil {
		return nil, s.end(op, err)
	}
	op.Txn.StartTS = tx.StartTS()
	return &tableTxn{Txn: tx, session: s, op: op}, nil
}

// GetAt implements kv.Store.
func (st tableStore) GetAt(t env.Task, ts uint64, key []byte) (value []byte, found bool, err error) {
	return st.session.DB.Snapshot(ts).Get(t, key)
}

// innerStore is the database for transactions inside others, whose keys nobody else
// reads: it records nothing.
type innerStore struct{ tableStore }

// Begin implements kv.Store.
func (st innerStore) Begin(t env.Task) (kv.Txn, error) {
	tx, err := st.session.DB.BeginWith(t, st.session.options)
	if err != nil {
		return nil, err
	}
	return tx, nil
}

// tableTxn is a transaction on keys that are no text.
type tableTxn struct {
	*client.Txn
	session *Session
	op      *history.Op
	ended   bool
}

func (x *tableTxn) note(op history.TxnOp) { x.op.Txn.Ops = append(x.op.Txn.Ops, op) }

// noteRead records the answer to the read of a key.
func (x *tableTxn) noteRead(key, value []byte, found bool) {
	op := history.TxnOp{Kind: history.TxnRead, Key: hex.EncodeToString(key)}
	if found {
		text := hex.EncodeToString(value)
		op.Value = &text
	}
	x.note(op)
}

// Get implements kv.Txn.
func (x *tableTxn) Get(t env.Task, key []byte) (value []byte, found bool, err error) {
	value, found, err = x.Txn.Get(t, key)
	if err == nil {
		x.noteRead(key, value, found)
	}
	return value, found, err
}

// BatchGet implements kv.Txn.
func (x *tableTxn) BatchGet(t env.Task, keys [][]byte) ([]client.Pair, error) {
	pairs, err := x.Txn.BatchGet(t, keys)
	if err != nil {
		return nil, err
	}
	rest := pairs
	for _, key := range keys { // the pairs are in the order of the keys
		if len(rest) > 0 && string(rest[0].Key) == string(key) {
			x.noteRead(key, rest[0].Value, true)
			rest = rest[1:]
		} else {
			x.noteRead(key, nil, false)
		}
	}
	return pairs, nil
}

// Scan implements kv.Txn.
func (x *tableTxn) Scan(t env.Task, start, end []byte, limit int) ([]client.Pair, error) {
	pairs, err := x.Txn.Scan(t, start, end, limit)
	x.noteScan(start, end, limit, false, pairs, err)
	return pairs, err
}

// ReverseScan implements kv.Txn.
func (x *tableTxn) ReverseScan(t env.Task, start, end []byte, limit int) ([]client.Pair, error) {
	pairs, err := x.Txn.ReverseScan(t, start, end, limit)
	x.noteScan(start, end, limit, true, pairs, err)
	return pairs, err
}

func (x *tableTxn) noteScan(start, end []byte, limit int, reverse bool, pairs []client.Pair, err error) {
	if err != nil {
		return
	}
	op := history.TxnOp{
		Kind: history.TxnScan, Key: hex.EncodeToString(start), EndKey: hex.EncodeToString(end),
		Limit: limit, Reverse: reverse, Pairs: make([]history.Pair, len(pairs)),
	}
	for i, p := range pairs {
		op.Pairs[i] = history.Pair{Key: hex.EncodeToString(p.Key), Value: hex.EncodeToString(p.Value)}
	}
	x.note(op)
}

// Set implements kv.Txn.
func (x *tableTxn) Set(key, value []byte) {
	text := hex.EncodeToString(value)
	x.note(history.TxnOp{Kind: history.TxnWrite, Key: hex.EncodeToString(key), Value: &text})
	x.Txn.Set(key, value)
}

// Delete implements kv.Txn.
func (x *tableTxn) Delete(key []byte) {
	x.note(history.TxnOp{Kind: history.TxnDelete, Key: hex.EncodeToString(key)})
	x.Txn.Delete(key)
}

// LockKeys implements kv.Txn.
func (x *tableTxn) LockKeys(keys ...[]byte) {
	for _, key := range keys {
		x.note(history.TxnOp{Kind: history.TxnLock, Key: hex.EncodeToString(key)})
	}
	x.Txn.LockKeys(keys...)
}

// Commit implements kv.Txn.
func (x *tableTxn) Commit(t env.Task) error {
	err := x.Txn.Commit(t)
	x.op.Txn.CommitTS, x.op.Txn.Calculated = x.Txn.CommitTS(), x.Txn.Chosen()
	return x.end(err)
}

// Rollback implements kv.Txn.
func (x *tableTxn) Rollback(t env.Task) {
	if !x.ended {
		x.Txn.Rollback(t)
		_ = x.end(errGivenUp)
	}
}

func (x *tableTxn) end(err error) error {
	x.ended = true
	return x.session.end(x.op, err)
}
