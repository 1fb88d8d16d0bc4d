package raftstore

import (
	"fmt"

	"github.com/pingcap/kvproto/pkg/eraftpb"
	"github.com/pingcap/kvproto/pkg/raft_serverpb"
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"simrun/nodes/engine"
	"simrun/nodes/invariant"
)

// logStorage is the stable log of one peer, in the form in which raft reads it.
// Entries are written by the append path only; they count here from the moment
// they are handed to the database. That is early, but raft does not ask for an
// entry before it was told that it is durable.
type logStorage struct {
	p *peer

	// lastIndex and lastTerm are those of the last entry, or of the truncated
	// state if there is none.
	lastIndex, lastTerm uint64
	// truncatedIndex and truncatedTerm are those of the entry before the first,
	// as in the apply state.
	truncatedIndex, truncatedTerm uint64
	// knownIndex and knownTerm are the truncated state as raft knows it. It stays
	// behind while entries were applied of which raft has not been told: raft may
	// still look at those that it takes for unapplied, to see whether one of them
	// changes the members.
	knownIndex, knownTerm uint64
	// foundIndex is that of the last entry that an earlier process has written and
	// that nothing has replaced since.
	foundIndex uint64

	// hard is the newest hard state that raft has handed out, written the one in
	// the database or on its way there.
	hard, written hardState

	cache entryCache
}

// hardState is what a peer must not forget: its term, its vote in it and, as a
// hint, its commit index.
type hardState struct{ term, vote, commit uint64 }

// promised reports whether a and b hold the same promises, that is, all but
// the commit index.
func (a hardState) promised(b hardState) bool { return a.term == b.term && a.vote == b.vote }

// InitialState implements raft.Storage.
func (l *logStorage) InitialState() (*raftpb.HardState, *raftpb.ConfState, error) {
	hs := &raftpb.HardState{Term: &l.hard.term, Vote: &l.hard.vote, Commit: &l.hard.commit}
	return proto.Clone(hs).(*raftpb.HardState), l.p.confState(), nil
}

// FirstIndex implements raft.Storage.
func (l *logStorage) FirstIndex() (uint64, error) { return l.knownIndex + 1, nil }

// LastIndex implements raft.Storage.
func (l *logStorage) LastIndex() (uint64, error) { return l.lastIndex, nil }

// Term implements raft.Storage.
func (l *logStorage) Term(index uint64) (uint64, error) {
	switch {
	case index == l.lastIndex:
		return l.lastTerm, nil
	case index == l.truncatedIndex:
		return l.truncatedTerm, nil
	case index == l.knownIndex:
		return l.knownTerm, nil
	case index < l.knownIndex:
		return 0, raft.ErrCompacted
	case index > l.lastIndex:
		return 0, raft.ErrUnavailable
	}
	if e := l.cache.get(index); e != nil {
		return e.GetTerm(), nil
	}
	e, err := l.read(index)
	if err != nil {
		return 0, err
	}
	return e.GetTerm(), nil
}

// Entries implements raft.Storage.
func (l *logStorage) Entries(lo, hi, sizeMax uint64) ([]*raftpb.Entry, error) {
	if lo <= l.knownIndex {
		return nil, raft.ErrCompacted
	}
	markCompactedRead.Sometimes(lo <= l.truncatedIndex)
	if hi > l.lastIndex+1 {
		return nil, raft.ErrUnavailable
	}
	entries := make([]*raftpb.Entry, 0, hi-lo)
	size := uint64(0)
	for index := lo; index < hi; index++ {
		e := l.cache.get(index)
		if e == nil {
			var err error
			if e, err = l.read(index); err != nil {
				return nil, err
			}
		}
		size += uint64(proto.Size(e))
		if len(entries) > 0 && size > sizeMax {
			break
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// read reads one entry from the database. After a storage error the process
// has ended; raft is told something that it can live with until then.
func (l *logStorage) read(index uint64) (*raftpb.Entry, error) {
	markColdLogRead.Reached()
	s := l.p.s
	s.key = logKey(s.key[:0], l.p.regionID, index)
	value, err := s.eng.RaftLog.Get(engine.Raft, s.key)
	if s.failed(err) {
		return nil, raft.ErrCompacted
	}
	e, err := decodeEntry(value)
	invariant.Check(err == nil && e.GetIndex() == index, "raftstore: %s: entry %d of its log is missing or damaged", l.p, index)
	return e, nil
}

// Snapshot implements raft.Storage.
func (l *logStorage) Snapshot() (*raftpb.Snapshot, error) { return l.p.generateSnapshot() }

// append writes entries to the batch and erases what they replace.
func (l *logStorage) append(b *engine.Batch, entries []*raftpb.Entry) {
	if len(entries) == 0 {
		return
	}
	s := l.p.s
	first, last := entries[0].GetIndex(), entries[len(entries)-1].GetIndex()
	if first <= l.truncatedIndex || first > l.lastIndex+1 {
		invariant.Fail("raftstore: %s: appending %d to a log from %d to %d", l.p, first, l.truncatedIndex+1, l.lastIndex)
	}
	for i, e := range entries {
		if e.GetIndex() != first+uint64(i) {
			invariant.Fail("raftstore: %s: entries to append are not contiguous", l.p)
		}
		s.key = logKey(s.key[:0], l.p.regionID, e.GetIndex())
		s.value = appendEntry(s.value[:0], e)
		b.Put(engine.Raft, s.key, s.value)
	}
	if last < l.lastIndex {
		markTruncatedTail.Reached()
		l.erase(b, last+1, l.lastIndex+1)
	}
	l.lastIndex, l.lastTerm = last, entries[len(entries)-1].GetTerm()
	l.foundIndex = min(l.foundIndex, first-1)
	l.cache.append(entries)
}

// erase deletes the entries in [lo, hi) from the database.
func (l *logStorage) erase(b *engine.Batch, lo, hi uint64) {
	b.DeleteRange(engine.Raft, logKey(nil, l.p.regionID, lo), logKey(nil, l.p.regionID, hi))
}

// reset makes the log one that begins after a snapshot.
func (l *logStorage) reset(b *engine.Batch, index, term uint64) {
	l.erase(b, 0, l.lastIndex+1)
	l.truncatedIndex, l.truncatedTerm = index, term
	l.knownIndex, l.knownTerm = index, term
	l.lastIndex, l.lastTerm = index, term
	l.foundIndex = 0
	l.cache.reset()
}

// compact moves the beginning of the log. The entries stay in the database
// until raft knows, and until it is safe to delete them.
func (l *logStorage) compact(index, term uint64) {
	l.truncatedIndex, l.truncatedTerm = index, term
}

// tellCompacted is called when raft was told of applied entries. It lets raft see
// the beginning of the log, unless raft takes some before it for unapplied yet.
func (l *logStorage) tellCompacted() {
	if l.knownIndex == l.truncatedIndex || l.p.node.BasicStatus().Applied < l.truncatedIndex {
		return
	}
	lo := l.knownIndex + 1
	l.knownIndex, l.knownTerm = l.truncatedIndex, l.truncatedTerm
	l.cache.compact(l.truncatedIndex)
	l.p.s.logGC.add(erasure{l.p, lo, l.truncatedIndex + 1})
}

// putHardState writes a hard state that refers to the log as it is, and with
// it the last index.
func (l *logStorage) putHardState(b *engine.Batch, h hardState) {
	w := l.written
	if h.term < w.term || h.commit < w.commit || h.commit > l.lastIndex {
		invariant.Fail("raftstore: %s: hard state %+v after %+v, last index %d", l.p, h, w, l.lastIndex)
	}
	if h.term == w.term && w.vote != 0 && h.vote != w.vote {
		invariant.Fail("raftstore: %s: second vote in term %d: %d after %d", l.p, h.term, h.vote, w.vote)
	}
	s := l.p.s
	room := &s.appender.state
	room.hard.Term, room.hard.Vote, room.hard.Commit = h.term, h.vote, h.commit
	room.local.HardState, room.local.LastIndex = &room.hard, l.lastIndex
	s.key = hardStateKey(s.key[:0], l.p.regionID)
	s.putMessage(b, s.key, &room.local)
	l.written = h
}

// localStateRoom is room for a raft state and what it points to.
type localStateRoom struct {
	local raft_serverpb.RaftLocalState
	hard  eraftpb.HardState
}

func (a hardState) localState(last uint64) *raft_serverpb.RaftLocalState {
	return &raft_serverpb.RaftLocalState{
		HardState: &eraftpb.HardState{Term: a.term, Vote: a.vote, Commit: a.commit},
		LastIndex: last,
	}
}

func decodeEntry(value []byte) (*raftpb.Entry, error) {
	if value == nil {
		return nil, fmt.Errorf("no such entry")
	}
	return decodeLogEntry(value)
}

func appendEntry(buf []byte, e *raftpb.Entry) []byte {
	buf, err := proto.MarshalOptions{}.MarshalAppend(buf, e)
	invariant.Check(err == nil, "raftstore: cannot encode an entry: %v", err)
	return buf
}
