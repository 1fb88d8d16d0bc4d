package raftstore

import (
	"cmp"
	"slices"

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
	sleepers := s.sleepers[:0]
	for _, p := range s.peers {
		switch {
		case !p.isLeader() || p.destroyed:
		case p.asleep():
			sleepers = append(sleepers, p)
		default:
			p.reportRegion()
		}
	}
	s.sleepers = sleepers
	s.reportSleepers()
	s.env.Sched.After(s.cfg.RegionHeartbeatInterval, s.reportRegions)
}

// reportSleepers reports the next ones of the regions that sleep. Nothing about
// them changes; the placement driver has to hear of them all the same, for it may
// have forgotten, and so that it can give orders.
func (s *Store) reportSleepers() {
	n := len(s.sleepers)
	first, _ := slices.BinarySearchFunc(s.sleepers, s.reported+1, func(p *peer, id uint64) int { return cmp.Compare(p.regionID, id) })
	for i := range min(n, s.cfg.HibernateReports) {
		p := s.sleepers[(first+i)%n]
		p.reportRegion()
		s.reported = p.regionID
	}
	clear(s.sleepers)
}

// reportRegion reports a region that this peer leads.
func (p *peer) reportRegion() {
	p.s.pd.RegionHeartbeat(&pdpb.RegionHeartbeatRequest{
		Region: p.region, Leader: p.meta, Term: p.term(), ApproximateSize: p.size, ApproximateKeys: p.keys, PendingPeers: p.pendingPeers(),
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
		SlowScore:          s.slowness.report(s.env.Clock.Monotonic(), s.cfg.SlowWrite),
	}})
	s.env.Sched.After(s.cfg.StoreHeartbeatInterval, s.reportStore)
}
