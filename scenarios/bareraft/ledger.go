package bareraft

import (
	"github.com/cespare/xxhash/v2"
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"simrun/nodes/invariant"
)

// ledger sees what all members do and checks, as it happens, what raft promises
// of all of them together. It implements registers.Observer.
type ledger struct {
	// leaders is who has led in a term.
	leaders map[uint64]uint64
	// saved is the hard state that each member has stored last, by number.
	saved []hardState
	// entries holds, by index, the first entry that any member has stored
	// there. Other ones that were stored at the same index stand in variants.
	entries  []entry
	variants map[position]entry
	// committed holds, by index, what was committed there, as far as any
	// member has applied.
	committed []commit

	// onElected, if set, is told of every election.
	onElected func(member, term uint64)
	// onRestored, if set, is told of every snapshot that a member has got.
	onRestored func(member, index uint64)
}

// position names an entry: raft never stores two different ones there.
type position struct{ index, term uint64 }

// entry is an entry as the ledger keeps it.
type entry struct {
	term     uint64 // 0: none is known
	previous uint64 // the term of the entry before it
	digest   uint64
}

// commit is a committed entry.
type commit struct {
	term uint64 // of the entry
	// by is a term in or before which it was committed: that of the member that
	// was the first to apply it.
	by uint64
}

// hardState is a raftpb.HardState as a value.
type hardState struct{ term, vote, commit uint64 }

func valueOf(hs *raftpb.HardState) hardState {
	return hardState{hs.GetTerm(), hs.GetVote(), hs.GetCommit()}
}

func newLedger(members int) *ledger {
	return &ledger{
		leaders:  map[uint64]uint64{},
		saved:    make([]hardState, members+1),
		variants: map[position]entry{},
	}
}

// Started implements registers.Observer: nothing that was stored is lost.
func (l *ledger) Started(member uint64, hs *raftpb.HardState) {
	found, stored := valueOf(hs), l.saved[member]
	if stored == (hardState{}) {
		l.saved[member] = found
		return
	}
	invariant.Check(found == stored, "raft: member %d starts with %+v, but had stored %+v", member, found, stored)
}

// Saved implements registers.Observer: terms and commits never go back, and a
// vote is never taken back.
func (l *ledger) Saved(member uint64, hs *raftpb.HardState) {
	before, now := l.saved[member], valueOf(hs)
	if now.term < before.term || now.commit < before.commit {
		invariant.Fail("raft: member %d stores %+v after %+v", member, now, before)
	}
	if now.term == before.term && before.vote != raft.None && now.vote != before.vote {
		invariant.Fail("raft: member %d votes for %d in term %d, in which it has voted for %d", member, now.vote, now.term, before.vote)
	}
	l.saved[member] = now
}

// Appended implements registers.Observer: log matching. If equal positions hold
// equal entries, and the same position before them, then by induction logs that
// agree at a position agree in everything before it.
func (l *ledger) Appended(member, previous uint64, entries []*raftpb.Entry) {
	for _, e := range entries {
		now := entry{e.GetTerm(), previous, xxhash.Sum64(e.GetData()) + uint64(e.GetType())}
		if known := l.record(e.GetIndex(), now); known != now {
			invariant.Fail("raft: member %d stores index %d of term %d as %x after an entry of term %d, where another has %x after one of term %d",
				member, e.GetIndex(), now.term, now.digest, now.previous, known.digest, known.previous)
		}
		previous = now.term
	}
}

// record returns what is known of a position, and notes it if nothing is.
func (l *ledger) record(index uint64, e entry) entry {
	l.entries = grow(l.entries, index)
	if at := &l.entries[index]; at.term == 0 {
		*at = e
		return e
	} else if at.term == e.term {
		return *at
	}
	p := position{index, e.term}
	known, ok := l.variants[p]
	if !ok {
		l.variants[p] = e
		return e
	}
	return known
}

// Elected implements registers.Observer: election safety and leader
// completeness.
func (l *ledger) Elected(member, term uint64, log raft.Storage) {
	other, taken := l.leaders[term]
	invariant.Check(!taken, "raft: member %d leads in term %d, in which member %d leads", member, term, other)
	l.leaders[term] = member
	if index := l.lastCommittedBefore(term); index > 0 {
		l.complete(member, term, index, log)
	}
	if l.onElected != nil {
		l.onElected(member, term)
	}
}

// complete checks that the log of a new leader holds what was committed up to
// an index. By log matching, what holds at that index holds before it.
func (l *ledger) complete(member, term, index uint64, log raft.Storage) {
	switch found, err := log.Term(index); {
	case err != nil:
		invariant.Fail("raft: member %d leads in term %d without index %d, which was committed before: %v", member, term, index, err)
	case found != l.committed[index].term:
		invariant.Fail("raft: member %d leads in term %d with an entry of term %d at index %d, where one of term %d was committed",
			member, term, found, index, l.committed[index].term)
	}
}

// lastCommittedBefore returns the last index that was committed before a term
// began, 0 if there is none.
func (l *ledger) lastCommittedBefore(term uint64) uint64 {
	for i := len(l.committed) - 1; i > 0; i-- {
		if l.committed[i].by != 0 && l.committed[i].by < term {
			return uint64(i)
		}
	}
	return 0
}

// Applied implements registers.Observer: state machine safety.
func (l *ledger) Applied(member, term uint64, e *raftpb.Entry) {
	index := e.GetIndex()
	l.committed = grow(l.committed, index)
	c := &l.committed[index]
	if c.by == 0 {
		*c = commit{e.GetTerm(), term}
	}
	if c.term != e.GetTerm() {
		invariant.Fail("raft: member %d applies an entry of term %d at index %d, where another has applied one of term %d",
			member, e.GetTerm(), index, c.term)
	}
}

// Restored implements registers.Observer: a snapshot ends with what was
// committed.
func (l *ledger) Restored(member, index, term uint64) {
	if index >= uint64(len(l.committed)) || l.committed[index].term != term {
		invariant.Fail("raft: member %d gets a snapshot of index %d and term %d, which nobody has applied", member, index, term)
	}
	if l.onRestored != nil {
		l.onRestored(member, index)
	}
}

// commits returns how many entries were committed.
func (l *ledger) commits() int {
	n := 0
	for _, c := range l.committed {
		if c.by != 0 {
			n++
		}
	}
	return n
}

// grow makes a slice long enough to have an index.
func grow[T any](s []T, index uint64) []T {
	for uint64(len(s)) <= index {
		var none T
		s = append(s, none)
	}
	return s
}
