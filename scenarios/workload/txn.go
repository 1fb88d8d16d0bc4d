package workload

import (
	"errors"
	"slices"

	"simrun/nodes/client"
	"simrun/nodes/env"
	"simrun/sim/history"
)

// txn is a transaction that records what it does.
type txn struct {
	*client.Txn
	session       *Session
	record        *history.TxnRecord
	inserted      []string
	noted, singly bool // see bank
	// plain makes reads of a pessimistic transaction lock nothing, lazy leaves it to its
	// commit to find out whether what it inserts exists.
	plain, lazy bool
}

// transaction runs and records one transaction: begin, body, commit. It returns
// the error of whichever failed. If it is pessimistic, read and readAll lock what
// they read.
func (s *Session) transaction(t env.Task, body func(x *txn) error) error {
	return s.transactionWith(t, s.options, body)
}

// reading is transaction for one that only reads: it has no need of locks.
func (s *Session) reading(t env.Task, body func(x *txn) error) error {
	return s.transactionWith(t, client.TxnOptions{}, body)
}

func (s *Session) transactionWith(t env.Task, options client.TxnOptions, body func(x *txn) error) error {
	op := s.begin(history.Op{Kind: history.Txn, Txn: &history.TxnRecord{}})
	tx, err := s.DB.BeginWith(t, options)
	if err != nil {
		return s.end(op, err)
	}
	op.Txn.StartTS = tx.StartTS()
	op.Txn.Pessimistic, op.Txn.ReadCommitted = options.Pessimistic, options.ReadCommitted
	s.remember(tx.StartTS())
	x := &txn{Txn: tx, session: s, record: op.Txn}
	if err = body(x); err != nil {
		tx.Rollback(t)
		return s.end(op, err)
	}
	s.Wanted = x.written()
	err = tx.Commit(t)
	op.Txn.CommitTS, op.Txn.Calculated = tx.CommitTS(), tx.Chosen()
	if err == nil && tx.CommitTS() == 0 {
		dropLocks(x.record)
	}
	x.noteInserts(s.learned(t, x, err))
	return s.end(op, err)
}

// dropLocks takes the locks of a transaction whose commit had nothing to do out of
// its record: they left none.
func dropLocks(x *history.TxnRecord) {
	x.Ops = slices.DeleteFunc(x.Ops, func(op history.TxnOp) bool { return op.Kind == history.TxnLock })
}

func (x *txn) note(op history.TxnOp) { x.record.Ops = append(x.record.Ops, op) }

// current says whether a statement sees more than the transaction's snapshot: because it
// locks, or under read committed.
func (x *txn) current(locks bool) bool {
	o := x.Options()
	return o.ReadCommitted || o.Pessimistic && locks
}

// began records a statement that was invoked at an instant and has been answered, if
// it has a timestamp of its own, which is recorded as it is, whatever it should be.
func (x *txn) began(invoke int64, locks bool) {
	if x.current(locks) {
		x.record.Statements = append(x.record.Statements, history.Statement{TS: x.ReadTS(), Invoke: invoke})
	}
}

// at returns the timestamp of what was just read, as the record has it: that of the
// last statement, or 0 for the snapshot. What should be of the snapshot is recorded so,
// whatever the client says that it has read: that is for the checker to judge.
func (x *txn) at(locks bool) uint64 {
	if n := len(x.record.Statements); n > 0 && x.current(locks) && x.record.Statements[n-1].TS == x.ReadTS() {
		return x.ReadTS()
	}
	return 0
}

// wrote says whether the transaction has written the key, so that it need not ask for it.
func (x *txn) wrote(key string) bool {
	return slices.ContainsFunc(x.record.Ops, func(op history.TxnOp) bool {
		return op.Key == key && op.Kind.Writes() && op.Kind != history.TxnLock
	})
}

// locking reports whether reads lock.
func (x *txn) locking() bool { return x.Options().Pessimistic && !x.plain }

// noteLocks records that keys were locked by the statement just done.
func (x *txn) noteLocks(keys ...string) {
	for _, k := range keys {
		x.note(history.TxnOp{Kind: history.TxnLock, Key: k, TS: x.at(true)})
	}
}

// wants notes the keys that a read is about to wait for.
func (x *txn) wants(keys ...string) {
	x.session.Wanted = nil
	for _, k := range keys {
		x.session.Wanted = append(x.session.Wanted, [2]string{k})
	}
}

// written returns the keys that a commit is about to wait for.
func (x *txn) written() (keys [][2]string) {
	for _, op := range x.record.Ops {
		if op.Kind.Writes() {
			keys = append(keys, [2]string{op.Key})
		}
	}
	return keys
}

// insert sets a key that must be absent.
func (x *txn) insert(t env.Task, key, value string) error {
	if x.locking() && !x.lazy {
		invoke := x.session.Now()
		if err := x.InsertForUpdate(t, []byte(key), []byte(value)); err != nil {
			return err
		}
		x.began(invoke, true)
		x.noteLocks(key)
		x.note(history.TxnOp{Kind: history.TxnRead, Key: key, TS: x.at(true)})
		x.note(history.TxnOp{Kind: history.TxnWrite, Key: key, Value: &value})
		return nil
	}
	if err := x.Insert([]byte(key), []byte(value)); err != nil {
		return err
	}
	x.note(history.TxnOp{Kind: history.TxnWrite, Key: key, Value: &value})
	x.inserted = append(x.inserted, key)
	return nil
}

// existing is the value in the record of a key of which an insert said that it
// exists, and the snapshot that it does not: a value that nobody wrote.
const existing = "exists, by the word of an insert"

// learned returns what a commit has told of the keys that it was to insert: that
// they were absent from the transaction's snapshot, or as of the last statement of a
// pessimistic one, if all its locks were granted, or that one was not, whose value is
// then read from there. A commit without a second phase is of unknown outcome because
// it is not known which locks were.
func (s *Session) learned(t env.Task, x *txn, err error) []history.TxnOp {
	var exists *client.KeyExistsError
	switch {
	case err == nil, errors.Is(err, client.ErrUndetermined) && !x.Chosen():
		var absent []history.TxnOp
		for _, key := range x.inserted {
			absent = append(absent, history.TxnOp{Kind: history.TxnRead, Key: key, TS: x.insertedAt()})
		}
		return absent
	case !errors.As(err, &exists):
		return nil
	}
	value, found, readErr := s.DB.Snapshot(x.ForUpdateTS()).Get(t, exists.Key)
	switch {
	case readErr != nil:
		return nil
	case !found:
		value = []byte(existing)
	}
	return []history.TxnOp{{Kind: history.TxnRead, Key: string(exists.Key), Value: optional(value, true), TS: x.insertedAt()}}
}

// insertedAt returns the timestamp as of which a key that a commit inserts has to be
// absent, as the record has it.
func (x *txn) insertedAt() uint64 {
	if ts := x.ForUpdateTS(); ts != x.StartTS() {
		return ts
	}
	return 0
}

// noteInserts records reads of what was inserted. They come before the
// transaction's own writes, or they would be taken for reads of those: reads of the
// snapshot before everything, those as of a statement just before the write, and so
// behind that statement.
func (x *txn) noteInserts(reads []history.TxnOp) {
	var early []history.TxnOp
	for _, read := range reads {
		if read.TS == 0 {
			early = append(early, read)
			continue
		}
		at := slices.IndexFunc(x.record.Ops, func(op history.TxnOp) bool { return op.Kind.Writes() && op.Key == read.Key })
		x.record.Ops = slices.Insert(x.record.Ops, max(at, 0), read)
	}
	x.record.Ops = slices.Concat(early, x.record.Ops)
}

// read returns the value of key, "" if it is absent.
func (x *txn) read(t env.Task, key string) (string, error) {
	x.wants(key)
	get := x.Get
	if x.locking() {
		get = x.GetForUpdate
	}
	invoke := x.session.Now()
	value, ok, err := get(t, []byte(key))
	if err != nil {
		return "", err
	}
	if x.locking() || !x.wrote(key) {
		x.began(invoke, x.locking())
	}
	if x.locking() {
		x.noteLocks(key)
	}
	x.note(history.TxnOp{Kind: history.TxnRead, Key: key, Value: optional(value, ok), TS: x.at(x.locking())})
	return string(value), nil
}

// readAll reads several keys at once; absent ones are missing in the result.
func (x *txn) readAll(t env.Task, keys []string) (map[string]string, error) {
	x.wants(keys...)
	get := x.BatchGet
	if x.locking() {
		get = x.BatchGetForUpdate
	}
	invoke := x.session.Now()
	pairs, err := get(t, bytesOf(keys))
	if err != nil {
		return nil, err
	}
	x.began(invoke, x.locking())
	if x.locking() {
		x.noteLocks(keys...)
	}
	found := map[string]string{}
	for _, p := range pairs {
		found[string(p.Key)] = string(p.Value)
	}
	for _, k := range keys {
		value, ok := found[k]
		x.note(history.TxnOp{Kind: history.TxnRead, Key: k, Value: optional([]byte(value), ok), TS: x.at(x.locking())})
	}
	return found, nil
}

// scan reads the range [start, end), backward if reverse; a limit of 0 is none.
func (x *txn) scan(t env.Task, start, end string, limit int, reverse bool) ([]history.Pair, error) {
	read := x.Scan
	if reverse {
		read = x.ReverseScan
	}
	x.session.Wanted = [][2]string{{start, end}}
	invoke := x.session.Now()
	rows, err := read(t, []byte(start), []byte(end), limit)
	if err != nil {
		return nil, err
	}
	x.began(invoke, false)
	pairs := make([]history.Pair, 0, len(rows))
	for _, row := range rows {
		pairs = append(pairs, history.Pair{Key: string(row.Key), Value: string(row.Value)})
	}
	x.note(history.TxnOp{Kind: history.TxnScan, Key: start, EndKey: end, Limit: limit, Reverse: reverse, Pairs: pairs, TS: x.at(false)})
	return pairs, nil
}

// pages reads the range [start, end) as a user does who turns pages: by scans
// with a limit, each of which begins where the one before ended.
func (x *txn) pages(t env.Task, start, end string, size int, reverse bool) error {
	for {
		pairs, err := x.scan(t, start, end, size, reverse)
		if err != nil || len(pairs) < size {
			return err
		}
		last := pairs[len(pairs)-1].Key
		if reverse {
			end = last
		} else {
			start = last + "\x00"
		}
	}
}

// write sets a key.
func (x *txn) write(key, value string) {
	x.note(history.TxnOp{Kind: history.TxnWrite, Key: key, Value: &value})
	x.Set([]byte(key), []byte(value))
}

// derive sets a key whose every writer locks, or writes, another one first.
func (x *txn) derive(key, value string) {
	x.note(history.TxnOp{Kind: history.TxnWrite, Key: key, Value: &value})
	x.SetDerived([]byte(key), []byte(value))
}

// remove deletes a key.
func (x *txn) remove(key string) {
	x.note(history.TxnOp{Kind: history.TxnDelete, Key: key})
	x.Delete([]byte(key))
}

// lock makes the transaction conflict with every other that writes or locks the
// keys, as SELECT FOR UPDATE does.
func (x *txn) lock(t env.Task, keys ...string) error {
	invoke := x.session.Now()
	if err := x.Lock(t, bytesOf(keys)...); err != nil {
		return err
	}
	x.began(invoke, true)
	x.noteLocks(keys...)
	return nil
}

func bytesOf(keys []string) [][]byte {
	raw := make([][]byte, len(keys))
	for i, k := range keys {
		raw[i] = []byte(k)
	}
	return raw
}
