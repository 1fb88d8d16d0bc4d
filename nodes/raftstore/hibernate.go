package raftstore

import (
	"slices"

	"github.com/pingcap/kvproto/pkg/raft_serverpb"
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"

	"simrun/nodes/invariant"
)

// A region that nobody uses hibernates, as in TiKV: its peers neither tick nor
// send heartbeats. A leader whose followers have everything asks them
// (MsgHibernateRequest); a follower that agrees goes to sleep and says so
// (MsgHibernateResponse); when all have agreed, the leader sleeps too. The leader
// wakes when it is to propose something, to confirm a read or to hand over, and
// at a message that tells it something; then it sends a heartbeat at once.
//
// Ticks are nothing that raft's safety rests on, nor do leases: promises are
// kept by the clock (lease.go), and a leader that is silent has no lease when
// the last one has run out. What sleeping puts at risk is that nobody notices the
// loss of a leader. So a leader sleeps only as long as its store hears of the stores
// of a quorum (neighbour.go), and a follower only as long as it has reason to trust
// that its leader is there:
//
//   - its leader's store is heard of (neighbour.go);
//   - now and then the leader, asleep, repeats its request to all who are members
//     then. A follower that misses it expects the worst at first, and wakes when
//     it misses it again;
//   - nobody campaigns, nor asks the follower for what only a leader can do.
//
// Else it wakes, tells the leader so (MsgRegionWakeUp), and makes up for ticks
// that it has missed, though never so many that it would campaign before a leader
// which is there can answer.
//
// Messages may be lost, or come late or twice. So either side may sleep while the
// other is awake. A follower that is awake while its leader sleeps will ask for
// votes, which wakes the leader. A follower that sleeps while its leader is awake
// stores and acknowledges what it is sent like any other, waking if that is
// anything new.

// groupState is what a peer believes about its region.
type groupState uint8

const (
	// chaos: nothing was heard of a leader since the peer has woken, or begun.
	chaos groupState = iota
	// ordered: there was word of a leader.
	ordered
	// idle: the peer sleeps.
	idle
	// preChaos: it sleeps, but the leader has not repeated its request.
	preChaos
)

// sleep is what a peer knows about hibernation.
type sleep struct {
	state groupState
	// stirred is the tick at which the peer has last had anything to do.
	stirred int
	// active: it was, since the last Ready.
	active bool
	// asked is the tick at which the leader has asked its followers, 0 if it waits
	// for no answers; agreed are those who have answered.
	asked  int
	agreed []uint64
	// trusted is, of a follower that sleeps, its leader's store.
	trusted uint64
}

func (p *peer) asleep() bool { return p.sleep.state == idle || p.sleep.state == preChaos }

// stir is called when the peer is given anything to do: it is awake then, and
// stays so for a while.
func (p *peer) stir() { p.rouse(ordered) }

func (p *peer) rouse(state groupState) {
	if p.asleep() {
		p.wake(state)
	}
	p.sleep.stirred, p.sleep.asked, p.sleep.active = p.s.ticks, 0, true
}

// considerSleep is called at every tick of a leader, and at some of others.
func (p *peer) considerSleep() {
	s, sl := p.s, &p.sleep
	if !s.cfg.hibernates() || !p.isLeader() || s.ticks-sl.stirred < s.cfg.hibernateTicks() {
		return
	}
	switch {
	case sl.asked != 0 && s.ticks-sl.asked < s.cfg.ElectionTick:
		return // the answers are on their way
	case sl.asked != 0:
		markSleepRefused.Reached()
	case !p.restless():
		sl.asked, sl.agreed = s.ticks, sl.agreed[:0]
		p.requestSleep(p.log.lastIndex)
		p.countAgreed() // there may be nobody else
		return
	}
	// Another try has to come soon, but not at the same place of raft's own period,
	// at whose end it forgets who is active.
	sl.asked, sl.stirred = 0, s.ticks-s.cfg.hibernateTicks()+s.cfg.HeartbeatTick+1
}

// requestSleep asks all other members to sleep. An index of 0 is for those who do
// already: there is no answer to it.
func (p *peer) requestSleep(index uint64) {
	for _, q := range p.region.GetPeers() {
		if q.GetId() != p.id {
			p.sendExtra(q.GetId(), raft_serverpb.ExtraMessageType_MsgHibernateRequest, index)
		}
	}
}

// restless reports whether a leader has a reason to stay awake.
func (p *peer) restless() bool {
	if markSleepUnsettled.Sometimes(!p.settled() || inJoint(p.region) || !staysVoter(p.meta)) ||
		markSleepSending.Sometimes(p.sendsSnapshot()) ||
		markSleepTransfer.Sometimes(p.node.BasicStatus().LeadTransferee != raft.None) {
		return true
	}
	behind := false
	p.node.WithProgress(func(id uint64, _ raft.ProgressType, pr tracker.Progress) {
		if id != p.id && (pr.State != tracker.StateReplicate || pr.Match != p.log.lastIndex || !pr.RecentActive) {
			behind = true
		}
	})
	return markSleepBehind.Sometimes(behind)
}

// settled reports whether the peer has nothing to do: all that it has is
// committed and applied, in the term of its leader, and nobody waits for it.
func (p *peer) settled() bool {
	p.forgetReads()
	return initialised(p.region) && !p.sleep.active && !p.merging() &&
		p.applied == p.log.lastIndex && p.commit() == p.log.lastIndex && p.appliedTerm == p.term() &&
		len(p.proposals.queued)+len(p.proposals.logged) == 0 &&
		p.reads.next == nil && len(p.reads.guarded)+len(p.reads.rounds) == 0 &&
		len(p.received) == 0 && p.restored == nil
}

// forgetReads drops rounds of which no answer can be waited for any more.
func (p *peer) forgetReads() {
	now := p.s.env.Clock.Monotonic()
	p.reads.rounds = slices.DeleteFunc(p.reads.rounds, func(r *readRound) bool {
		return r.index == 0 && now-r.asked > p.s.cfg.ReadIndexTimeout
	})
}

// onHibernateRequest answers the leader's request.
func (p *peer) onHibernateRequest(ev *envelope) {
	if !p.s.cfg.hibernates() || p.role != raft.StateFollower || ev.from.GetId() != p.leader || !sameEpoch(p, ev) {
		markSleepDeclined.Reached()
		return
	}
	if !p.asleep() {
		// Who was woken without reason learns so by this.
		if ev.extraIndex != 0 && ev.extraIndex != p.log.lastIndex || p.sleep.state == chaos || !p.settled() {
			markSleepDeclined.Reached()
			return
		}
		markSleepFollower.Reached()
		p.fallAsleep(ev.from.GetStoreId())
	}
	p.sleep.state = idle
	p.contact = p.s.ticks
	if ev.extraIndex != 0 {
		p.sendExtra(p.leader, raft_serverpb.ExtraMessageType_MsgHibernateResponse, 0)
	}
}

func sameEpoch(p *peer, ev *envelope) bool {
	have := p.region.GetRegionEpoch()
	return ev.epoch.GetConfVer() == have.GetConfVer() && ev.epoch.GetVersion() == have.GetVersion()
}

// onHibernateResponse counts a follower that sleeps.
func (p *peer) onHibernateResponse(ev *envelope) {
	if !p.isLeader() || p.asleep() || p.sleep.asked == 0 || slices.Contains(p.sleep.agreed, ev.from.GetId()) {
		return
	}
	p.sleep.agreed = append(p.sleep.agreed, ev.from.GetId())
	p.countAgreed()
}

// countAgreed lets the leader sleep if all others do.
func (p *peer) countAgreed() {
	for _, q := range p.region.GetPeers() {
		if q.GetId() != p.id && !slices.Contains(p.sleep.agreed, q.GetId()) {
			return
		}
	}
	if !p.restless() {
		markSleepLeader.Reached()
		p.fallAsleep(0)
	}
}

// fallAsleep stops the peer's clock. A follower trusts its leader's store.
func (p *peer) fallAsleep(trusted uint64) {
	p.catchUp()
	p.sleep.state, p.sleep.trusted, p.sleep.asked = idle, trusted, 0
	p.tick.due = 0
	p.countSleeper(1)
}

// countSleeper tells the neighbours' records that the peer sleeps, or that it
// does no longer.
func (p *peer) countSleeper(change int) {
	if p.isLeader() {
		for _, q := range p.region.GetPeers() {
			if q.GetId() != p.id {
				p.s.neighbour(q.GetStoreId()).led += change
			}
		}
		return
	}
	p.s.neighbour(p.sleep.trusted).followed += change
}

// endSleep makes the peer one that is awake.
func (p *peer) endSleep(state groupState) {
	p.countSleeper(-1)
	p.sleep.state, p.sleep.trusted = state, 0
}

// wake starts the peer's clock again. A leader makes up for one heartbeat. A
// follower that has lost trust makes up for as many ticks as leave its leader,
// if there is one after all, the time of a heartbeat.
func (p *peer) wake(state groupState) {
	s := p.s
	invariant.Check(p.asleep(), "raftstore: %s: woken twice", p)
	missed := s.ticks - p.tick.done
	if p.isLeader() {
		state = ordered
	}
	p.endSleep(state)
	p.tick.done = s.ticks
	p.sleep.stirred = s.ticks
	switch {
	case p.isLeader():
		markWokenLeader.Reached()
		missed = min(missed, s.cfg.HeartbeatTick)
	case state == chaos:
		missed = min(missed, s.cfg.ElectionTick-1-s.cfg.HeartbeatTick-p.tick.elapsed)
		p.sendExtra(p.leader, raft_serverpb.ExtraMessageType_MsgRegionWakeUp, 0)
	default:
		missed = 0
	}
	for range missed {
		p.giveTick()
	}
	s.calendar.add(p, s.ticks+1)
	if p.node.HasReady() {
		s.markDirty(p)
	}
}

// onWakeUp is told by a follower that it has woken.
func (p *peer) onWakeUp() {
	if markWokenByFollower.Sometimes(p.isLeader() && p.asleep()) {
		p.wake(ordered)
	}
}

// requested is called when somebody asks for what only a leader can do: they
// may not have found it.
func (p *peer) requested() {
	if markWokenByRequest.Sometimes(p.asleep()) {
		p.wake(chaos)
	}
}

// stirBy wakes the peer by a message of raft, unless it tells nothing new.
func (p *peer) stirBy(m *raftpb.Message) {
	if p.fromLeader(m) && p.sleep.state == chaos {
		p.sleep.state = ordered
	}
	if !p.s.cfg.hibernates() {
		return
	}
	switch {
	case p.tellsNothing(m):
		if p.asleep() && isLeaderMessage(m) {
			p.tick.done = p.s.ticks // raft counts from here
		}
	case p.asleep() && isVoteRequest(m):
		markWokenByVote.Reached()
		p.rouse(chaos)
	default:
		markWokenByMessage.Sometimes(p.asleep())
		p.stir()
	}
}

// tellsNothing reports whether a message neither changes anything nor asks for
// anything: a heartbeat and its answer, or what came late or twice. An answer that
// confirms a read is waited for by a leader who is awake.
func (p *peer) tellsNothing(m *raftpb.Message) bool {
	if m.GetTerm() != p.term() {
		return false
	}
	switch m.GetType() {
	case raftpb.MsgHeartbeat:
		return p.fromLeader(m) && m.GetCommit() <= p.commit()
	case raftpb.MsgApp:
		last := m.GetIndex() + uint64(len(m.GetEntries()))
		return p.fromLeader(m) && m.GetCommit() <= p.commit() && last <= p.commit()
	case raftpb.MsgHeartbeatResp:
		return p.isLeader()
	case raftpb.MsgAppResp:
		return p.isLeader() && !m.GetReject() && m.GetIndex() <= p.commit()
	default:
		return false
	}
}

// tendSleepers is called now and then. Leaders that sleep repeat their request,
// and followers look whether theirs has.
func (s *Store) tendSleepers() {
	patience := s.cfg.leaderMissingTicks() + s.cfg.ElectionTick
	for _, p := range s.peers {
		switch {
		case p.destroyed || !p.asleep():
		case p.isLeader():
			p.requestSleep(0)
		case s.ticks-p.contact < patience:
		case p.sleep.state == idle:
			markPreChaos.Reached()
			p.sleep.state = preChaos
		default:
			markWokenByDoubt.Reached()
			p.wake(chaos)
		}
	}
}
