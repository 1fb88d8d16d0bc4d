package client

import (
	"fmt"

	"simrun/nodes/env"
)

// LockKeys makes the transaction exclude others from writing or locking keys, as
// if it wrote them itself (SELECT FOR UPDATE). The locks are taken by Commit, which
// fails if another transaction wrote or locked one of the keys after this one
// began; a pessimistic one looks from its last statement on that locked something.
func (tx *Txn) LockKeys(keys ...[]byte) {
	tx.use()
	for _, key := range keys {
		tx.buffer.lock(key)
	}
}

// Lock is LockKeys, except that a pessimistic transaction takes the locks now,
// waiting for others, so that nothing stands in their way at Commit.
func (tx *Txn) Lock(t env.Task, keys ...[]byte) error {
	tx.use()
	if !tx.options.Pessimistic {
		tx.LockKeys(keys...)
		return nil
	}
	_, err := tx.lockStatement(t, keys, noInserts)
	return failed("lock", err)
}

// BatchGetForUpdate locks keys like Lock and returns the pairs found, in the
// order of keys. An optimistic transaction reads its snapshot; a pessimistic one
// reads what is committed as it takes the locks, at ReadTS, and nobody changes
// that until it ends.
func (tx *Txn) BatchGetForUpdate(t env.Task, keys [][]byte) ([]Pair, error) {
	tx.use()
	if !tx.options.Pessimistic {
		for _, key := range keys {
			tx.buffer.lock(key)
		}
		return tx.BatchGet(t, keys)
	}
	stored, err := tx.lockStatement(t, keys, noInserts)
	if err != nil {
		return nil, failed("get for update", err)
	}
	pairs := make([]Pair, 0, len(keys))
	for _, key := range keys {
		if w := tx.buffer.find(key); w != nil && w.kind != writeLock {
			if w.kind == writePut {
				pairs = append(pairs, Pair{key, w.visible()})
			}
		} else if i, ok := lookup(stored, key); ok && stored[i].found {
			pairs = append(pairs, Pair{key, stored[i].value})
		}
	}
	return pairs, nil
}

// GetForUpdate is BatchGetForUpdate of one key.
func (tx *Txn) GetForUpdate(t env.Task, key []byte) (value []byte, found bool, err error) {
	pairs, err := tx.BatchGetForUpdate(t, [][]byte{key})
	if err != nil || len(pairs) == 0 {
		return nil, false, err
	}
	return pairs[0].Value, true, nil
}

// InsertForUpdate is Insert that finds out now whether the key exists, if the
// transaction is pessimistic.
func (tx *Txn) InsertForUpdate(t env.Task, key, value []byte) error {
	tx.use()
	if w := tx.buffer.find(key); tx.options.Pessimistic && (w == nil || w.kind == writeLock) {
		if _, err := tx.lockStatement(t, [][]byte{key}, func([]byte) bool { return true }); err != nil {
			return failed("insert", err)
		}
		// The lock sees to it that it stays absent.
		tx.buffer.put(key, value)
		return nil
	}
	return tx.Insert(key, value)
}

// ForUpdateTS returns the timestamp of the last statement of a pessimistic transaction
// that locked: since then nobody else has written what it commits without a lock of
// its own. Of an optimistic one that is the start timestamp.
func (tx *Txn) ForUpdateTS() uint64 { return max(tx.snapshot.ts, tx.forUpdateTS) }

// ReadTS returns the timestamp at which the transaction's last read, or the last
// locking of keys, saw the database.
func (tx *Txn) ReadTS() uint64 { return tx.readTS }

// statementSnapshot returns what a read of the transaction sees.
func (tx *Txn) statementSnapshot(t env.Task) (*Snapshot, error) {
	if tx.reading != nil {
		return tx.reading, nil
	}
	if !tx.options.ReadCommitted {
		tx.readTS = tx.snapshot.ts
		return &tx.snapshot, nil
	}
	b := tx.client.newBackoff(tx.client.cfg.OpTimeout)
	ts, err := tx.client.timestamp(t, &b)
	if err != nil {
		return nil, fmt.Errorf("timestamp of the statement: %w", err)
	}
	tx.readTS = ts
	return tx.client.Snapshot(ts), nil
}
