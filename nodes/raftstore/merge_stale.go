package raftstore

import (
	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_serverpb"
)

// A peer of a source may be left over: on a store on which the target's peer was
// removed before it has applied CommitMerge, or never came to be, as the split that
// makes it was skipped by a snapshot. It finds out as a peer does that was removed,
// from the tombstones of the others. What they tell it is which region has absorbed
// its own; what follows from that depends on the target's peer here.

// tellMerged tells a member of a region that was merged so.
func (s *Store) tellMerged(ev *envelope, grave, into *metapb.Region) {
	markMergeTold.Reached()
	s.outbox.addMessage(ev.from.GetStoreId(), &raft_serverpb.RaftMessage{
		RegionId: ev.regionID, FromPeer: &ev.to, ToPeer: &ev.from,
		RegionEpoch: grave.GetRegionEpoch(), IsTombstone: true, MergeTarget: into,
	})
}

// onMerged is told that the peer's region was merged. If the peer of the target
// has yet to hear of that, it will see to this one's end, by its log or by a
// snapshot, and may be made although this one has a part of its range. If it was
// removed, or has taken a snapshot whose records do not reach back as far, nobody
// will.
func (p *peer) onMerged(ev *envelope) {
	into := &metapb.Region{}
	if err := into.Unmarshal(ev.mergedInto); err != nil || !initialised(p.region) {
		return
	}
	s := p.s
	p.merge.told = into
	here := peerOnStore(into, s.id)
	t := s.byRegion[into.GetId()]
	switch {
	case here == nil:
		return // the region has had a peer on every store of its target
	case t != nil && initialised(t.region) && !staleEpoch(t.region.GetRegionEpoch(), into.GetRegionEpoch()), s.gone(into):
		p.leftOver()
	case t == nil:
		p.askAboutTarget(into, here)
	}
}

// leftOver ends a peer whose region was merged.
func (p *peer) leftOver() {
	markMergeLeftOver.Reached()
	p.s.destroy(p, grave{epoch: p.region.GetRegionEpoch(), others: p.region.GetPeers(), into: p.merge.told})
}

// askAboutTarget asks the members of the region that has absorbed the peer's
// whether its peer here, of which there is no trace, was removed before it came to
// be.
func (p *peer) askAboutTarget(into *metapb.Region, here *metapb.Peer) {
	p.merge.inquiry = inquiry{}
	p.merge.inquiry.ask(p.s, into.GetId(), here, into.GetRegionEpoch(), into.GetPeers())
}

// awaiting returns the peers whose regions were absorbed by one whose peer here,
// to which the message is, was to see to their end and has not come to be.
func (s *Store) awaiting(ev *envelope) []*peer {
	var waiting []*peer
	for _, p := range s.peers {
		told := p.merge.told
		if !p.destroyed && told.GetId() == ev.regionID && peerOnStore(told, s.id).GetId() == ev.to.GetId() {
			waiting = append(waiting, p)
		}
	}
	return waiting
}

// targetRemoved is told that a peer which does not exist was removed.
func (s *Store) targetRemoved(ev *envelope) {
	for _, p := range s.awaiting(ev) {
		if ev.epoch.GetConfVer() > p.merge.told.GetRegionEpoch().GetConfVer() {
			markMergeNeverMade.Reached()
			p.leftOver()
		}
	}
}

// occupied reports whether the range of a region that is to get its first message
// belongs to others here: not to those that it has absorbed, which have been told
// so, for they wait for just this peer.
func (s *Store) occupied(ev *envelope) bool {
	for _, q := range s.within(ev.startKey, ev.endKey) {
		if !markMergeMakesRoom.Sometimes(!q.destroyed && q.merge.told.GetId() == ev.regionID) {
			return true
		}
	}
	return false
}
