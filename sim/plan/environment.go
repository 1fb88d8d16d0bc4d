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

// CommitModes are all of them.
func CommitModes() []CommitMode { return []CommitMode{TwoPhase, AsyncCommit, OnePhase, MixedCommit} }

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
	// Ticks is how the stores tick their regions' raft clocks: lazy, when a tick may
	// have an effect, or eager, every time. The runs are the same.
	Ticks Ticks `toml:"ticks"`
	// Hibernate is how long nobody must have used a region before it hibernates;
	// zero is for ever.
	Hibernate Duration `toml:"hibernate"`
	// MaxInflightMsgs is the number of unacknowledged append messages to one
	// peer: 1 to 100000.
	MaxInflightMsgs int `toml:"max-inflight-msgs"`
	// MaxSizePerMsg is the size of an append message in bytes, 1 to 1073741824;
	// an entry that is larger travels alone.
	MaxSizePerMsg int `toml:"max-size-per-msg"`

	// MaxUncommittedBytes is how many bytes of a region's proposals may wait for a
	// quorum, 1 to 1073741824; its leader refuses more.
	MaxUncommittedBytes int `toml:"max-uncommitted-bytes"`

	// LeaderLease lets leaders serve reads without asking anybody while they hold a
	// lease.
	LeaderLease bool `toml:"leader-lease"`
	// ClockDriftBound is by how many parts per million the stores believe that a
	// monotonic clock may run fast or slow: 0 to 500000. Leases are safe only as
	// long as that is true; so with LeaderLease it must not be less than what
	// clocks.drift-max and the faults of the schedule add up to on some store.
	ClockDriftBound int `toml:"clock-drift-bound"`
	// ReplicaRead is the chance of a read to be sent to a follower, 0 to 1000 per
	// mille.
	ReplicaRead int `toml:"replica-read"`

	// RaftLogGCThreshold is the number of applied entries that a region's log
	// keeps: 1 to 1000000. The leader waits for slower followers within
	// RaftLogGCLimit.
	RaftLogGCThreshold int `toml:"raft-log-gc-threshold"`
	// RaftLogGCLimit is how many times RaftLogGCThreshold a log may grow for the
	// sake of a slow follower, which then gets a snapshot: 1 to 1000.
	RaftLogGCLimit int `toml:"raft-log-gc-limit"`
	// SnapshotChunkBytes is the size of the pieces in which a snapshot is sent:
	// 64 to 16777216.
	SnapshotChunkBytes int `toml:"snapshot-chunk-bytes"`
	// SnapshotRate is how many bytes of snapshots a node sends in a second, over
	// all of them: 1024 to 1073741824. SnapshotsMax is how many it sends, and how
	// many it receives, at a time: 1 to 1000.
	SnapshotRate int `toml:"snapshot-rate"`
	SnapshotsMax int `toml:"snapshots-max"`

	// MemtableBytes is the size of a memtable of the engine: 16384 to 262144. Small
	// ones make flushes and compactions frequent. The sizes of levels and tables
	// follow from it.
	MemtableBytes int `toml:"memtable-bytes"`
	// L0SlowdownFiles and L0StopFiles are the numbers of tables in level 0 at which
	// an engine slows writes down and stops them. The first is 4 to 999 or, for the
	// engine's default, zero: 20; the second is above it and at most 1000, or zero: 36.
	L0SlowdownFiles int `toml:"l0-slowdown-files"`
	L0StopFiles     int `toml:"l0-stop-files"`
	// PendingCompactionBytes is how much compactions may have to rewrite before an
	// engine slows writes down; at four times as much it stops them: 65536 to
	// 1073741824, or zero: 64 times MemtableBytes.
	PendingCompactionBytes int `toml:"pending-compaction-bytes"`
	// BackgroundRate is the bandwidth of an engine's flushes and compactions in bytes
	// per virtual second: 16384 to 1073741824; zero is that of the disk.
	BackgroundRate int `toml:"background-rate"`

	// LockTTL is how long a transaction's locks live without a heartbeat. Not
	// zero; a transaction that takes longer may be rolled back by others.
	LockTTL Duration `toml:"lock-ttl"`
	// RequestTimeout is how long a client waits for the answer to one request,
	// OperationTimeout how long it goes on with retries until the outcome of an
	// operation is unknown. Neither is zero, and OperationTimeout is not below
	// RequestTimeout.
	RequestTimeout   Duration `toml:"request-timeout"`
	OperationTimeout Duration `toml:"operation-timeout"`

	// ScanPage is the most pairs that a client asks for in one request of a scan,
	// BatchBytes the size of keys and values above which it sends one region's
	// part of a transaction in several requests: 1 to 1000000 each.
	ScanPage   int `toml:"scan-page"`
	BatchBytes int `toml:"batch-bytes"`

	// CommitMode is how transactions are committed: two-phase, async, one-phase, or
	// mixed, which draws one of the three for each.
	CommitMode CommitMode `toml:"commit-mode"`
	// AsyncKeys and AsyncBytes are the most keys, and the most bytes of them, of a
	// transaction that is committed by its prewrites alone: 1 to 1000000 each, or zero:
	// 256 and 4096.
	AsyncKeys  int `toml:"async-keys"`
	AsyncBytes int `toml:"async-bytes"`
	// CommitWindow is how far after the start of a commit the stores may choose its
	// timestamp, in the modes in which they do. Not zero.
	CommitWindow Duration `toml:"commit-window"`
	// SchemaLease is how long after its start a transaction on tables may commit
	// without a look at the version of the schema, and how long a version of the
	// schema lasts at least: whole milliseconds, or zero: 500ms.
	SchemaLease Duration `toml:"schema-lease"`
	// Pessimistic is the chance of a transaction to lock what it reads and writes
	// as it goes, and ReadCommitted that of such a one to read what is newest
	// instead of a snapshot: 0 to 1000 per mille each. In SQL the first is that of a BEGIN
	// that does not say, and nothing on tables is read committed.
	Pessimistic   int `toml:"pessimistic"`
	ReadCommitted int `toml:"read-committed"`
	// PrimaryFirst makes a transaction lock its primary before its other keys, as the
	// Percolator paper has it, and not at the same time.
	PrimaryFirst bool `toml:"primary-first"`
	// ResolveByCleanup makes a client that meets a lock which has expired ask for the
	// transaction's end by KvCleanup, the older request of TiKV's, where that is enough.
	ResolveByCleanup bool `toml:"resolve-by-cleanup"`
	// PendingWrites is the number of write commands that a store has under way at a
	// time before it turns others away, and the number of requests that wait for
	// pessimistic locks before it turns those away: 1 to 1000000.
	PendingWrites int `toml:"pending-writes"`

	// TSOWindow is how far ahead the placement driver persists its timestamps.
	// Not zero.
	TSOWindow Duration `toml:"tso-window"`
	// GCInterval is the time between two rounds of garbage collection, 0 for none;
	// GCLifetime the age up to which versions are kept, unless a transaction still
	// reads them, at least a second then.
	GCInterval Duration `toml:"gc-interval"`
	GCLifetime Duration `toml:"gc-lifetime"`
	// StoreHeartbeat and RegionHeartbeat are the times between two reports to
	// the placement driver. Neither is zero.
	StoreHeartbeat  Duration `toml:"store-heartbeat"`
	RegionHeartbeat Duration `toml:"region-heartbeat"`

	// RestartDelay is the time after which a process that ended by itself, say
	// by an error of its disk, is started again.
	RestartDelay Duration `toml:"restart-delay"`
}

// Network is what every link is like when no fault lies on it.
type Network struct {
	// LatencyMin and LatencyMax bound the latency of a link, which is drawn
	// once for each. LatencyMax is not below LatencyMin.
	LatencyMin Duration `toml:"latency-min"`
	LatencyMax Duration `toml:"latency-max"`
	// Jitter is the most by which a message is later than that.
	Jitter Duration `toml:"jitter"`
	// Loss, Duplicate and Reorder are chances of a message, 0 to 1000 per
	// mille.
	Loss      int `toml:"loss"`
	Duplicate int `toml:"duplicate"`
	Reorder   int `toml:"reorder"`
	// Detour is the most by which a reordered message or a copy is late; zero
	// is 100ms.
	Detour Duration `toml:"detour"`
	// Unordered lets jitter alone reorder messages of a link.
	Unordered bool `toml:"unordered"`
	// Bandwidth of a link in bytes per virtual second: 1000 to 1099511627776;
	// zero is unlimited.
	Bandwidth int64 `toml:"bandwidth"`
	// QueueMax is the longest that a message waits for transmission before it
	// is dropped; zero is unlimited. It needs a Bandwidth.
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
	// Capacity in bytes; zero is unlimited.
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
		Phases:   Phases{Boot: ms(10_000), Storm: ms(5_000), Calm: ms(30_000), Audit: ms(30_000)},
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
