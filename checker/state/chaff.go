package state

import (
	"slices"

	"simrun/sim/history"
)

// chaff knows which commit records garbage collection up to a safe point removes:
// those up to it that change nothing, or delete, or are not the newest change.
type chaff struct {
	safePoint uint64
	// newest is, for each key, the commit timestamp of the newest change up to the
	// safe point that clients know of.
	newest map[string]uint64
	// removals holds the keys that somebody may have deleted up to the safe point who
	// knows neither the outcome nor the timestamp, which the stores have chosen: of
	// such a deletion nothing is left.
	removals map[string]struct{}
	// dropped are the ranges that were dropped with tables and indexes.
	dropped []drop
}

// note takes up the changes of a history.
func (c *chaff) note(h *history.History) {
	c.newest, c.removals = map[string]uint64{}, map[string]struct{}{}
	for i := range h.Ops {
		op := &h.Ops[i]
		if !wrote(op) || op.Outcome == history.Failed || op.Txn.CommitTS > c.safePoint {
			continue
		}
		for _, w := range wants(&h.Header, op.Txn) {
			switch {
			case w.kind != 'L' && op.Txn.CommitTS != 0:
				c.newest[w.key] = max(c.newest[w.key], op.Txn.CommitTS)
			case w.kind == 'D' && op.Txn.StartTS < c.safePoint:
				c.removals[w.key] = struct{}{}
			}
		}
	}
}

// collected reports whether the record of a write that was committed at a
// timestamp may be gone; stored are the records of the key that are there. If the
// newest change up to the safe point is not among what clients know, it is among
// these, for a collection leaves it, unless it is a deletion.
func (c *chaff) collected(w *want, commitTS uint64, stored []record) bool {
	if commitTS == 0 || commitTS > c.safePoint {
		return false
	}
	if w.kind != 'P' || commitTS < c.newest[w.key] || gone(c.dropped, w.key, commitTS, c.safePoint) {
		return true
	}
	if _, ok := c.removals[w.key]; ok {
		return true
	}
	return slices.ContainsFunc(stored, func(r record) bool {
		return (r.kind == 'P' || r.kind == 'D') && commitTS < r.commit && r.commit <= c.safePoint
	})
}
