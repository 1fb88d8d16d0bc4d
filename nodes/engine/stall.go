package engine

import (
	"fmt"
	"time"

	"simrun/nodes/invariant"
)

//nolint:gochecknoglobals // marks register once
var (
	markSlowed           = invariant.NewMark("engine: writes slowed down")
	markStoppedMemTables = invariant.NewMark("engine: writes stopped by immutable memtables")
	markStoppedL0        = invariant.NewMark("engine: writes stopped by files of level 0")
	markStoppedPending   = invariant.NewMark("engine: writes stopped by pending compaction bytes")
	markStopLeft         = invariant.NewMark("engine: a stop of writes has ended")
	markWriteWaited      = invariant.NewMark("engine: a write waited for its turn")
	markFlushStalled     = invariant.NewMark("engine: flush while writes are stopped")
	markLowerCompaction  = invariant.NewMark("engine: compaction between levels below 0")
	markMoved            = invariant.NewMark("engine: compaction that only moves tables")
	markCompactionYields = invariant.NewMark("engine: compaction yields its bandwidth to a flush")
)

// Flow says how freely writes pass.
type Flow uint8

// The states of the flow.
const (
	Flowing Flow = iota
	// Slowed: each write puts the next one off.
	Slowed
	// Stopped: no write passes until background work has caught up.
	Stopped
)

// String returns the name of the state.
func (f Flow) String() string {
	switch f {
	case Flowing:
		return "flowing"
	case Slowed:
		return "slowed"
	case Stopped:
		return "stopped"
	default:
		return fmt.Sprintf("flow(%d)", uint8(f))
	}
}

// Cause is what stalls writes most.
type Cause uint8

// The causes of a stall.
const (
	NoCause Cause = iota
	ImmutableMemTables
	L0Files
	PendingCompactionBytes
)

// String describes the cause.
func (c Cause) String() string {
	switch c {
	case NoCause:
		return "nothing"
	case ImmutableMemTables:
		return "immutable memtables"
	case L0Files:
		return "files in level 0"
	case PendingCompactionBytes:
		return "pending compaction bytes"
	default:
		return fmt.Sprintf("cause(%d)", uint8(c))
	}
}

// Observer is told what happens in a database. It is called by the thread of
// control and must not call the database.
type Observer interface {
	// Worked: a flush or compaction is over.
	Worked(db string, w Work)
	// Stalled: the flow of writes has changed, or what slows it down.
	Stalled(db string, f Flow, c Cause)
}

type noObserver struct{}

func (noObserver) Worked(string, Work)         {}
func (noObserver) Stalled(string, Flow, Cause) {}

// shape is what stalls depend on, as of Pebble's last flush or compaction.
type shape struct {
	l0Files int64
	// debt is Pebble's estimate of the bytes that compactions have to rewrite
	// until every level is within its size.
	debt uint64
	// levels is the number of levels that hold tables.
	levels int
}

// stall holds back writes while background work lags behind: by a delay that
// grows with the backlog, and entirely from a limit on.
//
// Pebble's own stalls block the calling thread, which here is the event loop
// and has to run for anything to end; their limits are out of reach. So the
// engine tells its callers to wait instead: whoever can wait asks Admit before
// a write. Write itself never waits, since some writes must not: what a store
// does when it starts, and what a snapshot brings.
type stall struct {
	flow    Flow
	cause   Cause
	backlog int // per mille of the way from slowdown to stop
	shape   shape
	// next is the instant before which no write is admitted while writes are
	// slowed down.
	next time.Duration
	// waiting get another chance to ask.
	waiting []func()
	armed   bool // a timer will wake them
}

// Admit reports whether a write may be made now. If not, fn is called when it is
// worth asking again.
func (db *DB) Admit(fn func()) bool {
	s := &db.stall
	if !db.usable() || s.flow == Flowing {
		return true
	}
	wait := s.next - db.env.Clock.Monotonic()
	if s.flow == Slowed && wait <= 0 {
		return true
	}
	markWriteWaited.Reached()
	s.waiting = append(s.waiting, fn)
	if s.flow == Slowed && !s.armed {
		s.armed = true
		db.env.Sched.After(wait, func() {
			s.armed = false
			db.wake()
		})
	}
	return false
}

// Delay returns how long a write would wait now. A stop lasts for as long as
// background work takes, which is not known.
func (db *DB) Delay() (delay time.Duration, stopped bool) {
	switch db.stall.flow {
	case Slowed:
		return max(0, db.stall.next-db.env.Clock.Monotonic()), false
	case Stopped:
		return 0, true
	default:
		return 0, false
	}
}

// wake lets everybody who waits ask again, each in an event of its own: this may
// be called in the middle of a write.
func (db *DB) wake() {
	waiting := db.stall.waiting
	db.stall.waiting = nil
	for _, fn := range waiting {
		db.env.Sched.After(0, func() {
			if db.usable() {
				fn()
			}
		})
	}
}

// charge puts off the next write for the sake of one of that many bytes.
func (db *DB) charge(bytes int) {
	s := &db.stall
	if s.flow != Slowed {
		return
	}
	// What is left of the bandwidth shrinks with the distance to the stop; a
	// sixteenth always is.
	rate := max(db.slowRate()*int64(1000-s.backlog)/1000, db.slowRate()/16, 1)
	now := db.env.Clock.Monotonic()
	s.next = max(s.next, now) + time.Duration(int64(bytes)*int64(time.Second)/rate)
}

// unlimitedRate stands for the bandwidth where it has no limit: a slowdown has
// to have some rate.
const unlimitedRate = 16 << 20

// slowRate is the rate of writes at the beginning of a slowdown, in bytes a
// second: that of background work, as what comes faster cannot be kept up with.
func (db *DB) slowRate() int64 {
	if db.opts.RateBytesPerSec == 0 {
		return unlimitedRate
	}
	return db.opts.RateBytesPerSec
}

// readShape asks Pebble what it looks like. It must have come to rest.
func (db *DB) readShape() {
	m := db.p.Metrics()
	invariant.Check(m.Compact.NumProblemSpans == 0, "engine: %s: Pebble avoids tables by its own clock", db.name)
	s := shape{l0Files: m.Levels[0].TablesCount, debt: m.Compact.EstimatedDebt}
	for i := range m.Levels {
		if m.Levels[i].TablesCount > 0 {
			s.levels++
		}
	}
	db.stall.shape = s
}

// assess follows a change of the backlog.
func (db *DB) assess() {
	flow, cause, backlog := db.backlog()
	s := &db.stall
	s.backlog = backlog
	if flow == s.flow && cause == s.cause {
		return
	}
	was := s.flow
	s.flow, s.cause = flow, cause
	if flow != was {
		db.turned(was)
	}
	db.opts.Observer.Stalled(db.name, flow, cause)
}

// turned follows a change of the flow.
func (db *DB) turned(was Flow) {
	s := &db.stall
	markSlowed.Sometimes(s.flow == Slowed && was == Flowing)
	markStopLeft.Sometimes(was == Stopped)
	s.next = 0
	if s.flow != Stopped {
		db.wake()
		return
	}
	switch s.cause {
	case ImmutableMemTables:
		markStoppedMemTables.Reached()
	case L0Files:
		markStoppedL0.Reached()
	default:
		markStoppedPending.Reached()
	}
}

// backlog judges the work that is to be done by what is worst.
func (db *DB) backlog() (flow Flow, cause Cause, perMille int) {
	o, s := &db.opts, &db.stall.shape
	perMille = -1
	judge := func(c Cause, have, slow, stop int64) {
		if p := int((have - slow) * 1000 / (stop - slow)); have >= slow && p > perMille {
			cause, perMille = c, p
		}
	}
	// A memtable is immutable until its flush is over.
	judge(ImmutableMemTables, int64(db.jobs.flushing), int64(o.MemTablesMax)-1, int64(o.MemTablesMax))
	l0, debt := s.l0Files, int64(s.debt)
	if c := db.jobs.compacting; c != nil {
		l0 += int64(c.l0)
		debt += c.work.Read
	} else if !db.scheduler.wanted.Load() {
		// Nothing is going to become better, so nobody shall wait for it.
		l0, debt = 0, 0
	}
	judge(L0Files, l0, int64(o.L0SlowdownFiles), int64(o.L0StopFiles))
	judge(PendingCompactionBytes, debt, o.PendingBytesSlowdown, o.PendingBytesStop)
	switch {
	case perMille < 0:
		return Flowing, NoCause, 0
	case perMille < 1000:
		return Slowed, cause, perMille
	default:
		return Stopped, cause, 1000
	}
}
