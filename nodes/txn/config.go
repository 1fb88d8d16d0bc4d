package txn

import (
	"time"

	"github.com/pingcap/kvproto/pkg/errorpb"

	"simrun/nodes/env"
)

// Config is what a scheduler needs of its surroundings, and its limits. A limit
// of zero is the default.
type Config struct {
	// Timestamp asks the placement driver for a timestamp, once.
	Timestamp func(t env.Task) (uint64, error)
	// Detector finds deadlocks among pessimistic transactions.
	Detector Detector

	// Proposed, if not nil, is told of every proposal of a command.
	Proposed func()

	// Queued, if not nil, is told that a request of transaction startTS stands in the
	// queue for a lock of transaction holder in a region, and what it returns is called
	// when it does not any more. Nothing depends on what it does: it is for whoever
	// judges how long clients wait, and for whom.
	Queued func(startTS, holder, region uint64) (left func())

	// WaitTimeout is the longest that a request waits for a pessimistic lock.
	// Default 1 s.
	WaitTimeout time.Duration
	// PendingTasksMax is the number of write commands that may be under way, and
	// PendingBytesMax the size of what they have proposed, above which further
	// ones are turned away. Defaults 2048 and 16 MiB.
	PendingTasksMax int
	PendingBytesMax int
	// WaitersMax is the number of requests that may wait for pessimistic locks, above
	// which further ones are turned away: they are under way no more, and would fill
	// the memory of a store on which everybody waits for one key. Default 2048.
	//
	// Reads have no such bound. What one holds is its request and, if it waits for its
	// leadership to be confirmed or for an index to be applied, a place in the peer's
	// list, until its peer's role changes: no snapshot, no latch and no result, which
	// is made when the wait is over and sent at once.
	WaitersMax int
}

func (cfg *Config) setDefaults() {
	if cfg.Queued == nil {
		cfg.Queued = func(uint64, uint64, uint64) func() { return func() {} }
	}
	if cfg.WaitTimeout <= 0 {
		cfg.WaitTimeout = time.Second
	}
	if cfg.PendingTasksMax <= 0 {
		cfg.PendingTasksMax = 2048
	}
	if cfg.WaitersMax <= 0 {
		cfg.WaitersMax = 2048
	}
	if cfg.PendingBytesMax <= 0 {
		cfg.PendingBytesMax = 16 << 20
	}
}

// pending counts what the scheduler has under way.
type pending struct {
	tasks, bytes int
}

// admit counts one more command, or turns it away: an answer that comes too late
// for its client costs as much as one that is of use.
func (p *pending) admit(cfg *Config) *errorpb.Error {
	if markBusy.Sometimes(p.tasks >= cfg.PendingTasksMax || p.bytes >= cfg.PendingBytesMax) {
		return busyError("too many writes are under way")
	}
	p.tasks++
	return nil
}

func busyError(reason string) *errorpb.Error {
	return &errorpb.Error{Message: "scheduler is busy", ServerIsBusy: &errorpb.ServerIsBusy{Reason: reason}}
}
