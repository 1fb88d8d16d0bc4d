package raftstore

import (
	"slices"

	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_cmdpb"
	"go.etcd.io/raft/v3/raftpb"

	"simrun/nodes/invariant"
)

// catchUpLog gives the peer what a CommitMerge carries of its log: the entries are
// committed, and by now there may be nobody left to replicate them or to tell
// that they are. To raft it looks like the message of a leader of a term that is
// newer than all it has heard of. There is no such leader, and none could do harm:
// the peer's group is to end, and the peer says nothing to it any more.
//
// After a crash in the middle the log may hold a part of the entries, or all of
// them and the term; the target repeats its CommitMerge and with it all this.
func (p *peer) catchUpLog(req *raft_cmdpb.CommitMergeRequest) {
	status := p.node.BasicStatus()
	committed := status.HardState.GetCommit()
	if committed >= req.GetCommit() {
		markMergeOnlyApplies.Reached()
		return // to be applied, or being applied
	}
	entries := req.GetEntries()
	first := entries[0].GetIndex()
	invariant.Check(entries[len(entries)-1].GetIndex() == req.GetCommit(), "raftstore: %s: the entries to catch up end at %d, not at %d",
		p, entries[len(entries)-1].GetIndex(), req.GetCommit())
	before := max(first-1, committed)
	markMergeOnlyCommits.Sometimes(p.log.lastIndex >= req.GetCommit())
	invariant.Check(p.log.lastIndex >= before || committed >= first, "raftstore: %s: the log ends at %d, but the entries to catch up begin at %d",
		p, p.log.lastIndex, first)
	term := uint64(0)
	if before >= first {
		term = entries[before-first].GetTerm()
	} else {
		var err error
		term, err = p.log.Term(before)
		invariant.Check(err == nil || p.s.dead, "raftstore: %s: no entry %d to catch up from: %v", p, before, err)
	}
	newer := max(status.HardState.GetTerm(), entries[len(entries)-1].GetTerm()) + 1
	message := &raftpb.Message{
		Type: raftpb.MsgApp.Enum(), To: &p.id, From: p.anotherMember(), Term: &newer,
		Index: &before, LogTerm: &term, Commit: &req.Commit,
	}
	for _, e := range entries[before+1-first:] {
		message.Entries = append(message.Entries, &raftpb.Entry{
			Type: raftpb.EntryType(e.GetEntryType()).Enum(), Term: &e.Term, Index: &e.Index, Data: e.GetData(),
		})
	}
	markMergeCaughtUp.Reached()
	p.merge.catchingUp = true
	p.stir()
	p.catchUp()
	err := p.node.Step(message)
	committed = p.node.BasicStatus().HardState.GetCommit()
	invariant.Check(err == nil && committed == req.GetCommit(), "raftstore: %s: caught up from %d to %d, committed %d (%v)",
		p, before, req.GetCommit(), committed, err)
	p.s.markDirty(p)
}

// anotherMember returns the id of a member other than the peer. A peer that lacks
// something is not the only one.
func (p *peer) anotherMember() *uint64 {
	peers := p.region.GetPeers()
	i := slices.IndexFunc(peers, func(q *metapb.Peer) bool { return q.GetId() != p.id })
	invariant.Check(i >= 0, "raftstore: %s: its only peer has to catch up", p)
	return &peers[i].Id
}
