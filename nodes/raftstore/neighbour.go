package raftstore

import (
	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_serverpb"
	"google.golang.org/protobuf/encoding/protowire"
)

// Regions that hibernate say nothing to each other. In their place their stores
// do: a store sends an empty message to each store with which it shares regions
// that sleep, whatever their number: of which either has the leader. Each judges by
// what it hears:
//
//   - A store that has not heard of another one for a while wakes the followers
//     whose leader is there: they have lost it.
//   - A leader wakes when its store has not heard of a quorum of its members'
//     stores. Asleep it would not notice that it is cut off, for it does not check
//     its quorum. And as long as others hear of its store its followers sleep too,
//     and refuse whoever would take its place: a store that hears nothing would keep
//     all that it leads, and could serve none of it.
//
// TiKV wakes followers when the connection to the store breaks, and a connection
// that carries nothing in one direction breaks; here are no connections.
// CockroachDB's stores withdraw their support from one another in this way
// (storeliveness), and a leader without a quorum's support steps down.

// neighbour is what a store knows about another one.
type neighbour struct {
	store uint64
	// heard is the tick at which a message of it has come last.
	heard int
	// missed: it was silent for too long, and the leaders with a member there know.
	missed bool
	// led are the regions that sleep, have their leader here and a member there;
	// followed the peers that sleep here and have their leader there.
	led, followed int
	ping          []byte // a message that says that this store is there
}

// neighbour returns the record of another store.
func (s *Store) neighbour(store uint64) *neighbour {
	for i := range s.neighbours {
		if s.neighbours[i].store == store {
			return &s.neighbours[i]
		}
	}
	ping := marshal(&raft_serverpb.RaftMessage{FromPeer: &metapb.Peer{StoreId: s.id}, ToPeer: &metapb.Peer{StoreId: store}})
	s.neighbours = append(s.neighbours, neighbour{
		store: store, heard: s.ticks, ping: protowire.AppendBytes(protowire.AppendTag(nil, batchMessages, protowire.BytesType), ping),
	})
	return &s.neighbours[len(s.neighbours)-1]
}

// hear notes that a store is there.
func (s *Store) hear(store uint64) {
	if s.cfg.hibernates() {
		n := s.neighbour(store)
		n.heard, n.missed = s.ticks, false
	}
}

// watchNeighbours is called at every tick.
func (s *Store) watchNeighbours() {
	if !s.cfg.hibernates() {
		return
	}
	if s.ticks%s.cfg.pingTicks() == 0 {
		s.pingNeighbours()
		s.missNeighbours()
	}
	if s.ticks%s.cfg.leaderMissingTicks() == 0 {
		s.tendSleepers()
	}
}

// pingNeighbours says that this store is there to those for whom its sleeping
// peers do not.
func (s *Store) pingNeighbours() {
	for i := range s.neighbours {
		if n := &s.neighbours[i]; n.led > 0 || n.followed > 0 {
			d := s.outbox.to(n.store)
			d.buf = append(d.buf, n.ping...)
			s.scheduleTurn()
		}
	}
}

// missNeighbours wakes peers that must not rely on a store which has fallen silent.
func (s *Store) missNeighbours() {
	missed := false
	for i := range s.neighbours {
		n := &s.neighbours[i]
		if s.hears(n) {
			continue
		}
		if n.followed > 0 {
			s.lost(n.store)
		}
		if n.led > 0 && !n.missed {
			n.missed, missed = true, true
		}
	}
	if missed {
		s.wakeUnbacked()
	}
}

// hears reports whether another store was heard of lately.
func (s *Store) hears(n *neighbour) bool { return s.ticks-n.heard < s.cfg.silenceTicks() }

// lost wakes the followers of leaders on a store that has fallen silent.
func (s *Store) lost(store uint64) {
	markNeighbourLost.Reached()
	for _, p := range s.peers {
		if !p.destroyed && p.asleep() && p.sleep.trusted == store {
			p.wake(chaos)
		}
	}
}

// wakeUnbacked wakes the leaders that have lost their quorum, for all that this
// store hears: raft's own check deposes them unless somebody answers. Those that
// have it left sleep on. A member that wants anything has to wake them, and can.
func (s *Store) wakeUnbacked() {
	for _, p := range s.peers {
		if p.destroyed || !p.asleep() || !p.isLeader() {
			continue
		}
		if markLeaderUnbacked.Sometimes(!p.backed()) {
			p.wake(ordered)
		}
	}
}

// backed reports whether the stores of a quorum of the region's voters are heard of.
// No region sleeps in a joint configuration, so there is one set of them.
func (p *peer) backed() bool {
	voters, heard := 0, 0
	for _, q := range p.region.GetPeers() {
		if q.GetRole() == metapb.PeerRole_Learner {
			continue
		}
		voters++
		if q.GetId() == p.id || p.s.hears(p.s.neighbour(q.GetStoreId())) {
			heard++
		}
	}
	return heard > voters/2
}
