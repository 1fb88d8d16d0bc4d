package bareraft

import (
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"simrun/checker/consensus"
	"simrun/nodes/invariant"
	"simrun/scenarios/cluster"
)

// ledger tells a consensus.Ledger what the members do: it is told as it happens,
// and ends the run with the first promise that is broken. It implements
// registers.Observer.
type ledger struct {
	*consensus.Ledger
	names []string
	// hard is what each member has stored last, by number, and last where its log
	// ends.
	hard     []consensus.HardState
	last     []consensus.Position
	messages uint64

	// onElected, if set, is told of every election.
	onElected func(member, term uint64)
	// onRestored, if set, is told of every snapshot that a member has got.
	onRestored func(member, index uint64)
}

// newLedger returns the ledger of members, whose names are in the order of their
// numbers.
func newLedger(names []string) *ledger {
	return &ledger{
		Ledger: consensus.New(func(b consensus.Breach) { panic(b) }),
		names:  names,
		hard:   make([]consensus.HardState, len(names)+1),
		last:   make([]consensus.Position, len(names)+1),
	}
}

// group is the number of the only group.
const group = 1

func peerOf(member uint64) consensus.Peer { return consensus.Peer{Group: group, ID: member} }

// Started implements registers.Observer.
func (l *ledger) Started(member uint64, hs *raftpb.HardState, log raft.Storage) {
	hard := consensus.HardState{Term: hs.GetTerm(), Vote: hs.GetVote(), Commit: hs.GetCommit()}
	found, base := contents(log)
	l.hard[member], l.last[member] = hard, base
	if n := len(found); n > 0 {
		l.last[member] = consensus.Position{Index: found[n-1].GetIndex(), Term: found[n-1].GetTerm()}
	}
	l.Ledger.Started(peerOf(member), l.names[member-1], consensus.Start{Hard: hard, Written: hard, Base: base, Last: l.last[member].Index})
	for _, e := range found {
		l.Found(peerOf(member), cluster.EntryOf(e))
	}
}

// contents returns the entries of a log, and the position behind which it begins.
func contents(log raft.Storage) (list []*raftpb.Entry, base consensus.Position) {
	first, err := log.FirstIndex()
	invariant.Check(err == nil, "bareraft: cannot read a log: %v", err)
	last, err := log.LastIndex()
	invariant.Check(err == nil, "bareraft: cannot read a log: %v", err)
	term, err := log.Term(first - 1)
	invariant.Check(err == nil, "bareraft: cannot read a log: %v", err)
	base = consensus.Position{Index: first - 1, Term: term}
	if last < first {
		return nil, base
	}
	list, err = log.Entries(first, last+1, 1<<62)
	invariant.Check(err == nil, "bareraft: cannot read a log: %v", err)
	return list, base
}

// Elected implements registers.Observer.
func (l *ledger) Elected(member, term uint64) {
	l.Ledger.Elected(peerOf(member), term)
	if l.onElected != nil {
		l.onElected(member, term)
	}
}

// Restored implements registers.Observer.
func (l *ledger) Restored(member, index, term uint64) {
	at := consensus.Position{Index: index, Term: term}
	l.Ledger.Restored(peerOf(member), at)
	l.last[member], l.hard[member].Commit = at, index
	if l.onRestored != nil {
		l.onRestored(member, index)
	}
}

// Stored implements registers.Observer.
func (l *ledger) Stored(member uint64, hs *raftpb.HardState, entries []*raftpb.Entry) {
	p, hard := peerOf(member), &l.hard[member]
	if !raft.IsEmptyHardState(hs) {
		*hard = consensus.HardState{Term: hs.GetTerm(), Vote: hs.GetVote(), Commit: hs.GetCommit()}
		l.Promised(p, hard.Term, hard.Vote)
	}
	for _, e := range entries {
		l.Appended(p, cluster.EntryOf(e))
		l.last[member] = consensus.Position{Index: e.GetIndex(), Term: e.GetTerm()}
	}
	l.Committed(p, hard.Commit)
	l.Durable(p, *hard, l.last[member])
}

// Sent implements registers.Observer.
func (l *ledger) Sent(member uint64, m *raftpb.Message) {
	l.messages++
	if m.GetReject() {
		return
	}
	switch m.GetType() {
	case raftpb.MsgVoteResp:
		l.Voted(peerOf(member), m.GetTerm(), m.GetTo())
	case raftpb.MsgAppResp:
		l.Acknowledged(peerOf(member), m.GetTerm(), m.GetIndex())
	default:
	}
}

// Applied implements registers.Observer.
func (l *ledger) Applied(member uint64, e *raftpb.Entry) {
	l.Ledger.Applied(peerOf(member), cluster.EntryOf(e), consensus.NoEffect)
}

// commits returns how many entries were committed.
func (l *ledger) commits() uint64 { return l.Counts().Commits }
