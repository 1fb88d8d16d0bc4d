package raftstore

import (
	"encoding/binary"

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
	return !p.answersRead(m)
}

// answersRead gives a follower the read index under the lease. Whatever the
// leader has acknowledged, or told others to be committed, is part of it.
//
// Commands whose locks are only in the memory of the leader would be looked up
// here, and in the other way when raft has confirmed the round: a read at a
// timestamp has to be refused if such a lock may be committed below it. All
// locks of this database are in its data, where the follower sees them.
func (p *peer) answersRead(m *raftpb.Message) bool {
	if !p.s.promises() || p.reshaping() || !p.leased() {
		return false
	}
	markReplicaLeased.Reached()
	term, index := p.term(), p.commit()
	p.send(&raftpb.Message{
		Type: raftpb.MsgReadIndexResp.Enum(), From: &p.id, To: m.From, Term: &term, Index: &index, Entries: m.Entries,
	})
	return true
}

// readContext returns a name for a round that no other has.
func (s *Store) readContext() (name [16]byte) {
	s.nextRead++
	binary.BigEndian.PutUint64(name[:8], s.boot)
	binary.BigEndian.PutUint64(name[8:], s.nextRead)
	return name
}
