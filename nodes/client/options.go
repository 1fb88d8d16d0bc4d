package client

// CommitMode says how a transaction is committed, if nothing stands against it.
// What cannot be done in one mode is done in the one before it.
type CommitMode uint8

// The commit modes, by the round trips until the answer.
const (
	// TwoPhase: prewrite all keys, take a commit timestamp, commit the primary. Two
	// rounds.
	TwoPhase CommitMode = iota
	// AsyncCommit: prewrite all keys with the list of all of them at the primary.
	// The stores choose the commit timestamp. One round; the locks become commit
	// records later.
	AsyncCommit
	// OnePhase: if all keys lie in one region and fit into one request, the store
	// commits them at once. One round, and no locks.
	OnePhase
)

// String returns the mode's name.
func (m CommitMode) String() string {
	switch m {
	case TwoPhase:
		return "two-phase"
	case AsyncCommit:
		return "async"
	case OnePhase:
		return "one-phase"
	}
	return "CommitMode(?)"
}

// TxnOptions are the choices that a transaction has. The zero value is an
// optimistic transaction under snapshot isolation with two-phase commit.
type TxnOptions struct {
	// Pessimistic makes Lock and the reads for update lock on the stores at
	// once, waiting for others, so that Commit meets no conflict on those keys.
	Pessimistic bool
	// Commit is how the transaction is committed.
	Commit CommitMode
	// ReadCommitted makes every read see what is committed when it begins, instead
	// of one snapshot for all. It needs Pessimistic: an optimistic transaction
	// relies on its snapshot.
	ReadCommitted bool
}
