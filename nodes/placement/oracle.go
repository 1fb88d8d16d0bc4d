package placement

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"simrun/nodes/codec"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
)

//nolint:gochecknoglobals // marks register once
var (
	markWindowSaved  = invariant.NewMark("placement: timestamp window extended")
	markResynced     = invariant.NewMark("placement: timestamps begin above the window of an earlier leadership")
	markWindowLoad   = invariant.NewMark("placement: timestamp request waited for the window to be extended")
	markLogicalFull  = invariant.NewMark("placement: logical part of the timestamp overflowed")
	markClockBack    = invariant.NewMark("placement: wall clock behind the timestamps")
	markClockForward = invariant.NewMark("placement: wall clock jumped forward, timestamps follow slowly")
)

// maxLogical is the greatest counter of timestamps within a millisecond.
const maxLogical = 1<<codec.LogicalBits - 1

// oracle hands out the timestamps of one leadership: each greater than all
// before it, over all leaderships, and close to the wall clock where that can be
// had.
//
// A timestamp is used only if its physical part is below saved, a bound that
// this leadership has committed. Whoever leads next begins above the bound.
type oracle struct {
	clock   env.Clock
	storage Storage
	window  int64 // ms

	physical int64 // of the last timestamp, ms
	logical  int64
	saved    int64         // committed bound, exclusive
	wanted   int64         // the physical part for which the window had no room last
	saving   bool          // a greater bound is being saved
	waiting  env.WaitQueue // requests that need a greater bound
	last     uint64        // the last timestamp handed out

	// anchor is a physical part, and anchored the monotonic instant, at which the
	// wall clock was last found trustworthy.
	anchor   int64
	anchored time.Duration
}

// newOracle begins above all timestamps that any leader before can have used:
// its first one needs a bound of its own. From there it follows the wall clock as it
// does after a jump: that of this node may be wrong where the one before was right.
func newOracle(clock env.Clock, img Image, storage Storage, window time.Duration) (*oracle, error) {
	o := &oracle{clock: clock, storage: storage, window: window.Milliseconds()}
	err := img.Load(keyTimestamp, func(_ string, value []byte) error {
		bound, err := decodeUint64(value)
		o.saved = int64(bound)
		return err
	})
	if err != nil {
		return nil, err
	}
	o.physical = o.saved + 1
	if o.saved == 0 { // the first leadership
		o.physical = clock.Wall().UnixMilli()
	}
	markResynced.Sometimes(o.saved > clock.Wall().UnixMilli())
	o.anchor, o.anchored = o.physical, clock.Monotonic()
	return o, nil
}

// take hands out count timestamps and returns the last of them. It waits, at
// most for limit, if the window has to be extended first.
func (o *oracle) take(t env.Task, count int64, limit time.Duration) (physical, logical int64, err error) {
	invariant.Check(count > 0 && count <= maxLogical, "placement: %d timestamps asked for at once", count)
	latest := int64(math.MaxInt64)
	for {
		if !o.storage.Leads() {
			return 0, 0, errNotLeader
		}
		if o.tryTake(count, latest) {
			return o.physical, o.logical, nil
		}
		markWindowLoad.Reached()
		o.extend()
		if !o.waiting.Wait(t, limit) {
			return 0, 0, fmt.Errorf("placement: extend the timestamp window: %w", env.ErrTimeout)
		}
		// Whoever has waited takes what the window has: were it to ask for the
		// wall clock again, a disk slower than the window is wide would keep it
		// waiting for ever.
		latest = o.saved - 1
	}
}

// tryTake hands out count timestamps whose physical part follows the wall clock
// up to latest, if the window has room for them.
func (o *oracle) tryTake(count, latest int64) bool {
	physical, logical := o.physical, o.logical
	if target := min(o.target(), latest); target > physical {
		physical, logical = target, 0
	}
	if logical+count > maxLogical {
		markLogicalFull.Reached()
		physical, logical = physical+1, 0
	}
	if physical >= o.saved {
		o.wanted = physical
		return false
	}
	o.physical, o.logical = physical, logical+count
	if o.saved-o.physical <= o.window/2 {
		o.extend() // before anybody has to wait for it
	}
	ts := codec.ComposeTS(uint64(o.physical), uint64(o.logical))
	invariant.Check(ts-uint64(count) >= o.last, "placement: timestamps up to %d after %d", ts, o.last)
	o.last = ts
	return true
}

// target returns the physical part that the wall clock asks for. Two instants
// within a millisecond are the same.
//
// The wall clock may jump. Backward it is not followed at all. Forward it is
// followed at one and a half times the speed of time, so that a jump that is taken back
// soon does not leave timestamps far in the future, where locks would seem to have
// expired. Twice the speed would be too fast for those who keep locks alive and do it
// whenever half of a TTL has passed.
func (o *oracle) target() int64 {
	now, monotonic := o.clock.Wall().UnixMilli(), o.clock.Monotonic()
	if now <= o.physical {
		markClockBack.Sometimes(now < o.physical)
		o.anchor, o.anchored = o.physical, monotonic
		return o.physical
	}
	if fastest := o.anchor + (monotonic-o.anchored).Milliseconds()*3/2 + 1; now > fastest {
		markClockForward.Reached()
		return fastest
	}
	o.anchor, o.anchored = now, monotonic
	return now
}

// extend saves a greater bound, unless one is being saved.
func (o *oracle) extend() {
	if o.saving {
		return
	}
	o.saving = true
	bound := max(o.physical, o.wanted) + o.window
	invariant.Check(bound > o.saved, "placement: timestamp bound moved from %d ms to %d ms", o.saved, bound)
	o.storage.Save([]Record{{keyTimestamp, encodeUint64(uint64(bound))}}, func(err error) {
		o.saving = false
		if err == nil {
			markWindowSaved.Reached()
			o.saved = bound
		}
		o.waiting.WakeAll()
	})
}

func encodeUint64(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }

func decodeUint64(b []byte) (uint64, error) {
	if len(b) != 8 {
		return 0, fmt.Errorf("number of %d bytes", len(b))
	}
	return binary.BigEndian.Uint64(b), nil
}
