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
	resumed []*peer // whose tasks were paused
	due     bool    // an event is scheduled
	// held is set while a split, a merge or the end of a peer is being made durable.
	held  bool
	batch *engine.Batch
	runFn func() // run

	command command        // scratch space
	state   applyStateRoom // scratch space

	// What the current batch leads to once it is written.
	results []applyResult
	births  []birth
	deaths  []*peer
	changes []confResult
	// prepared are the peers that have learned that their region is to be merged.
	prepared []*peer
}

// applyTask is a MsgStorageApply.
type applyTask struct {
	p   *peer
	msg *raftpb.Message
	// entries are those that are left to apply.
	entries []*raftpb.Entry
	// paused: the rest is applied when the source of a merge has caught up.
	paused bool
}

// applyResult is the answer to a proposal of this process.
type applyResult struct {
	proposal *proposal
	err      *errorpb.Error
}

func (a *applier) init(s *Store) {
	a.s = s
	a.batch = s.eng.KV.NewBatch()
	a.runFn = a.run
}

func (a *applier) add(p *peer, m *raftpb.Message) {
	if size := payload(m); size > 0 {
		if uint64(p.applying) >= a.s.cfg.MaxSizePerMsg {
			invariant.Fail("raftstore: %s: %d bytes wait to be applied, raft should have stopped at %d", p, p.applying, a.s.cfg.MaxSizePerMsg)
		}
		p.applying += size
		a.s.cfg.Backlogs.Apply.grow(size)
	}
	a.waiting = append(a.waiting, applyTask{p: p, msg: m, entries: m.GetEntries()})
	a.schedule()
}

// payloadSlack is what the envelope of a change of members adds to an entry.
const payloadSlack = 1 << 10

// payload is the size of the commands that a message hands over to be applied.
func payload(m *raftpb.Message) int {
	size := 0
	for _, e := range m.GetEntries() {
		size += len(e.GetData())
	}
	return size
}

func (a *applier) schedule() {
	if !a.due && !a.held && len(a.waiting)+len(a.resumed) > 0 {
		a.due = true
		a.s.env.Sched.After(0, a.runFn)
	}
}

// run applies everything that waits.
func (a *applier) run() {
	a.due = false
	if a.s.dead || a.held {
		return
	}
	if !a.s.eng.KV.Admit(a.runFn) {
		// What is committed waits, within the bound that raft sets to what is handed
		// over to be applied; the log goes on.
		markApplyStalled.Reached()
		a.due = true
		return
	}
	if len(a.resumed) > 0 {
		a.takeResumed()
	}
	a.waiting, a.current = a.current[:0], a.waiting
	for i := range a.current {
		t := &a.current[i]
		if !t.p.destroyed && t.p.applyTask(a, t) {
			t.p.putApplyState(a)
		}
	}
	hold := len(a.births)+len(a.deaths) > 0
	var err error
	if hold {
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
	for i, c := range a.changes {
		c.tell()
		a.changes[i] = confResult{}
	}
	a.changes = a.changes[:0]
	if hold {
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
		if !t.paused {
			size := payload(t.msg)
			t.p.applying -= size
			a.s.cfg.Backlogs.Apply.shrink(size)
		}
		if !t.p.destroyed && !t.paused {
			for _, m := range t.msg.GetResponses() {
				t.p.stepLocal(m)
			}
			t.p.log.tellCompacted()
			t.p.releaseReads()
			t.p.maybeCompact()
		}
		a.current[i] = applyTask{}
	}
	a.current = a.current[:0]
	deaths := a.deaths
	a.deaths = nil
	for _, p := range deaths {
		p.erase()
	}
	if births := a.births; len(births) > 0 {
		a.births = nil
		for _, b := range births {
			a.s.bear(b)
		}
		a.s.unpark()
	}
	prepared := a.prepared
	a.prepared = nil
	for _, p := range prepared {
		p.tendMerge()
	}
	a.s.scheduleTurn()
}

// applyTask adds the entries of a task to the batch. It reports whether there was
// one that was not applied before. If one has to wait for the source of a merge,
// the rest waits with it, and so does all that comes later for the region.
func (p *peer) applyTask(a *applier, t *applyTask) (progress bool) {
	if p.merge.held {
		p.pause(t)
		return false
	}
	for i, e := range t.entries {
		if e.GetIndex() <= p.applied {
			markApplySuperseded.Reached() // by a snapshot that came meanwhile
			continue
		}
		if e.GetIndex() != p.applied+1 || e.GetTerm() < p.appliedTerm || e.GetIndex() > p.commit() || e.GetType() == raftpb.EntryConfChange {
			invariant.Fail("raftstore: %s: applying %s %d/%d after %d/%d, committed %d",
				p, e.GetType(), e.GetIndex(), e.GetTerm(), p.applied, p.appliedTerm, p.commit())
		}
		if r := p.restored; r != nil && e.GetIndex() > r.id.index {
			invariant.Fail("raftstore: %s: applying %d while a snapshot is being applied", p, e.GetIndex())
		}
		var cc *raftpb.ConfChangeV2
		if len(e.GetData()) > 0 {
			cc = p.decodeCommand(a, e)
			if admin := a.command.admin; admin.GetCmdType() == raft_cmdpb.AdminCmdType_CommitMerge && p.awaitSource(e, &a.command.epoch, admin.GetCommitMerge()) {
				t.entries = t.entries[i:]
				p.pause(t)
				break
			}
		}
		var result *errorpb.Error
		before, written := p.region, a.batch.Len()
		proposal := p.proposals.decide(a, e)
		if len(e.GetData()) > 0 {
			result = p.applyCommand(a, e, cc, proposal)
		}
		p.applied, p.appliedTerm = e.GetIndex(), e.GetTerm()
		p.s.cfg.Auditor.EntryApplied(p.regionID, p.id, e, Effect{Refused: result != nil, Writes: p.dataWrites(a, e, written)})
		if p.region != before {
			p.s.cfg.Auditor.RegionChanged(p.region, p.id, p.applied)
			p.markRepeated(e, a.command.admin)
		}
		if proposal != nil {
			if proposal.term == p.term() {
				p.renewLease(proposal.proposed)
			}
			a.results = append(a.results, applyResult{proposal, result})
		}
		if p.destroyed {
			return false // by this entry; its apply state is gone with it
		}
		progress = true
	}
	return progress
}

// dataWrites returns what a command that only writes data has added to the batch.
// Commands for the region itself also write what this store alone knows.
func (p *peer) dataWrites(a *applier, e *raftpb.Entry, from int) []byte {
	if len(e.GetData()) == 0 || a.command.admin != nil {
		return nil
	}
	return a.batch.From(from)
}

// applyStateRoom is room for an apply state and what it points to.
type applyStateRoom struct {
	apply     raft_serverpb.RaftApplyState
	truncated raft_serverpb.RaftTruncatedState
}

// putApplyState writes how far the region is applied, in the batch that holds
// the data.
func (p *peer) putApplyState(a *applier) {
	st := &a.state
	st.truncated.Index, st.truncated.Term = p.log.truncatedIndex, p.log.truncatedTerm
	st.apply.AppliedIndex, st.apply.CommitIndex, st.apply.CommitTerm = p.applied, p.applied, p.appliedTerm
	st.apply.TruncatedState = &st.truncated
	p.s.key = applyStateKey(p.s.key[:0], p.regionID)
	p.s.putMessage(a.batch, p.s.key, &st.apply)
}

// decodeCommand decodes the command of an entry, and the change of members
// around it, if there is one.
func (p *peer) decodeCommand(a *applier, e *raftpb.Entry) (cc *raftpb.ConfChangeV2) {
	cmd, data := &a.command, e.GetData()
	if e.GetType() == raftpb.EntryConfChangeV2 {
		var err error
		cc, err = decodeConfChange(e)
		invariant.Check(err == nil, "raftstore: %s: entry %d is no change of members: %v", p, e.GetIndex(), err)
		data = cc.GetContext()
	}
	if err := cmd.decode(data); err != nil || cmd.regionID != p.regionID {
		invariant.Fail("raftstore: %s: entry %d is damaged or of region %d (%v)", p, e.GetIndex(), cmd.regionID, err)
	}
	return cc
}

// applyCommand adds one command to the batch. Between its proposal and now the
// region may have changed, so what was checked then is checked again. The
// outcome depends on nothing but the log, lest replicas differ.
func (p *peer) applyCommand(a *applier, e *raftpb.Entry, cc *raftpb.ConfChangeV2, proposal *proposal) *errorpb.Error {
	cmd := &a.command
	if proposal != nil && string(proposal.uuid[:]) != string(cmd.uuid) {
		invariant.Fail("raftstore: %s: entry %d/%d is not the one proposed", p, e.GetIndex(), e.GetTerm())
	}
	if cc != nil {
		return p.applyChange(a, e, cc, &cmd.epoch, cmd.admin)
	}
	if cmd.admin != nil {
		return p.applyAdmin(a, e, &cmd.epoch, cmd.admin)
	}
	if stale := checkVersion(p.region, &cmd.epoch); stale != nil {
		markEpochAtApply.Reached()
		return stale
	}
	for i := range cmd.writes {
		p.applyWrite(a.batch, &cmd.writes[i])
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
	case raft_cmdpb.AdminCmdType_PrepareMerge:
		return p.applyPrepareMerge(a, e, epoch, admin.GetPrepareMerge())
	case raft_cmdpb.AdminCmdType_CommitMerge:
		return p.applyCommitMerge(a, e, epoch, admin.GetCommitMerge())
	case raft_cmdpb.AdminCmdType_RollbackMerge:
		return p.applyRollbackMerge(a, epoch, admin.GetRollbackMerge())
	default:
		invariant.Fail("raftstore: %s: entry %d is a %s", p, e.GetIndex(), admin.GetCmdType())
		return nil
	}
}

// applyWrite adds one write. The epoch fits, so the proposer has checked its
// keys against this very range.
func (p *peer) applyWrite(b *engine.Batch, w *write) {
	end := w.key
	if w.kind == raft_cmdpb.CmdType_DeleteRange {
		end = w.value
	}
	if !contains(p.region, w.key) || w.kind == raft_cmdpb.CmdType_DeleteRange && !containsRange(p.region, w.key, end) {
		invariant.Fail("raftstore: %s: %s of %q to %q outside of [%q, %q)",
			p, w.kind, w.key, end, p.region.GetStartKey(), p.region.GetEndKey())
	}
	switch w.kind {
	case raft_cmdpb.CmdType_Put:
		b.Put(w.cf, w.key, w.value)
		size := uint64(len(w.key) + len(w.value))
		p.size, p.grown = p.size+size, p.grown+size
		p.keys, p.grownKeys = p.keys+1, p.grownKeys+1
	case raft_cmdpb.CmdType_Delete:
		b.Delete(w.cf, w.key)
	case raft_cmdpb.CmdType_DeleteRange:
		b.DeleteRange(w.cf, w.key, orNil(w.value))
	default:
		invariant.Fail("raftstore: %s: applying a %s", p, w.kind)
	}
	p.touched = true
}

// orNil makes an empty end of a range the end of everything.
func orNil(end []byte) []byte {
	if len(end) == 0 {
		return nil
	}
	return end
}
