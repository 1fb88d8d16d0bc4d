package plan

import (
	"time"

	"simrun/faults"
)

// Order is how the loop orders events of the same instant.
type Order string

// The orders.
const (
	FIFO   Order = "fifo"   // as they were posted
	Seeded Order = "seeded" // by a priority that the seed decides
)

// CommitMode is how transactions are committed.
type CommitMode string

// The commit modes.
const (
	TwoPhase    CommitMode = "two-phase" // the commit of the primary decides
	AsyncCommit CommitMode = "async"     // the last lock decides
	OnePhase    CommitMode = "one-phase" // no locks, if all keys are in one region
	MixedCommit CommitMode = "mixed"     // each in one of these modes
)

// commitModes are all of them.
func commitModes() []CommitMode { return []CommitMode{TwoPhase, AsyncCommit, OnePhase, MixedCommit} }

// Ticks is how stores tick.
type Ticks string

// The ways.
const (
	Lazy  Ticks = "lazy"
	Eager Ticks = "eager"
)

// Knobs are the configuration of the database and of the loop.
type Knobs struct {
	// Order is the order of simultaneous events: fifo or seeded.
	Order Order `toml:"order"`

	// TickInterval is the length of a raft tick. Not zero.
	TickInterval Duration `toml:"tick-interval"`
	// ElectionTick is the number of ticks without a leader's message after
	// which a follower campaigns; raft draws between it and twice it. It must
	// be above HeartbeatTick, and at most 1000.
	ElectionTick int `toml:"election-tick"`
	// HeartbeatTick is the number of ticks between two heartbeats: at least 1.
	HeartbeatTick int `toml:"heartbeat-tick"`
	// Ticks is how the stores tick their regions' raft clocks: lazy (only when a tick may
	// have an effect) or eager (every time). Both give the same run.
	Ticks Ticks `toml:"ticks"`
	// Hibernate is the idle time after which a region hibernates; 0 = never.
	Hibernate Duration `toml:"hibernate"`
	// MaxInflightMsgs is the maximum number of unacknowledged append messages to one
	// peer: 1 to 100000.
	MaxInflightMsgs int `toml:"max-inflight-msgs"`
	// MaxSizePerMsg is the maximum size of an append message in bytes, 1 to 1073741824;
	// a larger entry travels alone.
	MaxSizePerMsg int `toml:"max-size-per-msg"`

	// MaxUncommittedBytes is how many bytes of a region's proposals may wait for a
	// quorum, 1 to 1073741824; the leader refuses further ones.
	MaxUncommittedBytes int `toml:"max-uncommitted-bytes"`

	// LeaderLease lets a leader serve reads without asking its peers while it holds a
	// lease.
	LeaderLease bool `toml:"leader-lease"`
	// ClockDriftBound is the drift of monotonic clocks that the stores assume, in parts
	// per million: 0 to 500000. Leases are safe only within it; so with LeaderLease it
	// must not be less than what clocks.drift-max and the faults of the schedule add up
	// to on any store.
	ClockDriftBound int `toml:"clock-drift-bound"`
	// ReplicaRead is the probability that a read is sent to a follower, 0 to 1000 per
	// mille.
	ReplicaRead int `toml:"replica-read"`

	// RaftLogGCThreshold is the number of applied entries that a region's log
	// keeps: 1 to 1000000. For slower followers the leader keeps more, up to
	// RaftLogGCLimit.
	RaftLogGCThreshold int `toml:"raft-log-gc-threshold"`
	// RaftLogGCLimit bounds a log that is kept for a slow follower, as a multiple of
	// RaftLogGCThreshold: 1 to 1000. Beyond it, the follower gets a snapshot.
	RaftLogGCLimit int `toml:"raft-log-gc-limit"`
	// SnapshotChunkBytes is the size of the pieces in which a snapshot is sent:
	// 64 to 16777216.
	SnapshotChunkBytes int `toml:"snapshot-chunk-bytes"`
	// SnapshotRate is how many bytes of snapshots a node sends per second, in
	// total: 1024 to 1073741824. SnapshotsMax is how many snapshots it sends, and how
	// many it receives, at a time: 1 to 1000.
	SnapshotRate int `toml:"snapshot-rate"`
	SnapshotsMax int `toml:"snapshots-max"`

	// MemtableBytes is the size of the engine's memtables: 16384 to 262144. Small
	// ones cause frequent flushes and compactions. The sizes of levels and tables
	// derive from it.
	MemtableBytes int `toml:"memtable-bytes"`
	// L0SlowdownFiles and L0StopFiles are the numbers of tables in level 0 at which
	// an engine slows writes down and stops them. The first is 4 to 999, or zero for the
	// engine's default, 20; the second is greater and at most 1000, or zero for 36.
	L0SlowdownFiles int `toml:"l0-slowdown-files"`
	L0StopFiles     int `toml:"l0-stop-files"`
	// PendingCompactionBytes is the backlog of compactions, in bytes to rewrite, at which
	// an engine slows writes down; at four times as much it stops them. 65536 to
	// 1073741824, or zero for 64 times MemtableBytes.
	PendingCompactionBytes int `toml:"pending-compaction-bytes"`
	// BackgroundRate is the bandwidth of an engine's flushes and compactions in bytes
	// per virtual second: 16384 to 1073741824; zero means that of the disk.
	BackgroundRate int `toml:"background-rate"`

	// LockTTL is how long a transaction's locks live without a heartbeat. After that,
	// others may roll the transaction back. Not zero.
	LockTTL Duration `toml:"lock-ttl"`
	// RequestTimeout is how long a client waits for the answer to one request,
	// OperationTimeout how long it retries before it reports the outcome of an
	// operation as unknown. Neither is zero, and OperationTimeout is not below
	// RequestTimeout.
	RequestTimeout   Duration `toml:"request-timeout"`
	OperationTimeout Duration `toml:"operation-timeout"`

	// ScanPage is the maximum number of pairs per request of a scan. BatchBytes is the size
	// of keys and values above which a client sends one region's part of a transaction
	// in several requests. 1 to 1000000 each.
	ScanPage   int `toml:"scan-page"`
	BatchBytes int `toml:"batch-bytes"`

	// CommitMode is how transactions are committed: two-phase, async, one-phase, or
	// mixed, which draws one of the three for each transaction.
	CommitMode CommitMode `toml:"commit-mode"`
	// AsyncKeys and AsyncBytes limit the transactions that commit by their prewrites
	// alone, by the number of their keys and the bytes of them: 1 to 1000000 each, or zero for
	// 256 and 4096.
	AsyncKeys  int `toml:"async-keys"`
	AsyncBytes int `toml:"async-bytes"`
	// CommitWindow is how far after the start of a commit its timestamp may lie, in the
	// modes in which the stores choose it. Not zero.
	CommitWindow Duration `toml:"commit-window"`
	// SchemaLease is how long after its start a transaction on tables may commit
	// without checking the schema version, and the minimum time that a schema version
	// lasts: whole milliseconds, or zero for 500ms.
	SchemaLease Duration `toml:"schema-lease"`
	// Pessimistic is the probability that a transaction locks what it reads and writes
	// as it goes, ReadCommitted the probability that such a transaction reads the newest versions
	// instead of a snapshot: 0 to 1000 per mille each. In SQL, the first applies to a BEGIN
	// that does not specify it, and no transaction on tables is read committed.
	Pessimistic   int `toml:"pessimistic"`
	ReadCommitted int `toml:"read-committed"`
	// PrimaryFirst makes a transaction lock its primary before its other keys, as in the
	// Percolator paper, instead of at the same time.
	PrimaryFirst bool `toml:"primary-first"`
	// ResolveByCleanup makes a client that meets an expired lock ask for the transaction's
	// outcome with KvCleanup, TiKV's older request, where that is sufficient.
	ResolveByCleanup bool `toml:"resolve-by-cleanup"`
	// PendingWrites is the number of write commands that a store processes at a time
	// before it rejects others, and the number of requests that may wait for
	// pessimistic locks before it rejects those: 1 to 1000000.
	PendingWrites int `toml:"pending-writes"`

	// TSOWindow is how far ahead the placement driver persists its timestamps.
	// Not zero.
	TSOWindow Duration `toml:"tso-window"`
	// GCInterval is the time between two rounds of garbage collection, 0 for none;
	// GCLifetime is the age up to which versions are kept even if no transaction reads
	// them, at least a second if there is an interval.
	GCInterval Duration `toml:"gc-interval"`
	GCLifetime Duration `toml:"gc-lifetime"`
	// StoreHeartbeat and RegionHeartbeat are the times between two reports to
	// the placement driver. Neither is zero.
	StoreHeartbeat  Duration `toml:"store-heartbeat"`
	RegionHeartbeat Duration `toml:"region-heartbeat"`

	// RestartDelay is the time after which a process that ended by itself, for example
	// because of a disk error, is started again.
	RestartDelay Duration `toml:"restart-delay"`
}

// Network is what every link is like when no fault lies on it.
type Network struct {
	// LatencyMin and LatencyMax bound the latency of links, drawn once for each link.
	// LatencyMax is not below LatencyMin.
	LatencyMin Duration `toml:"latency-min"`
	LatencyMax Duration `toml:"latency-max"`
	// Jitter is the maximum extra delay of a message.
	Jitter Duration `toml:"jitter"`
	// Loss, Duplicate and Reorder are the probabilities that a message is lost,
	// duplicated or reordered, 0 to 1000 per mille.
	Loss      int `toml:"loss"`
	Duplicate int `toml:"duplicate"`
	Reorder   int `toml:"reorder"`
	// Detour is the maximum delay of a reordered message or a copy; zero means 100ms.
	Detour Duration `toml:"detour"`
	// Unordered allows jitter alone to reorder messages of a link.
	Unordered bool `toml:"unordered"`
	// Bandwidth is how many bytes a link carries per virtual second: 1000 to
	// 1099511627776; zero means unlimited.
	Bandwidth int64 `toml:"bandwidth"`
	// QueueMax is the time after which a message that waits for transmission is
	// dropped; zero means never. It needs a Bandwidth.
	QueueMax Duration `toml:"queue-max"`
}

// Disk is what every disk is like when no fault lies on it. Operations queue:
// each costs a time that is drawn between its two bounds, of which the second
// is not below the first.
type Disk struct {
	// WriteMin, WriteMax and WritePerKiB are the cost of a write.
	WriteMin    Duration `toml:"write-min"`
	WriteMax    Duration `toml:"write-max"`
	WritePerKiB Duration `toml:"write-per-kib"`
	// SyncMin and SyncMax are the cost of syncing a file or a directory.
	SyncMin Duration `toml:"sync-min"`
	SyncMax Duration `toml:"sync-max"`
	// EntryMin and EntryMax are the cost of creating, removing, renaming or
	// linking a file.
	EntryMin Duration `toml:"entry-min"`
	EntryMax Duration `toml:"entry-max"`
	// Capacity is the size of the disk in bytes; zero means unlimited.
	Capacity int64 `toml:"capacity"`
}

// Clocks is how wrong the nodes' clocks are from the start. Each node draws its
// own values within the bounds, in both directions.
type Clocks struct {
	// OffsetMax bounds the error of the wall clock.
	OffsetMax Duration `toml:"offset-max"`
	// DriftMax bounds the error of the speed, wall and monotonic, in parts per
	// million: 0 to 500000.
	DriftMax int `toml:"drift-max"`
}

// Default returns a valid plan: three stores in one region under a light load,
// a quick network and quick disks, no faults.
func Default() Plan {
	ms := func(n int) Duration { return Duration(n) * Duration(time.Millisecond) }
	us := func(n int) Duration { return Duration(n) * Duration(time.Microsecond) }
	return Plan{
		Version:  Version,
		Cluster:  Cluster{Stores: 3, Replicas: 3, Placement: 1, SplitKeys: []string{}, API: Txn},
		Workload: Workload{Name: "bank", Clients: 4, Rate: 100, Keys: 16, Params: map[string]int{}},
		Phases:   Phases{Boot: ms(10_000), Storm: ms(5_000), Calm: ms(30_000), Audit: ms(30_000), Minority: NoMinority},
		Knobs: Knobs{
			Order:        FIFO,
			TickInterval: ms(20), ElectionTick: 10, HeartbeatTick: 2, Ticks: Lazy,
			MaxInflightMsgs: 256, MaxSizePerMsg: 1 << 20, MaxUncommittedBytes: 8 << 20,
			LeaderLease:        true,
			RaftLogGCThreshold: 128, RaftLogGCLimit: 4, SnapshotChunkBytes: 64 << 10, SnapshotRate: 16 << 20, SnapshotsMax: 4, MemtableBytes: 64 << 10,
			L0SlowdownFiles: 20, L0StopFiles: 36, PendingCompactionBytes: 4 << 20, BackgroundRate: 16 << 20,
			LockTTL: ms(3_000), RequestTimeout: ms(500), OperationTimeout: ms(10_000),
			ScanPage: 256, BatchBytes: 16 << 10,
			CommitMode: TwoPhase, AsyncKeys: 256, AsyncBytes: 4 << 10, CommitWindow: ms(2_000), SchemaLease: ms(500), PendingWrites: 2048,
			TSOWindow: ms(3_000), StoreHeartbeat: ms(1_000), RegionHeartbeat: ms(1_000),
			RestartDelay: ms(200),
		},
		Scheduling: Scheduling{
			MaxStoreDownTime: ms(60_000), OperatorTimeout: ms(5_000), OperatorLimit: 16, StoreLimit: 4,
			SplitCheck: ms(1_000), MergeDelay: ms(5_000),
		},
		Network: Network{LatencyMin: us(200), LatencyMax: us(1_000), Jitter: us(500), Detour: ms(100)},
		Disk: Disk{
			WriteMin: us(5), WriteMax: us(20), WritePerKiB: us(1),
			SyncMin: us(100), SyncMax: us(1_000), EntryMin: us(5), EntryMax: us(20),
		},
		Limits: Limits{Events: 100_000_000},
		Faults: []faults.Fault{},
	}
}
