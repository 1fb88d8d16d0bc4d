package raftstore

import (
	"encoding/binary"
	"slices"

	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"go.etcd.io/raft/v3"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
)

// readRound is one confirmation of leadership, shared by all reads of a region
// that came before it was asked for.
type readRound struct {
	context uint64 // unique in this process
	term    uint64
	// index must be applied before the reads go on. It is 0 until raft has
	// confirmed the round.
	index  uint64
	shared bool
	result env.Future[*errorpb.Error]
}

// reads are the rounds of one peer.
type reads struct {
	next   *readRound   // to be asked for in the next turn
	rounds []*readRound // asked for and not finished, oldest first
}

// ReadSnapshot returns a view of a region that holds everything that was
// acknowledged before the call: the peer was leader, as a quorum has confirmed
// after the call began, and all that was committed then is applied.
func (s *Store) ReadSnapshot(t env.Task, ctx *kvrpcpb.Context) (*RegionSnapshot, *errorpb.Error) {
	deadline := s.env.Clock.Monotonic() + s.cfg.ReadIndexTimeout
	for {
		p, regionErr := s.leaderPeer(ctx)
		if regionErr != nil {
			return nil, regionErr
		}
		if !p.committedInTerm() {
			markReadNotReady.Reached()
			return nil, errReadIndexNotReady(p.regionID, "nothing is committed in this term")
		}
		left := deadline - s.env.Clock.Monotonic()
		if left <= 0 {
			return nil, errServerIsBusy("leadership was not confirmed in time")
		}
		round := p.joinRead()
		regionErr, err := round.result.Await(t, min(s.cfg.ReadIndexRetry, left))
		if err != nil {
			// The heartbeats or their answers are lost or late. This round is not waited
			// for any more; the next one has a context of its own.
			markReadRetried.Reached()
			continue
		}
		if regionErr != nil {
			return nil, regionErr
		}
		// Time has passed: the region may have changed.
		return s.snapshotInTerm(ctx, round.term)
	}
}

// snapshotInTerm takes a view of a region whose leadership in term was
// confirmed.
func (s *Store) snapshotInTerm(ctx *kvrpcpb.Context, term uint64) (*RegionSnapshot, *errorpb.Error) {
	p, regionErr := s.leaderPeer(ctx)
	if regionErr != nil {
		return nil, regionErr
	}
	if p.term() != term {
		return nil, errStaleCommand("the term has changed")
	}
	return p.snapshot(), nil
}

// LeaderSnapshot returns the applied state of a peer that believes to be the
// leader and has applied an entry of its own term. Another leader may be ahead
// of it without its knowing; what is derived from the view has to be confirmed by
// a proposal or a ReadSnapshot in the same term.
func (s *Store) LeaderSnapshot(ctx *kvrpcpb.Context) (*RegionSnapshot, *errorpb.Error) {
	p, regionErr := s.leaderPeer(ctx)
	if regionErr != nil {
		return nil, regionErr
	}
	if p.appliedTerm != p.term() {
		markReadNotReady.Reached()
		return nil, errReadIndexNotReady(p.regionID, "nothing is applied in this term")
	}
	return p.snapshot(), nil
}

// joinRead returns the round that will be asked for in the next turn.
func (p *peer) joinRead() *readRound {
	if p.reads.next == nil {
		p.s.nextRead++
		p.reads.next = &readRound{context: p.s.nextRead, term: p.term()}
		p.s.markDirty(p)
	} else if !p.reads.next.shared {
		p.reads.next.shared = true
		markReadShared.Reached()
	}
	return p.reads.next
}

// issueRead asks raft to confirm the waiting round. Raft would postpone it as
// long as nothing is committed in the term; but what is asked for then is
// answered by whoever is leader at last, so it is not asked.
func (p *peer) issueRead() {
	round := p.reads.next
	if round == nil {
		return
	}
	p.reads.next = nil
	if !p.isLeader() || !p.committedInTerm() || round.term != p.term() {
		round.result.Resolve(p.notLeader(), nil)
		return
	}
	p.reads.rounds = append(p.reads.rounds, round)
	p.node.ReadIndex(binary.BigEndian.AppendUint64(nil, round.context))
}

// confirmRead takes raft's answer: the leadership was confirmed after the round
// was asked for, and nothing beyond index was committed before.
func (p *peer) confirmRead(rs raft.ReadState) {
	context := binary.BigEndian.Uint64(rs.RequestCtx)
	for i, round := range p.reads.rounds {
		if round.context != context {
			continue
		}
		invariant.Check(round.term == p.term() && rs.Index >= p.termStart,
			"raftstore: %s: read of term %d confirmed at %d in term %d", p, round.term, rs.Index, p.term())
		round.index = rs.Index
		if p.applied >= round.index {
			round.result.Resolve(nil, nil)
			p.reads.rounds = slices.Delete(p.reads.rounds, i, i+1)
		} else {
			markReadWaited.Reached()
		}
		return
	}
}

// releaseReads lets the confirmed reads go on whose index is applied.
func (p *peer) releaseReads() {
	if len(p.reads.rounds) == 0 {
		return
	}
	p.reads.rounds = slices.DeleteFunc(p.reads.rounds, func(round *readRound) bool {
		if round.index == 0 || round.index > p.applied {
			return false
		}
		round.result.Resolve(nil, nil)
		return true
	})
}

// dropReads turns all reads away when the peer is no longer leader, or no
// longer at all.
func (p *peer) dropReads(why *errorpb.Error) {
	rounds := p.reads.rounds
	if p.reads.next != nil {
		rounds = append(rounds, p.reads.next)
	}
	p.reads = reads{}
	for _, round := range rounds {
		markReadDropped.Reached()
		round.result.Resolve(why, nil)
	}
}
