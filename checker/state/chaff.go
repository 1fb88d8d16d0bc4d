package state

import (
	"maps"
	"slices"

	"simrun/sim/history"
)

// chaff knows which commit records garbage collection up to a safe point removes:
// those up to it that change nothing, or delete, or are not the newest change.
type chaff struct {
	safePoint uint64
	// newest is, for each key, the commit timestamp of the newest change up to the
	// safe point of which a client was told that it is committed, or of a deletion that
	// may be; stored that of the newest one that has a record.
	newest, stored map[string]uint64
	// removals holds the keys that somebody may have deleted up to the safe point who
	// knows neither the outcome nor the timestamp, which the stores have chosen: of
	// such a deletion nothing is left.
	removals map[string]struct{}
	// dropped are the ranges that were dropped with tables and indexes.
	dropped []drop
}

// note takes up the changes of a history. A value that was perhaps written, by a client that
// does not know whether, is no evidence, though it knows at which timestamp: if it is the
// newest one up to the safe point, its record is there, for a collection leaves that, and
// if it is not, another change is the evidence. Of a deletion nothing need be left.
func (c *chaff) note(h *history.History) {
	c.newest, c.removals = map[string]uint64{}, map[string]struct{}{}
	for i := range h.Ops {
		op := &h.Ops[i]
		if !wrote(op) || op.Outcome == history.Failed || op.Txn.CommitTS > c.safePoint {
			continue
		}
		for _, w := range wants(&h.Header, op.Txn) {
			switch {
			case w.kind != 'L' && op.Txn.CommitTS != 0 && (w.kind == 'D' || op.Outcome == history.OK):
				c.newest[w.key] = max(c.newest[w.key], op.Txn.CommitTS)
			case w.kind == 'D' && op.Txn.StartTS < c.safePoint:
				c.removals[w.key] = struct{}{}
			}
		}
	}
}

// keep takes up the changes that have a record.
func (c *chaff) keep(keys map[string]*keyRecords) {
	c.stored = map[string]uint64{}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		for i := range keys[key].writes {
			if r := &keys[key].writes[i]; (r.kind == 'P' || r.kind == 'D') && r.commit <= c.safePoint {
				c.stored[key] = max(c.stored[key], r.commit)
			}
		}
	}
}

// collected reports whether the record of a write that was committed at a
// timestamp may be gone. If the newest change up to the safe point is not among what
// clients know, it is among what is stored, for a collection leaves it, unless it is a
// deletion.
func (c *chaff) collected(w *want, commitTS uint64) bool {
	if commitTS == 0 || commitTS > c.safePoint {
		return false
	}
	_, removed := c.removals[w.key]
	return w.kind != 'P' || removed || commitTS < max(c.newest[w.key], c.stored[w.key]) || gone(c.dropped, w.key, commitTS, c.safePoint)
}
