package raftstore

import (
	"bytes"

	"github.com/pingcap/kvproto/pkg/eraftpb"
	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_cmdpb"
	"go.etcd.io/raft/v3/raftpb"

	"simrun/nodes/invariant"
)

// tendMerge is called at every tick, and when a PrepareMerge was applied.
func (p *peer) tendMerge() {
	refused := p.merge.refused
	p.merge.refused = false
	if !p.merging() || p.destroyed {
		return
	}
	p.tendTarget()
	if refused && p.isLeader() {
		p.passSourceOn()
	}
}

// tendTarget lets a source look at the peer of its target on this store: if that
// is as PrepareMerge says, and leads, it gets the CommitMerge; if it has gone on
// without it, the merge has to be rolled back.
func (p *peer) tendTarget() {
	s, want := p.s, p.merge.state.GetTarget()
	expected := want.GetRegionEpoch()
	t := s.byRegion[want.GetId()]
	switch {
	case t == nil || !initialised(t.region):
		// Not made yet, or removed.
		if grave := s.tombstones[want.GetId()]; grave != nil && staleEpoch(expected, grave.GetRegion().GetRegionEpoch()) {
			p.targetWentOn(grave.GetMergedRecords())
		}
	case t.destroyed || staleEpoch(t.region.GetRegionEpoch(), expected):
		// It has not heard of all that has happened to it.
	case staleEpoch(expected, t.region.GetRegionEpoch()):
		p.targetWentOn(t.merge.records)
	case t.isLeader() && t.appliedTerm == t.term() && !t.absorbing(p.regionID):
		p.proposeCommit(t)
	}
}

// absorbing reports whether this process has proposed that the peer's region
// absorb another one, and that is not decided.
func (p *peer) absorbing(source uint64) bool {
	for _, list := range [][]*proposal{p.proposals.queued, p.proposals.logged} {
		for _, pr := range list {
			if pr.absorbs == source && pr.term == p.term() {
				return true
			}
		}
	}
	return false
}

// proposeCommit proposes to the target that it absorb this region.
func (p *peer) proposeCommit(t *peer) {
	st := p.merge.state
	if p.log.truncatedIndex >= st.GetMinIndex() {
		// This peer was restored by a snapshot and lacks entries that the slowest may
		// need. Others have them.
		markMergeLacksEntries.Reached()
		p.passTargetOn(t)
		return
	}
	entries, err := p.log.Entries(st.GetMinIndex(), st.GetCommit()+1, ^uint64(0))
	if err != nil {
		return // the process has ended
	}
	req := &raft_cmdpb.CommitMergeRequest{Source: p.region, Commit: st.GetCommit()}
	for _, e := range entries {
		req.Entries = append(req.Entries, &eraftpb.Entry{
			EntryType: eraftpb.EntryType(e.GetType()), Term: e.GetTerm(), Index: e.GetIndex(), Data: e.GetData(),
		})
	}
	pr, regionErr := t.proposeAdmin(&raft_cmdpb.AdminRequest{CmdType: raft_cmdpb.AdminCmdType_CommitMerge, CommitMerge: req})
	if regionErr != nil {
		return // the next tick will tell
	}
	markMergeProposed.Reached()
	pr.reshapes, pr.absorbs = true, p.regionID
}

// sourceOf returns the peer that a CommitMerge is about. It is there: its region
// has had a peer here when PrepareMerge was proposed, and its members could not
// change afterwards.
func (p *peer) sourceOf(req *raft_cmdpb.CommitMergeRequest) *peer {
	source := p.s.byRegion[req.GetSource().GetId()]
	if source == nil || source.destroyed || !initialised(source.region) {
		invariant.Fail("raftstore: %s: absorbs region %d, which is not here (%v)", p, req.GetSource().GetId(), source)
	}
	return source
}

// awaitSource reports whether a CommitMerge has to wait until its source has
// applied PrepareMerge here. It sees to it that this comes about.
func (p *peer) awaitSource(e *raftpb.Entry, epoch *metapb.RegionEpoch, req *raft_cmdpb.CommitMergeRequest) bool {
	if checkEpoch(p.region, epoch) != nil {
		return false // it will have no effect
	}
	source := p.sourceOf(req)
	if source.applied >= req.GetCommit() {
		return false
	}
	markMergeWaited.Reached()
	markWaitRepeated.Sometimes(p.log.found(e))
	invariant.Check(source.merge.target == nil, "raftstore: %s waits for %s, as %s does", p, source, source.merge.target)
	p.merge.source, source.merge.target, p.merge.held = source, p, true
	source.merge.awaited = req.GetCommit()
	source.catchUpLog(req)
	markCatchUpRepeated.Sometimes(p.log.found(e) && source.merge.catchingUp)
	return true
}

// pause keeps what is left of a task for later.
func (p *peer) pause(t *applyTask) {
	p.merge.paused = append(p.merge.paused, *t)
	t.paused = true
}

// stopWaiting lets the peer apply what has waited for the source of a merge.
func (p *peer) stopWaiting() {
	if p.merge.source == nil {
		return
	}
	p.merge.source.merge.target = nil
	p.merge.source = nil
	a := &p.s.applier
	a.resumed = append(a.resumed, p)
	a.schedule()
}

// takeResumed puts what was paused for the sources of merges before what has come
// since.
func (a *applier) takeResumed() {
	var paused []applyTask
	for _, p := range a.resumed {
		paused = append(paused, p.merge.paused...)
		p.merge.held, p.merge.paused = false, nil
	}
	a.resumed = nil
	a.waiting = append(paused, a.waiting...)
}

// applyCommitMerge makes the range of a source that of the target. The version
// of the union is newer than any that source and target have had.
func (p *peer) applyCommitMerge(a *applier, e *raftpb.Entry, epoch *metapb.RegionEpoch, req *raft_cmdpb.CommitMergeRequest) *errorpb.Error {
	if stale := checkEpoch(p.region, epoch); stale != nil {
		markMergeStale.Reached()
		return stale
	}
	s, source := p.s, p.sourceOf(req)
	st := source.merge.state
	invariant.Check(st.GetCommit() == req.GetCommit() && st.GetTarget().GetId() == p.regionID && bytes.Equal(marshal(source.region), marshal(req.GetSource())),
		"raftstore: %s: absorbs region %v, which is %v, merging as of %d", p, req.GetSource(), source.region, st.GetCommit())
	markMergeCommitted.Reached()
	next := union(p.region, source.region)
	p.merge.records = appendRecords(p.merge.records, source.merge.records, mergedRecord(p.region, source, e.GetIndex()))
	source.bury(a.batch, grave{
		epoch: source.region.GetRegionEpoch(), others: source.region.GetPeers(),
		into: next, keepsData: true, records: source.merge.records,
	})
	a.deaths = append(a.deaths, source)
	s.removeRange(source)
	s.setRegion(p, next)
	p.absorbSize(source)
	p.putState(a.batch)
	s.cfg.Observer.RegionMerged(next, source.region)
	if p.isLeader() {
		p.reportRegion()
		s.cfg.RoleChanged(p.regionID, p.term(), true)
	}
	return nil
}

// union returns the target of a merge as it is afterwards.
func union(target, source *metapb.Region) *metapb.Region {
	version := max(target.GetRegionEpoch().GetVersion(), source.GetRegionEpoch().GetVersion()) + 1
	next := withEpoch(target, version-target.GetRegionEpoch().GetVersion(), 0)
	if len(source.GetEndKey()) > 0 && bytes.Equal(source.GetEndKey(), target.GetStartKey()) {
		next.StartKey = source.GetStartKey()
	} else {
		next.EndKey = source.GetEndKey()
	}
	return next
}
