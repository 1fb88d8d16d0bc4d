package raftstore

import (
	"time"

	"simrun/nodes/invariant"
)

var markSlowStore = invariant.NewMark("raftstore: store reports that it is slow") //nolint:gochecknoglobals // marks register once

// slowness is a score of how slow the disk of a store is, from 1 to slowScoreMax,
// which the placement driver is told: it grows fourfold in each period in which a
// write of the raft log takes too long, and falls a step at a time in the others,
// so that one slow write means little and a slow disk is not forgiven at once
// (TiKV, components/raftstore/src/store/worker/pd.rs, SlowScore).
type slowness struct {
	score   uint64
	begun   time.Duration // when the write under way began
	running bool
	longest time.Duration // of the writes that ended in this period
}

const (
	slowScoreMax  = 100
	slowScoreRise = 4
	slowScoreFall = 10
)

func (sl *slowness) begin(now time.Duration) { sl.begun, sl.running = now, true }

func (sl *slowness) end(now time.Duration) {
	sl.longest = max(sl.longest, now-sl.begun)
	sl.running = false
}

// report closes a period and returns the score. A write that has not ended yet
// counts with the time that it has taken so far.
func (sl *slowness) report(now, tooLong time.Duration) uint64 {
	longest := sl.longest
	if sl.running {
		longest = max(longest, now-sl.begun)
	}
	sl.longest = 0
	score := max(sl.score, 1)
	if longest > tooLong {
		score = min(slowScoreRise*score, slowScoreMax)
	} else {
		score = max(score, 1+slowScoreFall) - slowScoreFall
	}
	sl.score = score
	markSlowStore.Sometimes(score == slowScoreMax)
	return score
}
