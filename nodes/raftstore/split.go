package raftstore

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/pdpb"
	"github.com/pingcap/kvproto/pkg/raft_cmdpb"
	"github.com/pingcap/kvproto/pkg/raft_serverpb"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
)

// birth is a region that a split has made, between the batch that holds it and
// the moment at which this is durable.
type birth struct {
	region     *metapb.Region
	parent     *peer
	size, keys uint64
}

// SplitRegion splits a region at keys, which must be in ascending order inside
// it. The region keeps its id and what is left of the first key. It returns the
// regions that have come out, in order. Errors are those of Propose, or that of
// the placement driver, in which case nothing was done.
func (s *Store) SplitRegion(
	t env.Task, ctx *kvrpcpb.Context, keys [][]byte, limit time.Duration,
) ([]*metapb.Region, *errorpb.Error, error) {
	p, regionErr := s.leaderPeer(ctx)
	if regionErr != nil {
		return nil, regionErr, nil
	}
	if regionErr = checkSplitKeys(p.region, keys); regionErr != nil {
		return nil, regionErr, nil
	}
	region := p.region
	ids, err := s.pd.AskBatchSplit(t, region, uint32(len(keys)))
	if err != nil {
		return nil, nil, fmt.Errorf("raftstore: split of region %d: %w", region.GetId(), err)
	}
	// Time has passed.
	if p, regionErr = s.leaderPeer(ctx); regionErr != nil {
		return nil, regionErr, nil
	}
	if regionErr = checkEpoch(p.region, region.GetRegionEpoch()); regionErr != nil {
		return nil, regionErr, nil
	}
	if regionErr = p.refuseProposal(); regionErr != nil {
		return nil, regionErr, nil
	}
	splits, err := splitRequest(region, keys, ids)
	if err != nil {
		return nil, nil, err
	}
	pr, regionErr := p.proposeAdmin(&raft_cmdpb.AdminRequest{CmdType: raft_cmdpb.AdminCmdType_BatchSplit, Splits: splits})
	if regionErr != nil {
		return nil, regionErr, nil
	}
	pr.reshapes = true
	if regionErr, err := pr.await(t, limit); regionErr != nil || err != nil {
		return nil, regionErr, err
	}
	return splitRegions(region, splits), nil, nil
}

func splitRequest(region *metapb.Region, keys [][]byte, ids []*pdpb.SplitID) (*raft_cmdpb.BatchSplitRequest, error) {
	if len(ids) != len(keys) {
		return nil, fmt.Errorf("raftstore: split of region %d: %d ids for %d keys", region.GetId(), len(ids), len(keys))
	}
	splits := &raft_cmdpb.BatchSplitRequest{}
	for i, key := range keys {
		if len(ids[i].GetNewPeerIds()) != len(region.GetPeers()) {
			return nil, fmt.Errorf("raftstore: split of region %d: %d ids for %d peers",
				region.GetId(), len(ids[i].GetNewPeerIds()), len(region.GetPeers()))
		}
		splits.Requests = append(splits.Requests, &raft_cmdpb.SplitRequest{
			SplitKey: key, NewRegionId: ids[i].GetNewRegionId(), NewPeerIds: ids[i].GetNewPeerIds(),
		})
	}
	return splits, nil
}

// checkSplitKeys checks that keys ascend inside the region. None may be its
// first key, since every region must have a key.
func checkSplitKeys(r *metapb.Region, keys [][]byte) *errorpb.Error {
	if len(keys) == 0 {
		return errStaleCommand("split without a key")
	}
	last := r.GetStartKey()
	for _, key := range keys {
		if !contains(r, key) || bytes.Compare(key, last) <= 0 {
			return errKeyNotInRegion(key, r)
		}
		last = key
	}
	return nil
}

// splitRegions returns what a region becomes. All parts have the same new
// version, so that each is newer than what any of them was before.
func splitRegions(region *metapb.Region, splits *raft_cmdpb.BatchSplitRequest) []*metapb.Region {
	reqs := splits.GetRequests()
	epoch := metapb.RegionEpoch{
		ConfVer: region.GetRegionEpoch().GetConfVer(),
		Version: region.GetRegionEpoch().GetVersion() + uint64(len(reqs)),
	}
	parts := make([]*metapb.Region, len(reqs)+1)
	start := region.GetStartKey()
	for i := range parts {
		end := region.GetEndKey()
		if i < len(reqs) {
			end = reqs[i].GetSplitKey()
		}
		partEpoch := epoch
		part := &metapb.Region{Id: region.GetId(), StartKey: start, EndKey: end, RegionEpoch: &partEpoch}
		for j, q := range region.GetPeers() {
			member := &metapb.Peer{Id: q.GetId(), StoreId: q.GetStoreId(), Role: q.GetRole()}
			if i > 0 {
				member.Id = reqs[i-1].GetNewPeerIds()[j]
			}
			part.Peers = append(part.Peers, member)
		}
		if i > 0 {
			part.Id = reqs[i-1].GetNewRegionId()
		}
		parts[i] = part
		start = end
	}
	return parts
}

// applySplit adds the states of all parts to the batch. The parts other than
// the first come to life once that is durable.
func (p *peer) applySplit(a *applier, epoch *metapb.RegionEpoch, splits *raft_cmdpb.BatchSplitRequest) *errorpb.Error {
	if stale := checkEpoch(p.region, epoch); stale != nil {
		markEpochAtApply.Reached()
		return stale
	}
	keys := make([][]byte, len(splits.GetRequests()))
	for i, req := range splits.GetRequests() {
		keys[i] = req.GetSplitKey()
	}
	outside := checkSplitKeys(p.region, keys)
	invariant.Check(outside == nil, "raftstore: %s: split: %v", p, outside)
	markSplit.Reached()
	parts := splitRegions(p.region, splits)
	p.s.setRegion(p, parts[0])
	p.divideSize(len(parts))
	p.putState(a.batch)
	for _, part := range parts[1:] {
		if p.s.gone(part) {
			markSplitGone.Reached()
			clearRange(a.batch, part)
			continue
		}
		old := p.s.byRegion[part.GetId()]
		invariant.Check(old == nil || !initialised(old.region), "raftstore: %s: split makes region %v, which exists", p, old)
		putRegionState(a.batch, part, raft_serverpb.PeerState_Normal)
		putInitialApplyState(a.batch, part.GetId(), initialIndex, initialTerm)
		a.births = append(a.births, birth{part, p, p.size, p.keys})
	}
	p.s.cfg.Observer.RegionSplit(parts)
	if p.isLeader() {
		p.reportRegion()
	}
	return nil
}

// unborn reports whether the region is about to come to life.
func (a *applier) unborn(region uint64) bool {
	return slices.ContainsFunc(a.births, func(b birth) bool { return b.region.GetId() == region })
}

// bear makes the peer of a region that a split has made.
func (s *Store) bear(b birth) {
	id := b.region.GetId()
	p := s.newPeer(b.region, peerOnStore(b.region, s.id))
	// The new region has no leader yet whom anybody could have promised anything,
	// unless other stores were quicker.
	st := localStates{apply: initialApplyState(initialIndex, initialTerm)}
	var written hardState
	if old := s.byRegion[id]; old != nil {
		// A message has come before the split, and an uninitialised peer has taken
		// part in elections. What it has promised holds.
		markSplitReplaced.Reached()
		invariant.Check(old.id == p.id, "raftstore: %s: replaced by %s", old, p)
		st.raft = old.log.hard.localState(0)
		written = old.log.written
		p.promise = old.promise
		s.removePeer(old)
		old.dropSnapshots()
	} else {
		// It may have done so in an earlier process.
		var err error
		st.raft, err = load[raft_serverpb.RaftLocalState](s.eng.RaftLog, hardStateKey(nil, id))
		if s.failed(err) {
			return
		}
		written = asHardState(st.raft)
	}
	invariant.Check(st.raft.GetLastIndex() == 0, "raftstore: %s: a new region has a log", p)
	if hs := st.raft.GetHardState(); hs != nil {
		hs.Commit = 0 // of a snapshot that was accepted and is not needed any more
	}
	written.commit = 0
	p.loadLog(st)
	if h := p.log.hard; h.term < written.term || h.term == written.term && h.vote != written.vote && written.vote != 0 {
		invariant.Fail("raftstore: %s: begins with hard state %+v, has promised %+v", p, h, written)
	}
	p.log.written = written
	p.appliedTerm = initialTerm
	p.size, p.keys = b.size, b.keys
	p.auditStart()
	p.startRaft()
	s.addPeer(p)
	if b.parent.isLeader() && !p.hasPromised() {
		// The members are the same and this store has just been in touch with them,
		// so the new region need not wait for an election timeout.
		err := p.node.Campaign()
		invariant.Check(err == nil, "raftstore: %s: campaign: %v", p, err)
	}
}
