package raftstore

import (
	"slices"

	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_serverpb"
)

// inquiry is one round of asking other peers of a region whether one was removed.
// Who is gone refers to those who came after (TiKV, check_stale_peers of
// raftstore's peer); nobody is asked twice, so that a round ends.
type inquiry struct{ asked []uint64 }

// ask asks those of others who were not asked yet, in the name of a peer that knows
// a configuration of the epoch.
func (q *inquiry) ask(s *Store, region uint64, about *metapb.Peer, epoch *metapb.RegionEpoch, others []*metapb.Peer) {
	for _, other := range others {
		if other.GetId() == about.GetId() || slices.Contains(q.asked, other.GetId()) {
			continue
		}
		q.asked = append(q.asked, other.GetId())
		s.outbox.addMessage(other.GetStoreId(), &raft_serverpb.RaftMessage{
			RegionId: region, FromPeer: about, ToPeer: other, RegionEpoch: epoch,
			ExtraMsg: &raft_serverpb.ExtraMessage{Type: raft_serverpb.ExtraMessageType_MsgCheckStalePeer},
		})
	}
}

// refer names to who asks whether it was removed the members of a configuration in
// which it was, and the peer here was not any more.
func (s *Store) refer(ev *envelope, grave *metapb.Region) {
	markReferred.Reached()
	s.outbox.addMessage(ev.from.GetStoreId(), &raft_serverpb.RaftMessage{
		RegionId: ev.regionID, FromPeer: &ev.to, ToPeer: &ev.from, RegionEpoch: grave.GetRegionEpoch(),
		ExtraMsg: &raft_serverpb.ExtraMessage{
			Type: raft_serverpb.ExtraMessageType_MsgCheckStalePeerResponse, CheckPeers: grave.GetPeers(),
		},
	})
}

// onReferred asks those whom a tombstone has named: whether the peer here was
// removed, or the one that has yet to be made of a region that has absorbed others
// here.
func (s *Store) onReferred(ev *envelope) {
	if p := s.byRegion[ev.regionID]; p != nil {
		if !p.destroyed && p.id == ev.to.GetId() {
			p.inquiry.ask(s, p.regionID, p.meta, p.region.GetRegionEpoch(), ev.checkPeers)
		}
		return
	}
	for _, p := range s.awaiting(ev) {
		told := p.merge.told
		p.merge.inquiry.ask(s, told.GetId(), peerOnStore(told, s.id), told.GetRegionEpoch(), ev.checkPeers)
	}
}
