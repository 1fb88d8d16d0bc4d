package engine

import (
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"simrun/nodes/env"
)

// memTableReserve is what Pebble takes of a memtable before the first entry,
// generously.
const memTableReserve = 4 << 10

// background decides when work that Pebble would do in the background is done.
type background struct {
	rand      env.Rand
	scheduler *compactionScheduler
	cleaner   *deferringCleaner

	// used is the most that the memtable can hold by now; it never exceeds
	// capacity. From flushAt on a flush is armed.
	used, capacity, flushAt int
	// rotations counts the logs that Pebble has begun. It begins one for each
	// memtable, on the thread of control.
	rotations uint64
	// flushing: a flush is under way. flushFailed: its last attempt has failed, and
	// Pebble will try it again.
	flushing    atomic.Bool
	flushFailed atomic.Bool
	flushEnded  chan struct{} // gets a token when it has ended or failed for good

	flushArmed, compactionArmed, cleaningArmed bool
}

func (bg *background) init(db *DB) {
	bg.rand = db.env.Streams.Stream("engine " + db.name)
	bg.scheduler = newCompactionScheduler(db.flushTail)
	bg.cleaner = &deferringCleaner{}
	bg.capacity = db.opts.MemTableSize - memTableReserve
	bg.flushEnded = make(chan struct{}, 1)
	bg.drawFlushAt()
}

// drawFlushAt chooses how full the memtable may become before its flush, so
// that tables of different sizes, and flushes in different states, are seen.
func (bg *background) drawFlushAt() {
	bg.flushAt = bg.capacity/2 + bg.rand.IntN(bg.capacity/2)
}

// delay draws a delay up to limit.
func (bg *background) delay(limit time.Duration) time.Duration {
	microseconds := int(limit / time.Microsecond)
	return time.Duration(bg.rand.IntN(microseconds+1)) * time.Microsecond
}

// opened starts from what Pebble did when it recovered its logs.
func (db *DB) opened() {
	select { //nolint:gocritic // drains a channel on which nobody sends any more
	case <-db.flushEnded:
	default:
	}
	db.quiesce()
	db.readShape()
	db.jobs = jobs{} // what Pebble did while it was opened took no time
	db.armCleaning()
	db.armCompaction()
	db.assess()
}

// quiesce waits for the tail of a flush, which holds the mutex that this call
// needs.
func (db *DB) quiesce() { db.scheduler.waiting() }

// Flush writes the memtable to a table. The log before it can then be deleted.
func (db *DB) Flush() error {
	if !db.usable() {
		return ErrClosed
	}
	if db.used == 0 {
		return nil
	}
	if _, err := db.p.AsyncFlush(); err != nil {
		return db.check(err, "flush")
	}
	return db.flushed()
}

// flushed waits for the flush that the last call to Pebble has started.
func (db *DB) flushed() error {
	<-db.flushEnded
	for range db.retried.Swap(0) {
		markRetried.Reached()
	}
	if db.failed() {
		return db.check(nil, "flush") // Pebble's mutex may be held
	}
	db.quiesce()
	db.used = 0
	db.drawFlushAt()
	db.readShape()
	db.beginFlush()
	db.armCompaction()
	db.armCleaning()
	db.assess()
	return nil
}

// flushTail is called by Pebble after each attempt to flush, with the mutex held
// from here to the end of the flush. FlushEnd comes too early, since Pebble gives
// up the mutex once more after it, and does not tell whether the flush has failed:
// for Pebble it is an error, but none in the background, that there was nothing
// to write, as after the deletion of an empty range.
func (db *DB) flushTail() {
	if db.flushFailed.Load() {
		return // it is tried again
	}
	if db.flushing.Swap(false) {
		db.inARow.Store(0)
	}
	db.signalFlush()
}

// signalFlush lets flushed go on.
func (bg *background) signalFlush() {
	select { //nolint:gocritic // a send that does not block: one token is enough
	case bg.flushEnded <- struct{}{}:
	default:
	}
}

// eventListener observes Pebble, mostly from its goroutines.
func (db *DB) eventListener() *pebble.EventListener {
	return &pebble.EventListener{
		BackgroundError: db.backgroundError,
		DataCorruption: func(info pebble.DataCorruptionInfo) {
			db.trap("engine: " + db.name + ": " + info.String())
		},
		WALCreated: func(pebble.WALCreateInfo) { db.rotations++ },
		FlushBegin: func(pebble.FlushInfo) {
			db.flushFailed.Store(false)
			db.flushing.Store(true)
			db.awaitCleaner()
		},
		FlushEnd: func(info pebble.FlushInfo) {
			if info.Err == nil {
				db.jobs.noteFlush(&info)
			}
		},
		CompactionBegin: func(pebble.CompactionInfo) { db.awaitCleaner() },
		CompactionEnd: func(info pebble.CompactionInfo) {
			if info.Err != nil {
				db.compactionFailed(info.Err)
				return
			}
			db.inARow.Store(0)
			db.jobs.noteCompaction(&info)
		},
	}
}

// armFlush flushes the memtable at a seeded instant.
func (db *DB) armFlush() {
	if db.flushArmed {
		return
	}
	db.flushArmed = true
	db.env.Sched.After(db.delay(db.opts.FlushDelay), func() {
		db.flushArmed = false
		if db.usable() && db.used >= db.flushAt { // not flushed meanwhile
			_ = db.Flush() // ends the process if it fails
		}
	})
}

// armCompaction grants a compaction at a seeded instant, if Pebble wants one and
// none is under way.
func (db *DB) armCompaction() {
	if db.compactionArmed || db.jobs.compacting != nil || !db.scheduler.wanted.Load() {
		return
	}
	db.compactionArmed = true
	db.env.Sched.After(db.delay(db.opts.CompactionDelay), func() {
		db.compactionArmed = false
		if db.usable() {
			db.compact()
		}
	})
}

// compact runs one compaction and arms the next.
func (db *DB) compact() {
	if !db.scheduler.run() {
		db.assess()
		return
	}
	for range db.retried.Swap(0) {
		markRetried.Reached()
	}
	if db.check(nil, "compaction") != nil {
		return
	}
	db.readShape()
	db.beginCompaction()
	db.armCompaction()
	db.armCleaning()
	db.assess()
}

// armCleaning deletes obsolete files at a seeded instant.
func (db *DB) armCleaning() {
	if db.cleaningArmed {
		return
	}
	db.cleaningArmed = true
	db.env.Sched.After(db.delay(db.opts.CleanDelay), func() {
		db.cleaningArmed = false
		if db.usable() {
			db.clean()
		}
	})
}

// awaitCleaner waits until Pebble's cleaning goroutine has handed all files that Pebble
// has given up by now to the cleaner. For Pebble they are deleted then, which changes the
// directory: a flush or compaction that writes no table syncs it for that alone. So
// none begins before, not even a flush that Pebble does while it is opened, or that it
// tries again by itself: what has failed has given up the table that it had begun.
//
// It may be called with Pebble's mutex held, which the cleaning goroutine takes only to
// pace deletions, and they are not paced.
func (db *DB) awaitCleaner() { db.scheduler.db.TestOnlyWaitForCleaning() }

// clean deletes the files that Pebble has given up by now.
func (db *DB) clean() {
	db.awaitCleaner()
	_ = db.check(db.cleaner.clean(), "delete obsolete files") // ends the process
}
