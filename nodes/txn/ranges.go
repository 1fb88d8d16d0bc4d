package txn

import (
	"bytes"
	"slices"
	"time"

	"github.com/pingcap/kvproto/pkg/errorpb"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
)

//nolint:gochecknoglobals // marks register once
var (
	markRangeRefuses = invariant.NewMark("txn: write refused, a command on the range of its key is under way")
	markRangeGivesUp = invariant.NewMark("txn: command on a range gave up waiting for the writes to it that were under way")
)

// rangeLimit is how long a command on a range waits for the writes to the range.
const rangeLimit = time.Second

// ranges keeps commands on whole ranges, whose keys are not known, apart from those on
// keys. Latches would not do: such a command would need all of them. It would hold most of
// them while it waits for one, and all while its proposal waits for a quorum, so that a region
// that has lost its own would stop the writes to every other one.
type ranges struct {
	claimed []keyRange
	running [][][]byte // the keys of each command that holds its latches
	ended   env.WaitQueue
}

// keyRange is the stored form of the keys from start to end, end excluded.
type keyRange struct{ start, end []byte }

func (r keyRange) has(key []byte) bool {
	return bytes.Compare(r.start, key) <= 0 && bytes.Compare(key, r.end) < 0
}

func (r keyRange) overlaps(other keyRange) bool {
	return bytes.Compare(r.start, other.end) < 0 && bytes.Compare(other.start, r.end) < 0
}

// enter lets a command on keys run until it leaves, unless a range of one is claimed.
func (r *ranges) enter(keys [][]byte) *errorpb.Error {
	for _, claimed := range r.claimed {
		if markRangeRefuses.Sometimes(slices.ContainsFunc(keys, claimed.has)) {
			return busyError("the range of a key is being deleted")
		}
	}
	r.running = append(r.running, keys)
	return nil
}

func (r *ranges) leave(keys [][]byte) {
	i := slices.IndexFunc(r.running, func(k [][]byte) bool { return len(k) == len(keys) && (len(k) == 0 || &k[0] == &keys[0]) })
	last := len(r.running) - 1
	r.running[i], r.running[last] = r.running[last], nil
	r.running = r.running[:last]
	if len(r.claimed) > 0 {
		r.ended.WakeAll()
	}
}

// claim keeps all others from a range until it is released. It waits for those that are in
// it, as long as left says; if that is over, nothing is claimed.
func (r *ranges) claim(t env.Task, wanted keyRange, left func() time.Duration) *errorpb.Error {
	if slices.ContainsFunc(r.claimed, wanted.overlaps) {
		return busyError("the range is being deleted")
	}
	r.claimed = append(r.claimed, wanted)
	within := func(keys [][]byte) bool { return slices.ContainsFunc(keys, wanted.has) }
	for slices.ContainsFunc(r.running, within) {
		if !r.ended.Wait(t, left()) && left() == 0 {
			markRangeGivesUp.Reached()
			r.release(wanted)
			return busyError("a write to the range does not end")
		}
	}
	return nil
}

func (r *ranges) release(released keyRange) {
	i := slices.IndexFunc(r.claimed, released.overlaps)
	r.claimed = slices.Delete(r.claimed, i, i+1)
}
