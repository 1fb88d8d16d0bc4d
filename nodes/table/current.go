package table

import (
	"errors"
	"fmt"

	"simrun/nodes/client"
	"simrun/nodes/codec"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
)

// The statements of a pessimistic transaction, as TiDB has them (sessiontxn/isolation,
// the provider of repeatable read): what changes or locks rows reads what is newest, at
// a timestamp of its own, and then locks at that timestamp
//
//   - the rows that it writes, or returns for update;
//   - the distinct entries of unique indexes that it writes, because rows race for them;
//   - the keys of rows and of distinct entries that it has looked up one by one, whether
//     there is something or not: that they are absent is an answer, too.
//
// All other entries it writes without a lock: that of their row stands for them. If
// one of the keys was committed after the statement's timestamp, the statement runs
// again from its beginning: it may find other rows now. What a range has shown and is
// not locked may change later, as in TiDB.
//
// A statement reads data as of its own timestamp S, with the schema of the start of the
// transaction, s. That is sound as long as the version of the schema at S is at most one
// ahead. What is there at S was then written by transactions of the next version at
// the newest, for a transaction commits no later than one version after its own
// (checkVersion, lease.go). An index that is public in a version is maintained by all
// who write with that version or the next one: dropping begins with WriteOnly. Two
// versions ahead it may be DeleteOnly, which lacks rows: then the statement would miss
// them, or find an entry without its row. And a range of dropped keys is recorded two
// versions after the one in which statements saw it, at the earliest; so where S is less
// than two versions ahead, the record is later than S, and a store that has removed the
// range refuses what reads at S (dropped.go). Within the lease of the start no second
// version comes (lease.go), so that nobody has to look.
//
// What the commit needs is what it always needs, and looked at as ever.

//nolint:gochecknoglobals // marks register once
var (
	markStatementAgain     = invariant.NewMark("table: statement ran again, for others came between")
	markStatementDuplicate = invariant.NewMark("table: duplicate told at a statement that reads what is newest")
	markAbsentLocked       = invariant.NewMark("table: absent key locked")
	markStatementLooked    = invariant.NewMark("table: statement looked at the version of the schema")
	markStatementOlder     = invariant.NewMark("table: statement ran one schema version behind")
	markStatementRefused   = invariant.NewMark("table: statement refused two schema versions behind")
	markLocksGone          = invariant.NewMark("table: rows and entries disagreed in a transaction whose locks were gone")
	markLocksUnknown       = invariant.NewMark("table: rows and entries disagreed, and nobody told whether the transaction held its locks")
)

// doCurrent is DoWithin for a pessimistic transaction.
func (tx *Tx) doCurrent(t env.Task, wait client.LockWait, fn func(s *Statement) error) error {
	var s *Statement
	attempts := 0
	err := tx.kv.Statement(t, wait, func(ts uint64) ([][]byte, error) {
		attempts++
		if err := tx.checkStatement(t, ts); err != nil {
			return nil, err
		}
		s = newStatement(tx)
		tx.within = true
		err := fn(s)
		tx.within = false
		return s.keys(), err
	})
	markStatementAgain.Sometimes(attempts > 1)
	if err != nil {
		markStatementDuplicate.Sometimes(errors.Is(err, ErrDuplicate))
		return tx.explain(t, current(err))
	}
	markAbsentLocked.Sometimes(s.absent)
	s.apply()
	for _, r := range s.rows {
		tx.note(r)
	}
	return nil
}

// explain returns the error of a statement that has failed, without ErrInconsistent if lost
// locks explain it. A statement sees what is newest under what its transaction has written,
// and both are one picture only as long as the locks are held: if their TTL was over
// unnoticed, others may have changed a row since, and the entries that they have written
// stand beside the row as this transaction would have it. Then the transaction is rolled
// back, as good as: its commit would fail. No lock explains that rows or entries do not
// decode, nor anything in a table that the transaction has not written.
func (tx *Tx) explain(t env.Task, err error) error {
	var d *disagreement
	if !errors.As(err, &d) || len(tx.written[d.table]) == 0 {
		return err
	}
	held, unknown := tx.kv.Held(t)
	switch {
	case markLocksUnknown.Sometimes(unknown != nil):
		return failure("statement", fmt.Errorf("%w; it is to tell whether locks were lost before: %v", unknown, err)) //nolint:errorlint // it is not to be found in the error
	case markLocksGone.Sometimes(!held):
		return failure("statement", fmt.Errorf("%w: %v", client.ErrRolledBack, err)) //nolint:errorlint // it is not to be found in the error
	}
	return err
}

// current returns the error of a statement as that of one in an optimistic transaction:
// the reason is not wrapped twice.
func current(err error) error {
	var outer, inner *client.Error
	if errors.As(err, &outer) && errors.As(outer.Err, &inner) {
		return outer.Err
	}
	return err
}

// checkStatement compares the transaction's schema with that of the timestamp at which
// one of its statements reads.
func (tx *Tx) checkStatement(t env.Task, ts uint64) error {
	if !markStatementLooked.Sometimes(ts > tx.db.leaseEnd(tx.StartTS())) {
		return nil
	}
	version, err := tx.versionAt(t, ts)
	if err != nil {
		return err
	}
	if markStatementRefused.Sometimes(version > tx.schema.Version+1) {
		return fmt.Errorf("%w: from version %d to %d", ErrSchemaChanged, tx.schema.Version, version)
	}
	markStatementOlder.Sometimes(version > tx.schema.Version)
	return nil
}

// keys returns what the statement has to lock.
func (s *Statement) keys() [][]byte {
	keys := s.locks
	for _, w := range s.writes {
		if !w.derived {
			keys = append(keys, w.key)
		}
	}
	return keys
}

// Get is Tx.Get for a row that the statement is about.
func (s *Statement) Get(t env.Task, tb *Table, handle int64) (Row, bool, error) {
	row, found, err := s.tx.Get(t, tb, handle)
	s.lookedUp(codec.RowKey(tb.ID, handle), found)
	return row, found, err
}

// Lookup is Tx.Lookup for a row that the statement is about.
func (s *Statement) Lookup(t env.Task, tb *Table, x *Index, values []Datum) (Record, bool, error) {
	record, found, err := s.tx.Lookup(t, tb, x, values)
	key, _ := tb.entryKey(x, values, 0)
	s.lookedUp(key, found)
	return record, found, err
}

// Scan is Tx.Scan for rows of which the statement is about some.
func (s *Statement) Scan(t env.Task, tb *Table, scan Scan) ([]Record, error) {
	return s.tx.Scan(t, tb, scan)
}

// lookedUp makes a pessimistic transaction lock a key that was looked up by itself.
func (s *Statement) lookedUp(key []byte, found bool) {
	if s.tx.Pessimistic() {
		s.locks = append(s.locks, key)
		s.absent = s.absent || !found
	}
}
