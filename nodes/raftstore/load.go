package raftstore

import (
	"fmt"

	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_serverpb"

	"simrun/nodes/engine"
	"simrun/nodes/invariant"
)

// localStates are the records of one region, as found in the databases.
type localStates struct {
	apply raft_serverpb.RaftApplyState
	// raft is nil as long as the peer has never written one.
	raft *raft_serverpb.RaftLocalState
	// snapshot is the raft state that the last snapshot has asked for, nil if
	// there never was one.
	snapshot *raft_serverpb.RaftLocalState
}

// unmarshaler is a message of kvproto.
type unmarshaler[T any] interface {
	*T
	Unmarshal(buf []byte) error
}

// load reads a record; it returns nil if there is none.
func load[T any, M unmarshaler[T]](db *engine.DB, key []byte) (M, error) {
	value, err := db.Get(engine.Raft, key)
	if err != nil || value == nil {
		return nil, err
	}
	m := M(new(T))
	if err := m.Unmarshal(value); err != nil {
		return nil, fmt.Errorf("raftstore: record %x is damaged: %w", key, err)
	}
	return m, nil
}

func loadStates(eng *engine.Engines, region *metapb.Region) (st localStates, err error) {
	id := region.GetId()
	if st.raft, err = load[raft_serverpb.RaftLocalState](eng.RaftLog, hardStateKey(nil, id)); err != nil {
		return st, err
	}
	if !initialised(region) {
		return st, nil
	}
	if st.snapshot, err = load[raft_serverpb.RaftLocalState](eng.KV, snapStateKey(id)); err != nil {
		return st, err
	}
	apply, err := load[raft_serverpb.RaftApplyState](eng.KV, applyStateKey(nil, id))
	if err != nil {
		return st, err
	}
	if apply == nil {
		return st, fmt.Errorf("raftstore: region %d has a state but no apply state", id)
	}
	st.apply = *apply
	return st, nil
}

// loadLog makes the log of a peer from what was found, completing what a crash
// has left half done. It returns true if the log has to be reset.
func (p *peer) loadLog(st localStates) (reset bool) {
	l := &p.log
	if st.raft != nil {
		l.hard = asHardState(st.raft)
		l.lastIndex = st.raft.GetLastIndex()
	}
	l.written = l.hard
	if !initialised(p.region) {
		invariant.Check(l.lastIndex == 0, "raftstore: %s: an uninitialised peer has a log", p)
		return false
	}
	truncated := st.apply.GetTruncatedState()
	l.truncatedIndex, l.truncatedTerm = truncated.GetIndex(), truncated.GetTerm()
	l.knownIndex, l.knownTerm = l.truncatedIndex, l.truncatedTerm
	p.applied = st.apply.GetAppliedIndex()
	if snap := st.snapshot; snap != nil && snap.GetLastIndex() > l.hard.commit {
		// The snapshot is in the key-value database but the log was not reset.
		// Nothing of the log is of use: it ends before the snapshot, or its tail may
		// contradict it.
		markSnapshotLogReset.Reached()
		l.raise(snap.GetHardState().GetTerm(), snap.GetLastIndex())
		reset = true
	}
	if l.lastIndex < initialIndex {
		// A peer of a new region: from bootstrap, or from a split, in which case it
		// may have voted while it was uninitialised. It keeps that vote.
		markSplitKept.Sometimes(st.raft != nil && !reset)
		l.raise(initialTerm, initialIndex)
		l.lastIndex, l.lastTerm = initialIndex, initialTerm
	}
	if commit := max(st.apply.GetCommitIndex(), p.applied); commit > l.hard.commit {
		// The commit index is not synced on its own account.
		markCommitRecovered.Reached()
		l.hard.commit = commit
	}
	return reset
}

func asHardState(st *raft_serverpb.RaftLocalState) hardState {
	hs := st.GetHardState()
	return hardState{hs.GetTerm(), hs.GetVote(), hs.GetCommit()}
}

// raise lifts the hard state to at least the given term and commit index. A
// vote belongs to a term and is forgotten only with it.
func (l *logStorage) raise(term, commit uint64) {
	if term > l.hard.term {
		l.hard.term, l.hard.vote = term, 0
	}
	l.hard.commit = max(l.hard.commit, commit)
}

// checkLog reads the whole log of an initialised peer once: it must be
// contiguous from the truncated state to the last index, and must hold what
// the apply state says is applied. It fills the entry cache and erases
// entries that were compacted before the crash.
func (p *peer) checkLog(b *engine.Batch) error {
	l := &p.log
	invariant.Check(p.applied >= l.truncatedIndex, "raftstore: %s: applied %d but log truncated at %d", p, p.applied, l.truncatedIndex)
	invariant.Check(l.hard.commit >= p.applied && l.lastIndex >= l.hard.commit,
		"raftstore: %s: applied %d, committed %d, last %d", p, p.applied, l.hard.commit, l.lastIndex)
	it, err := p.s.eng.RaftLog.NewIter(engine.Raft, engine.IterOptions{
		Lower: logKey(nil, p.regionID, 0), Upper: hardStateKey(nil, p.regionID),
	})
	if err != nil {
		return err
	}
	defer it.Close()
	p.auditStart()
	next, term, leftover := l.truncatedIndex+1, l.truncatedTerm, false
	for ok := it.First(); ok; ok = it.Next() {
		if logIndex(it.Key()) < next && next == l.truncatedIndex+1 {
			leftover = true
			continue
		}
		e, err := decodeEntry(it.Value())
		invariant.Check(err == nil && logIndex(it.Key()) == next && e.GetIndex() == next && e.GetTerm() >= term,
			"raftstore: %s: log has %d/%d where %d is due after term %d (%v)", p, logIndex(it.Key()), e.GetTerm(), next, term, err)
		l.cache.append(append(p.s.oneEntry[:0], e))
		p.s.cfg.Auditor.EntryFound(p.regionID, p.id, e)
		term = e.GetTerm()
		if next == p.applied {
			p.appliedTerm = term
		}
		next++
	}
	if err := it.Error(); err != nil {
		return err
	}
	invariant.Check(next == l.lastIndex+1, "raftstore: %s: log ends at %d, not at %d", p, next-1, l.lastIndex)
	l.lastTerm = term
	if p.applied == l.truncatedIndex {
		p.appliedTerm = l.truncatedTerm
	}
	if leftover {
		markLeftover.Reached()
		l.erase(b, 0, l.truncatedIndex+1)
	}
	l.foundIndex = l.lastIndex
	markReplayed.Sometimes(l.hard.commit > p.applied)
	return nil
}
