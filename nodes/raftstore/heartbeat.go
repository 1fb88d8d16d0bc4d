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
		case p.asleep() && p.told == p.report():
			sleepers = append(sleepers, p)
		default:
			p.reportRegion()
		}
	}
	s.sleepers = sleepers
	s.reportSleepers()
	s.env.Sched.After(s.cfg.RegionHeartbeatInterval, s.reportRegions)
}

// report is what has to be told of a leader once. The placement driver is known
// to know it when told is the same.
type report struct{ term, confVer, version uint64 }

func (p *peer) report() report {
	epoch := p.region.GetRegionEpoch()
	return report{p.term(), epoch.GetConfVer(), epoch.GetVersion()}
}

// OnRegionReported is told that a report has reached the placement driver.
func (s *Store) OnRegionReported(req *pdpb.RegionHeartbeatRequest) {
	if p := s.byRegion[req.GetRegion().GetId()]; p != nil && p.id == req.GetLeader().GetId() {
		epoch := req.GetRegion().GetRegionEpoch()
		p.told = report{req.GetTerm(), epoch.GetConfVer(), epoch.GetVersion()}
	}
}

// ReportRegion is told that the placement driver wants to hear of a region now. Who does
// not lead it says nothing. A region that sleeps goes on sleeping.
func (s *Store) ReportRegion(id uint64) {
	if p := s.byRegion[id]; p != nil && p.isLeader() && !p.destroyed {
		markReportAsked.Sometimes(p.asleep())
		p.reportRegion()
	}
}

// OnAwakenRegions is told that the placement driver has forgotten what it knew of
// regions: its leader is another one. All are reported again, until it knows
// them. Those that sleep need not wake for that.
func (s *Store) OnAwakenRegions() {
	for _, p := range s.peers {
		markReportedAgain.Sometimes(p.asleep() && p.isLeader())
		p.told = report{}
	}
}

// reportSleepers reports the next ones of the regions that sleep. Nothing about
// them changes, and the placement driver knows them; it has to hear of them all
// the same, so that it can give orders.
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
	size, keys := p.reportedSize()
	p.s.pd.RegionHeartbeat(&pdpb.RegionHeartbeatRequest{
		Region: p.region, Leader: p.meta, Term: p.term(), ApproximateSize: size, ApproximateKeys: keys, PendingPeers: p.pendingPeers(),
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
