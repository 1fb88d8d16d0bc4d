package workload

import (
	"encoding/hex"
	"errors"
	"fmt"

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

// givenUp is why the record says that a transaction failed which its client rolled
// back, for a reason that may be known.
func givenUp(reason error) error {
	err := errors.New("given up")
	if reason != nil {
		err = fmt.Errorf("%w: %w", err, reason)
	}
	return &client.Error{Op: "rollback", Err: err}
}

// Begin implements kv.Store.
func (st tableStore) Begin(t env.Task, mode kv.Mode) (kv.Txn, error) {
	s := st.session
	op := s.begin(history.Op{Kind: history.Txn, Note: s.note, Txn: &history.TxnRecord{}})
	options := mode.Of(s.options)
	tx, err := s.DB.BeginWith(t, options)
	if err != nil {
		return nil, s.end(op, err)
	}
	op.Txn.StartTS, op.Txn.Pessimistic = tx.StartTS(), options.Pessimistic
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
func (st innerStore) Begin(t env.Task, mode kv.Mode) (kv.Txn, error) {
	tx, err := st.session.DB.BeginWith(t, mode.Of(st.session.options))
	if err != nil {
		return nil, err
	}
	return kv.ClientTxn{Txn: tx}, nil
}

// tableTxn is a transaction on keys that are no text.
type tableTxn struct {
	*client.Txn
	session *Session
	op      *history.Op
	ended   bool
	// within is set in the body of a statement, whose reads are of what is newest.
	within bool
}

func (x *tableTxn) note(ops ...history.TxnOp) { x.op.Txn.Ops = append(x.op.Txn.Ops, ops...) }

// at returns the timestamp of what was just read, as the record has it: that of the
// statement, or 0 for the snapshot, whatever the client says that it has read.
func (x *tableTxn) at() uint64 {
	if x.within {
		return x.ReadTS()
	}
	return 0
}

// readOf is the record of the answer to the read of a key.
func readOf(key, value []byte, found bool, ts uint64) history.TxnOp {
	op := history.TxnOp{Kind: history.TxnRead, Key: hex.EncodeToString(key), TS: ts}
	if found {
		text := hex.EncodeToString(value)
		op.Value = &text
	}
	return op
}

// readsOf is the record of the pairs found of several keys, in their order.
func readsOf(keys [][]byte, pairs []client.Pair, ts uint64) (ops []history.TxnOp) {
	for _, key := range keys {
		if len(pairs) > 0 && string(pairs[0].Key) == string(key) {
			ops = append(ops, readOf(key, pairs[0].Value, true, ts))
			pairs = pairs[1:]
		} else {
			ops = append(ops, readOf(key, nil, false, ts))
		}
	}
	return ops
}

// scanOf is the record of a scan.
func scanOf(start, end []byte, limit int, reverse bool, pairs []client.Pair, ts uint64) history.TxnOp {
	op := history.TxnOp{
		Kind: history.TxnScan, Key: hex.EncodeToString(start), EndKey: hex.EncodeToString(end),
		Limit: limit, Reverse: reverse, Pairs: make([]history.Pair, len(pairs)), TS: ts,
	}
	for i, p := range pairs {
		op.Pairs[i] = history.Pair{Key: hex.EncodeToString(p.Key), Value: hex.EncodeToString(p.Value)}
	}
	return op
}

// Get implements kv.Txn.
func (x *tableTxn) Get(t env.Task, key []byte) (value []byte, found bool, err error) {
	value, found, err = x.Txn.Get(t, key)
	if err == nil {
		x.note(readOf(key, value, found, x.at()))
	}
	return value, found, err
}

// BatchGet implements kv.Txn.
func (x *tableTxn) BatchGet(t env.Task, keys [][]byte) ([]client.Pair, error) {
	pairs, err := x.Txn.BatchGet(t, keys)
	if err == nil {
		x.note(readsOf(keys, pairs, x.at())...)
	}
	return pairs, err
}

// Scan implements kv.Txn.
func (x *tableTxn) Scan(t env.Task, start, end []byte, limit int) ([]client.Pair, error) {
	pairs, err := x.Txn.Scan(t, start, end, limit)
	if err == nil {
		x.note(scanOf(start, end, limit, false, pairs, x.at()))
	}
	return pairs, err
}

// ReverseScan implements kv.Txn.
func (x *tableTxn) ReverseScan(t env.Task, start, end []byte, limit int) ([]client.Pair, error) {
	pairs, err := x.Txn.ReverseScan(t, start, end, limit)
	if err == nil {
		x.note(scanOf(start, end, limit, true, pairs, x.at()))
	}
	return pairs, err
}

// Statement implements kv.Txn. What attempts in vain have read is recorded as well.
func (x *tableTxn) Statement(t env.Task, wait client.LockWait, body func(ts uint64) ([][]byte, error)) error {
	var keys [][]byte
	invoke := x.session.Now()
	err := x.Txn.Statement(t, wait, func(ts uint64) (lock [][]byte, err error) {
		x.op.Txn.Statements = append(x.op.Txn.Statements, history.Statement{TS: ts, Invoke: invoke})
		x.within = true
		keys, err = body(ts)
		x.within = false
		return keys, err
	})
	if err != nil {
		return err
	}
	for _, key := range keys {
		x.note(history.TxnOp{Kind: history.TxnLock, Key: hex.EncodeToString(key), TS: x.ReadTS()})
	}
	return nil
}

func (x *tableTxn) noteWrite(key, value []byte) {
	text := hex.EncodeToString(value)
	x.note(history.TxnOp{Kind: history.TxnWrite, Key: hex.EncodeToString(key), Value: &text})
}

// SetDerived implements kv.Txn.
func (x *tableTxn) SetDerived(key, value []byte) {
	x.noteWrite(key, value)
	x.Txn.SetDerived(key, value)
}

// DeleteDerived implements kv.Txn.
func (x *tableTxn) DeleteDerived(key []byte) {
	x.note(history.TxnOp{Kind: history.TxnDelete, Key: hex.EncodeToString(key)})
	x.Txn.DeleteDerived(key)
}

// Unwritten implements kv.Txn.
func (x *tableTxn) Unwritten() kv.Reader { return unwritten{x.Snapshot(), x} }

// Set implements kv.Txn.
func (x *tableTxn) Set(key, value []byte) {
	x.noteWrite(key, value)
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
	if err == nil && x.CommitTS() == 0 {
		dropLocks(x.op.Txn)
	}
	return x.end(err)
}

// Rollback implements kv.Txn.
func (x *tableTxn) Rollback(t env.Task) {
	if !x.ended {
		x.Txn.Rollback(t)
		_ = x.end(givenUp(x.session.reason))
	}
}

func (x *tableTxn) end(err error) error {
	x.ended = true
	return x.session.end(x.op, err)
}

// unwritten is the snapshot of a transaction without its own writes. In the record its
// answers come before those, or they would be taken for reads of them.
type unwritten struct {
	*client.Snapshot
	tx *tableTxn
}

func (u unwritten) note(ops ...history.TxnOp) {
	u.tx.op.Txn.Ops = append(ops, u.tx.op.Txn.Ops...)
}

// Get implements kv.Reader.
func (u unwritten) Get(t env.Task, key []byte) (value []byte, found bool, err error) {
	value, found, err = u.Snapshot.Get(t, key)
	if err == nil {
		u.note(readOf(key, value, found, 0))
	}
	return value, found, err
}

// BatchGet implements kv.Reader.
func (u unwritten) BatchGet(t env.Task, keys [][]byte) ([]client.Pair, error) {
	pairs, err := u.Snapshot.BatchGet(t, keys)
	if err == nil {
		u.note(readsOf(keys, pairs, 0)...)
	}
	return pairs, err
}

// Scan implements kv.Reader.
func (u unwritten) Scan(t env.Task, start, end []byte, limit int) ([]client.Pair, error) {
	pairs, err := u.Snapshot.Scan(t, start, end, limit)
	if err == nil {
		u.note(scanOf(start, end, limit, false, pairs, 0))
	}
	return pairs, err
}

// ReverseScan implements kv.Reader.
func (u unwritten) ReverseScan(t env.Task, start, end []byte, limit int) ([]client.Pair, error) {
	pairs, err := u.Snapshot.ReverseScan(t, start, end, limit)
	if err == nil {
		u.note(scanOf(start, end, limit, true, pairs, 0))
	}
	return pairs, err
}
