package engine

import (
	"time"

	"github.com/cockroachdb/pebble/v2"

	"simrun/nodes/invariant"
)

//nolint:gochecknoglobals // marks register once
var markNothingWritten = invariant.NewMark("engine: compaction has written no table")

// Work is a flush or compaction.
type Work struct {
	// Flush: it has written a memtable to level 0; otherwise it has compacted From
	// into To. A compaction that has Moved its tables has only changed the
	// MANIFEST.
	Flush    bool
	Moved    bool
	From, To int
	// Read and Written are the bytes of the tables that it has read and written.
	Read, Written int64
	// Took is its virtual time, from its start to the instant at which the disk
	// and the bandwidth of background work have let it end.
	Took time.Duration
	// Levels is the number of levels that hold tables after it.
	Levels int
}

// job is work that Pebble has done and whose virtual time is not over. Pebble
// does its work in no time; what makes it slow - the disk, and the bandwidth
// that it may use - lets the job end later, and with it what waits for it: the
// next compaction, and the writes that a stall holds back.
type job struct {
	work  Work
	began time.Duration
	end   time.Duration // not before this instant, for want of bandwidth
	// l0 is the number of tables of level 0 that a compaction reads. Writes are
	// stalled by them until it is over.
	l0 int
}

// jobs is the background work under way, in virtual time.
type jobs struct {
	// flushing is the number of flushes, each of one memtable.
	flushing int
	// flushEnds is the instant at which the bandwidth has let through what the
	// flushes so far have written. Flushes come before compactions, as writes
	// wait for them first.
	flushEnds time.Duration
	// compacting is the compaction under way, nil if there is none. There is one
	// at a time.
	compacting *job
	// written is what Pebble's flushes have written since the last job, compacted
	// its last compaction, nil if that has failed. They are written on goroutines
	// of Pebble, and read when it has come to rest.
	written   int64
	compacted *job
}

// noteFlush is called by Pebble when a flush has succeeded.
func (j *jobs) noteFlush(info *pebble.FlushInfo) {
	for i := range info.Output {
		j.written += int64(info.Output[i].Size)
	}
}

// noteCompaction is called by Pebble when a compaction has succeeded.
func (j *jobs) noteCompaction(info *pebble.CompactionInfo) {
	c := &job{work: Work{From: info.Input[0].Level, To: info.Output.Level, Moved: info.Reason == "move"}}
	w := &c.work
	for _, level := range info.Input {
		if level.Level == 0 {
			c.l0 += len(level.Tables)
		}
		for i := range level.Tables {
			w.Read += int64(level.Tables[i].Size)
		}
	}
	for i := range info.Output.Tables {
		w.Written += int64(info.Output.Tables[i].Size)
	}
	if w.Moved {
		w.Read, w.Written = 0, 0
	}
	j.compacted = c
}

// transfer returns how long that many bytes take within the bandwidth of
// background work.
func (db *DB) transfer(bytes int64) time.Duration {
	if db.opts.RateBytesPerSec == 0 {
		return 0
	}
	return time.Duration(bytes * int64(time.Second) / db.opts.RateBytesPerSec)
}

// beginFlush starts the virtual time of the flush that Pebble has just done.
func (db *DB) beginFlush() {
	j, now := &db.jobs, db.env.Clock.Monotonic()
	f := &job{work: Work{Flush: true, Written: j.written}, began: now}
	j.written = 0
	markFlushStalled.Sometimes(db.stall.flow == Stopped)
	took := db.transfer(f.work.Written)
	j.flushEnds = max(j.flushEnds, now) + took
	f.end = j.flushEnds
	if c := j.compacting; c != nil && took > 0 {
		markCompactionYields.Reached()
		c.end += took
	}
	j.flushing++
	db.wait(f)
}

// beginCompaction starts the virtual time of the compaction that Pebble has
// just done.
func (db *DB) beginCompaction() {
	c := db.jobs.compacted
	if c == nil {
		return // it has failed, and will be tried again
	}
	db.jobs.compacted, db.jobs.compacting = nil, c
	markNothingWritten.Sometimes(c.work.Read > 0 && c.work.Written == 0)
	c.began = db.env.Clock.Monotonic()
	c.end = max(db.jobs.flushEnds, c.began) + db.transfer(c.work.Read+c.work.Written)
	db.env.Disk.ReadBytes(c.work.Read)
	db.wait(c)
}

// wait ends the job when the disk has done its part and the bandwidth allows.
func (db *DB) wait(j *job) {
	db.env.Disk.Barrier(func() { db.due(j) })
}

func (db *DB) due(j *job) {
	if !db.usable() {
		return
	}
	if now := db.env.Clock.Monotonic(); now < j.end {
		db.env.Sched.After(j.end-now, func() { db.due(j) })
		return
	}
	db.endJob(j)
}

func (db *DB) endJob(j *job) {
	if j.work.Flush {
		db.jobs.flushing--
	} else {
		markLowerCompaction.Sometimes(j.work.From > 0)
		markMoved.Sometimes(j.work.Moved)
		db.jobs.compacting = nil
		db.armCompaction()
	}
	j.work.Took = db.env.Clock.Monotonic() - j.began
	j.work.Levels = db.stall.shape.levels
	db.opts.Observer.Worked(db.name, j.work)
	db.assess()
}
