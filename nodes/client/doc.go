// Package client reads and writes the database from outside: it finds the
// leader of the region that holds a key, repeats what may be repeated, and runs
// transactions.
//
//	c := client.New(e, rpc.NewEndpoint(e), pd, client.Config{})
//
//	err := c.RawPut(t, key, value)              // the raw interface: keys by themselves
//
//	tx, err := c.Begin(t)                       // Percolator transactions, optimistic unless Config.Txn says otherwise
//	value, found, err := tx.Get(t, key)         // snapshot at tx.StartTS(), own writes included
//	tx.Set(key, value)                          // buffered
//	err = tx.Commit(t)
//
// # Three outcomes
//
// An operation ends in one of three ways, and the client never confuses them:
//
//   - ok: the error is nil.
//   - failed: errors.Is(err, ErrFailed). It has had no effect and never will.
//   - unknown: errors.Is(err, ErrUndetermined). It may have taken effect, may
//     still do so, or may never.
//
// Every error is one or the other. A region error is the store's word that it
// has not executed and will not execute the request, so the request may be sent
// again. A request that is not answered proves nothing. What may be repeated
// after that depends on what it does:
//
//   - Reads have no effect; prewrite, commit, rollback and the resolution of
//     locks are idempotent, because the store finds the trace of the first
//     execution under the transaction's start timestamp. They are repeated until
//     the operation's deadline.
//   - Raw writes carry no identity. If the first attempt is only delayed, it may
//     execute after the second one and after a later write of somebody else,
//     which it would undo. They are sent once; without an answer the outcome is
//     unknown.
//   - The commit of the primary key decides a transaction. As long as one attempt
//     of it is unaccounted for, the transaction is neither committed nor failed:
//     the client goes on asking, and reports an unknown outcome if time runs out.
//     Before the first attempt is sent nobody can commit the transaction, and
//     any failure is definite.
//
// # Layers
//
// From the bottom up: backoff.go bounds retries in time; regions.go and
// stores.go cache where data is (placement owns the truth); regionerror.go says
// what each region error teaches; send.go makes one attempt; raw*.go is the raw
// interface; snapshot.go and scan.go read at a timestamp, newest.go reads what is
// newest without one, locks.go finds out what became of the owners of locks that are
// in the way, and resolve.go removes them; membuffer.go holds a transaction's own
// writes; txn.go is the transaction, statement.go and current.go lock for a pessimistic
// one what it reads, and committer.go, prewrite.go, commit.go,
// rollback.go and heartbeat.go bring it into the database.
//
// User keys are encoded (codec.AppendBytes) only to find their region: the
// bounds of regions are encoded keys, requests carry user keys. The raw
// interface looks raw keys up as they are.
package client
