package memory

import (
	"errors"
	"fmt"

	"simrun/nodes/client"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/nodes/table/kv"
)

// attempts is how often a statement is tried before its time is over.
const attempts = 10

// Pessimistic implements kv.Txn.
func (x *txn) Pessimistic() bool { return x.pessimistic }

// Statement implements kv.Txn. Nobody can wait here: a lock that another transaction
// holds is as if that held it for longer than a statement may take.
func (x *txn) Statement(_ env.Task, wait client.LockWait, body func(ts uint64) ([][]byte, error)) error {
	invariant.Check(x.pessimistic && x.reads == x.start, "memory: a statement of an optimistic transaction, or within another one")
	err := errors.New("never tried")
	for range attempts {
		x.store.ts += tick
		x.reads = x.store.ts
		var keys [][]byte
		keys, err = body(x.reads)
		ts := x.reads
		x.reads = x.start
		if err == nil && x.store.Locking != nil {
			err = x.store.Locking()
		}
		if err != nil {
			break
		}
		if err = x.lock(keys, ts, wait); !errors.Is(err, client.ErrWriteConflict) {
			break
		}
	}
	if err != nil {
		return &client.Error{Op: "statement", Err: err}
	}
	return nil
}

// lock locks all keys at ts, or none.
func (x *txn) lock(keys [][]byte, ts uint64, wait client.LockWait) error {
	for _, key := range keys {
		holder := x.store.holders[string(key)]
		switch {
		case holder != nil && holder != x:
			over := client.ErrDeadline
			if wait != client.WaitAlways {
				over = client.ErrLockWait
			}
			return fmt.Errorf("%w: %q is locked by %d", over, key, holder.start)
		case holder == nil:
			if err := x.store.newer(string(key), x.start, ts); err != nil {
				return err
			}
		}
	}
	if x.locked == nil {
		x.locked, x.derived = map[string]bool{}, map[string]bool{}
	}
	for _, key := range keys {
		x.store.holders[string(key)], x.locked[string(key)] = x, true
	}
	x.LockKeys(keys...)
	return nil
}

// Expire releases all locks, as if their TTL was over and somebody had met them.
func (m *Store) Expire() { clear(m.holders) }

// Held implements kv.Txn.
func (x *txn) Held(env.Task) (bool, error) {
	if x.store.Holding != nil {
		if err := x.store.Holding(); err != nil {
			return false, err
		}
	}
	for key := range x.locked { //nolint:gocritic // the order does not matter
		if x.store.holders[key] != x {
			return false, nil
		}
	}
	return true, nil
}

// release gives up all locks.
func (x *txn) release() {
	for key := range x.locked { //nolint:gocritic // the order does not matter
		if x.store.holders[key] == x {
			delete(x.store.holders, key)
		}
	}
}

// SetDerived implements kv.Txn.
func (x *txn) SetDerived(key, value []byte) {
	x.derived[string(key)] = true
	x.Set(key, value)
}

// DeleteDerived implements kv.Txn.
func (x *txn) DeleteDerived(key []byte) {
	x.derived[string(key)] = true
	x.Delete(key)
}

// Unwritten implements kv.Txn.
func (x *txn) Unwritten() kv.Reader {
	return &txn{store: x.store, start: x.start, reads: x.start}
}

// Locked returns how many keys are locked.
func (m *Store) Locked() int { return len(m.holders) }
