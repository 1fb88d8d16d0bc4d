package client

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"simrun/nodes/codec"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
)

//nolint:gochecknoglobals // marks register once
var markLocksOnly = invariant.NewMark("client: locks of several statements committed, though nothing was written")

// Txn is a transaction. It keeps its writes to itself, and at Commit either all of
// them take effect at one timestamp or none does.
//
// Under snapshot isolation, the default, it reads the database as of its start
// timestamp. Two optimistic transactions that overlap in time and write (or lock)
// the same key do not both commit. A pessimistic one also locks and reads what is
// newest (BatchGetForUpdate, Statement); what it writes should be derived from such reads,
// for others may have committed since it began. Under read committed, every read
// sees what is committed as it begins.
//
// A transaction belongs to one task.
type Txn struct {
	client   *Client
	options  TxnOptions
	snapshot Snapshot
	buffer   membuffer
	began    time.Duration // monotonic; the age that the TTL of its locks must cover
	ended    bool
	commitTS uint64
	readTS   uint64 // see ReadTS
	// chosen: commitTS was chosen by the stores.
	chosen bool

	// What only a pessimistic transaction has: the key whose lock decides its fate,
	// nil as long as it holds none; the timestamp of its last statement that has locked
	// something; how many keys it has locked, by how many statements.
	primary     []byte
	forUpdateTS uint64
	triedTS     uint64 // the timestamp of its last statement, whatever came of it
	lockCount   int
	statements  int
	heartbeat   heartbeat
	// reading is what reads see within the body of a statement; nil outside.
	reading *Snapshot
	// beforeCommit is asked when the commit timestamp is known, and need not be asked
	// up to unasked; see BeforeCommit.
	beforeCommit func(t env.Task, commitTS uint64) error
	unasked      uint64
}

// Begin starts a transaction with the client's own options.
func (c *Client) Begin(t env.Task) (*Txn, error) { return c.BeginWith(t, c.cfg.Txn) }

// BeginWith starts a transaction.
func (c *Client) BeginWith(t env.Task, options TxnOptions) (*Txn, error) {
	if options.ReadCommitted && !options.Pessimistic {
		return nil, failed("begin", errOptimisticReadCommitted)
	}
	b := c.newBackoff(c.cfg.OpTimeout)
	began := c.env.Clock.Monotonic()
	ts, err := c.timestamp(t, &b)
	if err != nil {
		return nil, failed("begin", err)
	}
	tx := &Txn{client: c, options: options, snapshot: Snapshot{client: c, ts: ts}, began: began, readTS: ts}
	if options.Pessimistic {
		tx.forUpdateTS, tx.triedTS = ts, ts
	}
	c.opened(tx)
	return tx, nil
}

// StartTS returns the timestamp at which the transaction reads.
func (tx *Txn) StartTS() uint64 { return tx.snapshot.ts }

// CommitTS returns the timestamp at which the transaction committed. If its
// outcome is unknown, it is the only one at which it can have committed.
// Otherwise, and if it wrote nothing, it is 0.
func (tx *Txn) CommitTS() uint64 { return tx.commitTS }

// Chosen reports whether the stores have chosen the commit timestamp (async
// commit, one-phase commit), so that it need not be the only one of its value.
func (tx *Txn) Chosen() bool { return tx.chosen }

// Options returns the transaction's options.
func (tx *Txn) Options() TxnOptions { return tx.options }

func (tx *Txn) use() {
	invariant.Check(!tx.ended, "client: transaction %d used after its end", tx.snapshot.ts)
}

// Get reads one key. The value is nil and found false if it is absent.
func (tx *Txn) Get(t env.Task, key []byte) (value []byte, found bool, err error) {
	tx.use()
	if w := tx.buffer.find(key); w != nil && w.kind != writeLock {
		return w.visible(), w.kind == writePut, nil
	}
	snapshot, err := tx.statementSnapshot(t)
	if err != nil {
		return nil, false, failed("get", err)
	}
	return snapshot.Get(t, key)
}

// visible returns a copy of what a read of the transaction sees.
func (w *write) visible() []byte {
	if w.kind != writePut {
		return nil
	}
	return append([]byte{}, w.value...)
}

// BatchGet reads several keys and returns the pairs found, in the order of keys.
func (tx *Txn) BatchGet(t env.Task, keys [][]byte) ([]Pair, error) {
	tx.use()
	own := tx.buffer.sorted
	rest := keys
	if len(own) > 0 {
		rest = make([][]byte, 0, len(keys))
		for _, key := range keys {
			if w := tx.buffer.find(key); w == nil || w.kind == writeLock {
				rest = append(rest, key)
			}
		}
	}
	snapshot, err := tx.statementSnapshot(t)
	if err != nil {
		return nil, failed("batch get", err)
	}
	stored, err := snapshot.BatchGet(t, rest)
	if err != nil || len(own) == 0 {
		return stored, err
	}
	pairs := make([]Pair, 0, len(keys))
	for _, key := range keys {
		if w := tx.buffer.find(key); w != nil && w.kind != writeLock {
			if w.kind == writePut {
				pairs = append(pairs, Pair{key, w.visible()})
			}
		} else if len(stored) > 0 && bytes.Equal(stored[0].Key, key) {
			pairs, stored = append(pairs, stored[0]), stored[1:]
		}
	}
	return pairs, nil
}

// Scan returns the pairs with keys from start to end, end excluded, in
// ascending order, at most limit of them. An empty end is no bound, a limit of
// 0 none.
func (tx *Txn) Scan(t env.Task, start, end []byte, limit int) ([]Pair, error) {
	tx.use()
	snapshot, err := tx.statementSnapshot(t)
	if err != nil {
		return nil, failed("scan", err)
	}
	pairs, err := snapshot.scan(t, tx.buffer.within(start, end), start, end, limit, false)
	return pairs, failed("scan", err)
}

// ReverseScan is Scan in descending order: of the same range, it begins with
// the last key.
func (tx *Txn) ReverseScan(t env.Task, start, end []byte, limit int) ([]Pair, error) {
	tx.use()
	snapshot, err := tx.statementSnapshot(t)
	if err != nil {
		return nil, failed("reverse scan", err)
	}
	pairs, err := snapshot.scan(t, tx.buffer.within(start, end), start, end, limit, true)
	return pairs, failed("reverse scan", err)
}

// Set writes a key.
func (tx *Txn) Set(key, value []byte) {
	tx.use()
	tx.buffer.put(key, value)
}

// Delete removes a key; it need not exist.
func (tx *Txn) Delete(key []byte) {
	tx.use()
	tx.buffer.delete(key)
}

// SetDerived writes a key whose every writer locks another key first, such as the
// index entry of a row. A pessimistic transaction writes it without a lock and
// without a look at conflicts.
func (tx *Txn) SetDerived(key, value []byte) {
	tx.use()
	tx.buffer.put(key, value).derived = true
}

// DeleteDerived is Delete for a key as SetDerived is Set.
func (tx *Txn) DeleteDerived(key []byte) {
	tx.use()
	tx.buffer.delete(key)
	tx.buffer.find(key).derived = true
}

// Insert writes a key that must not exist. If it exists in the database, Commit
// fails with ErrKeyExists; if it is among the transaction's own writes, Insert does.
func (tx *Txn) Insert(key, value []byte) error {
	tx.use()
	w := tx.buffer.find(key)
	switch {
	case w == nil || w.kind == writeLock:
		tx.buffer.put(key, value).mustNotExist = true
	case w.kind == writePut:
		return failed("insert", &KeyExistsError{bytes.Clone(key)})
	default:
		tx.buffer.put(key, value) // whether it existed before the deletion does not matter
	}
	return nil
}

// BeforeCommit has check called by Commit when the commit timestamp is known and
// all keys are locked, and nothing is decided yet: it can read at that timestamp
// what the transaction's writes will meet. It must not read keys that the
// transaction writes or locks. If it fails, the transaction fails, for its
// reason. It is called again for each further timestamp that is tried, because a
// reader has excluded the one before; a transaction that writes nothing does not
// call it.
//
// Where the stores choose the commit timestamp they decide before anybody could be
// asked. They may choose one up to unasked, so far the caller knows the answer; what
// cannot be committed by then is committed in two phases, and so is everything if
// unasked is 0, whatever the transaction's options say.
func (tx *Txn) BeforeCommit(check func(t env.Task, commitTS uint64) error, unasked uint64) {
	tx.use()
	tx.beforeCommit, tx.unasked = check, unasked
}

// Rollback ends the transaction without effect. Before Commit it has none
// anyway: this only forgets its writes and, in the background, releases its
// pessimistic locks. After Commit it does nothing.
func (tx *Txn) Rollback(env.Task) {
	if !tx.ended {
		tx.release()
	}
	tx.ended = true
	tx.buffer = membuffer{}
	tx.client.closed(tx)
}

// release gives up all pessimistic locks.
func (tx *Txn) release() {
	tx.heartbeat.stop()
	var keys [][]byte
	for i := range tx.buffer.sorted {
		if w := &tx.buffer.sorted[i]; w.locked {
			keys = append(keys, w.key)
		}
	}
	if len(keys) > 0 {
		tx.client.unlockInBackground(keys, tx.snapshot.ts, tx.triedTS)
	}
}

// writes reports whether the transaction is to change or lock anything.
//
// The locks of one statement of a pessimistic transaction have done their service
// if nothing was written: what the statement has read is of one instant. Several
// statements each read what was newest, and together that is of one instant only
// if the locks of the first ones were held until the last. Their TTL may have been
// over, and so they are committed like writes, by which it is found out. What LockKeys
// has named is not locked before.
func (tx *Txn) writes() bool {
	if !tx.options.Pessimistic {
		return len(tx.buffer.sorted) > 0
	}
	return tx.changes() || markLocksOnly.Sometimes(tx.statements > 1 && tx.lockCount > 0)
}

// changes reports whether the transaction is to change anything, or has yet to lock it.
func (tx *Txn) changes() bool {
	for i := range tx.buffer.sorted {
		if w := &tx.buffer.sorted[i]; w.kind != writeLock || !w.locked {
			return true
		}
	}
	return false
}

// checkSize refuses what is larger than the client's bounds.
func (tx *Txn) checkSize() error {
	cfg := &tx.client.cfg
	if tx.buffer.bytes > cfg.TxnBytes {
		return fmt.Errorf("%w: %d bytes, where a transaction has at most %d", ErrTooLarge, tx.buffer.bytes, cfg.TxnBytes)
	}
	for i := range tx.buffer.sorted {
		w := &tx.buffer.sorted[i]
		if n := len(w.key) + len(w.value); n > cfg.EntryBytes {
			return fmt.Errorf("%w: %d bytes at key %.20q, where one has at most %d", ErrTooLarge, n, w.key, cfg.EntryBytes)
		}
	}
	return nil
}

// lockTTL returns the TTL in milliseconds, counted from the start timestamp, of
// a lock that is to be respected for Config.LockTTL from now on. Others compare it with
// timestamps of their own, and these may have run ahead of this node's clock: when
// placement gets another leader, or after its wall clock has jumped.
func (tx *Txn) lockTTL() uint64 {
	c := tx.client
	age := uint64((c.env.Clock.Monotonic() - tx.began) / time.Millisecond)
	age = max(age, codec.PhysicalTS(c.newest)-codec.PhysicalTS(tx.snapshot.ts))
	return age + uint64(c.cfg.LockTTL/time.Millisecond)
}

// Commit brings the writes of the transaction into the database and ends it.
//
//   - nil: they are there, at CommitTS. A transaction that wrote nothing has
//     read a snapshot, and needs no more than that.
//   - ErrFailed: they are not there and never will be. ErrWriteConflict,
//     ErrRolledBack, ErrKeyExists and ErrTooLarge say why.
//   - ErrUndetermined: nobody can tell yet. If they are there, then at CommitTS.
func (tx *Txn) Commit(t env.Task) error {
	tx.use()
	tx.ended = true
	defer tx.client.closed(tx)
	if !tx.writes() {
		tx.release()
		return nil
	}
	x := newCommitter(tx)
	err := x.run(t)
	tx.chosen = x.chosen
	if err == nil || errors.Is(err, ErrUndetermined) {
		tx.commitTS = x.commitTS
	}
	return err
}
