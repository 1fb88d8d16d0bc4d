package raftstore

import (
	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_serverpb"
	"go.etcd.io/raft/v3/raftpb"

	"simrun/nodes/env"
)

// A peer that was removed while it was cut off does not learn so from its log:
// nobody sends to it any more. It finds out in one of three ways. If it asks for
// votes, those who know better tell it. If it has not heard of a leader for
// Config.MaxLeaderMissing, it asks the other members and the placement driver,
// for a learner asks for no votes. And if its store gets a message for a later
// peer of the region, it is not the one that is meant.
//
// All whom it knows may be gone as well, and the region may have been merged, so
// that the placement driver does not know it any more. Therefore a tombstone has
// the members of a configuration that is later than any in which its peer was,
// and refers to them. Each of them is there, or has left a tombstone that knows of
// a later one yet: who follows gets to one from which it is missing.

// refuseStale handles a message that is not for the peer here or not from a
// member. Whoever asks for votes and was removed is told so.
func (p *peer) refuseStale(ev *envelope, m *raftpb.Message) {
	markStalePeer.Reached()
	if isVoteRequest(m) {
		p.s.correct(ev, p.region)
	}
}

func isVoteRequest(m *raftpb.Message) bool {
	return m.GetType() == raftpb.MsgVote || m.GetType() == raftpb.MsgPreVote
}

// correct tells the sender of a message that it was removed, if it was: it is
// missing from a configuration that is later than the one it knows.
func (s *Store) correct(ev *envelope, known *metapb.Region) {
	if ev.epoch.GetConfVer() >= known.GetRegionEpoch().GetConfVer() || peerByID(known, ev.from.GetId()) != nil {
		return
	}
	markCorrected.Reached()
	s.outbox.addMessage(ev.from.GetStoreId(), &raft_serverpb.RaftMessage{
		RegionId: ev.regionID, FromPeer: &ev.to, ToPeer: &ev.from,
		RegionEpoch: known.GetRegionEpoch(), IsTombstone: true,
		ExtraMsg: &raft_serverpb.ExtraMessage{CheckPeers: known.GetPeers()},
	})
}

// onTombstone is told that a peer here was removed.
func (s *Store) onTombstone(ev *envelope) {
	p := s.byRegion[ev.regionID]
	if p == nil {
		s.targetRemoved(ev)
		return
	}
	if p.destroyed || p.id != ev.to.GetId() {
		return
	}
	if ev.mergedInto != nil {
		p.onMerged(ev)
		return
	}
	if !p.removable(&ev.epoch) {
		return
	}
	markToldRemoved.Reached()
	s.destroy(p, grave{epoch: &ev.epoch, others: ev.checkPeers})
}

// removable reports whether a configuration from which the peer is missing
// proves that it was removed: the peer was a member of an earlier one. A split
// that is about to make the peer comes first.
func (p *peer) removable(epoch *metapb.RegionEpoch) bool {
	return epoch.GetConfVer() > p.knownConfVer() && !p.s.applier.unborn(p.regionID)
}

// knownConfVer is the version of a configuration of which the peer was a
// member.
func (p *peer) knownConfVer() uint64 {
	if initialised(p.region) {
		return p.region.GetRegionEpoch().GetConfVer()
	}
	return p.seenConfVer
}

// onCheckStale is asked by a peer whether it was removed. Nobody answers who
// knows no more than the peer itself.
func (s *Store) onCheckStale(ev *envelope) {
	if p := s.byRegion[ev.regionID]; p != nil {
		if initialised(p.region) && !p.destroyed {
			s.correct(ev, p.region)
			p.requested() // a learner that has lost its leader can only ask
		}
		return
	}
	state := s.tombstones[ev.regionID]
	if state == nil {
		return
	}
	if state.GetMergeState() == nil && peerByID(state.GetRegion(), ev.from.GetId()) != nil {
		s.refer(ev, state.GetRegion())
		return
	}
	s.correctFromTombstone(ev, state)
}

// correctFromTombstone is correct where nothing but a tombstone is left. Members
// of a region that was merged are told so. The tombstone of a peer that has given
// way to its successor does not know who the members were: it names nobody else,
// and proves nothing about others.
func (s *Store) correctFromTombstone(ev *envelope, state *raft_serverpb.RegionLocalState) {
	grave := state.GetRegion()
	if into := state.GetMergeState().GetTarget(); into != nil && peerByID(grave, ev.from.GetId()) != nil {
		s.tellMerged(ev, grave, into)
		return
	}
	if !markUnknowing.Sometimes(len(grave.GetPeers()) == 1) {
		s.correct(ev, grave)
	}
}

// succeeded ends a peer when a message for a later peer on this store has come:
// an id is not given again, so this one was removed. The message is dropped; its
// sender will repeat it.
func (s *Store) succeeded(p *peer, ev *envelope) {
	if !p.removable(&ev.epoch) {
		markStalePeer.Reached()
		return
	}
	markSucceeded.Reached()
	// This peer's removal came before, at a version that is not known.
	epoch := p.region.GetRegionEpoch()
	if epoch == nil {
		epoch = &metapb.RegionEpoch{}
	}
	s.destroy(p, grave{epoch: epoch})
}

// checkContact lets a peer that has not heard of a leader for too long ask whether
// it was removed. While it sleeps it does so with good reason; see tendSleepers.
func (p *peer) checkContact() {
	if p.s.ticks-p.contact >= p.s.cfg.leaderMissingTicks() {
		markLeaderMissing.Reached()
		p.contact = p.s.ticks
		p.askWhetherRemoved()
	}
}

func (p *peer) askWhetherRemoved() {
	s, others := p.s, p.region.GetPeers()
	if !initialised(p.region) {
		// Those who have sent it messages. The placement driver knows nothing of a
		// region that was merged since.
		others = p.strangers
	}
	p.inquiry = inquiry{}
	p.inquiry.ask(s, p.regionID, p.meta, p.region.GetRegionEpoch(), others)
	s.env.Sched.Go("validate peer", func(t env.Task) {
		region, err := s.pd.GetRegionByID(t, p.regionID)
		if err != nil || region == nil || s.dead || p.destroyed || peerByID(region, p.id) != nil {
			return
		}
		if p.removable(region.GetRegionEpoch()) {
			markFoundRemoved.Reached()
			s.destroy(p, grave{epoch: region.GetRegionEpoch(), others: region.GetPeers()})
		}
	})
}

// addMessage queues a message that is not one of raft's.
func (o *outbox) addMessage(store uint64, m *raft_serverpb.RaftMessage) {
	d := o.to(store)
	d.buf = appendBytes(d.buf, batchMessages, marshal(m))
	o.s.scheduleTurn()
}
