package raftstore

import (
	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_serverpb"

	"simrun/nodes/engine"
	"simrun/nodes/invariant"
)

// How the local records are written; load.go reads them.

// marshaler is a message of kvproto.
type marshaler interface {
	Marshal() ([]byte, error)
	Size() int
	MarshalTo(buf []byte) (int, error)
}

// marshal encodes a message, which cannot fail: there are no required fields.
func marshal(m marshaler) []byte {
	buf, err := m.Marshal()
	if err != nil {
		invariant.Fail("raftstore: %T does not encode: %v", m, err)
	}
	return buf
}

// putMessage puts a message without allocating.
func (s *Store) putMessage(b *engine.Batch, key []byte, m marshaler) {
	size := m.Size()
	if cap(s.value) < size {
		s.value = make([]byte, 2*size)
	}
	s.value = s.value[:size]
	if _, err := m.MarshalTo(s.value); err != nil {
		invariant.Fail("raftstore: %T does not encode: %v", m, err)
	}
	b.Put(engine.Raft, key, s.value)
}

func putRegionState(b *engine.Batch, r *metapb.Region, state raft_serverpb.PeerState) {
	b.Put(engine.Raft, regionStateKey(r.GetId()), marshal(&raft_serverpb.RegionLocalState{State: state, Region: r}))
}

// putState writes the state of an initialised peer that is not removed.
func (p *peer) putState(b *engine.Batch) {
	state := &raft_serverpb.RegionLocalState{Region: p.region, MergedRecords: p.merge.records}
	if p.merging() {
		state.State, state.MergeState = raft_serverpb.PeerState_Merging, p.merge.state
	}
	b.Put(engine.Raft, regionStateKey(p.regionID), marshal(state))
}

// putApplying writes the state of a peer whose data is that of a snapshot, which
// the database does not have yet.
func (p *peer) putApplying(b *engine.Batch) {
	state := &raft_serverpb.RegionLocalState{State: raft_serverpb.PeerState_Applying, Region: p.region, MergedRecords: p.merge.records}
	b.Put(engine.Raft, regionStateKey(p.regionID), marshal(state))
}

// initialApplyState is the apply state of a peer whose data is as of an entry, before
// which its log has nothing: that of a new region, or the one of a snapshot.
func initialApplyState(index, term uint64) raft_serverpb.RaftApplyState {
	return raft_serverpb.RaftApplyState{
		AppliedIndex: index, CommitIndex: index, CommitTerm: term,
		TruncatedState: &raft_serverpb.RaftTruncatedState{Index: index, Term: term},
	}
}

// putInitialApplyState writes it. From then on peer.putApplyState does.
func putInitialApplyState(b *engine.Batch, region, index, term uint64) {
	var key [16]byte
	state := initialApplyState(index, term)
	b.Put(engine.Raft, applyStateKey(key[:0], region), marshal(&state))
}
