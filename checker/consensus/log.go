package consensus

import "sort"

// Position is the place of an entry: raft never has two different ones there.
type Position struct{ Index, Term uint64 }

// log is which terms the entries of one peer's log have. They ascend, so that
// it is kept as runs of equal terms, of which there are as many as leaders.
type log struct {
	// base is the entry before the first that the log holds, or once held:
	// compaction is of no concern here.
	base Position
	runs []run
	last uint64 // the index of the last entry, base.Index if there is none
}

// run is a sequence of entries of one term.
type run struct{ first, term uint64 }

// reset makes the log one that begins after a position.
func (l *log) reset(base Position) {
	l.base, l.runs, l.last = base, l.runs[:0], base.Index
}

// append adds an entry, in the place of what is there from its index on.
func (l *log) append(at Position) {
	l.truncate(at.Index - 1)
	if n := len(l.runs); n == 0 || l.runs[n-1].term != at.Term {
		l.runs = append(l.runs, run{at.Index, at.Term})
	}
	l.last = at.Index
}

// truncate drops the entries behind an index.
func (l *log) truncate(last uint64) {
	if last >= l.last {
		return
	}
	n := len(l.runs)
	for n > 0 && l.runs[n-1].first > last {
		n--
	}
	l.runs, l.last = l.runs[:n], last
}

// term returns the term of an entry; known is false where the log has none, or
// begins later.
func (l *log) term(index uint64) (term uint64, known bool) {
	n := len(l.runs)
	switch {
	case index == l.base.Index:
		return l.base.Term, true
	case index < l.base.Index || index > l.last:
		return 0, false
	case l.runs[n-1].first <= index: // nearly always
		return l.runs[n-1].term, true
	}
	i := sort.Search(n, func(i int) bool { return l.runs[i].first > index })
	return l.runs[i-1].term, true
}
