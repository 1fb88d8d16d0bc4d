package raftstore

import (
	"slices"

	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_serverpb"
	"go.etcd.io/raft/v3/raftpb"

	"simrun/nodes/invariant"
)

// OnRaftBatch takes what another store's Transport.Send carried. It may come
// late, twice or out of order. The slice is not kept.
func (s *Store) OnRaftBatch(batch []byte) {
	if s.dead {
		return
	}
	if err := s.eachEnvelope(batch); err != nil {
		invariant.Fail("raftstore: store %d: batch of messages: %v", s.id, err)
	}
}

// step hands a message to its peer.
func (s *Store) step(ev *envelope) {
	if ev.to.GetStoreId() != s.id {
		markStalePeer.Reached()
		return
	}
	s.hear(ev.from.GetStoreId())
	switch {
	case ev.regionID == 0:
		return // it says no more than that
	case ev.tombstone:
		s.onTombstone(ev)
		return
	case ev.extra:
		s.stepExtra(ev)
		return
	}
	message, err := decodeMessage(ev.message)
	if err != nil {
		invariant.Fail("raftstore: message for region %d: %v", ev.regionID, err)
	}
	if !admissible(message.GetType()) || s.heldOff(message) {
		return
	}
	p := s.byRegion[ev.regionID]
	if p == nil {
		if p = s.stranger(ev, message); p == nil {
			return
		}
	}
	switch {
	case p.destroyed:
		return
	case p.id < ev.to.GetId():
		s.succeeded(p, ev)
		return
	case p.id > ev.to.GetId() || !p.knows(ev):
		p.refuseStale(ev, message)
		return
	case message.GetType() == raftpb.MsgTransferLeader:
		p.onTransferLeader(&ev.from, message)
		return
	}
	if isLeaderMessage(message) {
		p.contact = s.ticks
	}
	if !p.admits(message) || p.promised(message) || message.GetType() == raftpb.MsgReadIndex && !p.admitsRead(message) {
		return
	}
	p.heard(message)
	p.stirBy(message)
	p.catchUp()
	restarts := p.beginsTimeout(message)
	applied := takeApplied(message)
	// Raft refuses what makes no sense to it, such as an answer from a stranger.
	_ = p.node.Step(message)
	if applied != nil {
		p.learnCommitted(applied)
	}
	if restarts {
		p.tick.elapsed = 0
	}
	s.markDirty(p)
}

// stepExtra hands a message that is none of raft's to its peer.
func (s *Store) stepExtra(ev *envelope) {
	switch ev.extraType {
	case raft_serverpb.ExtraMessageType_MsgCheckStalePeer:
		s.onCheckStale(ev)
		return
	case raft_serverpb.ExtraMessageType_MsgCheckStalePeerResponse:
		s.onReferred(ev)
		return
	default:
	}
	p := s.byRegion[ev.regionID]
	if p == nil || p.destroyed || p.id != ev.to.GetId() || !p.knows(ev) {
		markStalePeer.Reached()
		return
	}
	switch ev.extraType {
	case raft_serverpb.ExtraMessageType_MsgRegionWakeUp:
		p.onWakeUp()
	case raft_serverpb.ExtraMessageType_MsgHibernateRequest:
		p.onHibernateRequest(ev)
	case raft_serverpb.ExtraMessageType_MsgHibernateResponse:
		p.onHibernateResponse(ev)
	case raft_serverpb.ExtraMessageType_MsgWantRollbackMerge:
		p.onWantRollback(ev.extraIndex)
	default:
		invariant.Fail("raftstore: %s: message of type %s", p, ev.extraType)
	}
}

// admissible reports whether a message may come from another store. Proposals
// are not forwarded, snapshots come in chunks, and what is said of a transfer is not
// for raft (handover.go).
func admissible(t raftpb.MessageType) bool {
	switch t {
	case raftpb.MsgApp, raftpb.MsgAppResp, raftpb.MsgHeartbeat, raftpb.MsgHeartbeatResp,
		raftpb.MsgVote, raftpb.MsgVoteResp, raftpb.MsgPreVote, raftpb.MsgPreVoteResp,
		raftpb.MsgTransferLeader, raftpb.MsgTimeoutNow, raftpb.MsgReadIndex, raftpb.MsgReadIndexResp:
		return true
	default:
		return false
	}
}

// knows reports whether the sender may be a member of the region: it is one, or
// it knows a later configuration. An uninitialised peer knows nobody. Where
// answers to those go who are no members yet is remembered.
func (p *peer) knows(ev *envelope) bool {
	if !initialised(p.region) {
		p.seenConfVer = max(p.seenConfVer, ev.epoch.GetConfVer())
	} else if peerByID(p.region, ev.from.GetId()) == nil && ev.epoch.GetConfVer() <= p.region.GetRegionEpoch().GetConfVer() {
		return false
	}
	if p.member(ev.from.GetId()) == nil {
		from := ev.from
		p.strangers = append(p.strangers, &from)
	}
	return true
}

// stranger decides about a message for a region that has no peer here. It
// returns the peer if one is to be created.
func (s *Store) stranger(ev *envelope, m *raftpb.Message) *peer {
	if state := s.tombstones[ev.regionID]; state != nil && superseded(state, ev) {
		markTombstone.Reached()
		if isVoteRequest(m) || m.GetType() == raftpb.MsgHeartbeat && state.GetMergeState() != nil {
			s.correctFromTombstone(ev, state)
		}
		return nil
	}
	if !isInitial(m) {
		return nil // the sender will begin anew when it gets no answer
	}
	if s.applier.unborn(ev.regionID) || s.occupied(ev) ||
		s.claimed(ev.regionID, ev.startKey, ev.endKey) {
		// The range is that of another region here, which has yet to apply a split.
		// To drop the message would delay the new region's first election by a
		// timeout.
		s.parked.park(ev, m.GetType())
		return nil
	}
	return s.createPeer(ev)
}

// superseded reports whether a message is for a peer that was removed, or comes
// from one that has not heard of the removal.
func superseded(state *raft_serverpb.RegionLocalState, ev *envelope) bool {
	here := peerOnStore(state.GetRegion(), ev.to.GetStoreId())
	return here.GetId() >= ev.to.GetId() || staleEpoch(&ev.epoch, state.GetRegion().GetRegionEpoch())
}

// createPeer makes an uninitialised peer: it votes, and learns its region from
// a snapshot.
func (s *Store) createPeer(ev *envelope) *peer {
	p := s.newPeer(&metapb.Region{Id: ev.regionID}, &metapb.Peer{Id: ev.to.GetId(), StoreId: s.id, Role: ev.to.GetRole()})
	st, err := loadStates(s.eng, p.region)
	if s.failed(err) {
		return nil
	}
	p.loadLog(st)
	p.auditStart()
	p.startRaft()
	s.addPeer(p)
	markCreated.Reached()
	return p
}

// parkingLot holds messages for regions that a split here has yet to make.
type parkingLot struct {
	messages []parkedMessage
}

type parkedMessage struct {
	region, from uint64
	kind         raftpb.MessageType
	batch        []byte
}

// parkedMax bounds the messages that wait; the oldest go first.
const parkedMax = 1024

// park keeps a message. A newer one of the same kind and sender replaces it.
func (l *parkingLot) park(ev *envelope, kind raftpb.MessageType) {
	markParked.Reached()
	l.messages = slices.DeleteFunc(l.messages, func(m parkedMessage) bool {
		return m.region == ev.regionID && m.from == ev.from.GetId() && m.kind == kind
	})
	if len(l.messages) == parkedMax {
		l.messages = slices.Delete(l.messages, 0, 1)
	}
	l.messages = append(l.messages, parkedMessage{
		ev.regionID, ev.from.GetId(), kind, appendBytes(nil, batchMessages, ev.raw),
	})
}

// unpark delivers the parked messages again, after a region's range has
// changed. Those that still have to wait are parked again.
func (s *Store) unpark() {
	messages := s.parked.messages
	s.parked.messages = nil
	for _, m := range messages {
		before := len(s.parked.messages)
		s.OnRaftBatch(m.batch)
		markUnparked.Sometimes(len(s.parked.messages) == before)
	}
}
