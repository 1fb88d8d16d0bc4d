package consensus

import "simrun/checker/verdict"

// Start is with what a peer begins in a process.
type Start struct {
	// Hard is its hard state, Written the part of it that is on disk as such: what
	// completes it follows from other things that are.
	Hard, Written HardState
	// Base is the position behind which its log begins, Last the index of the last
	// entry.
	Base Position
	Last uint64
}

// Started tells that a process on a node has a peer; what its log holds follows
// by Found. It goes for a peer that is new as well as for one that an earlier
// process had.
func (l *Ledger) Started(name Peer, node string, s Start) {
	g, p := l.find(name)
	known := p.seen()
	p.node = node
	if p.end != "" {
		l.fail(verdict.Resurrected, p, "comes back, though it %s", p.end)
	}
	if l.unique {
		l.own(p, name.Group, owner{group: name.Group})
		l.own(p, name.ID, owner{name.Group, node})
	}
	if known {
		l.survived(p, s.Hard, s.Last)
	}
	p.hard, p.durable, p.stored, p.cut = s.Hard, s.Written, Position{Index: s.Last}, noCut
	p.log = log{base: s.Base, last: s.Base.Index}
	if s.Base.Index > 0 {
		l.commit(g, p, s.Base)
	}
	if s.Written.Vote != 0 {
		l.vote(p, s.Written.Term, s.Written.Vote)
	}
}

// own notes whose an id is, which p has brought along.
func (l *Ledger) own(p *peer, id uint64, now owner) {
	if o, taken := l.owners[id]; taken && o != now {
		l.fail(verdict.Resurrected, p, "has the id %d, which belongs to group %d %s", id, o.group, o.node)
	}
	l.owners[id] = now
}

// survived checks that nothing is lost that was durable when the last process
// ended.
func (l *Ledger) survived(p *peer, found HardState, last uint64) {
	was := p.durable
	switch {
	case found.Term < was.Term:
		l.fail(verdict.NotDurable, p, "starts in term %d, though term %d was on disk", found.Term, was.Term)
	case found.Term == was.Term && was.Vote != 0 && found.Vote != was.Vote:
		l.fail(verdict.NotDurable, p, "starts with a vote for %d in term %d, though one for %d was on disk", found.Vote, found.Term, was.Vote)
	case found.Commit < was.Commit:
		l.fail(verdict.NotDurable, p, "starts with commit index %d, though %d was on disk", found.Commit, was.Commit)
	}
	p.before, p.floor = p.log, min(p.stored.Index, p.cut)
	if last < p.floor {
		l.fail(verdict.NotDurable, p, "starts with a log that ends at %d, though it was on disk up to %d", last, p.floor)
	}
}

// Found tells of an entry that a process has found in a peer's log.
func (l *Ledger) Found(name Peer, e Entry) {
	g, p := l.find(name)
	if term, known := p.before.term(e.Index); known && e.Index <= p.floor && term != e.Term {
		l.fail(verdict.NotDurable, p, "starts with an entry of term %d at index %d, though one of term %d was on disk", e.Term, e.Index, term)
	}
	l.enter(g, p, e)
	if e.Index <= p.hard.Commit {
		l.commit(g, p, Position{e.Index, e.Term})
	}
}

// Removed tells that a peer was removed from its group and destroyed.
func (l *Ledger) Removed(name Peer) {
	_, p := l.find(name)
	p.end = "was removed"
}

// Lost tells that a node has lost its disk: its peers have forgotten what they
// have promised.
func (l *Ledger) Lost(node string) {
	for _, g := range l.groups {
		for _, p := range g.peers {
			if p.node == node && p.end == "" {
				p.end = "has lost its disk"
			}
		}
	}
}

// Durable tells that what raft has handed out to be written is on disk up to
// here: a hard state, and a log that ends at a position.
func (l *Ledger) Durable(name Peer, hard HardState, last Position) {
	_, p := l.find(name)
	if hard.Term < p.durable.Term || hard.Commit < p.durable.Commit ||
		hard.Term == p.durable.Term && p.durable.Vote != 0 && hard.Vote != p.durable.Vote {
		l.fail(verdict.NotDurable, p, "writes %+v after %+v", hard, p.durable)
	}
	if hard.Vote != 0 && hard.Vote != p.durable.Vote {
		l.vote(p, hard.Term, hard.Vote)
	}
	p.durable, p.stored = hard, last
	if term, known := p.log.term(last.Index); known && term == last.Term && p.log.last == last.Index {
		p.cut = noCut
	}
}

// vote notes a vote that somebody may know of: there is one a term.
func (l *Ledger) vote(p *peer, term, candidate uint64) {
	if other, voted := p.votes[term]; voted && other != candidate {
		l.fail(verdict.SecondVote, p, "votes for %d in term %d, in which it has voted for %d", candidate, term, other)
	}
	p.votes[term] = candidate
}

// Voted tells that a peer is about to tell a candidate that it has its vote.
func (l *Ledger) Voted(name Peer, term, candidate uint64) {
	_, p := l.find(name)
	if p.durable.Term < term || p.durable.Term == term && p.durable.Vote != candidate {
		l.fail(verdict.NotDurable, p, "gives its vote in term %d to %d, and what is on disk is %+v", term, candidate, p.durable)
	}
	l.vote(p, term, candidate)
}

// Acknowledged tells that a peer is about to tell its leader that it has the log
// up to an index.
//
// A log on disk that is shorter by now, since it ends with an entry of a later
// leader, is no breach. Raft hands out what gathers between two writes as one: the
// peer had the entries, has dropped them for the later leader, and both are durable
// at once, so that the acknowledgement is merely late. Nothing can have been
// committed by it, or the later leader would have had it (Raft thesis, section
// 3.6.3); should that be broken, the checks of leaders and commits tell.
func (l *Ledger) Acknowledged(name Peer, term, index uint64) {
	_, p := l.find(name)
	has := index <= max(p.stored.Index, p.log.base.Index) || p.stored.Term > term
	if p.durable.Term < term || !has {
		l.fail(verdict.NotDurable, p, "acknowledges index %d in term %d, and what is on disk ends at index %d in term %d",
			index, term, p.stored.Index, p.durable.Term)
	}
}
