package raftstore

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

// Config configures a Store. The zero value of a field other than StoreID
// stands for its default.
type Config struct {
	// StoreID is the store's id, which must be that of its bootstrap.
	StoreID uint64

	// TickInterval is the length of one tick of raft's logical clock, in the
	// monotonic time of the node. Default 50 ms.
	TickInterval time.Duration
	// ElectionTick is the least number of ticks without word from a leader after
	// which a follower campaigns; the greatest is nearly twice that. Default 10.
	ElectionTick int
	// HeartbeatTick is the number of ticks between heartbeats of a leader. It
	// must be less than ElectionTick. Default 2.
	HeartbeatTick int
	// EagerTicks makes the store tick all peers at every tick, instead of when a
	// tick may have an effect. It costs more, and the outcome is the same.
	EagerTicks bool
	// HibernateTimeout is for how long nobody must have used a region before it
	// hibernates. Zero stands for ever.
	HibernateTimeout time.Duration
	// HibernateReports is how many of the regions that sleep a leading store
	// reports to the placement driver in each RegionHeartbeatInterval, by turns;
	// so that what they cost together does not depend on their number. Those of
	// which the placement driver does not know yet are reported each time. Default 4.
	HibernateReports int
	// LeaderLease lets leaders serve reads from their own state as long as they
	// are certain that there is no other leader. It has to be the same on all
	// stores, which make the promises that leaders rely on; see lease.go.
	LeaderLease bool
	// ClockDriftBound is the most by which the monotonic clock of any store runs
	// fast or slow, in parts per million: less than a million. Leases are shorter
	// by it; beyond it they are not safe. Zero means that all clocks run alike.
	ClockDriftBound int

	// MaxSizePerMsg bounds the entries of one append message, and those that are
	// handed over to be applied at a time, in bytes. Default 256 KiB.
	MaxSizePerMsg uint64
	// MaxInflightMsgs and MaxInflightBytes bound the unanswered append messages to
	// one peer, and so what a follower with a slow disk has to keep in memory of a
	// region: it refuses more, whoever sends it. Defaults 128, and 16 times
	// MaxSizePerMsg, below which it must not be.
	MaxInflightMsgs  int
	MaxInflightBytes uint64
	// MaxUncommittedBytes bounds the proposals of one region that are not applied
	// yet, in bytes, while a quorum of disks or the leader's own one is slow; more
	// are refused with ServerIsBusy. When there are none, those of one turn are
	// admitted up to MaxSizePerMsg, if that is more, and one always. Default 8 MiB.
	MaxUncommittedBytes uint64
	// EntrySizeMax bounds one proposal in bytes. Default 1 MiB.
	EntrySizeMax int
	// PendingProposalsMax bounds the undecided proposals of one region; more are
	// refused with ServerIsBusy. Default 4096.
	PendingProposalsMax int
	// StallDelayMax is the longest that a write may have to wait for a stalled
	// engine before writes are refused with ServerIsBusy. Default 100 ms.
	StallDelayMax time.Duration
	// EntryCacheCount and EntryCacheBytes bound the recent entries that each peer
	// keeps in memory. Defaults 256 and 256 KiB.
	EntryCacheCount int
	EntryCacheBytes int

	// LogGCThreshold is the number of applied entries above which a leader
	// proposes to compact the log up to what all followers have. Default 128.
	LogGCThreshold uint64
	// LogGCCountLimit is the number of applied entries above which it no longer
	// waits for slow followers, which will need a snapshot. Default 4 times
	// LogGCThreshold.
	LogGCCountLimit uint64

	// ReadIndexRetry is how long a read waits for its confirmation before it asks
	// again. Default 4 heartbeats.
	ReadIndexRetry time.Duration
	// ReadIndexTimeout is how long it tries at all. Default 4 times ElectionTick.
	ReadIndexTimeout time.Duration

	// MaxLeaderMissing is how long a peer goes without word from a leader before it
	// asks whether it was removed. Default 8 times ElectionTick.
	MaxLeaderMissing time.Duration

	// SnapshotChunkSize is the size of one chunk in bytes. Default 64 KiB.
	SnapshotChunkSize int
	// SnapshotSendsMax and SnapshotReceivesMax bound the snapshots under way.
	// Default 4 each.
	SnapshotSendsMax    int
	SnapshotReceivesMax int
	// SnapshotRate bounds the bytes of snapshots that a store sends in a second,
	// over all of them. Default 100 MiB.
	SnapshotRate int
	// SnapshotIdle is how long a snapshot of which nothing is heard counts as under
	// way: its receiver admits no other in its place, its sender keeps the log for
	// it. Default 4 times ElectionTick.
	SnapshotIdle time.Duration
	// SnapshotKeep is how long the file of such a snapshot is kept, for a sender or
	// a receiver that comes back. It must not be less than SnapshotIdle. Default
	// SnapshotKeepTicks times ElectionTick.
	SnapshotKeep time.Duration

	// RegionMaxSize and RegionMaxKeys are the bytes and entries above which a region
	// is split into parts of two thirds of that. Zero: no limit by that measure; if
	// both are, regions are split when somebody asks for it only.
	RegionMaxSize, RegionMaxKeys uint64
	// ExactSizes has the sizes that are reported be those of a scan and of what was
	// written since, for somebody merges regions by them; see sizes.go.
	ExactSizes bool
	// SplitCheckInterval is the time between two looks at all regions. Default 1 s.
	SplitCheckInterval time.Duration
	// SlowWrite is how long a write of the raft log may take on a healthy disk.
	// Default 100 ms.
	SlowWrite time.Duration

	// RegionHeartbeatInterval and StoreHeartbeatInterval are the periods of the
	// reports to the placement driver. Regions are also reported at once when
	// their leader or range changes. Defaults 1 s and 1 s.
	RegionHeartbeatInterval time.Duration
	StoreHeartbeatInterval  time.Duration

	// Guard, if not nil, is given what a follower is about to read of a region that
	// this store leads, as GuardedSnapshot got it there, and returns why it must not,
	// or nil.
	Guard func(guard []byte) (refusal []byte)
	// Observer, if not nil, is told what happens.
	Observer Observer
	// RoleChanged, if not nil, is called when a peer of this store begins or
	// ceases to lead its region in a term, and again when a region that it leads has
	// absorbed another one, whose leader may have been elsewhere. It runs in the
	// middle of a turn: it must not call the store, but may start tasks that do.
	RoleChanged func(region, term uint64, leads bool)
	// Witness, if not nil, is told of leases and reads.
	Witness Witness
	// Auditor, if not nil, is told what raft does.
	Auditor Auditor
	// Backlogs, if not nil, is where the store counts what waits for its disk. Peaks
	// are over all the processes that have counted there.
	Backlogs *Backlogs
}

// SnapshotKeepTicks is the default of Config.SnapshotKeep in units of ElectionTick.
const SnapshotKeepTicks = 40

func setDefault[T int | uint64 | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}

func (c Config) withDefaults() Config {
	setDefault(&c.TickInterval, 50*time.Millisecond)
	setDefault(&c.ElectionTick, 10)
	setDefault(&c.HeartbeatTick, 2)
	setDefault(&c.HibernateReports, 4)
	setDefault(&c.MaxSizePerMsg, 256<<10)
	setDefault(&c.MaxInflightMsgs, 128)
	setDefault(&c.MaxInflightBytes, 16*c.MaxSizePerMsg)
	setDefault(&c.MaxUncommittedBytes, 8<<20)
	setDefault(&c.EntrySizeMax, 1<<20)
	setDefault(&c.PendingProposalsMax, 4096)
	setDefault(&c.StallDelayMax, 100*time.Millisecond)
	setDefault(&c.EntryCacheCount, 256)
	setDefault(&c.EntryCacheBytes, 256<<10)
	setDefault(&c.LogGCThreshold, 128)
	setDefault(&c.LogGCCountLimit, 4*c.LogGCThreshold)
	setDefault(&c.ReadIndexRetry, 4*time.Duration(c.HeartbeatTick)*c.TickInterval)
	setDefault(&c.ReadIndexTimeout, 4*time.Duration(c.ElectionTick)*c.TickInterval)
	setDefault(&c.MaxLeaderMissing, 8*time.Duration(c.ElectionTick)*c.TickInterval)
	setDefault(&c.SnapshotChunkSize, 64<<10)
	setDefault(&c.SnapshotSendsMax, 4)
	setDefault(&c.SnapshotReceivesMax, 4)
	setDefault(&c.SnapshotRate, 100<<20)
	setDefault(&c.SnapshotIdle, 4*time.Duration(c.ElectionTick)*c.TickInterval)
	setDefault(&c.SnapshotKeep, SnapshotKeepTicks*time.Duration(c.ElectionTick)*c.TickInterval)
	setDefault(&c.SplitCheckInterval, time.Second)
	setDefault(&c.SlowWrite, 100*time.Millisecond)
	setDefault(&c.RegionHeartbeatInterval, time.Second)
	setDefault(&c.StoreHeartbeatInterval, time.Second)
	return c
}

// validate returns what is wrong with the configuration, the first of it.
func (c Config) validate() error {
	if c.StoreID == 0 {
		return errors.New("raftstore: a store needs an id")
	}
	if c.ClockDriftBound >= million {
		return fmt.Errorf("raftstore: ClockDriftBound is %d, which must be less than a million", c.ClockDriftBound)
	}
	return cmp.Or(
		atLeast("TickInterval", c.TickInterval, 0),
		atLeast("HeartbeatTick", c.HeartbeatTick, 1),
		atLeast("ElectionTick", c.ElectionTick, c.HeartbeatTick+1),
		atLeast("HibernateTimeout", c.HibernateTimeout, 0),
		atLeast("HibernateReports", c.HibernateReports, 0),
		atLeast("ClockDriftBound", c.ClockDriftBound, 0),
		atLeast("MaxInflightMsgs", c.MaxInflightMsgs, 1),
		atLeast("MaxInflightBytes", c.MaxInflightBytes, c.MaxSizePerMsg),
		atLeast("EntrySizeMax", c.EntrySizeMax, 1),
		atLeast("PendingProposalsMax", c.PendingProposalsMax, 1),
		atLeast("StallDelayMax", c.StallDelayMax, 0),
		atLeast("EntryCacheCount", c.EntryCacheCount, 0),
		atLeast("EntryCacheBytes", c.EntryCacheBytes, 0),
		atLeast("LogGCCountLimit", c.LogGCCountLimit, c.LogGCThreshold),
		atLeast("ReadIndexRetry", c.ReadIndexRetry, 0),
		atLeast("ReadIndexTimeout", c.ReadIndexTimeout, 0),
		atLeast("MaxLeaderMissing", c.MaxLeaderMissing, 0),
		atLeast("SnapshotChunkSize", c.SnapshotChunkSize, 1),
		atLeast("SnapshotSendsMax", c.SnapshotSendsMax, 1),
		atLeast("SnapshotReceivesMax", c.SnapshotReceivesMax, 1),
		atLeast("SnapshotRate", c.SnapshotRate, 1),
		atLeast("SnapshotIdle", c.SnapshotIdle, 0),
		atLeast("SnapshotKeep", c.SnapshotKeep, c.SnapshotIdle),
		atLeast("SplitCheckInterval", c.SplitCheckInterval, 0),
		atLeast("SlowWrite", c.SlowWrite, 0),
		atLeast("RegionHeartbeatInterval", c.RegionHeartbeatInterval, 0),
		atLeast("StoreHeartbeatInterval", c.StoreHeartbeatInterval, 0),
	)
}

// atLeast is the error of a field that is less than it must be, nil if it is not.
func atLeast[T int | uint64 | time.Duration](field string, value, least T) error {
	if value < least {
		return fmt.Errorf("raftstore: %s is %v, which must not be less than %v", field, value, least)
	}
	return nil
}

// measures reports whether regions are measured: to be split by their size, or to
// be merged.
func (c *Config) measures() bool {
	return c.RegionMaxSize > 0 || c.RegionMaxKeys > 0 || c.ExactSizes
}

// leaderMissingTicks is MaxLeaderMissing in ticks.
func (c *Config) leaderMissingTicks() int { return max(int(c.MaxLeaderMissing/c.TickInterval), 1) }

// hibernates reports whether regions hibernate at all, after hibernateTicks.
func (c *Config) hibernates() bool    { return c.HibernateTimeout > 0 }
func (c *Config) hibernateTicks() int { return max(int(c.HibernateTimeout/c.TickInterval), 1) }

// pingTicks is the number of ticks between two messages of a store to one with
// which it shares regions that sleep, silenceTicks for how many such a store may be
// silent: four messages may get lost.
func (c *Config) pingTicks() int    { return max(c.ElectionTick/2, 1) }
func (c *Config) silenceTicks() int { return 4 * c.pingTicks() }
