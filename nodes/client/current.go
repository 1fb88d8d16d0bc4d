package client

import (
	"bytes"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
)

//nolint:gochecknoglobals // marks register once
var (
	markCurrentAgain  = invariant.NewMark("client: statement read again at a later timestamp, for what it read was overtaken")
	markPrimaryLeft   = invariant.NewMark("client: statement read again does without the key that was to be the primary")
	markNothingToLock = invariant.NewMark("client: statement that read what is newest had nothing more to lock")
)

// Statement runs a statement of a pessimistic transaction that reads what is newest
// (TiDB's current reads: UPDATE, DELETE, INSERT, SELECT FOR UPDATE). The body reads
// with the methods of the transaction, which within it see everything committed up to
// ts, a timestamp of its own, and the transaction's own writes. It returns the keys
// that the statement is to lock, whether they exist or not, and writes nothing: the
// caller does when Statement has succeeded.
//
// The keys are locked at ts, so that what was read of them still holds, and will until
// the transaction ends. If somebody has committed one of them after ts, what the
// statement did to find its keys may be out of date as well: its locks are released and
// the body runs again, at a later timestamp, unless the operation's time (OpTimeout) is
// over, which begins with the statement. Each read of the body has as much time of its
// own, so that a statement may last longer. What was read and is not locked holds as of ts
// only. The reads themselves wait for commits that are under way, as all reads do, whatever
// wait says. The same happens if others wait for locks of the statement while it waits for
// theirs.
//
// If the body fails, or the locks cannot be had within wait (ErrLockWait), the
// transaction is as it was before. ErrDeadlock means that it must be rolled back: others
// wait for what it has locked before.
func (tx *Txn) Statement(t env.Task, wait LockWait, body func(ts uint64) (lock [][]byte, err error)) error {
	tx.use()
	invariant.Check(tx.options.Pessimistic, "client: statement of transaction %d, which is optimistic", tx.snapshot.ts)
	invariant.Check(tx.reading == nil, "client: statement within a statement of transaction %d", tx.snapshot.ts)
	st := tx.newStatement(wait)
	attempts := 0
	st.read = func() error {
		attempts++
		keys, err := tx.readAt(st.ts, body)
		if err != nil {
			return err
		}
		fresh, _ := tx.unlocked(keys)
		st.setKeys(fresh, noInserts)
		st.locks = len(keys) > 0
		return nil
	}
	if err := st.run(t); err != nil {
		st.abandon()
		return failed("statement", err)
	}
	markCurrentAgain.Sometimes(attempts > 1)
	markNothingToLock.Sometimes(len(st.keys) == 0)
	st.keep()
	return nil
}

// readAt runs the body of a statement, whose reads see the database at ts.
func (tx *Txn) readAt(ts uint64, body func(ts uint64) ([][]byte, error)) ([][]byte, error) {
	tx.reading, tx.readTS = tx.client.Snapshot(ts), ts
	keys, err := body(ts)
	tx.reading = nil
	return keys, err
}

// unlocked divides keys into those that the transaction has yet to lock and those that
// it has locked before. These are not locked again: if such a lock was lost, and another
// one has changed the key since, a new lock would hide that, whereas the prewrite finds
// it out.
func (tx *Txn) unlocked(keys [][]byte) (fresh, held [][]byte) {
	for _, key := range keys {
		if w := tx.buffer.find(key); w != nil && w.locked {
			held = append(held, key)
		} else {
			fresh = append(fresh, key)
		}
	}
	return fresh, held
}

// noInserts: no key has to be absent.
func noInserts([]byte) bool { return false }

// leavePrimary gives up a primary that an earlier attempt of the statement has chosen,
// and this one does not lock. Locks that name it, which are being released, are then
// taken for those of a statement that has failed.
func (st *statement) leavePrimary() {
	if st.tx.primary == nil || st.tx.lockCount > 0 {
		return
	}
	for _, key := range st.keys {
		if bytes.Equal(key, st.tx.primary) {
			return
		}
	}
	markPrimaryLeft.Reached()
	st.abandon()
}

// Snapshot returns what the transaction's snapshot shows without its own writes. Of
// a pessimistic one these may be derived from what is newer.
func (tx *Txn) Snapshot() *Snapshot { return &tx.snapshot }

// Pessimistic reports whether the transaction locks keys before it writes them.
func (tx *Txn) Pessimistic() bool { return tx.options.Pessimistic }
