package client

import "time"

// Config holds the limits of a client. The zero value of every field means its
// default.
type Config struct {
	// RPCTimeout limits one attempt of one request. When it has passed, the
	// outcome of that attempt is unknown. Default 500 ms; it should exceed the
	// time in which a store answers under load, or work is done twice.
	RPCTimeout time.Duration
	// OpTimeout limits a read or a raw operation with all its attempts.
	// Default 10 s.
	OpTimeout time.Duration
	// CommitTimeout limits a Commit, from the first prewrite to the answer about
	// the primary key. Default 10 s.
	CommitTimeout time.Duration
	// BackgroundTimeout limits the work that goes on after an operation has
	// returned: the commit of secondary keys, rollbacks, the resolution of locks
	// that do not block. Whoever meets what is left over resolves it. Default 10 s.
	BackgroundTimeout time.Duration

	// LockTTL is how long the locks of a transaction are respected from the
	// moment of prewrite; while its Commit runs, heartbeats extend it every half
	// of that. Default 3 s. A lock's TTL counts milliseconds.
	LockTTL time.Duration
	// PrimaryFirst makes prewrite wait for the primary's batch before it sends
	// the others, as the Percolator paper does. By default all batches are sent
	// at once: commit costs one round trip less, and a reader may meet a
	// secondary lock whose primary is not there yet.
	PrimaryFirst bool
	// Cleanup makes the client end a transaction whose lock has expired by KvCleanup at
	// its primary, as clients did before there was KvCheckTxnStatus, where that is enough:
	// its locks are neither pessimistic nor those of async commit.
	Cleanup bool

	// Txn are the options of transactions that are begun without any.
	Txn TxnOptions
	// CommitWindow bounds the commit timestamp that the stores may choose (async
	// commit, one-phase commit): so long after the start of the commit. Beyond it
	// they ask for a timestamp of the oracle. Default 2 s.
	CommitWindow time.Duration
	// AsyncKeys and AsyncBytes are the most keys, and the most bytes of them, of a
	// transaction that is committed asynchronously: the primary's lock lists all of
	// them. Defaults 256 and 4 KiB.
	AsyncKeys, AsyncBytes int

	// Committed, if not nil, is told of every transaction that was committed: how, and
	// how many rounds of requests to stores its Commit took until the answer.
	Committed func(mode CommitMode, rounds int)

	// ReplicaRead is the chance of a read to be sent to a follower first, per mille,
	// if it fails there it goes to the leader. Default 0.
	ReplicaRead int

	// BatchBytes is the size of keys and values above which one region's part
	// of a transaction is sent as several requests. Default 16 KiB.
	BatchBytes int
	// TxnBytes bounds the keys and values that a transaction writes, and EntryBytes each
	// of them: a value travels in one entry of a region's log. Defaults 100 MiB and 6 MiB,
	// as TiDB's txn-total-size-limit and txn-entry-size-limit.
	TxnBytes, EntryBytes int
	// ScanPage is the largest number of pairs that one scan request asks for.
	// Default 256.
	ScanPage int
	// SuspectFor is how long a store that did not answer is passed over, unless a
	// peer names the leader there meanwhile; up to eight times as long if it does not
	// answer again and again. Default: RPCTimeout.
	SuspectFor time.Duration
}

// setDefaults fills in the fields that are zero.
func (cfg *Config) setDefaults() {
	orDuration := func(d *time.Duration, otherwise time.Duration) {
		if *d <= 0 {
			*d = otherwise
		}
	}
	orInt := func(n *int, otherwise int) {
		if *n <= 0 {
			*n = otherwise
		}
	}
	orDuration(&cfg.RPCTimeout, 500*time.Millisecond)
	orDuration(&cfg.OpTimeout, 10*time.Second)
	orDuration(&cfg.CommitTimeout, 10*time.Second)
	orDuration(&cfg.BackgroundTimeout, 10*time.Second)
	orDuration(&cfg.LockTTL, 3*time.Second)
	orDuration(&cfg.SuspectFor, cfg.RPCTimeout)
	orDuration(&cfg.CommitWindow, 2*time.Second)
	orInt(&cfg.AsyncKeys, 256)
	orInt(&cfg.AsyncBytes, 4<<10)
	orInt(&cfg.BatchBytes, 16<<10)
	orInt(&cfg.TxnBytes, 100<<20)
	orInt(&cfg.EntryBytes, 6<<20)
	orInt(&cfg.ScanPage, 256)
}
