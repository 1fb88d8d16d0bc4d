// Package txn executes the requests of clients on a store: Percolator
// transactions and the raw key-value interface.
//
// The commands are methods of a Scheduler. Each takes a task that may wait and
// a request message and returns the response to send:
//
//	sched := txn.NewScheduler(e, store, txn.Config{...})
//	...
//	resp := sched.Prewrite(task, req)
//
// A nil response means that the outcome is unknown: nothing must be answered,
// so that the client runs into its own timeout and treats the outcome as
// unknown too.
//
// # How a write command runs
//
// A command takes the latches of its keys, reads the leader's own applied state
// (LeaderSnapshot), computes either an error or a set of modifications, closes
// the snapshot, confirms (see below), releases the latches and answers. While
// it computes it does not wait. A transaction's rules are in the files named
// after the commands; rollback.go holds what they share.
//
// # Why the answer is right
//
// LeaderSnapshot is unconfirmed: the peer believes to be leader in some term T
// and has applied an entry of T, but it may have been deposed without knowing.
// Two facts make it enough.
//
// First, no write to the command's keys is under way in term T. All earlier
// entries of the log are applied, since one of term T is. Entries of term T are
// proposed by this process only, each under the latches of its keys, and the
// latches are kept until the entry's fate is known. So the snapshot holds
// everything that the log of the leader of T says about the latched keys, and
// this stays true until the latches are released or the term ends.
//
// Second, the answer is given only after proof that T had not ended when it was
// computed:
//
//   - A command that modifies something proposes its modifications in term T
//     (Propose fails in any other). Once this entry commits, the log up to it is
//     that of the leader of T, so that the state on which the command was
//     computed is the state on which it is applied.
//   - A command that modifies nothing, be it an error or a success that was
//     there already, asks for a ReadSnapshot after it has computed its answer.
//     If that is confirmed in the same term T, the peer was leader at an instant
//     after the command began, and by the first fact the latched keys had at
//     that instant the state that the command saw. If the term is another one
//     the client is told to try again. A deposed leader never gets as far.
//
// A raw write looks at nothing, so that it is proposed in whatever term the peer
// is leader; it takes the latches for the sake of the commands that look.
//
// Errors of the region (not leader, another epoch) say that nothing was done;
// they need no proof.
//
// # Timestamps that the store chooses
//
// With async commit and one-phase commit the commit timestamp is not drawn from
// the oracle after all keys are locked; the stores choose it while they lock
// (asynccommit.go). It must exceed every read that has missed the locks. maxts.go
// has the reads of the past, of this leader and of its predecessors; memlocks.go
// makes the lock visible from the instant of the choice; guard.go extends both to
// followers that serve reads.
//
// # Locks that are waited for
//
// A pessimistic transaction locks keys before it knows what it will write to
// them (pessimistic_lock.go). Whoever meets such a lock on the way to one of its
// own waits on the store (waiters.go). The wait-for graph of the cluster is kept by
// one store (deadlock.go), which is a matter of progress and not of safety: every
// wait has a limit.
//
// # When a proposal's fate is unknown
//
// If a latch were released while an entry of term T may still be applied later
// in term T, the next command could read a snapshot without it and break the
// first fact. Therefore proposals have no deadline: the store answers when the
// entry is applied or can no longer be (it was overwritten), or cannot tell
// because a snapshot replaced the log at that place - and then the entry lies
// behind the applied state just the same. In all cases releasing the latches is
// safe afterwards. If the process dies, its latches die with it, and so does
// its term. The client has a deadline of its own.
//
// A region that splits while a command waits for latches changes its epoch,
// which Propose and ReadSnapshot check again. Latches belong to keys, not to
// regions, and so outlive a split.
package txn
