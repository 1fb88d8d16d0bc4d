package raftstore

import (
	"bytes"
	"math"
	"time"

	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_cmdpb"
	"github.com/pingcap/kvproto/pkg/raft_serverpb"
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
)

// A merge makes two neighbours, whose peers are on the same stores, one region.
// It takes two logs, and three commands (TiKV, raftstore/src/store/fsm/peer.rs).
//
// PrepareMerge, in the log of the source, ends the source: from its application
// on, the region takes no proposals and serves no reads, since the target may have
// taken its place anywhere. It names the target as it is then, of epoch E.
//
// CommitMerge, in the log of the target, is applied if the target is still of
// epoch E. It is proposed by every store on which the source has applied its
// PrepareMerge; only the proposal at the target's leader is taken. It carries what
// the slowest peer of the source may lack: a peer that applies CommitMerge first
// gives its source these entries and waits until it has applied them
// (merge_catchup.go). Then the source is a tombstone and the target has its
// range, in one batch; the data is where it was.
//
// RollbackMerge, in the log of the source, revives it. That is right only if the
// CommitMerge cannot be applied anywhere any more, for which a store needs proof
// (merge_rollback.go).
//
// Nothing of this needs to be remembered beyond what is applied. A process that
// ends starts with the state that the last batch has left: a source that is
// merging goes on to propose CommitMerge, a target repeats the wait.

// merge is what a peer knows of the merges of its region.
type merge struct {
	// state is that of a source since its PrepareMerge, nil otherwise.
	state *raft_serverpb.MergeState
	// records are the regions that this one has absorbed; see merge_records.go.
	records []*raft_serverpb.MergedRecord

	// source is the peer for which this one waits to apply CommitMerge, target the
	// one that waits for this one, until it has applied the PrepareMerge of the index
	// awaited: its log may have others before, which were rolled back. While held, what has to be applied afterwards is
	// paused.
	source, target *peer
	awaited        uint64
	held           bool
	paused         []applyTask
	// catchingUp: the peer has got entries with a CommitMerge, in a term that no
	// other peer knows of.
	catchingUp bool
	// told is the region that has absorbed this one, as the tombstone of another
	// peer says, and into the one that has absorbed it here.
	told, into *metapb.Region
	inquiry    inquiry // whether the peer of that region that is to be here was removed

	// refused: since the last tick raft has asked for a snapshot in vain, the region
	// is merging. heir is the peer to which the leadership of a source or of its
	// target was passed on last; see merge_leaders.go.
	refused bool
	heir    uint64
}

func (m *merge) load(state *raft_serverpb.RegionLocalState) {
	m.records = state.GetMergedRecords()
	if state.GetState() == raft_serverpb.PeerState_Merging {
		markMergeReloaded.Reached()
		m.state = state.GetMergeState()
	}
}

// merging reports whether the region is the source of a merge that is neither
// committed nor rolled back, as far as the peer has applied its log.
func (p *peer) merging() bool { return p.merge.state != nil }

// refuseMerging is the error for requests that a source does not serve.
func (p *peer) refuseMerging() *errorpb.Error {
	if markMergeRefuses.Sometimes(p.merging()) {
		return errMerging(p.regionID)
	}
	return nil
}

// refuseProposal is the error for a proposal that would come to stand behind a
// PrepareMerge, where it would have no effect.
func (p *peer) refuseProposal() *errorpb.Error {
	if markMergeRefuses.Sometimes(p.lease.preparing) {
		return errMerging(p.regionID)
	}
	return nil
}

// MergeRegion begins to merge a region that this store leads into a neighbour,
// which has to be as this store knows it. It returns when the source has ended its
// work; whether the merge is committed or rolled back then depends on the target.
// Errors are those of Propose.
func (s *Store) MergeRegion(t env.Task, ctx *kvrpcpb.Context, target *metapb.Region, limit time.Duration) (*errorpb.Error, error) {
	p, regionErr := s.leaderPeer(ctx)
	if regionErr == nil {
		regionErr = checkEpoch(p.region, ctx.GetRegionEpoch())
	}
	if regionErr == nil {
		regionErr = p.refuseProposal()
	}
	if regionErr != nil {
		return regionErr, nil
	}
	matched, why := p.checkPrepare(target)
	if why != "" {
		markMergeRefused.Reached()
		return errStaleCommand(why), nil
	}
	pr, regionErr := p.proposeAdmin(&raft_cmdpb.AdminRequest{
		CmdType:      raft_cmdpb.AdminCmdType_PrepareMerge,
		PrepareMerge: &raft_cmdpb.PrepareMergeRequest{MinIndex: matched + 1, Target: target},
	})
	if regionErr != nil {
		return regionErr, nil
	}
	pr.reshapes = true
	p.lease.preparing = true
	markLeaseGivenUp.Sometimes(p.leased())
	p.lease.until = 0
	return pr.await(t, limit)
}

// checkPrepare returns up to where all peers have the log, or why the region must
// not be merged now. What depends on the region alone cannot be otherwise when
// PrepareMerge is applied, for it is applied only if the epoch is still the same.
func (p *peer) checkPrepare(target *metapb.Region) (matched uint64, why string) {
	t := p.s.byRegion[target.GetId()]
	switch {
	case p.appliedTerm != p.term():
		// What other leaders have left may hold a change of members.
		return 0, "nothing is applied in this term"
	case t == nil || t.destroyed || !bytes.Equal(marshal(t.region), marshal(target)):
		return 0, "the target is another one here"
	case t.merging():
		return 0, "the target is merging itself"
	case !siblings(p.region, target):
		return 0, "the regions are no neighbours"
	case inJoint(p.region) || inJoint(target):
		return 0, "a change of members is under way"
	case !onSameStores(p.region, target):
		return 0, "the regions have their peers on different stores"
	}
	matched, ok := p.matchedByAll()
	if !ok {
		return 0, "a peer has not got its log"
	}
	return matched, p.checkGap(matched)
}

// siblings reports whether one region begins where the other ends.
func siblings(a, b *metapb.Region) bool {
	return len(a.GetEndKey()) > 0 && bytes.Equal(a.GetEndKey(), b.GetStartKey()) ||
		len(b.GetEndKey()) > 0 && bytes.Equal(b.GetEndKey(), a.GetStartKey())
}

// onSameStores reports whether two regions have peers of the same roles on the
// same stores.
func onSameStores(a, b *metapb.Region) bool {
	if len(a.GetPeers()) != len(b.GetPeers()) {
		return false
	}
	for _, p := range a.GetPeers() {
		if q := peerOnStore(b, p.GetStoreId()); q == nil || q.GetRole() != p.GetRole() {
			return false
		}
	}
	return true
}

// matchedByAll returns the index up to which the log of every peer, learners and
// this one included, is known to be that of the leader and durable. A quorum is
// not enough: a CommitMerge has to serve the slowest. ok is false if a peer has
// nothing, or waits for a snapshot.
func (p *peer) matchedByAll() (index uint64, ok bool) {
	index, ok = math.MaxUint64, p.node.BasicStatus().RaftState == raft.StateLeader
	p.node.WithProgress(func(_ uint64, _ raft.ProgressType, pr tracker.Progress) {
		index = min(index, pr.Match)
		ok = ok && pr.State != tracker.StateSnapshot
	})
	return index, ok && index >= initialIndex
}

// checkGap refuses a merge for which the entries that a peer lacks do not fit
// into one command, or are no data alone. Nothing but such entries can be in the
// log by the time of PrepareMerge: what is not applied was proposed by this
// leader.
func (p *peer) checkGap(matched uint64) string {
	if matched < p.log.truncatedIndex {
		return "a peer lacks entries that are not in the log any more"
	}
	size := 0
	for _, list := range [][]*proposal{p.proposals.queued, p.proposals.logged} {
		for _, pr := range list {
			if pr.admin {
				return "an administrative command is under way"
			}
			size += pr.size + entryOverhead
		}
	}
	if matched < p.applied {
		entries, err := p.log.Entries(matched+1, p.applied+1, math.MaxUint64)
		if err != nil {
			return "the log cannot be read"
		}
		for _, e := range entries {
			if p.administrative(e) {
				return "a peer lacks an administrative command"
			}
			size += len(e.GetData()) + entryOverhead
		}
	}
	if size > p.s.cfg.EntrySizeMax*9/10 {
		return "a peer lacks too many entries"
	}
	return ""
}

// entryOverhead is what an entry takes in a CommitMerge beside its data, at most.
const entryOverhead = 32

// administrative reports whether an entry is more than data.
func (p *peer) administrative(e *raftpb.Entry) bool {
	if e.GetType() != raftpb.EntryNormal {
		return true
	}
	var cmd command
	err := cmd.decode(e.GetData())
	invariant.Check(err == nil, "raftstore: %s: entry %d is damaged: %v", p, e.GetIndex(), err)
	return cmd.admin != nil
}

// applyPrepareMerge ends the work of a source. Both parts of the epoch grow:
// neither what was proposed on the old one nor a change of members may come after
// it.
func (p *peer) applyPrepareMerge(a *applier, e *raftpb.Entry, epoch *metapb.RegionEpoch, req *raft_cmdpb.PrepareMergeRequest) *errorpb.Error {
	p.lease.preparing = false
	if stale := checkEpoch(p.region, epoch); stale != nil {
		markMergeStale.Reached()
		return stale
	}
	invariant.Check(!p.merging(), "raftstore: %s: second PrepareMerge at %d", p, e.GetIndex())
	markMergePrepared.Reached()
	p.merge.state = &raft_serverpb.MergeState{MinIndex: req.GetMinIndex(), Target: req.GetTarget(), Commit: e.GetIndex()}
	p.s.setRegion(p, withEpoch(p.region, 1, 1))
	p.putState(a.batch)
	p.s.cfg.Observer.MergePrepared(p.region, req.GetTarget())
	if p.isLeader() {
		p.reportRegion()
	}
	if waiting := p.merge.target; waiting != nil && p.merge.awaited == e.GetIndex() {
		p.merge.catchingUp = false
		waiting.stopWaiting()
	}
	p.stir()
	p.s.calendar.add(p, p.nextTick())
	a.prepared = append(a.prepared, p)
	return nil
}

// withEpoch returns the region with a later epoch.
func withEpoch(r *metapb.Region, version, confVer uint64) *metapb.Region {
	return &metapb.Region{
		Id: r.GetId(), StartKey: r.GetStartKey(), EndKey: r.GetEndKey(), Peers: r.GetPeers(),
		RegionEpoch: &metapb.RegionEpoch{
			Version: r.GetRegionEpoch().GetVersion() + version, ConfVer: r.GetRegionEpoch().GetConfVer() + confVer,
		},
	}
}
