package raftstore

import (
	"slices"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"simrun/nodes/invariant"
)

// handleReady gives raft what has gathered since the last turn and hands on
// what raft wants done.
func (p *peer) handleReady() {
	p.catchUp()
	p.sleep.active = false
	p.issueReads()
	proposed := p.stepProposals()
	p.backlog.stepped = 0 // what raft was given is in the next Ready
	if !p.node.HasReady() {
		p.discardSnapshots()
		return
	}
	rd := p.node.Ready()
	p.auditReady(&rd)
	if !raft.IsEmptyHardState(rd.HardState) {
		p.noteHardState(rd.HardState)
	}
	if rd.SoftState != nil {
		p.changeRole(rd)
	}
	p.openTerm()
	p.numberProposals(rd.Entries, proposed)
	for _, rs := range rd.ReadStates {
		p.confirmRead(rs)
	}
	for _, m := range holdVotes(rd.Messages) {
		switch m.GetTo() {
		case raft.LocalAppendThread:
			p.s.appender.add(p, m, p.takeReceived(m.GetSnapshot()))
		case raft.LocalApplyThread:
			p.s.applier.add(p, m)
		default:
			p.send(m)
		}
	}
	p.discardSnapshots()
}

// holdVotes lets requests for votes wait until the candidate's own vote is
// durable. Raft, with asynchronous writes, would have them sent at once: the
// others may then elect a peer which, after a power loss, knows nothing of the
// term, asks for votes in it again, gets them again from those who have given
// them before, and gives out the same places of the log for the second time. That
// what a server has promised is on stable storage before it tells anybody of it
// is Raft's own rule (thesis, section 3.8).
func holdVotes(messages []*raftpb.Message) []*raftpb.Message {
	isVote := func(m *raftpb.Message) bool { return m.GetType() == raftpb.MsgVote }
	if !slices.ContainsFunc(messages, isVote) {
		return messages
	}
	var votes, others []*raftpb.Message
	for _, m := range messages {
		if isVote(m) {
			votes = append(votes, m)
		} else {
			others = append(others, m)
		}
	}
	i := slices.IndexFunc(others, func(m *raftpb.Message) bool { return m.GetTo() == raft.LocalAppendThread })
	invariant.Check(i >= 0, "raftstore: a candidate has no vote of its own to write")
	others[i].Responses = append(slices.Clone(others[i].Responses), votes...)
	return others
}

// noteHardState takes over a changed hard state. It is written with what else
// there is to write.
func (p *peer) noteHardState(hs *raftpb.HardState) {
	old := p.log.hard
	p.log.hard = hardState{hs.GetTerm(), hs.GetVote(), hs.GetCommit()}
	if p.log.hard.term != old.term {
		p.resetLease()
	}
	if p.log.hard.term < old.term || p.log.hard.commit < old.commit {
		invariant.Fail("raftstore: %s: raft goes back from %+v to %+v", p, old, p.log.hard)
	}
}

// changeRole follows a change of leader.
func (p *peer) changeRole(rd raft.Ready) {
	wasLeader := p.isLeader()
	p.role, p.leader = rd.SoftState.RaftState, rd.SoftState.Lead
	if p.isLeader() == wasLeader {
		return
	}
	invariant.Check(!p.asleep(), "raftstore: %s: changes its role while it sleeps", p)
	p.stir()
	p.resetLease()
	p.dropReads(p.notLeader())
	if !p.isLeader() {
		p.termStart = 0
		p.compacting = 0
		p.s.cfg.RoleChanged(p.regionID, p.term(), false)
		return
	}
	for _, e := range rd.Entries {
		if e.GetTerm() == p.term() {
			p.termStart = e.GetIndex()
			break
		}
	}
	invariant.Check(p.termStart != 0, "raftstore: %s: leader in term %d without an entry of it", p, p.term())
	p.sleep.state = ordered
	p.s.calendar.add(p, p.s.ticks+1)
	p.s.cfg.Observer.LeaderElected(p.regionID, p.term())
	p.s.cfg.RoleChanged(p.regionID, p.term(), true)
	p.s.logf("region %d: leader in term %d", p.regionID, p.term())
	p.reportRegion()
}

// send hands a message to the outbox. A snapshot takes a way of its own.
func (p *peer) send(m *raftpb.Message) {
	if p.merge.catchingUp {
		return // its term is one of its own
	}
	markWindowFull.Sometimes(p.withholds(m))
	if m.GetType() == raftpb.MsgSnap {
		p.sendSnapshot(m)
		return
	}
	if m.GetType() == raftpb.MsgTimeoutNow {
		p.suspendLease()
	}
	p.nameApplied(m)
	p.s.outbox.add(p, m)
}
