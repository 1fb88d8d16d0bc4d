package raftstore

import (
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"simrun/nodes/invariant"
)

// Leases let a leader serve reads from its own state, without asking anybody.
//
// The promise. A peer that takes a message from the leader of a term grants no
// vote for Store.promiseLength after that, by its own monotonic clock; nor does
// it campaign, for raft lets ElectionTick ticks pass first, and the first of
// them may be short. Since a process forgets what it has promised, a store
// grants no votes either for that long after its start. Raft has a promise of
// its own (CheckQuorum), but breaks it when a peer is made to forget its leader,
// by a restart or by a late answer that carries a higher term; so the store
// keeps watch itself, over all votes but those of a leader transfer.
//
// The lease. What the leader sent at its instant t and a quorum has taken since
// makes a quorum promise until t + promiseLength at least, on their clocks. A
// later leader needs the vote of one of them. So until Store.leaseLength after t
// on the leader's clock there is no other leader of a later term, where
// leaseLength is shorter than the promise by as much as two clocks can differ.
// Two things prove that a quorum has taken what was sent at t or later: a
// ReadIndex round that was asked for at t and is confirmed, for heartbeats answer
// only rounds that they carry; and an entry that was proposed at t and is
// committed in the term of its proposal. That acknowledgements of entries wait
// for the disk does no harm, for the promise counts from when the entry came.
// The instant of the acknowledgement itself proves nothing.
//
// A change of members does not void the argument: the quorums of two successive
// configurations intersect, and the change was itself committed by a quorum that
// heard of it later than t.
//
// A leader transfer is the exception that raft makes to all of this: the vote is
// forced. So with the message that starts it the lease ends, for the whole term,
// because the message may still be on its way when the transfer is given up.
//
// What is read under a lease has to be all that anybody may have seen: not only
// what this leader has applied and so acknowledged, but also what it has told
// followers to be committed, who may have answered reads from it. So a read
// waits until everything that is known to be committed is applied. Then no split
// can have been carried out elsewhere that this peer has not heard of, either.

// lease is what a peer knows about its own leadership in one term.
type lease struct {
	// until is the end of the lease on the monotonic clock, 0 if there never was
	// one.
	until time.Duration
	// suspended: a leader transfer was begun. Only the next term ends this.
	suspended bool
	// reshaping is the index of the last entry, proposed in this term, that
	// changes which keys the region holds: until it is applied there is no reading
	// under the lease, nor renewal. A region that is merging has none either.
	reshaping uint64
	// absorbing is the index of the last of them that absorbs another region.
	absorbing uint64
	// opened: an entry of this term is committed.
	opened bool
	// preparing: the leader has proposed in this term that the region be merged
	// into another one, and that is not decided.
	preparing bool
}

// million is the unit of clock drift.
const million = 1_000_000

// promiseLength is how long a peer that has heard of its leader grants no votes.
// The ticks of raft's own clock come at any time between two messages, so that
// ElectionTick of them may pass in one tick less.
func (c *Config) promiseLength() time.Duration {
	return time.Duration(c.ElectionTick-1) * c.TickInterval
}

// leaseLength is how long a leader relies on it: while its own clock may be slow
// and those of the others fast.
func (c *Config) leaseLength() time.Duration {
	drift := time.Duration(c.ClockDriftBound)
	promise := c.promiseLength()
	slow := million - drift
	fast := million + drift
	return promise/fast*slow + promise%fast*slow/fast
}

// promises reports whether the store takes part in the scheme of leases.
func (s *Store) promises() bool { return s.cfg.LeaderLease }

// heard notes that the peer has taken a message of its leader.
func (p *peer) heard(m *raftpb.Message) {
	switch m.GetType() {
	case raftpb.MsgApp, raftpb.MsgHeartbeat, raftpb.MsgSnap:
		// The term as of the last Ready may be behind raft's own. Then this is a
		// promise too many, which costs nothing but time.
		if p.s.promises() && m.GetTerm() >= p.term() {
			p.promise = p.s.env.Clock.Monotonic() + p.s.cfg.promiseLength()
		}
	default:
	}
}

// asksForPromised reports whether a message asks for a vote that a promise
// forbids: any but the forced one of a leader transfer, before which the leader
// of the peer's term, or of an earlier one, has given up its lease.
func asksForPromised(m *raftpb.Message) bool {
	return isVoteRequest(m) && string(m.GetContext()) != forcedCampaign
}

// forcedCampaign is the context of votes of a leader transfer; raft does not
// export it.
const forcedCampaign = "CampaignTransfer"

// heldOff reports whether a message is to be ignored because the store has just
// started and does not know what its previous process has promised. That goes for
// peers that are born meanwhile too: the previous process may have known them.
func (s *Store) heldOff(m *raftpb.Message) bool {
	return s.promises() && s.env.Clock.Monotonic() < s.holdoff && markVoteHeldOff.Sometimes(asksForPromised(m))
}

// promised reports whether a message is to be ignored because of what the peer
// has promised.
func (p *peer) promised(m *raftpb.Message) bool {
	return p.hasPromised() && markVotePromised.Sometimes(asksForPromised(m))
}

// hasPromised reports whether the peer may not vote, for itself or others.
func (p *peer) hasPromised() bool {
	s := p.s
	return s.promises() && s.env.Clock.Monotonic() < max(p.promise, s.holdoff)
}

// renewLease extends the lease by what was sent at an instant of the monotonic
// clock and has been taken by a quorum since.
func (p *peer) renewLease(sent time.Duration) {
	l := &p.lease
	if !p.s.promises() || !p.isLeader() || l.suspended {
		return
	}
	if p.withoutLease() {
		return
	}
	now := p.s.env.Clock.Monotonic()
	if sent > now {
		invariant.Fail("raftstore: %s: lease from %v at %v", p, sent, now)
	}
	until := sent + p.s.cfg.leaseLength()
	if markLeaseLate.Sometimes(until <= now) || until <= l.until {
		return
	}
	if l.until < now {
		markLeaseRenewed.Reached()
	}
	l.until = until
	p.s.cfg.Witness.LeaseRenewed(p.regionID, p.term())
}

// suspendLease gives the lease up for the rest of the term.
func (p *peer) suspendLease() {
	markLeaseSuspended.Sometimes(p.leased())
	p.lease.suspended = true
}

// leased reports whether the peer is leader for certain, now.
func (p *peer) leased() bool {
	l := &p.lease
	return p.isLeader() && !l.suspended && p.s.env.Clock.Monotonic() < l.until
}

// reshaping reports whether the region is about to get other keys, or to lose
// all of them.
func (p *peer) reshaping() bool { return p.lease.reshaping > p.applied || p.merging() }

// withoutLease reports whether the lease is neither renewed nor used because the
// region is reshaping.
func (p *peer) withoutLease() bool {
	if !p.reshaping() {
		return false
	}
	merge := p.merging() || p.lease.preparing || p.lease.absorbing > p.applied
	markLeaseSplitting.Sometimes(!merge)
	markLeaseMerging.Sometimes(merge)
	return true
}

// readsLocally reports whether a read may be served under the lease, as soon as
// what is committed is applied.
func (p *peer) readsLocally() bool {
	if !p.s.promises() || p.withoutLease() {
		return false
	}
	leased := p.leased()
	markLeaseExpired.Sometimes(!leased && !p.lease.suspended && p.lease.until != 0)
	return leased
}

// resetLease begins a term, or the time after one.
func (p *peer) resetLease() { p.lease = lease{} }

// openTerm notes that an entry of the leader's own term is committed.
func (p *peer) openTerm() {
	if !p.lease.opened && p.isLeader() && p.committedInTerm() {
		p.lease.opened = true
		p.s.cfg.Witness.TermOpened(p.regionID, p.term())
	}
}

// Leased reports whether this store is leader of a region for certain, at this
// instant, and in which term.
func (s *Store) Leased(region uint64) (term uint64, leased bool) {
	p := s.byRegion[region]
	if p == nil || p.role != raft.StateLeader {
		return 0, false
	}
	return p.term(), p.leased()
}

// UsesLease reports whether this store would serve a read of a region at this
// instant under its lease, as far as that depends on the lease and on what the
// peer has applied. A leader elected after its region's merge was proposed may
// hold a lease while it has not applied that, but does not use it.
func (s *Store) UsesLease(region uint64) bool {
	p := s.byRegion[region]
	return p != nil && p.leased() && !p.reshaping() && p.readable() >= p.commit()
}

// Witness is told what has to be compared between stores, and how reads are
// served. It may ask other stores whether they are Leased, or use their lease, and
// nothing else.
type Witness interface {
	// LeaseRenewed: the leader of a region in a term is so for certain from now
	// on.
	LeaseRenewed(region, term uint64)
	// TermOpened: the leader of a region has committed an entry of its term.
	TermOpened(region, term uint64)
	// ReadServed: a view of a region was given to a reader.
	ReadServed(region uint64, way ReadWay)
}

// ReadWay is how a read was confirmed.
type ReadWay uint8

// The ways.
const (
	ReadByLease   ReadWay = iota // by the leader, under its lease
	ReadByIndex                  // by the leader, confirmed by a quorum
	ReadByReplica                // by a follower, which has asked the leader
)

type noWitness struct{}

func (noWitness) LeaseRenewed(uint64, uint64) {}
func (noWitness) TermOpened(uint64, uint64)   {}
func (noWitness) ReadServed(uint64, ReadWay)  {}
