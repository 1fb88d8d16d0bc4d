package txn

import (
	"time"

	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/env"
)

// noLimit makes a proposal wait until its fate is decided; doc.go says why.
const noLimit time.Duration = -1

// anyTerm proposes in whatever term the peer is leader.
const anyTerm = 0

// Scheduler executes the commands of one store. It lives as long as the
// process: what it knows of running commands must not outlive them.
type Scheduler struct {
	log     env.Logger
	sched   env.Scheduler
	clock   env.Clock
	store   RegionStore
	cfg     Config
	latches latches
	ranges  ranges
	pending pending
	// maxTS is the greatest timestamp of a read; see raiseMaxTS. syncs says for
	// each region that this store leads or led whether it covers the reads of
	// earlier leaders.
	maxTS   uint64
	syncs   map[uint64]*maxTSSync
	memory  memoryLocks
	waiters waiters
	safe    safePoints
}

// NewScheduler returns a scheduler on top of store.
func NewScheduler(e *env.Env, store RegionStore, cfg Config) *Scheduler {
	cfg.setDefaults()
	return &Scheduler{
		log: e.Log, sched: e.Sched, clock: e.Clock, store: store, cfg: cfg,
		syncs:   map[uint64]*maxTSSync{},
		waiters: waiters{sched: e.Sched, byKey: map[string][]*waiter{}},
	}
}

// outcome is how a write command ended.
type outcome struct {
	// unknown: the client must not get an answer.
	unknown bool
	// region is set if nothing was done.
	region *errorpb.Error
	// key is set if the command failed by the rules of transactions.
	key *kvrpcpb.KeyError
}

// process computes a command on a snapshot: it adds its modifications to b or
// returns why there are none. It must not wait.
type process func(snapshot Snapshot, b *batch) error

// run executes a write command on the given keys: the stored form of all that
// it may touch. See doc.go for why its answer is right.
func (s *Scheduler) run(t env.Task, ctx *kvrpcpb.Context, keys [][]byte, p process) outcome {
	if len(keys) == 0 {
		return outcome{key: &kvrpcpb.KeyError{Abort: "request without keys"}}
	}
	if regionErr := s.pending.admit(&s.cfg); regionErr != nil {
		return outcome{region: regionErr}
	}
	latched := slotsOf(keys)
	s.latches.acquire(t, latched)
	o := outcome{region: s.ranges.enter(keys)}
	if o.region == nil {
		o = s.runLatched(t, ctx, keys, p)
		s.ranges.leave(keys)
	}
	// Not deferred: if the process ends while the command waits, its latches are
	// of no use to anybody.
	s.latches.release(latched)
	s.pending.tasks--
	return o
}

// runRange executes a write command on the keys of a range, which are not known.
func (s *Scheduler) runRange(t env.Task, ctx *kvrpcpb.Context, r keyRange, p process) outcome {
	if regionErr := s.pending.admit(&s.cfg); regionErr != nil {
		return outcome{region: regionErr}
	}
	end := s.clock.Monotonic() + rangeLimit
	o := outcome{region: s.ranges.claim(t, r, func() time.Duration { return max(0, end-s.clock.Monotonic()) })}
	if o.region == nil {
		o = s.runLatched(t, ctx, [][]byte{r.start}, p)
		s.ranges.release(r)
	}
	s.pending.tasks--
	return o
}

func (s *Scheduler) runLatched(t env.Task, ctx *kvrpcpb.Context, keys [][]byte, p process) outcome {
	b, term, o := s.compute(ctx, keys, p)
	switch {
	case o.region != nil:
	case b.empty():
		o.region = s.confirm(t, ctx, term)
	default:
		size := b.size()
		s.pending.bytes += size
		o = s.propose(t, ctx, term, &b)
		s.pending.bytes -= size
		if o.region == nil {
			s.waiters.released(b.unlocked)
		}
	}
	// What they stand for is applied, or will never be.
	s.memory.release(b.published)
	return o
}

func (s *Scheduler) propose(t env.Task, ctx *kvrpcpb.Context, term uint64, b *batch) outcome {
	if s.cfg.Proposed != nil {
		s.cfg.Proposed()
	}
	regionErr, err := s.store.Propose(t, ctx, term, b.reqs, noLimit)
	if err != nil {
		markUnknownOutcome.Reached()
		if s.log.Enabled() {
			s.log.Logf("txn: proposal of %d changes to region %d left unanswered: %v", len(b.reqs), ctx.GetRegionId(), err)
		}
		return outcome{unknown: true}
	}
	return outcome{region: regionErr}
}

// runBlind executes a write command that needs to know nothing of the state.
func (s *Scheduler) runBlind(t env.Task, ctx *kvrpcpb.Context, keys [][]byte, b *batch) outcome {
	if regionErr := s.pending.admit(&s.cfg); regionErr != nil {
		return outcome{region: regionErr}
	}
	size := b.size()
	s.pending.bytes += size
	latched := slotsOf(keys)
	s.latches.acquire(t, latched)
	o := outcome{region: s.ranges.enter(keys)}
	if o.region == nil {
		o = s.propose(t, ctx, anyTerm, b)
		s.ranges.leave(keys)
	}
	s.latches.release(latched)
	s.pending.tasks--
	s.pending.bytes -= size
	return o
}

// compute runs p on the leader's state. A command that fails modifies nothing.
func (s *Scheduler) compute(ctx *kvrpcpb.Context, keys [][]byte, p process) (b batch, term uint64, o outcome) {
	snapshot, regionErr := s.store.LeaderSnapshot(ctx)
	if regionErr != nil {
		return b, 0, outcome{region: regionErr}
	}
	defer snapshot.Close()
	first, last := bounds(keys)
	if regionErr := checkInRegion(snapshot.Region(), first, last); regionErr != nil {
		return b, 0, outcome{region: regionErr}
	}
	if err := p(snapshot, &b); err != nil {
		o.key, o.region = splitError(err)
		b.reset()
	}
	return b, snapshot.Term(), o
}

// confirm proves that the peer was still leader in term when the command was
// computed, or returns the error with which the client tries again.
func (s *Scheduler) confirm(t env.Task, ctx *kvrpcpb.Context, term uint64) *errorpb.Error {
	snapshot, regionErr := s.store.ReadSnapshot(t, ctx)
	if regionErr != nil {
		return regionErr
	}
	defer snapshot.Close()
	if markTermChanged.Sometimes(snapshot.Term() != term) {
		return &errorpb.Error{Message: "term changed", StaleCommand: &errorpb.StaleCommand{}}
	}
	return nil
}

// read runs fn on a confirmed snapshot.
func (s *Scheduler) read(t env.Task, ctx *kvrpcpb.Context, fn func(Snapshot) error) (*kvrpcpb.KeyError, *errorpb.Error) {
	snapshot, regionErr := s.store.ReadSnapshot(t, ctx)
	if regionErr != nil {
		return nil, regionErr
	}
	defer snapshot.Close()
	if err := fn(snapshot); err != nil {
		return splitError(err)
	}
	return nil, nil
}

// readAt runs fn on a confirmed snapshot for a read at a timestamp, which must not
// be below what is closed, of the encoded keys from lower to upper. Before that,
// the leader of the region knows of the read: this store, or the one that a
// follower asks.
func (s *Scheduler) readAt(
	t env.Task, ctx *kvrpcpb.Context, ts uint64, lower, upper []byte, fn func(Snapshot) error,
) (*kvrpcpb.KeyError, *errorpb.Error) {
	s.raiseMaxTS(ts)
	above := func(snapshot Snapshot) error {
		if err := closed(&s.safe, ts); err != nil {
			return err
		}
		return fn(snapshot)
	}
	if !ctx.GetReplicaRead() {
		return s.read(t, ctx, above)
	}
	snapshot, lock, regionErr := s.store.ReplicaSnapshot(t, ctx, guardOf(ts, lower, upper))
	switch {
	case regionErr != nil:
		return nil, regionErr
	case lock != nil:
		markReplicaLocked.Reached()
		return &kvrpcpb.KeyError{Locked: lock}, nil
	}
	defer snapshot.Close()
	if err := above(snapshot); err != nil {
		return splitError(err)
	}
	return nil, nil
}
