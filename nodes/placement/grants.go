package placement

import (
	"simrun/nodes/codec"
	"simrun/nodes/env"
)

// Grants is told what the leaders hand out, so that it can be compared between
// members: whatever is handed out in a term is greater than all of earlier terms.
// It must not call the server.
type Grants interface {
	// Timestamps: those from first to last were handed out in a term.
	Timestamps(term, first, last uint64)
	// IDs: likewise.
	IDs(term, first, last uint64)
}

// takeTimestamps hands out count timestamps and returns the last of them.
func (l *leadership) takeTimestamps(t env.Task, count int64) (physical, logical int64, err error) {
	physical, logical, err = l.oracle.take(t, count, saveLimit)
	if g := l.s.cfg.Grants; err == nil && g != nil {
		last := codec.ComposeTS(uint64(physical), uint64(logical))
		g.Timestamps(l.term, last-uint64(count)+1, last)
	}
	return physical, logical, err
}

// takeIDs hands out n ids and returns the first of them.
func (l *leadership) takeIDs(t env.Task, n uint64) (first uint64, err error) {
	first, err = l.ids.take(t, n, saveLimit)
	if g := l.s.cfg.Grants; err == nil && g != nil {
		g.IDs(l.term, first, first+n-1)
	}
	return first, err
}
