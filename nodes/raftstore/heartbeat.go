package raftstore

import (
	"github.com/pingcap/kvproto/pkg/pdpb"
)

// scheduleHeartbeats arms the periodic reports to the placement driver.
func (s *Store) scheduleHeartbeats() {
	s.env.Sched.After(s.cfg.RegionHeartbeatInterval, s.reportRegions)
	s.env.Sched.After(s.cfg.StoreHeartbeatInterval, s.reportStore)
}

func (s *Store) reportRegions() {
	if s.dead {
		return
	}
	for _, p := range s.peers {
		if p.isLeader() && !p.destroyed {
			p.reportRegion()
		}
	}
	s.env.Sched.After(s.cfg.RegionHeartbeatInterval, s.reportRegions)
}

// reportRegion reports a region that this peer leads.
func (p *peer) reportRegion() {
	p.s.pd.RegionHeartbeat(&pdpb.RegionHeartbeatRequest{
		Region: p.region, Leader: p.meta, Term: p.term(), ApproximateSize: p.size, PendingPeers: p.pendingPeers(),
	})
}

func (s *Store) reportStore() {
	if s.dead {
		return
	}
	s.pd.StoreHeartbeat(&pdpb.StoreHeartbeatRequest{Stats: &pdpb.StoreStats{
		StoreId:            s.id,
		RegionCount:        uint32(len(s.ranges)),
		SendingSnapCount:   uint32(s.sending),
		ReceivingSnapCount: uint32(s.receiver.live()),
		StartTime:          uint32(s.start),
	}})
	s.env.Sched.After(s.cfg.StoreHeartbeatInterval, s.reportStore)
}
