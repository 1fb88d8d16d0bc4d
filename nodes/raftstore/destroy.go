package raftstore

import (
	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_serverpb"

	"simrun/nodes/engine"
	"simrun/nodes/invariant"
)

// A peer goes in two steps. First one durable batch of the key-value database
// puts a tombstone in the place of its state and deletes its data and apply
// state; until that is durable the peer does nothing any more but keeps its
// place, so that nobody takes it. Then its log and its raft state are deleted.
// Between the databases the usual rule holds: what the raft log database does was
// preceded by what the key-value database has to know. A crash in between leaves
// a log without a peer, which the next start deletes.

// grave is what a tombstone tells.
type grave struct {
	// epoch is that of the configuration from which the peer is missing, or of the
	// region when it was merged.
	epoch *metapb.RegionEpoch
	// others are the members of that configuration, if they are known.
	others []*metapb.Peer
	// into is the region that has absorbed the peer's, nil if none has. If keepsData,
	// it has taken over the data here.
	into      *metapb.Region
	keepsData bool
	// records are the regions that the peer's region has absorbed.
	records []*raft_serverpb.MergedRecord
}

// bury begins the end of a peer in a batch that is to be made durable, after
// which the peer is to be erased. The tombstone names the peer, so that its id is
// known.
func (p *peer) bury(b *engine.Batch, g grave) {
	invariant.Check(!p.destroyed, "raftstore: %s: destroyed twice", p)
	s := p.s
	p.destroyed = true
	p.stopWaiting()
	if waiting := p.merge.target; waiting != nil {
		waiting.stopWaiting()
	}
	if initialised(p.region) && !g.keepsData {
		clearRange(b, p.region)
	}
	version := *g.epoch
	region := &metapb.Region{
		Id: p.regionID, StartKey: p.region.GetStartKey(), EndKey: p.region.GetEndKey(), RegionEpoch: &version,
		Peers: []*metapb.Peer{{Id: p.id, StoreId: s.id, Role: p.meta.GetRole()}},
	}
	if old := s.tombstones[p.regionID].GetRegion(); old != nil && staleEpoch(&version, old.GetRegionEpoch()) {
		version.ConfVer = max(version.ConfVer, old.GetRegionEpoch().GetConfVer())
		version.Version = max(version.Version, old.GetRegionEpoch().GetVersion())
		g.others = old.GetPeers() // as of that epoch
	}
	for _, q := range g.others {
		if q.GetStoreId() != s.id {
			region.Peers = append(region.Peers, q)
		}
	}
	state := &raft_serverpb.RegionLocalState{State: raft_serverpb.PeerState_Tombstone, Region: region, MergedRecords: g.records}
	if g.into != nil {
		state.MergeState = &raft_serverpb.MergeState{Target: g.into}
	}
	if g.keepsData {
		p.merge.into = g.into
	}
	b.Put(engine.Raft, regionStateKey(p.regionID), marshal(state))
	b.Delete(engine.Raft, applyStateKey(nil, p.regionID))
	b.Delete(engine.Raft, snapStateKey(p.regionID))
	s.tombstones[p.regionID] = state
	s.logf("region %d: peer %d is removed", p.regionID, p.id)
}

// destroy ends a peer of which is known, though not from its own log, that it is
// no member any more.
func (s *Store) destroy(p *peer, g grave) {
	b := s.eng.KV.NewBatch()
	defer b.Close()
	g.records = unknownRecords()
	p.bury(b, g)
	if s.failed(s.eng.KV.Write(b)) {
		return
	}
	s.env.Disk.Barrier(func() {
		if !s.dead {
			p.erase()
		}
	})
}

// erase completes the end of a peer whose tombstone is durable. The deletions
// need not be durable before anything else: they precede in the log of the
// database whatever a later peer of the region writes.
func (p *peer) erase() {
	s := p.s
	b := s.eng.RaftLog.NewBatch()
	defer b.Close()
	eraseLog(b, p.regionID)
	if s.failed(s.eng.RaftLog.Write(b)) {
		return
	}
	s.removePeer(p)
	p.dropSnapshots()
	p.abandon()
	markDestroyed.Reached()
	s.cfg.Observer.PeerDestroyed(p.regionID, p.id)
	s.cfg.Auditor.PeerEnded(p.regionID, p.id)
	s.unpark()
}

// eraseLog deletes all that the raft log database has of a region.
func eraseLog(b *engine.Batch, region uint64) {
	b.DeleteRange(engine.Raft, logKey(nil, region, 0), hardStateKey(nil, region))
	b.Delete(engine.Raft, hardStateKey(nil, region))
}

// abandon answers all who wait for the peer. What it has not proposed yet will
// never be; but the entries in its log may have been committed by others, or
// will be, which it will not learn.
func (p *peer) abandon() {
	queued, logged := p.proposals.queued, p.proposals.logged
	p.proposals = proposals{}
	markDestroyedBusy.Sometimes(len(queued)+len(logged) > 0)
	for _, pr := range queued {
		pr.result.Resolve(errRegionNotFound(p.regionID), nil)
	}
	if p.merge.into != nil {
		// All that the region has carried out, it has carried out here as well; what
		// was proposed afterwards, on an epoch that is gone, can have no effect.
		for _, pr := range logged {
			markMergeDecided.Reached()
			pr.result.Resolve(errEpochNotMatch(p.merge.into), nil)
		}
		logged = nil
	}
	for _, pr := range logged {
		markFateUnknown.Reached()
		pr.result.Resolve(nil, ErrUnknownOutcome)
	}
	p.dropReads(errRegionNotFound(p.regionID))
}

// eraseLeftover deletes the log of a peer that is a tombstone, should a crash
// have left it. A raft state without a log stays: it may be that of a later peer,
// which has voted and not learned its region yet.
func (s *Store) eraseLeftover(region uint64, b *engine.Batch) error {
	st, err := load[raft_serverpb.RaftLocalState](s.eng.RaftLog, hardStateKey(nil, region))
	if err != nil {
		return err
	}
	if markDestroyResumed.Sometimes(st.GetLastIndex() > 0) {
		eraseLog(b, region)
	}
	return nil
}

// gone reports whether the peer that a split makes has been removed already, or
// has a successor: it must not come to life.
func (s *Store) gone(region *metapb.Region) bool {
	here := peerOnStore(region, s.id).GetId()
	if buried := peerOnStore(s.tombstones[region.GetId()].GetRegion(), s.id); buried.GetId() >= here {
		return true
	}
	p := s.byRegion[region.GetId()]
	return p != nil && p.id > here
}
