package raftstore

import (
	"cmp"
	"slices"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
)

// Raft's clock counts ticks. Most ticks of a follower do nothing but count: its
// timeout is ElectionTick at least, and each message of its leader begins it
// anew. So a store does not tick all its peers at each of its own ticks. It keeps
// a calendar of when a tick of a peer can have an effect; the ticks before are
// made up for, all of them, when that time has come or before the peer is given
// anything else. What is decided, and when, is the same as if every peer were
// ticked every time (Config.EagerTicks).
//
// A leader that is awake is ticked every time: it sends heartbeats, checks its
// quorum and looks after its members. Peers of a hibernating region have no
// ticks at all; see hibernate.go.

// tickCount is what a peer knows about its raft's clock.
type tickCount struct {
	// done is the tick of the store up to which raft was ticked.
	done int
	// elapsed is no less than the ticks that raft has counted since it last heard
	// of its leader or voted.
	elapsed int
	// due is the tick at which the calendar has the peer, 0 while it has none.
	due int
}

// calendar holds the peers whose tick may have an effect, by that tick: a ring of
// as many slots as ticks may be put off, and one.
type calendar struct {
	slots [][]*peer
	taken []*peer
}

func (c *calendar) init(ticksMax int) { c.slots = make([][]*peer, ticksMax+1) }

// add puts a peer down for a tick, in the place of the one for which it was put
// down before.
func (c *calendar) add(p *peer, tick int) {
	if p.tick.due == tick {
		return
	}
	p.tick.due = tick
	slot := &c.slots[tick%len(c.slots)]
	*slot = append(*slot, p)
}

// take returns the peers of a tick, in the order of region ids. Peers that were
// put down for another tick since are left out.
func (c *calendar) take(tick int) []*peer {
	slot := &c.slots[tick%len(c.slots)]
	c.taken = c.taken[:0]
	for i, p := range *slot {
		if p.tick.due == tick {
			p.tick.due = 0
			c.taken = append(c.taken, p)
		}
		(*slot)[i] = nil
	}
	*slot = (*slot)[:0]
	slices.SortFunc(c.taken, byRegionID)
	return c.taken
}

func byRegionID(p, q *peer) int { return cmp.Compare(p.regionID, q.regionID) }

// scheduleTick arms the one timer that drives raft's clock in all peers.
func (s *Store) scheduleTick() {
	s.env.Sched.After(s.cfg.TickInterval, s.tickFn)
}

func (s *Store) tick() {
	if s.dead {
		return
	}
	s.scheduleTick()
	s.ticks++
	for _, p := range s.calendar.take(s.ticks) {
		if !p.destroyed && !p.asleep() {
			p.onTick()
		}
	}
	s.watchNeighbours()
	s.receiver.collect()
	s.collectOutgoing()
}

// onTick is what a peer does at a tick that may have an effect.
func (p *peer) onTick() {
	p.catchUp()
	if p.isLeader() {
		p.contact = p.s.ticks
		p.tendMembers()
	}
	p.tendMerge()
	if p.node.HasReady() {
		p.s.markDirty(p)
	}
	p.checkContact()
	p.considerSleep()
	if !p.asleep() {
		p.s.calendar.add(p, p.nextTick())
	}
}

// catchUp gives raft the ticks that were put off. Whoever gives raft anything
// else calls it first.
func (p *peer) catchUp() {
	if p.asleep() {
		return
	}
	for p.tick.done < p.s.ticks {
		p.giveTick()
		p.tick.done++
	}
}

func (p *peer) giveTick() {
	p.tick.elapsed++
	p.node.Tick()
}

// nextTick is the first tick that may have an effect: that of a leader or of a
// peer whose region is merging, one at
// which raft's timeout may run out, or at which the peer has gone without a
// leader for too long.
func (p *peer) nextTick() int {
	s := p.s
	if s.cfg.EagerTicks || p.isLeader() || p.merging() {
		return s.ticks + 1
	}
	left := min(s.cfg.ElectionTick-p.tick.elapsed, p.contact+s.cfg.leaderMissingTicks()-s.ticks)
	return s.ticks + max(left, 1)
}

// beginsTimeout reports whether raft is certain to begin its election timeout
// anew when it is given a message: one of the leader that it follows. What a peer
// knows of raft is as of the last Ready, after which nothing may have happened.
func (p *peer) beginsTimeout(m *raftpb.Message) bool {
	return !p.dirty && p.role == raft.StateFollower && p.fromLeader(m)
}

// fromLeader reports whether a message is the word of the leader of the peer's
// term.
func (p *peer) fromLeader(m *raftpb.Message) bool {
	return isLeaderMessage(m) && m.GetTerm() == p.term() && m.GetFrom() == p.leader
}

// isLeaderMessage reports whether only leaders send such messages.
func isLeaderMessage(m *raftpb.Message) bool {
	switch m.GetType() {
	case raftpb.MsgApp, raftpb.MsgHeartbeat, raftpb.MsgSnap:
		return true
	default:
		return false
	}
}
