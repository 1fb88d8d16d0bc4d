package engine

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"simrun/nodes/invariant"
)

//nolint:gochecknoglobals // marks register once
var (
	markRetried = invariant.NewMark("engine: background work failed and was tried again")
	markOpening = invariant.NewMark("engine: storage error while a database was opened")
	markFatal   = invariant.NewMark("engine: storage error ended the process")
)

// maxBackgroundFailures is how many flushes and compactions may fail in a row.
// Pebble itself would go on for ever.
const maxBackgroundFailures = 3

// failure is what is known about errors that end the process. It is set on any
// goroutine, and acted on by the thread of control.
type failure struct {
	trapped atomic.Pointer[string] // the reason; nil while all is well
	inARow  atomic.Int32           // failures of background work since the last success
	retried atomic.Int32           // failures that were not final, not yet marked
	// abandoned is closed when the database is closed. A flush that has failed
	// too often waits for it, lest it be tried again for ever.
	abandoned   chan struct{}
	abandonOnce sync.Once
	exited      atomic.Bool // Exit was called
}

func (f *failure) init() { f.abandoned = make(chan struct{}) }

// trap notes the first reason for which the process has to end.
func (f *failure) trap(reason string) { f.trapped.CompareAndSwap(nil, &reason) }

func (f *failure) abandon() { f.abandonOnce.Do(func() { close(f.abandoned) }) }

// failed reports whether the process has to end or has ended.
func (f *failure) failed() bool { return f.trapped.Load() != nil }

// check ends the process if err is an error, or if there was one in the
// background.
func (db *DB) check(err error, doing string) error {
	if err != nil {
		db.trap(fmt.Sprintf("engine: %s: %s: %v", db.name, doing, err))
	}
	if !db.failed() {
		return nil
	}
	db.exit()
	if err == nil {
		return ErrClosed
	}
	return fmt.Errorf("engine: %s: %s: %w", db.name, doing, err)
}

// exit ends the process for the trapped reason. Exit may not return.
func (db *DB) exit() {
	if db.closed || db.exited.Swap(true) {
		return
	}
	markFatal.Reached()
	db.env.Exit(*db.trapped.Load())
}

// failureLogger is Pebble's logger. What Pebble tells has no place in a log
// whose order is part of the simulation, except that it cannot go on.
type failureLogger DB

func (*failureLogger) Infof(string, ...any)  {}
func (*failureLogger) Errorf(string, ...any) {}

// Fatalf returns, unlike Pebble's own: the process is ended by the thread of
// control when Pebble has come to rest.
func (l *failureLogger) Fatalf(format string, args ...any) {
	(*DB)(l).trap(fmt.Sprintf("engine: %s: %s", l.name, fmt.Sprintf(format, args...)))
}

// compactionFailed is called by Pebble after a failed compaction, with Pebble's
// mutex held. Where the file of a table has failed, it is tried again like a flush.
// After any other error Pebble avoids the tables for a while, by its own clock: the
// process ends.
func (db *DB) compactionFailed(err error) {
	if errors.Is(err, pebble.ErrCancelledCompaction) {
		db.backgroundError(err)
		return
	}
	db.trap(fmt.Sprintf("engine: %s: compaction: %v", db.name, err))
}

// backgroundError is called by Pebble after a failed flush, and as part of
// compactionFailed, with Pebble's mutex held.
func (db *DB) backgroundError(err error) {
	db.flushFailed.Store(db.flushing.Load()) // a compaction and a flush never run side by side
	n := db.inARow.Add(1)
	if n < maxBackgroundFailures && !pebble.IsCorruptionError(err) && !db.failed() {
		db.retried.Add(1)
		return
	}
	db.trap(fmt.Sprintf("engine: %s: background error: %v", db.name, err))
	if db.p == nil {
		// Open waits for this flush, on the thread of control, until it succeeds.
		// Once the process has ended, its file system is nobody's and does.
		markOpening.Reached()
		db.exit()
		return
	}
	if db.flushing.Load() {
		db.signalFlush()
		<-db.abandoned
	}
}
