package raftstore

import (
	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_serverpb"
	"google.golang.org/protobuf/encoding/protowire"
)

// Regions that hibernate say nothing to each other. In their place their stores
// do: a store that has leaders which sleep sends an empty message to each store
// with followers of them, whatever their number. A store that has not heard of
// another one for a while wakes those followers: they have lost their leader.
// TiKV wakes them when the connection to the store breaks; here are no
// connections.

// neighbour is what a store knows about another one.
type neighbour struct {
	store uint64
	// heard is the tick at which a message of it has come last.
	heard int
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
		s.neighbour(store).heard = s.ticks
	}
}

// watchNeighbours is called at every tick.
func (s *Store) watchNeighbours() {
	if !s.cfg.hibernates() {
		return
	}
	if s.ticks%s.cfg.pingTicks() == 0 {
		for i := range s.neighbours {
			n := &s.neighbours[i]
			if n.led > 0 {
				d := s.outbox.to(n.store)
				d.buf = append(d.buf, n.ping...)
				s.scheduleTurn()
			}
			if n.followed > 0 && s.ticks-n.heard >= s.cfg.silenceTicks() {
				s.lost(n.store)
			}
		}
	}
	if s.ticks%s.cfg.leaderMissingTicks() == 0 {
		s.tendSleepers()
	}
}

// lost wakes the followers of leaders on a store that has fallen silent.
func (s *Store) lost(store uint64) {
	markNeighbourLost.Reached()
	for _, p := range s.peers {
		if !p.destroyed && p.asleep() && p.sleep.trusted == store {
			p.wake(chaos)
		}
	}
}
