package engine

import (
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

// compactionScheduler is Pebble's compaction scheduler. It grants nothing by
// itself; run grants one compaction and waits until it is done.
type compactionScheduler struct {
	// db is known before the first flush, which Pebble may do while it is opened.
	db *pebble.DB
	// wanted: Pebble has asked for a compaction. It does not ask again until it
	// was told to look for one and found none.
	wanted atomic.Bool
	done   chan struct{}
	// flushTail is called near the end of each attempt to flush.
	flushTail func()
}

var _ pebble.CompactionScheduler = (*compactionScheduler)(nil)

func newCompactionScheduler(flushTail func()) *compactionScheduler {
	return &compactionScheduler{done: make(chan struct{}, 1), flushTail: flushTail}
}

// Register implements pebble.CompactionScheduler. What Pebble registers is the
// database itself.
func (s *compactionScheduler) Register(_ int, db pebble.DBForCompaction) { s.db = db.(*pebble.DB) }

// Unregister implements pebble.CompactionScheduler.
func (s *compactionScheduler) Unregister() {}

// UpdateGetAllowedWithoutPermission implements pebble.CompactionScheduler.
// Pebble calls it when a flush was tried, and at no other time.
func (s *compactionScheduler) UpdateGetAllowedWithoutPermission() { s.flushTail() }

// TrySchedule implements pebble.CompactionScheduler.
func (s *compactionScheduler) TrySchedule() (bool, pebble.CompactionGrantHandle) {
	s.wanted.Store(true)
	return false, nil
}

// waiting reports whether Pebble wants a compaction now.
func (s *compactionScheduler) waiting() bool {
	wants, _ := s.db.GetWaitingCompaction()
	s.wanted.Store(wants)
	return wants
}

// run runs one compaction, if Pebble wants one.
func (s *compactionScheduler) run() bool {
	if !s.waiting() || !s.db.Schedule(grant{s}) {
		s.wanted.Store(false)
		return false
	}
	<-s.done
	// What is left of the compaction looks for the next one, as this call does;
	// the second to come finds nothing to do.
	s.waiting()
	return true
}

// grant is the permission for one compaction.
type grant struct{ s *compactionScheduler }

var _ pebble.CompactionGrantHandle = grant{}

// Started implements pebble.CompactionGrantHandle.
func (grant) Started() {}

// MeasureCPU implements pebble.CompactionGrantHandle.
func (grant) MeasureCPU(pebble.CompactionGoroutineKind) {}

// CumulativeStats implements pebble.CompactionGrantHandle.
func (grant) CumulativeStats(pebble.CompactionGrantHandleStats) {}

// Done implements pebble.CompactionGrantHandle.
func (g grant) Done() { g.s.done <- struct{}{} }
