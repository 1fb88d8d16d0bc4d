package consensus

import "simrun/checker/verdict"

// Promised tells of the term that raft is in, and of its vote in it: they never
// go back.
func (l *Ledger) Promised(name Peer, term, vote uint64) {
	_, p := l.find(name)
	switch h := p.hard; {
	case term < h.Term:
		l.fail(verdict.SecondVote, p, "goes back from term %d to %d", h.Term, term)
	case term == h.Term && h.Vote != 0 && vote != h.Vote:
		l.fail(verdict.SecondVote, p, "votes for %d in term %d, in which it has voted for %d", vote, term, h.Vote)
	}
	p.hard.Term, p.hard.Vote = term, vote
}

// Appended tells of an entry that raft has taken into the log of a peer, in the
// place of what was there from its index on.
func (l *Ledger) Appended(name Peer, e Entry) {
	g, p := l.find(name)
	if e.Index <= p.log.last {
		if p.led == p.hard.Term {
			l.fail(verdict.LeaderAppendOnly, p, "leads in term %d, and puts an entry of term %d at index %d of a log that ends at %d",
				p.led, e.Term, e.Index, p.log.last)
		}
		if e.Index <= p.hard.Commit {
			l.fail(verdict.StateMachineSafety, p, "replaces its entry %d, up to %d of which are committed", e.Index, p.hard.Commit)
		}
		p.cut = min(p.cut, e.Index-1)
	}
	l.enter(g, p, e)
}

// Leads reports whether a peer leads in the term in which it is.
func (l *Ledger) Leads(name Peer) bool {
	_, p := l.find(name)
	return p.led != 0 && p.led == p.hard.Term
}

// enter takes an entry into a peer's log: log matching. If equal positions hold
// equal entries, and the same position before them, then by induction logs that
// agree at a position agree in everything before it.
func (l *Ledger) enter(g *group, p *peer, e Entry) {
	l.counts.Entries++
	previous, known := p.log.term(e.Index - 1)
	if !known || e.Index == 0 || e.Term < previous {
		l.fail(verdict.LogMatching, p, "has an entry of term %d at index %d behind a log that ends at %d", e.Term, e.Index, p.log.last)
		return
	}
	now := record{e.Term, previous, e.Digest}
	if there := g.record(e.Index, now); there != now {
		l.fail(verdict.LogMatching, p, "has the entry %x after one of term %d at index %d of term %d, where another has %x after one of term %d",
			now.digest, now.previous, e.Index, e.Term, there.digest, there.previous)
	}
	p.log.append(Position{e.Index, e.Term})
}

// record returns what is known of a position, and notes it if nothing is.
func (g *group) record(index uint64, r record) record {
	g.entries = grow(g.entries, index)
	if at := &g.entries[index]; at.term == 0 {
		*at = r
		return r
	} else if at.term == r.term {
		return *at
	}
	where := Position{index, r.term}
	known, ok := g.variants[where]
	if !ok {
		g.variants[where] = r
		return r
	}
	return known
}

// Elected tells that a peer has begun to lead in a term: election safety and
// leader completeness.
func (l *Ledger) Elected(name Peer, term uint64) {
	g, p := l.find(name)
	l.counts.Elections++
	if other := g.leaders[term]; other != nil {
		l.fail(verdict.ElectionSafety, p, "leads in term %d, in which peer %d on %s has led", term, other.ID, other.node)
	}
	g.leaders[term] = p
	p.led = term
	index := g.committedBefore(term)
	if index <= p.log.base.Index {
		return // it has applied that, and no longer keeps it
	}
	// By log matching, a log that holds what was committed at an index holds what
	// was before it.
	switch have, known := p.log.term(index); {
	case !known:
		l.fail(verdict.LeaderCompleteness, p, "leads in term %d without index %d, which was committed before; its log ends at %d", term, index, p.log.last)
	case have != g.committed[index].term:
		l.fail(verdict.LeaderCompleteness, p, "leads in term %d with an entry of term %d at index %d, where one of term %d was committed",
			term, have, index, g.committed[index].term)
	}
}

// committedBefore returns the last index that was committed before a term began,
// 0 if there is none.
func (g *group) committedBefore(term uint64) uint64 {
	for i := g.commit; i > 0; i-- {
		if c := g.committed[i]; c.term != 0 && c.by < term {
			return i
		}
	}
	return 0
}

// Committed tells up to where a peer, in its term, takes its log for committed.
// That never goes back, and all peers agree on what it is.
func (l *Ledger) Committed(name Peer, index uint64) {
	g, p := l.find(name)
	if index < p.hard.Commit {
		l.fail(verdict.StateMachineSafety, p, "goes back from commit index %d to %d", p.hard.Commit, index)
	}
	if index > p.log.last {
		l.fail(verdict.StateMachineSafety, p, "takes index %d for committed, and its log ends at %d", index, p.log.last)
		return
	}
	for i := max(p.hard.Commit, p.log.base.Index) + 1; i <= index; i++ {
		term, _ := p.log.term(i)
		l.commit(g, p, Position{i, term})
	}
	p.hard.Commit = index
}

func (l *Ledger) commit(g *group, p *peer, at Position) {
	g.committed = grow(g.committed, at.Index)
	c := &g.committed[at.Index]
	if c.term == 0 {
		*c = commit{term: at.Term, by: p.hard.Term}
		l.counts.Commits++
		g.commit = max(g.commit, at.Index)
	}
	if c.term != at.Term {
		l.fail(verdict.StateMachineSafety, p, "takes an entry of term %d at index %d for committed, where one of term %d is",
			at.Term, at.Index, c.term)
	}
}

// NoEffect is the effect of an entry that does nothing, for it came too late, or of
// which nothing is told.
const NoEffect = 0

// Applied tells of an entry that a peer applies, and what that does: effect stands for
// it, and has to be the same on every peer, be it there still at the end of the run or not.
func (l *Ledger) Applied(name Peer, e Entry, effect uint64) {
	g, p := l.find(name)
	if e.Index > p.hard.Commit {
		l.fail(verdict.StateMachineSafety, p, "applies index %d, and takes %d for committed", e.Index, p.hard.Commit)
		return
	}
	if e.Index < uint64(len(g.committed)) && g.committed[e.Index].term != 0 && g.committed[e.Index].term != e.Term {
		l.fail(verdict.StateMachineSafety, p, "applies an entry of term %d at index %d, where one of term %d was committed",
			e.Term, e.Index, g.committed[e.Index].term)
	}
	if e.Index < uint64(len(g.committed)) {
		c := &g.committed[e.Index]
		if c.applied && c.effect != effect {
			l.fail(verdict.StateMachineSafety, p, "applies index %d with the effect %x, and another peer did with %x", e.Index, effect, c.effect)
		}
		c.applied, c.effect = true, effect
	}
	if there := g.lookup(Position{e.Index, e.Term}); there.term != 0 && there.digest != e.Digest {
		l.fail(verdict.StateMachineSafety, p, "applies %x at index %d of term %d, and what was appended there is %x", e.Digest, e.Index, e.Term, there.digest)
	}
}

// lookup returns what is known of a position.
func (g *group) lookup(at Position) record {
	if at.Index < uint64(len(g.entries)) && g.entries[at.Index].term == at.Term {
		return g.entries[at.Index]
	}
	return g.variants[at]
}

// Restored tells that a snapshot takes the place of a peer's log: it ends with
// what was committed.
func (l *Ledger) Restored(name Peer, at Position) {
	g, p := l.find(name)
	if at.Index <= p.hard.Commit {
		l.fail(verdict.StateMachineSafety, p, "gets a snapshot of index %d, and takes %d for committed", at.Index, p.hard.Commit)
	}
	if at.Index > g.commit || g.committed[at.Index].term == 0 {
		l.fail(verdict.StateMachineSafety, p, "gets a snapshot of index %d, which nobody takes for committed", at.Index)
		return
	}
	l.commit(g, p, at)
	p.log.reset(at)
	p.hard.Commit = at.Index
	p.cut = min(p.cut, at.Index-1) // the log on disk may have another entry at its index until the snapshot is there
}

// ReadBegan returns up to where a group is committed in truth, as a read of it
// begins.
func (l *Ledger) ReadBegan(group uint64) uint64 { return l.group(group).commit }

// ReadServed tells that a read sees what a peer has applied up to an index;
// committed is what ReadBegan has returned.
func (l *Ledger) ReadServed(name Peer, committed, applied uint64) {
	l.counts.Reads++
	if applied < committed {
		_, p := l.find(name)
		l.fail(verdict.StaleRead, p, "serves a read at index %d, though %d was committed when the read began", applied, committed)
	}
}

// grow makes a slice long enough to have an index.
func grow[T any](s []T, index uint64) []T {
	for uint64(len(s)) <= index {
		var none T
		s = append(s, none)
	}
	return s
}
