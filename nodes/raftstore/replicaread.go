package raftstore

import (
	"bytes"

	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"go.etcd.io/raft/v3/raftpb"
)

// A follower serves a read after it has asked its leader for the commit index
// and has applied as much. Raft carries the question and the answer; the leader
// answers when a quorum has confirmed it, or at once under its lease. The index
// is that of an instant after the read began, so that the state there, or any
// later one, is one that the read may return.

// replicaReader checks a read that comes to a follower.
func (p *peer) replicaReader(ctx *kvrpcpb.Context) (*peer, *errorpb.Error) {
	if regionErr := checkVersion(p.region, ctx.GetRegionEpoch()); regionErr != nil {
		markReplicaRejected.Reached()
		return nil, regionErr
	}
	if regionErr := p.refuseMerging(); regionErr != nil {
		return nil, regionErr
	}
	if p.leader == 0 {
		markReplicaRejected.Reached()
		return nil, p.notLeader()
	}
	return p, nil
}

// replicaSnapshot takes the view of a follower that has applied the index that
// its leader has named. Splits up to there are applied with it, so the epoch
// tells whether the region still is what the reader believes.
func (s *Store) replicaSnapshot(ctx *kvrpcpb.Context, round *readRound) (*RegionSnapshot, *errorpb.Error) {
	p, regionErr := s.memberPeer(ctx)
	if regionErr == nil {
		regionErr = checkVersion(p.region, ctx.GetRegionEpoch())
	}
	if regionErr == nil {
		regionErr = p.refuseMerging()
	}
	if regionErr != nil {
		markReplicaRejected.Reached()
		return nil, regionErr
	}
	if p.readable() < round.index || round.index == 0 {
		return nil, errStaleCommand("another peer has taken the place of the one that was asked")
	}
	markReplicaRead.Reached()
	return p.snapshot(), nil
}

// admitsRead reports whether raft is to have a follower's request for the read
// index. Raft would keep it until something is committed in the term and then
// answer it even if it is leader no longer; so the follower has to ask again.
func (p *peer) admitsRead(m *raftpb.Message) bool {
	if !p.isLeader() || !p.committedInTerm() || p.merging() || len(m.GetEntries()) != 1 {
		markReplicaDropped.Reached()
		return false
	}
	return !p.refusesRead(m) && !p.answersRead(m)
}

// answersRead gives a follower the read index under the lease. Whatever the
// leader has acknowledged, or told others to be committed, is part of it.
func (p *peer) answersRead(m *raftpb.Message) bool {
	if !p.s.promises() || p.reshaping() || !p.leased() {
		return false
	}
	markReplicaLeased.Reached()
	p.answerRead(m, m.Entries)
	return true
}

func (p *peer) answerRead(m *raftpb.Message, entries []*raftpb.Entry) {
	term, index := p.term(), p.commit()
	p.send(&raftpb.Message{
		Type: raftpb.MsgReadIndexResp.Enum(), From: &p.id, To: m.From, Term: &term, Index: &index, Entries: entries,
	})
}

// The context of a round travels to the leader and back. What follows it is the
// guard on the way there, after one tag, and a refusal on the way back, after
// another.
const (
	tagGuard   = 'g'
	tagRefusal = 'r'
)

// request returns what the leader is asked with.
func (round *readRound) request() []byte {
	if len(round.guard) == 0 {
		return round.context[:]
	}
	return append(append(round.context[:], tagGuard), round.guard...)
}

// answeredBy reports whether an answer is for the round, and notes a refusal.
func (round *readRound) answeredBy(answer []byte) bool {
	n := len(round.context)
	if len(answer) < n || string(answer[:n]) != string(round.context[:]) {
		return false
	}
	if len(answer) > n && answer[n] == tagRefusal {
		round.refusal = answer[n+1:]
	}
	return true
}

// refusesRead lets the guard look at what a follower is about to read, and
// refuses it if the guard does. This has to happen before the index is taken: what
// the guard does not see any more is applied up to there, and what comes later
// knows of the read. That the leader may have been deposed does no harm to a
// refusal; for any other answer it is confirmed.
func (p *peer) refusesRead(m *raftpb.Message) bool {
	data := m.Entries[0].GetData()
	n := len(readRound{}.context)
	if p.s.cfg.Guard == nil || len(data) <= n || data[n] != tagGuard {
		return false
	}
	refusal := p.s.cfg.Guard(data[n+1:])
	if refusal == nil {
		return false
	}
	markReplicaRefused.Reached()
	answer := append(append(bytes.Clone(data[:n]), tagRefusal), refusal...)
	p.answerRead(m, []*raftpb.Entry{{Data: answer}})
	return true
}
