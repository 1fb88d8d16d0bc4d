package raftstore

import (
	"slices"
	"time"

	"github.com/pingcap/kvproto/pkg/errorpb"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
)

// A read that is not confirmed in time asks again, with another round. The round
// before may never end: its answer is lost, or the leader has refused it without a
// word, and nothing tells the follower as long as the leader stays. So rounds that
// are given up have an end of their own, lest they gather. A leader's own questions
// need none: raft finishes them with the answer to any later one, which is good for
// the lease however late it comes, or the leader steps down.

// awaitRead waits for a round, and gives it up if that takes longer than limit.
func (p *peer) awaitRead(t env.Task, round *readRound, limit time.Duration) (*errorpb.Error, error) {
	round.waiters++
	p.s.readers.now++
	p.s.readers.most = max(p.s.readers.most, p.s.readers.now)
	regionErr, err := round.result.Await(t, limit)
	p.s.readers.now--
	round.waiters--
	if err != nil {
		p.giveUpRead(round)
	}
	return regionErr, err
}

// giveUpRead is called when a read does not wait for a round any more. If nobody
// does, one that is confirmed is forgotten, and of another one only its name is
// kept, for as long as an answer may come.
func (p *peer) giveUpRead(round *readRound) {
	if round.waiters > 0 {
		return
	}
	round.guard = nil
	p.reads.rounds = slices.DeleteFunc(p.reads.rounds, func(r *readRound) bool { return r == round && r.index != 0 })
}

// forgetGivenUp drops the rounds of a follower that are not waited for any more and
// were confirmed since, or were asked for too long ago to be answered. It is
// called whenever there is about to be one more.
func (p *peer) forgetGivenUp() {
	if p.isLeader() {
		return
	}
	now := p.s.env.Clock.Monotonic()
	p.reads.rounds = slices.DeleteFunc(p.reads.rounds, func(r *readRound) bool {
		return r.waiters == 0 && (r.index != 0 || now-r.asked > p.s.cfg.ReadIndexTimeout)
	})
	if len(p.reads.rounds) > p.s.roundsMax() {
		invariant.Fail("raftstore: %s: %d rounds, of %d reads at most", p, len(p.reads.rounds), p.s.readers.most)
	}
}

// roundsMax bounds the rounds of a follower that are not finished: in the time for
// which one is kept, each of so many reads at once has asked for no more than a few
// in a row. The last attempt of a read may be cut short, and clocks differ.
func (s *Store) roundsMax() int {
	return s.readers.most * 2 * (int(s.cfg.ReadIndexTimeout/s.cfg.ReadIndexRetry) + 2)
}
