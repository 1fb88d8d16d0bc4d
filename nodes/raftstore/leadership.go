package raftstore

import (
	"github.com/pingcap/kvproto/pkg/metapb"
)

// Leadership tells who leads a region in the latest term that this store's peer
// of it has heard of, nil if it knows of nobody, and whether it is that peer.
// Another store may know of a later term: leadership that has to be certain is
// confirmed by a ReadSnapshot or a proposal of the term.
func (s *Store) Leadership(region uint64) (leader *metapb.Peer, term uint64, leads bool) {
	p := s.byRegion[region]
	if p == nil {
		return nil, 0, false
	}
	return peerByID(p.region, p.leader), p.term(), p.isLeader()
}
