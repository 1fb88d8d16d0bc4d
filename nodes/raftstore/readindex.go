package raftstore

import (
	"slices"
	"time"

	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"go.etcd.io/raft/v3"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
)

// readRound is one confirmation of leadership, shared by all reads of a region
// that came before it was asked for.
type readRound struct {
	// context is unique among all processes: an answer to a follower may be for an
	// earlier process of its store.
	context [16]byte
	term    uint64
	// replica: it is a follower's, who asks its leader.
	replica bool
	// guard is what the leader has to look at before it lets the follower read,
	// nil if nothing; such a round is not shared. refusal is its answer, if it does
	// not.
	guard, refusal []byte
	// asked is when it was handed to raft, on the monotonic clock; see lease.
	asked time.Duration
	// index must be applied before the reads go on. It is 0 until raft has
	// confirmed the round.
	index  uint64
	shared bool
	// waiters are the reads that wait for it.
	waiters int
	result  env.Future[*errorpb.Error]
}

// reads are the rounds of one peer.
type reads struct {
	next    *readRound   // to be asked for in the next turn
	guarded []*readRound // likewise, each with a guard of its own
	rounds  []*readRound // asked for and not finished, oldest first
}

// ReadSnapshot returns a view of a region that holds everything that was
// acknowledged, or seen by another reader, before the call. Either the peer is
// leader for certain when the view is taken (lease.go), or a quorum has confirmed
// after the call began that it was; and all that was committed then is applied.
// If the context asks for it, a follower serves the read too.
func (s *Store) ReadSnapshot(t env.Task, ctx *kvrpcpb.Context) (*RegionSnapshot, *errorpb.Error) {
	snap, _, regionErr := s.GuardedSnapshot(t, ctx, nil)
	return snap, regionErr
}

// GuardedSnapshot is ReadSnapshot for reads of which the leader has to know, even
// if a follower serves them. The leader's Config.Guard is given what stands in
// guard, and may refuse the read; if so there is no view, and refusal is what it
// said.
func (s *Store) GuardedSnapshot(
	t env.Task, ctx *kvrpcpb.Context, guard []byte,
) (snap *RegionSnapshot, refusal []byte, regionErr *errorpb.Error) {
	deadline := s.env.Clock.Monotonic() + s.cfg.ReadIndexTimeout
	began := s.cfg.Auditor.ReadBegan(ctx.GetRegionId())
	for {
		p, regionErr := s.readPeer(ctx)
		if regionErr != nil {
			return nil, nil, regionErr
		}
		left := deadline - s.env.Clock.Monotonic()
		if left <= 0 {
			return nil, nil, errServerIsBusy("leadership was not confirmed in time")
		}
		local := p.readsLocally()
		round := p.startRead(local, guard)
		regionErr, err := p.awaitRead(t, round, min(s.cfg.ReadIndexRetry, left))
		if err != nil {
			// The heartbeats or their answers are lost or late, or applying is. The next
			// round has a context of its own.
			markReadRetried.Reached()
			continue
		}
		if regionErr != nil {
			return nil, nil, regionErr
		}
		if round.refusal != nil {
			return nil, round.refusal, nil
		}
		// Time has passed: the region may have changed.
		snap, regionErr := s.finishRead(ctx, round)
		if regionErr == nil && local && !p.leased() {
			// The view was taken after the end of the lease, so it proves nothing.
			markLeaseLost.Reached()
			snap.Close()
			continue
		}
		if regionErr == nil {
			s.cfg.Witness.ReadServed(p.regionID, round.way(local))
			served := s.byRegion[p.regionID] // in whose place a split may have put another one meanwhile
			s.cfg.Auditor.ReadServed(served.regionID, served.id, began, served.applied)
		}
		return snap, nil, regionErr
	}
}

// readPeer returns the peer that is to serve a read.
func (s *Store) readPeer(ctx *kvrpcpb.Context) (*peer, *errorpb.Error) {
	if ctx.GetReplicaRead() {
		if p, regionErr := s.memberPeer(ctx); regionErr == nil && !p.isLeader() {
			return p.replicaReader(ctx)
		}
	}
	p, regionErr := s.leaderPeer(ctx)
	if regionErr != nil {
		return nil, regionErr
	}
	if !p.committedInTerm() {
		markReadNotReady.Reached()
		return nil, errReadIndexNotReady(p.regionID, "nothing is committed in this term")
	}
	return p, nil
}

// startRead begins to confirm a read.
func (p *peer) startRead(local bool, guard []byte) *readRound {
	if !local {
		return p.joinRead(guard)
	}
	round := &readRound{term: p.term(), index: p.commit()}
	if p.readable() >= round.index {
		round.result.Resolve(nil, nil)
	} else {
		markReadWaited.Reached()
		p.reads.rounds = append(p.reads.rounds, round)
	}
	return round
}

// finishRead takes the view.
func (s *Store) finishRead(ctx *kvrpcpb.Context, round *readRound) (*RegionSnapshot, *errorpb.Error) {
	if round.replica {
		return s.replicaSnapshot(ctx, round)
	}
	return s.snapshotInTerm(ctx, round.term)
}

// way tells how the round was confirmed.
func (round *readRound) way(local bool) ReadWay {
	switch {
	case round.replica:
		return ReadByReplica
	case local:
		return ReadByLease
	default:
		return ReadByIndex
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
	if p.appliedTerm != term {
		invariant.Fail("raftstore: %s: confirmed read in term %d, applied %d/%d", p, term, p.applied, p.appliedTerm)
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

// joinRead returns the round that will be asked for in the next turn. A follower's
// read with a guard has one of its own.
func (p *peer) joinRead(guard []byte) *readRound {
	markWokenByRead.Sometimes(p.asleep())
	p.stir()
	if len(guard) > 0 && !p.isLeader() {
		round := &readRound{context: p.s.name(&p.s.nextRead), term: p.term(), replica: true, guard: guard}
		p.reads.guarded = append(p.reads.guarded, round)
		p.s.markDirty(p)
		return round
	}
	if p.reads.next == nil {
		p.reads.next = &readRound{context: p.s.name(&p.s.nextRead), term: p.term(), replica: !p.isLeader()}
		p.s.markDirty(p)
	} else if !p.reads.next.shared {
		p.reads.next.shared = true
		markReadShared.Reached()
	}
	return p.reads.next
}

// issueReads asks raft to confirm the waiting rounds.
func (p *peer) issueReads() {
	if round := p.reads.next; round != nil {
		p.reads.next = nil
		p.issueRead(round)
	}
	guarded := p.reads.guarded
	p.reads.guarded = nil
	for _, round := range guarded {
		p.issueRead(round)
	}
}

// issueRead asks raft to confirm a round. Raft would postpone it as long as
// nothing is committed in the term; but what is asked for then is answered by
// whoever is leader at last, so it is not asked.
func (p *peer) issueRead(round *readRound) {
	if round.replica {
		if p.isLeader() || p.leader == 0 {
			round.result.Resolve(p.notLeader(), nil)
			return
		}
	} else if !p.isLeader() || !p.committedInTerm() || round.term != p.term() {
		round.result.Resolve(p.notLeader(), nil)
		return
	}
	p.forgetGivenUp()
	p.reads.rounds = append(p.reads.rounds, round)
	round.asked = p.s.env.Clock.Monotonic()
	p.node.ReadIndex(round.request())
}

// confirmRead takes raft's answer: the leadership was confirmed after the round
// was asked for, and nothing beyond index was committed before.
func (p *peer) confirmRead(rs raft.ReadState) {
	for i, round := range p.reads.rounds {
		if round.index != 0 || !round.answeredBy(rs.RequestCtx) {
			continue
		}
		if round.refusal != nil {
			round.result.Resolve(nil, nil)
			p.reads.rounds = slices.Delete(p.reads.rounds, i, i+1)
			return
		}
		if !round.replica {
			if round.term != p.term() || rs.Index < p.termStart {
				invariant.Fail("raftstore: %s: read of term %d confirmed at %d in term %d", p, round.term, rs.Index, p.term())
			}
			p.renewLease(round.asked)
		}
		round.index = rs.Index
		if p.readable() >= round.index {
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
		if round.index == 0 || round.index > p.readable() {
			return false
		}
		round.result.Resolve(nil, nil)
		return true
	})
}

// dropReads turns all reads away when the peer has become leader or is no longer,
// or is no longer at all.
func (p *peer) dropReads(why *errorpb.Error) {
	rounds := p.reads.rounds
	if p.reads.next != nil {
		rounds = append(rounds, p.reads.next)
	}
	rounds = append(rounds, p.reads.guarded...)
	p.reads = reads{}
	for _, round := range rounds {
		markReadDropped.Reached()
		round.result.Resolve(why, nil)
	}
}
