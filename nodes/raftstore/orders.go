package raftstore

import (
	"time"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/pdpb"
	"github.com/pingcap/kvproto/pkg/raft_cmdpb"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
)

//nolint:gochecknoglobals // marks register once
var (
	markOrderLate     = invariant.NewMark("raftstore: order of the placement driver for an earlier epoch or another leader ignored")
	markOrderTransfer = invariant.NewMark("raftstore: leader transferred by order of the placement driver")
	markOrderChange   = invariant.NewMark("raftstore: members changed by order of the placement driver")
	markOrderRefused  = invariant.NewMark("raftstore: order of the placement driver cannot be carried out now")
	markOrderSplit    = invariant.NewMark("raftstore: split by order of the placement driver")
	markOrderMerge    = invariant.NewMark("raftstore: merge begun by order of the placement driver")
)

// OnRegionHeartbeatResponse carries out what the placement driver wants of a
// region, if anything: the answer to a report may come late, or twice, so it is
// obeyed only by the leader that it is addressed to, and only in the epoch that it
// was decided for. Nobody waits for the outcome; the next reports show it.
func (s *Store) OnRegionHeartbeatResponse(resp *pdpb.RegionHeartbeatResponse) {
	transfer, change, changes, split := resp.GetTransferLeader(), resp.GetChangePeer(), resp.GetChangePeerV2(), resp.GetSplitRegion()
	merge := resp.GetMerge()
	if s.dead || transfer == nil && change == nil && changes == nil && split == nil && merge == nil {
		return
	}
	p := s.byRegion[resp.GetRegionId()]
	if p == nil || p.destroyed || !initialised(p.region) || !p.isLeader() || resp.GetTargetPeer().GetId() != p.id ||
		checkEpoch(p.region, resp.GetRegionEpoch()) != nil {
		markOrderLate.Reached()
		return
	}
	switch {
	case transfer != nil:
		refusal := p.orderTransfer(transfer.GetPeer().GetId())
		markOrderRefused.Sometimes(refusal != nil)
	case change != nil:
		p.obeyChanges([]*pdpb.ChangePeer{change})
	case changes != nil:
		p.obeyChanges(changes.GetChanges())
	case split != nil:
		markOrderSplit.Reached()
		s.splitter.order(p)
	case merge != nil:
		p.obeyMerge(merge.GetTarget())
	}
}

// mergeOrderLimit is how long an ordered merge may take to be prepared. If it takes
// longer, the outcome shows in the reports all the same.
const mergeOrderLimit = 2 * time.Second

// obeyMerge begins to merge the region into a neighbour.
func (p *peer) obeyMerge(target *metapb.Region) {
	s, ctx := p.s, p.context()
	s.env.Sched.Go("ordered merge", func(t env.Task) {
		refusal, err := s.MergeRegion(t, ctx, target, mergeOrderLimit)
		markOrderMerge.Sometimes(refusal == nil && err == nil)
		markOrderRefused.Sometimes(refusal != nil)
	})
}

// obeyChanges proposes changes of members.
func (p *peer) obeyChanges(changes []*pdpb.ChangePeer) {
	requests := make([]*raft_cmdpb.ChangePeerRequest, len(changes))
	for i, c := range changes {
		requests[i] = &raft_cmdpb.ChangePeerRequest{ChangeType: c.GetChangeType(), Peer: c.GetPeer()}
	}
	_, _, refusal := p.proposeChange(requests)
	if refusal != nil {
		p.s.logf("region %d: the placement driver's change of members is refused: %s", p.regionID, refusal.GetMessage())
	}
	markOrderChange.Sometimes(refusal == nil)
	markOrderRefused.Sometimes(refusal != nil)
}

// context addresses a request to this peer as it is.
func (p *peer) context() *kvrpcpb.Context {
	return &kvrpcpb.Context{RegionId: p.regionID, RegionEpoch: p.region.GetRegionEpoch(), Peer: p.meta}
}
