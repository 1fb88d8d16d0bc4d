package raftstore

import (
	"github.com/pingcap/kvproto/pkg/errorpb"
)

// TransferLeader begins to hand the leadership of a region over to another of
// its peers. Whether that comes about is seen in who is leader later on: raft
// gives up after an election timeout, during which it takes no proposals.
func (s *Store) TransferLeader(region, toPeer uint64) *errorpb.Error {
	p := s.byRegion[region]
	if p == nil || p.destroyed || !initialised(p.region) {
		return errRegionNotFound(region)
	}
	if !p.isLeader() {
		return p.notLeader()
	}
	if refusal := p.refusesHeir(toPeer); refusal != nil {
		return refusal
	}
	markTransfer.Sometimes(toPeer != p.id)
	markWokenByTransfer.Sometimes(p.asleep())
	p.stir()
	p.catchUp()
	p.node.TransferLeader(toPeer)
	s.markDirty(p)
	return nil
}
