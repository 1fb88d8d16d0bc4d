package txn

import (
	"slices"

	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
)

//nolint:gochecknoglobals // marks register once
var (
	markSafePointClosed  = invariant.NewMark("txn: read or lock refused below the safe point")
	markSafePointSettled = invariant.NewMark("txn: fate of a transaction below the safe point not told")
	markSafePointUnknown = invariant.NewMark("txn: request to a store that does not know the safe points")
	markSafePointInquiry = invariant.NewMark("txn: fate of a transaction asked for that is settled meanwhile")
	markSafePointGone    = invariant.NewMark("txn: lock to resolve was of a transaction that is settled meanwhile")
	markSafePointWaits   = invariant.NewMark("txn: safe point waits for commands below it")
)

// SafePoints are the bounds of garbage collection as a store knows them. Both
// only grow, and Settled is never above Closed.
type SafePoints struct {
	// Closed: nothing new begins below it, neither a read nor a lock. A
	// transaction that holds a lock may still commit, or be rolled back.
	Closed uint64
	// Settled: nothing is decided below it any more. There is no lock of a
	// transaction that began below it, and what records say about it may be gone,
	// so that nobody is told anything.
	Settled uint64
}

// join returns the bounds that both a and b ask for.
func (a SafePoints) join(b SafePoints) SafePoints {
	return SafePoints{max(a.Closed, b.Closed), max(a.Settled, b.Settled)}
}

// safePoints keeps commands on the right side of the bounds. Garbage may be
// collected below a safe point when every store has closed it, all locks below
// it are resolved and every store has settled it: a store that was left out might
// still read what is removed, or decide a transaction of which nothing is left.
//
// A command that was let in before a bound moved may have an effect after it.
// Therefore whoever moves a bound waits for those.
type safePoints struct {
	SafePoints
	// known is false until the store has learnt where the bounds are.
	known bool
	// running are the start timestamps of the write commands under way.
	running []uint64
	ended   env.WaitQueue
}

// SetSafePoints tells a store that has just begun where the bounds are.
func (s *Scheduler) SetSafePoints(p SafePoints) {
	s.safe.SafePoints = s.safe.join(p)
	s.safe.known = true
	s.safe.check()
}

// SafePoints returns the bounds; known is false if the store has yet to learn
// them.
func (s *Scheduler) SafePoints() (p SafePoints, known bool) { return s.safe.SafePoints, s.safe.known }

// MoveSafePoints moves the bounds forward, and waits until no command is under
// way that has passed them where they were.
func (s *Scheduler) MoveSafePoints(t env.Task, p SafePoints) {
	s.safe.SafePoints = s.safe.join(p)
	s.safe.check()
	for slices.ContainsFunc(s.safe.running, func(startTS uint64) bool { return startTS < p.Closed }) {
		markSafePointWaits.Reached()
		s.safe.ended.Wait(t, noLimit)
	}
}

func (p *safePoints) check() {
	invariant.Check(p.Settled <= p.Closed, "txn: safe point %d is settled and only %d is closed", p.Settled, p.Closed)
}

// A bound tells whether a command that concerns a timestamp may run.
type bound func(p *safePoints, ts uint64) error

// closed is the bound of what begins.
func closed(p *safePoints, ts uint64) error {
	if err := p.checkKnown(); err != nil {
		return err
	}
	if markSafePointClosed.Sometimes(ts < p.Closed) {
		return abort("%d is too old: what is visible below %d is no longer kept", ts, p.Closed)
	}
	return nil
}

// settled is the bound of what goes on, for the transaction's own client.
func settled(p *safePoints, ts uint64) error {
	if err := p.checkKnown(); err != nil {
		return err
	}
	if markSafePointSettled.Sometimes(ts < p.Settled) {
		return abort("transaction %d is too old: its fate is no longer known below %d", ts, p.Settled)
	}
	return nil
}

// inquired is the bound of an inquiry by somebody who has met a lock of the transaction.
// Nothing of it is kept, so that nobody can be told its fate; but the lock is gone, too, and
// whoever met it has to look again.
func inquired(primary []byte) bound {
	return func(p *safePoints, ts uint64) error {
		if err := p.checkKnown(); err != nil {
			return err
		}
		if markSafePointInquiry.Sometimes(ts < p.Settled) {
			return txnNotFoundError(ts, primary)
		}
		return nil
	}
}

// known is no bound, where a store knows the bounds: see isGone.
func known(p *safePoints, _ uint64) error { return p.checkKnown() }

// isGone reports whether no lock of the transaction is left anywhere, since it is settled:
// who knows its fate and comes to resolve one has nothing to do.
func (p *safePoints) isGone(startTS uint64) bool {
	return markSafePointGone.Sometimes(startTS < p.Settled)
}

func (p *safePoints) checkKnown() error {
	if markSafePointUnknown.Sometimes(!p.known) {
		return &regionError{&errorpb.Error{
			Message: "the store does not know the safe points yet", ServerIsBusy: &errorpb.ServerIsBusy{Reason: "starting"},
		}}
	}
	return nil
}

// begin notes a command that writes for a transaction, end that it is over.
func (p *safePoints) begin(startTS uint64) { p.running = append(p.running, startTS) }

func (p *safePoints) end(startTS uint64) {
	i := slices.Index(p.running, startTS)
	last := len(p.running) - 1
	p.running[i] = p.running[last]
	p.running = p.running[:last]
	p.ended.WakeAll()
}

// runAbove is run for the command of a transaction, which must not be below the
// bound when it is computed.
func (s *Scheduler) runAbove(t env.Task, ctx *kvrpcpb.Context, allowed bound, startTS uint64, keys [][]byte, p process) outcome {
	s.safe.begin(startTS)
	o := s.run(t, ctx, keys, func(snapshot Snapshot, b *batch) error {
		if err := allowed(&s.safe, startTS); err != nil {
			return err
		}
		return p(snapshot, b)
	})
	s.safe.end(startTS)
	return o
}
