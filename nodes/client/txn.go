package client

import (
	"bytes"
	"errors"
	"time"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
)

// Txn is an optimistic transaction under snapshot isolation: it reads the
// database as of its start timestamp, keeps its writes to itself, and at Commit
// either all of them take effect at one later timestamp or none does. Two
// transactions that overlap in time and write (or lock) the same key do not both
// commit.
//
// A transaction belongs to one task.
type Txn struct {
	client   *Client
	snapshot Snapshot
	buffer   membuffer
	began    time.Duration // monotonic; the age that the TTL of its locks must cover
	ended    bool
	commitTS uint64
	// beforeCommit is asked when the commit timestamp is known; see BeforeCommit.
	beforeCommit func(t env.Task, commitTS uint64) error
}

// Begin starts a transaction.
func (c *Client) Begin(t env.Task) (*Txn, error) {
	b := c.newBackoff(c.cfg.OpTimeout)
	began := c.env.Clock.Monotonic()
	ts, err := c.timestamp(t, &b)
	if err != nil {
		return nil, failed("begin", err)
	}
	tx := &Txn{client: c, snapshot: Snapshot{client: c, ts: ts}, began: began}
	c.opened(tx)
	return tx, nil
}

// StartTS returns the timestamp at which the transaction reads.
func (tx *Txn) StartTS() uint64 { return tx.snapshot.ts }

// CommitTS returns the timestamp at which the transaction committed. If its
// outcome is unknown, it is the only one at which it can have committed.
// Otherwise, and if it wrote nothing, it is 0.
func (tx *Txn) CommitTS() uint64 { return tx.commitTS }

func (tx *Txn) use() {
	invariant.Check(!tx.ended, "client: transaction %d used after its end", tx.snapshot.ts)
}

// Get reads one key. The value is nil and found false if it is absent.
func (tx *Txn) Get(t env.Task, key []byte) (value []byte, found bool, err error) {
	tx.use()
	if w := tx.buffer.find(key); w != nil && w.kind != writeLock {
		return w.visible(), w.kind == writePut, nil
	}
	return tx.snapshot.Get(t, key)
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
	stored, err := tx.snapshot.BatchGet(t, rest)
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
	pairs, err := tx.snapshot.scan(t, tx.buffer.within(start, end), start, end, limit, false)
	return pairs, failed("scan", err)
}

// ReverseScan is Scan in descending order: of the same range, it begins with
// the last key.
func (tx *Txn) ReverseScan(t env.Task, start, end []byte, limit int) ([]Pair, error) {
	tx.use()
	pairs, err := tx.snapshot.scan(t, tx.buffer.within(start, end), start, end, limit, true)
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

// LockKeys makes the transaction fail to commit if another one writes or locks
// one of the keys after this one began, as if it wrote them itself (SELECT FOR
// UPDATE). The locks are taken by Commit.
func (tx *Txn) LockKeys(keys ...[]byte) {
	tx.use()
	for _, key := range keys {
		tx.buffer.lock(key)
	}
}

// BeforeCommit has check called by Commit when the commit timestamp is known and
// all keys are locked, and nothing is decided yet: it can read at that timestamp
// what the transaction's writes will meet. It must not read keys that the
// transaction writes or locks. If it fails, the transaction fails, for its
// reason. It is called again for each further timestamp that is tried, because a
// reader has excluded the one before; a transaction that writes nothing does not
// call it.
func (tx *Txn) BeforeCommit(check func(t env.Task, commitTS uint64) error) {
	tx.use()
	tx.beforeCommit = check
}

// Rollback ends the transaction without effect. Before Commit it has none
// anyway: this only forgets its writes. After Commit it does nothing.
func (tx *Txn) Rollback(env.Task) {
	tx.ended = true
	tx.buffer = membuffer{}
	tx.client.closed(tx)
}

// Commit brings the writes of the transaction into the database and ends it.
//
//   - nil: they are there, at CommitTS. A transaction that wrote nothing has
//     read a snapshot, and needs no more than that.
//   - ErrFailed: they are not there and never will be. ErrWriteConflict,
//     ErrRolledBack and ErrKeyExists say why.
//   - ErrUndetermined: nobody can tell yet. If they are there, then at CommitTS.
func (tx *Txn) Commit(t env.Task) error {
	tx.use()
	tx.ended = true
	defer tx.client.closed(tx)
	if len(tx.buffer.sorted) == 0 {
		return nil
	}
	x := newCommitter(tx)
	err := x.run(t)
	stats := &tx.client.stats
	switch {
	case err == nil:
		stats.Committed++
		tx.commitTS = x.commitTS
	case errors.Is(err, ErrUndetermined):
		stats.Undetermined++
		tx.commitTS = x.commitTS
	default:
		stats.Failed++
	}
	return err
}
