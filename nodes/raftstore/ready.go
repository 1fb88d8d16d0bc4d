package raftstore

import (
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"simrun/nodes/invariant"
)

// handleReady gives raft what has gathered since the last turn and hands on
// what raft wants done.
func (p *peer) handleReady() {
	p.catchUp()
	p.sleep.active = false
	p.issueRead()
	proposed := p.stepProposals()
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
	for _, m := range rd.Messages {
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
	p.s.cfg.Observer.LeaderElected(p.regionID, p.term(), p.s.id)
	p.s.cfg.RoleChanged(p.regionID, p.term(), true)
	if p.s.env.Log.Enabled() {
		p.s.env.Log.Logf("region %d: leader in term %d", p.regionID, p.term())
	}
	p.reportRegion()
}

// send hands a message to the outbox. A snapshot takes a way of its own.
func (p *peer) send(m *raftpb.Message) {
	if p.merge.catchingUp {
		return // its term is one of its own
	}
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
