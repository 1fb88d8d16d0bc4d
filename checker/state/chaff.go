package state

import "simrun/sim/history"

// chaff knows which commit records garbage collection up to a safe point removes:
// those up to it that change nothing, or delete, or are not the newest change.
type chaff struct {
	safePoint uint64
	// newest is, for each key, the commit timestamp of the newest change up to the
	// safe point that clients know of.
	newest map[string]uint64
}

// note takes up the changes of a history.
func (c *chaff) note(h *history.History) {
	c.newest = map[string]uint64{}
	for i := range h.Ops {
		op := &h.Ops[i]
		if !wrote(op) || op.Outcome == history.Failed || op.Txn.CommitTS > c.safePoint {
			continue
		}
		for _, w := range wants(&h.Header, op.Txn) {
			if w.kind != 'L' {
				c.newest[w.key] = max(c.newest[w.key], op.Txn.CommitTS)
			}
		}
	}
}

// collected reports whether the record of a write that was committed at a
// timestamp may be gone. A client that does not know the outcome knows the one
// timestamp at which it can have been committed, or that there is none.
func (c *chaff) collected(w *want, commitTS uint64) bool {
	if commitTS == 0 || commitTS > c.safePoint {
		return false
	}
	return w.kind != 'P' || commitTS < c.newest[w.key]
}
