package raftstore

import (
	"math"
	"slices"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
)

// Raft as it is used here changes its members when the change is applied, not
// when it is appended as in the Raft thesis (section 4.1). So a peer may have a
// change of members in its log and not know that it is committed, and ask for
// votes by the configuration before. Two sorts of peers then may be in the way of
// each other for ever, though all of them are there:
//
//   - a voter that was demoted, and knows it, refuses its vote because its log
//     is longer: the leader had sent it an entry and has lost that with the power,
//     together with the news that the change is committed. A learner does not
//     campaign, and the others need its vote until they apply the change;
//   - a peer with the longest log has not heard that a change is committed and
//     needs the vote of one that is lost; those who have heard of it have not its
//     log.
//
// (etcd issue 12359 has more of these.) Who knows that an entry is committed need
// not lead to say so. As in TiKV's raft, a request for a vote and its refusal name
// the last entry that the sender has applied. Whoever has the very same entry has
// the same log up to there, and all of it is committed.

// nameApplied adds to a request for a vote, or to its refusal, the last entry
// that the peer has applied, without its data.
func (p *peer) nameApplied(m *raftpb.Message) {
	if tellsApplied(m) && p.applied > initialIndex {
		index, term := p.applied, p.appliedTerm
		m.Entries = []*raftpb.Entry{{Index: &index, Term: &term}}
	}
}

func tellsApplied(m *raftpb.Message) bool {
	switch m.GetType() {
	case raftpb.MsgVote, raftpb.MsgPreVote:
		return true
	case raftpb.MsgVoteResp, raftpb.MsgPreVoteResp:
		return m.GetReject()
	default:
		return false
	}
}

// takeApplied takes what nameApplied has added out of a message: it is not for
// raft.
func takeApplied(m *raftpb.Message) (applied *raftpb.Entry) {
	if tellsApplied(m) && len(m.Entries) == 1 {
		applied, m.Entries = m.Entries[0], nil
	}
	return applied
}

// learnCommitted is told of an entry that another peer has applied. It matters
// if a change of members is committed by it; everything else a leader will tell,
// and an election that is under way goes on.
//
// To raft it looks like an empty append of the leader that it knows, or of one
// that has not made itself known. So raft compares the entry with its own log,
// and ends a candidacy, as the voters may be others from now on. A leader that
// gets the answer learns nothing that is not so.
func (p *peer) learnCommitted(e *raftpb.Entry) {
	status := p.node.BasicStatus()
	committed := status.HardState.GetCommit()
	if status.RaftState == raft.StateLeader || e.GetIndex() <= committed || p.merge.catchingUp || !p.holdsChange(committed+1, e) {
		return
	}
	markCommitByVote.Reached()
	_ = p.node.Step(&raftpb.Message{
		Type: raftpb.MsgApp.Enum(), To: &p.id, From: &status.Lead, Term: status.HardState.Term,
		Index: e.Index, LogTerm: e.Term, Commit: e.Index,
	})
}

// holdsChange reports whether the peer's log has the entry last, and a change of
// members between lo and it.
func (p *peer) holdsChange(lo uint64, last *raftpb.Entry) bool {
	if p.restored != nil || last.GetIndex() > p.log.lastIndex {
		return false
	}
	if term, err := p.log.Term(last.GetIndex()); err != nil || term != last.GetTerm() {
		return false
	}
	entries, err := p.log.Entries(lo, last.GetIndex()+1, math.MaxUint64)
	return err == nil && slices.ContainsFunc(entries, func(e *raftpb.Entry) bool { return e.GetType() == raftpb.EntryConfChangeV2 })
}
