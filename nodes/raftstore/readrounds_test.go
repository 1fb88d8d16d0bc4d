package raftstore

import (
	"testing"
	"time"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
)

// A follower whose questions get no answer asks again and again. The rounds that
// nobody waits for any more are forgotten after a while, with and without a guard,
// whose bytes go at once; and when there are answers again, reads are served and
// nothing is left.
func TestRoundsOfLostAnswers(t *testing.T) {
	const readers = 4
	retried := reached("read index asked again")
	c := newCluster(t, clusterOptions{seed: 8})
	leader := c.waitLeader("")
	c.run(time.Second)
	f := c.stores[leader.id%3]
	p := f.peers[0]
	c.w.Network.Cut(f.node.Addr(), leader.node.Addr()) // the leader is heard, and is not asked
	served, stop := 0, false
	for i := range readers {
		guard := []byte(nil)
		if i%2 == 0 {
			guard = make([]byte, 1000)
		}
		c.w.Go("reader", func(t env.Task) {
			for !stop {
				ctx := f.context("k")
				ctx.ReplicaRead = true
				snap, _, regionErr := f.GuardedSnapshot(t, ctx, guard)
				if regionErr == nil {
					snap.Close()
					served++
				}
				t.Sleep(time.Millisecond)
			}
		})
	}
	most := 0
	watch := func() {
		for range 500 {
			c.run(10 * time.Millisecond)
			most = max(most, len(p.reads.rounds)+len(p.reads.guarded))
			for _, r := range p.reads.rounds {
				if r.waiters == 0 && r.guard != nil {
					t.Fatal("a guard is kept for nobody")
				}
			}
		}
	}
	watch()
	if served != 0 || retried() < 4*readers || p.leader == 0 {
		t.Fatalf("%d served, %d asked again", served, retried())
	}
	perRead := int(f.cfg.ReadIndexTimeout/f.cfg.ReadIndexRetry) + 2
	if most <= readers || most > readers*perRead || f.roundsMax() != 2*readers*perRead {
		t.Errorf("at most %d rounds of %d reads, %d of each", most, readers, perRead)
	}
	c.w.Network.Heal(f.node.Addr(), leader.node.Addr())
	watch()
	stop = true
	c.run(time.Second)
	if served == 0 || len(p.reads.rounds) != 0 || f.readers.now != 0 {
		t.Errorf("%d served, %d rounds left, %d readers", served, len(p.reads.rounds), f.readers.now)
	}
}

// A round that several reads share is given up with the last of them, and one that
// is confirmed and not applied is not kept for nobody.
func TestGivenUpRounds(t *testing.T) {
	c := newCluster(t, clusterOptions{seed: 9})
	leader := c.waitLeader("")
	c.run(time.Second)
	p := c.stores[leader.id%3].peers[0]
	round := func(index uint64, waiters int) *readRound {
		return &readRound{replica: true, index: index, waiters: waiters, guard: []byte("g"), asked: p.s.env.Clock.Monotonic()}
	}
	confirmed, unanswered, shared := round(1_000_000, 0), round(0, 0), round(1_000_000, 1)
	p.reads.rounds = []*readRound{confirmed, unanswered, shared}
	for _, r := range []*readRound{confirmed, unanswered, shared} {
		p.giveUpRead(r)
	}
	if len(p.reads.rounds) != 2 || unanswered.guard != nil || shared.guard == nil {
		t.Errorf("%d rounds are left", len(p.reads.rounds))
	}
	p.s.readers.most = 1
	unanswered.index, shared.waiters = 1_000_000, 0 // answered after all
	if p.forgetGivenUp(); len(p.reads.rounds) != 0 {
		t.Errorf("%d rounds are left that are confirmed", len(p.reads.rounds))
	}
	late := round(0, 0)
	p.reads.rounds = []*readRound{late}
	if p.forgetGivenUp(); len(p.reads.rounds) != 1 {
		t.Error("forgotten while an answer may come")
	}
	late.asked -= p.s.cfg.ReadIndexTimeout + 1
	if p.forgetGivenUp(); len(p.reads.rounds) != 0 {
		t.Error("kept though no answer is to be expected")
	}
}

// More rounds than reads can have asked for are a mistake that is noticed.
func TestTooManyRounds(t *testing.T) {
	c := newCluster(t, clusterOptions{seed: 9})
	leader := c.waitLeader("")
	c.run(time.Second)
	p := c.stores[leader.id%3].peers[0]
	for range p.s.roundsMax() + 1 {
		p.reads.rounds = append(p.reads.rounds, &readRound{replica: true, asked: p.s.env.Clock.Monotonic()})
	}
	defer func() {
		if _, ok := recover().(invariant.Violation); !ok {
			t.Error("not noticed")
		}
	}()
	p.forgetGivenUp()
}
