package raftstore

import (
	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_cmdpb"
	"github.com/pingcap/kvproto/pkg/raft_serverpb"
	"go.etcd.io/raft/v3/raftpb"

	"simrun/nodes/engine"
	"simrun/nodes/invariant"
)

// applier applies committed entries, in events of its own. All that waits is
// applied in one batch, with the apply states of its regions.
type applier struct {
	s       *Store
	waiting []applyTask
	current []applyTask
	due     bool // an event is scheduled
	// held is set while a split is being made durable.
	held  bool
	batch *engine.Batch

	// What the current batch leads to once it is written.
	results []applyResult
	births  []birth
}

// applyTask is a MsgStorageApply.
type applyTask struct {
	p   *peer
	msg *raftpb.Message
}

// applyResult is the answer to a proposal of this process.
type applyResult struct {
	proposal *proposal
	err      *errorpb.Error
}

func (a *applier) init(s *Store) {
	a.s = s
	a.batch = s.eng.KV.NewBatch()
}

func (a *applier) add(p *peer, m *raftpb.Message) {
	a.waiting = append(a.waiting, applyTask{p, m})
	a.schedule()
}

func (a *applier) schedule() {
	if !a.due && !a.held && len(a.waiting) > 0 {
		a.due = true
		a.s.env.Sched.After(0, a.run)
	}
}

// run applies everything that waits.
func (a *applier) run() {
	a.due = false
	if a.s.dead || a.held {
		return
	}
	a.waiting, a.current = a.current[:0], a.waiting
	for _, t := range a.current {
		if !t.p.destroyed && t.p.applyEntries(a, t.msg.GetEntries()) {
			t.p.putApplyState(a.batch)
		}
	}
	split := len(a.births) > 0
	var err error
	if split {
		// The new regions must not write to the raft log before it is certain that
		// they exist. A raft state without its region could neither be used, as the
		// data would be missing, nor be thrown away, as it holds promises.
		err = a.s.eng.KV.Write(a.batch)
	} else {
		err = a.s.eng.KV.WriteUnsynced(a.batch)
	}
	a.batch.Reset()
	if a.s.failed(err) {
		return
	}
	if split {
		a.held = true
		a.s.env.Disk.Barrier(func() {
			a.held = false
			a.finish()
			a.schedule()
		})
		return
	}
	a.finish()
}

// finish tells everybody what the written batch means.
func (a *applier) finish() {
	for i, r := range a.results {
		r.proposal.result.Resolve(r.err, nil)
		a.results[i] = applyResult{}
	}
	a.results = a.results[:0]
	for i, t := range a.current {
		if !t.p.destroyed {
			for _, m := range t.msg.GetResponses() {
				t.p.stepLocal(m)
			}
			t.p.releaseReads()
			t.p.maybeCompact()
		}
		a.current[i] = applyTask{}
	}
	a.current = a.current[:0]
	if births := a.births; len(births) > 0 {
		a.births = nil
		for _, b := range births {
			a.s.bear(b)
		}
		a.s.unpark()
	}
	a.s.scheduleTurn()
}

// applyEntries adds the entries to the batch. It reports whether there was one
// that was not applied before.
func (p *peer) applyEntries(a *applier, entries []*raftpb.Entry) (progress bool) {
	for _, e := range entries {
		if e.GetIndex() <= p.applied {
			markApplySuperseded.Reached() // by a snapshot that came meanwhile
			continue
		}
		invariant.Check(e.GetIndex() == p.applied+1 && e.GetTerm() >= p.appliedTerm,
			"raftstore: %s: applying %d/%d after %d/%d", p, e.GetIndex(), e.GetTerm(), p.applied, p.appliedTerm)
		invariant.Check(e.GetIndex() <= p.commit(), "raftstore: %s: applying %d, committed %d", p, e.GetIndex(), p.commit())
		invariant.Check(e.GetType() == raftpb.EntryNormal, "raftstore: %s: entry %d is a %s", p, e.GetIndex(), e.GetType())
		var result *errorpb.Error
		proposal := p.proposals.decide(a, e)
		if len(e.GetData()) > 0 {
			result = p.applyCommand(a, e, proposal)
		}
		p.applied, p.appliedTerm = e.GetIndex(), e.GetTerm()
		if proposal != nil {
			a.results = append(a.results, applyResult{proposal, result})
		}
		progress = true
	}
	return progress
}

// putApplyState writes how far the region is applied, in the batch that holds
// the data.
func (p *peer) putApplyState(b *engine.Batch) {
	p.s.key = applyStateKey(p.s.key[:0], p.regionID)
	state := raft_serverpb.RaftApplyState{
		AppliedIndex: p.applied, CommitIndex: p.applied, CommitTerm: p.appliedTerm,
		TruncatedState: &raft_serverpb.RaftTruncatedState{Index: p.log.truncatedIndex, Term: p.log.truncatedTerm},
	}
	size := state.Size()
	p.s.value = grow(p.s.value, size)
	_, err := state.MarshalTo(p.s.value)
	invariant.Check(err == nil, "raftstore: cannot encode an apply state: %v", err)
	b.Put(engine.Raft, p.s.key, p.s.value)
}

// grow returns a slice of length n, reusing buf if it is large enough.
func grow(buf []byte, n int) []byte {
	if cap(buf) < n {
		return make([]byte, n, 2*n)
	}
	return buf[:n]
}

// applyCommand adds one command to the batch. Between its proposal and now the
// region may have changed, so what was checked then is checked again. The
// outcome depends on nothing but the log, lest replicas differ.
func (p *peer) applyCommand(a *applier, e *raftpb.Entry, proposal *proposal) *errorpb.Error {
	cmd := &raft_cmdpb.RaftCmdRequest{}
	err := cmd.Unmarshal(e.GetData())
	invariant.Check(err == nil && cmd.GetHeader().GetRegionId() == p.regionID,
		"raftstore: %s: entry %d is damaged or of another region (%v)", p, e.GetIndex(), err)
	invariant.Check(proposal == nil || string(proposal.uuid[:]) == string(cmd.GetHeader().GetUuid()),
		"raftstore: %s: entry %d/%d is not the one proposed", p, e.GetIndex(), e.GetTerm())
	if admin := cmd.GetAdminRequest(); admin != nil {
		return p.applyAdmin(a, e, cmd.GetHeader().GetRegionEpoch(), admin)
	}
	if stale := checkVersion(p.region, cmd.GetHeader().GetRegionEpoch()); stale != nil {
		markEpochAtApply.Reached()
		return stale
	}
	// The epoch fits, so the proposer has checked against this very range.
	outside := checkKeys(p.region, cmd.GetRequests())
	invariant.Check(outside == nil, "raftstore: %s: entry %d: %v", p, e.GetIndex(), outside)
	for _, req := range cmd.GetRequests() {
		p.applyRequest(a.batch, req)
	}
	return nil
}

func (p *peer) applyAdmin(a *applier, e *raftpb.Entry, epoch *metapb.RegionEpoch, admin *raft_cmdpb.AdminRequest) *errorpb.Error {
	switch admin.GetCmdType() {
	case raft_cmdpb.AdminCmdType_CompactLog:
		p.applyCompactLog(e, admin.GetCompactLog())
		return nil
	case raft_cmdpb.AdminCmdType_BatchSplit:
		return p.applySplit(a, epoch, admin.GetSplits())
	default:
		invariant.Fail("raftstore: %s: entry %d is a %s", p, e.GetIndex(), admin.GetCmdType())
		return nil
	}
}

// applyRequest adds one write. Its keys are known to be inside the region.
func (p *peer) applyRequest(b *engine.Batch, req *raft_cmdpb.Request) {
	switch req.GetCmdType() {
	case raft_cmdpb.CmdType_Put:
		put := req.GetPut()
		b.Put(dataCF(put.GetCf()), put.GetKey(), put.GetValue())
		p.size += uint64(len(put.GetKey()) + len(put.GetValue()))
	case raft_cmdpb.CmdType_Delete:
		b.Delete(dataCF(req.GetDelete().GetCf()), req.GetDelete().GetKey())
	case raft_cmdpb.CmdType_DeleteRange:
		d := req.GetDeleteRange()
		b.DeleteRange(dataCF(d.GetCf()), d.GetStartKey(), orNil(d.GetEndKey()))
	default:
		invariant.Fail("raftstore: %s: applying a %s", p, req.GetCmdType())
	}
}

// dataCF returns the column family of a command, which was checked when it was
// proposed.
func dataCF(name string) engine.CF {
	cf, err := engine.ParseCF(name)
	invariant.Check(err == nil && cf != engine.Raft, "raftstore: command for column family %q", name)
	return cf
}

// orNil makes an empty end of a range the end of everything.
func orNil(end []byte) []byte {
	if len(end) == 0 {
		return nil
	}
	return end
}
