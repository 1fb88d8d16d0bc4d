package table

import (
	"fmt"
	"time"

	"simrun/nodes/codec"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
)

// The lease of the schema lets a transaction commit without a look at the
// version, where there is nobody to look: with async commit and one-phase commit
// the stores choose the commit timestamp. TiDB has a lease too (domain.go and
// schema_validator.go), which its servers renew, and bounds the commit timestamp by
// it (max_commit_ts). Here it is a matter of timestamps alone:
//
//   - A transaction with the start timestamp s may commit without a look at every
//     timestamp up to E(s), which is s + Lease in the milliseconds of the oracle.
//   - A version of the schema is committed only by a transaction whose start
//     timestamp is E(seen) or later. There seen is a timestamp at which its process
//     has seen the version before, or at which it has committed that itself.
//
// So a transaction that has seen version v at s, and commits without a look at c,
// meets no more than version v+1 there, which is all that the states of F1 need:
//
//	s < commit(v+1)        or it had seen that version; and commit(v+1) <= seen,
//	E(s) <= E(seen)        since E rises with its argument,
//	E(seen) <= s2          the start of who commits version v+2, and s2 < commit(v+2),
//	c <= E(s) < commit(v+2).
//
// Of two who commit the same version one fails, for both write it; that holds for
// every mode in which they commit, and so does s2 < commit(v+2). Thus changes of the
// schema commit in all modes, and are not asked.
//
// What a process has seen it forgets when it ends, and so the next one waits
// again. No clock takes part, and nobody has to be heard of: if the oracle stands
// still, changes of the schema wait.

// sighting is a timestamp at which a version of the schema is known to be there:
// the least that this process knows.
type sighting struct {
	version int64
	ts      uint64
}

// saw takes a sighting into account.
func (db *DB) saw(version int64, ts uint64) {
	switch {
	case version > db.seen.version || db.seen.ts == 0:
		db.seen = sighting{version, ts}
	case version == db.seen.version:
		db.seen.ts = min(db.seen.ts, ts)
	}
}

// leaseEnd returns the end of a lease that begins at a timestamp.
func (db *DB) leaseEnd(ts uint64) uint64 {
	return codec.ComposeTS(codec.PhysicalTS(ts)+uint64(db.cfg.Lease.Milliseconds()), 0)
}

// leaseAttempts is how often a change of the schema is tried that finds a version
// which is too young. That it does again only if others change the schema too.
const leaseAttempts = 10

//nolint:gochecknoglobals // marks register once
var markPutOff = invariant.NewMark("table: change of the schema put off, the version before is too young")

// commitChange commits a transaction that perhaps changes the schema, or rolls it
// back if it is too early for that.
func (tx *Tx) commitChange(t env.Task) error {
	if err := tx.mayPublish(); err != nil {
		tx.Rollback(t)
		return failure("change of the schema", err)
	}
	err := tx.Commit(t)
	if err == nil && tx.publishes {
		tx.db.saw(tx.schema.Version+1, tx.kv.CommitTS())
	}
	return err
}

// mayPublish returns a *LeaseError if the transaction makes another version of
// the schema too early.
func (tx *Tx) mayPublish() error {
	seen := tx.db.seen
	invariant.Check(seen.version >= tx.schema.Version, "table: version %d of the schema was seen, but the newest seen is %d", tx.schema.Version, seen.version)
	switch {
	case !tx.publishes:
		return nil
	case tx.schema.Version == 0:
		return nil // nothing came before, of which there were transactions
	case seen.version > tx.schema.Version:
		return nil // it conflicts with who has made that version
	}
	end := tx.db.leaseEnd(seen.ts)
	if !markPutOff.Sometimes(tx.StartTS() < end) {
		return nil
	}
	left := codec.PhysicalTS(end) - codec.PhysicalTS(tx.StartTS())
	return &LeaseError{Version: tx.schema.Version, Left: time.Duration(left) * time.Millisecond}
}

// LeaseError says that the schema cannot change yet, and how long that is so at
// least. It is ErrLease.
type LeaseError struct {
	Version int64
	Left    time.Duration
}

func (e *LeaseError) Error() string {
	return fmt.Sprintf("%v: version %d lasts for another %v", ErrLease, e.Version, e.Left)
}

// Is makes the error an ErrLease.
func (e *LeaseError) Is(target error) bool { return target == ErrLease }
