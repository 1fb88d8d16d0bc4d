package raftstore

import (
	"fmt"

	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_serverpb"

	"simrun/nodes/engine"
)

// The log of a new region begins after this entry, so that a peer without a
// log can be told from one whose log is at its beginning.
const (
	initialIndex = 5
	initialTerm  = 5
)

// Ident returns the identity of a bootstrapped store, nil of an empty one.
func Ident(eng *engine.Engines) (*raft_serverpb.StoreIdent, error) {
	value, err := eng.KV.Get(engine.Raft, identKey())
	if err != nil || value == nil {
		return nil, err
	}
	ident := &raft_serverpb.StoreIdent{}
	if err := ident.Unmarshal(value); err != nil {
		return nil, fmt.Errorf("raftstore: store ident: %w", err)
	}
	return ident, nil
}

// Bootstrap gives an empty store its identity and its first regions: those of
// the given ones that have a peer on it. All stores get the same regions. A
// store that was bootstrapped before is left as it is.
//
// The identity is written last, so that a store that has one is complete. The
// raft log database needs nothing: a region without a raft state is at its
// beginning.
func Bootstrap(eng *engine.Engines, storeID uint64, regions []*metapb.Region) error {
	ident, err := Ident(eng)
	if err != nil {
		return err
	}
	if ident != nil {
		if ident.GetStoreId() != storeID {
			return fmt.Errorf("raftstore: bootstrap of store %d: this is store %d", storeID, ident.GetStoreId())
		}
		return nil
	}
	b := eng.KV.NewBatch()
	defer b.Close()
	for _, r := range regions {
		if peerOnStore(r, storeID) == nil {
			continue
		}
		if err := checkNewRegion(r); err != nil {
			return err
		}
		putRegionState(b, r, raft_serverpb.PeerState_Normal)
		putApplyState(b, r.GetId(), initialApplyState())
	}
	if err := eng.KV.Write(b); err != nil {
		return fmt.Errorf("raftstore: bootstrap: %w", err)
	}
	b.Reset()
	b.Put(engine.Raft, identKey(), marshal(&raft_serverpb.StoreIdent{StoreId: storeID}))
	if err := eng.KV.Write(b); err != nil {
		return fmt.Errorf("raftstore: bootstrap: %w", err)
	}
	return nil
}

func checkNewRegion(r *metapb.Region) error {
	if r.GetId() == 0 || r.GetRegionEpoch().GetVersion() == 0 || r.GetRegionEpoch().GetConfVer() == 0 {
		return fmt.Errorf("raftstore: bootstrap: region %v has no id or no epoch", r)
	}
	for i, p := range r.GetPeers() {
		if p.GetId() == 0 || p.GetStoreId() == 0 {
			return fmt.Errorf("raftstore: bootstrap: region %d has a peer without an id", r.GetId())
		}
		for _, q := range r.GetPeers()[:i] {
			if p.GetId() == q.GetId() || p.GetStoreId() == q.GetStoreId() {
				return fmt.Errorf("raftstore: bootstrap: region %d has two peers on a store or with one id", r.GetId())
			}
		}
	}
	return nil
}

func initialApplyState() raft_serverpb.RaftApplyState {
	return raft_serverpb.RaftApplyState{
		AppliedIndex: initialIndex, CommitIndex: initialIndex, CommitTerm: initialTerm,
		TruncatedState: &raft_serverpb.RaftTruncatedState{Index: initialIndex, Term: initialTerm},
	}
}

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
		panic(err)
	}
	return buf
}

func putRegionState(b *engine.Batch, r *metapb.Region, state raft_serverpb.PeerState) {
	b.Put(engine.Raft, regionStateKey(nil, r.GetId()), marshal(&raft_serverpb.RegionLocalState{State: state, Region: r}))
}

// putState writes the state of an initialised peer that is not removed.
func (p *peer) putState(b *engine.Batch) {
	state := &raft_serverpb.RegionLocalState{Region: p.region, MergedRecords: p.merge.records}
	if p.merging() {
		state.State, state.MergeState = raft_serverpb.PeerState_Merging, p.merge.state
	}
	b.Put(engine.Raft, regionStateKey(nil, p.regionID), marshal(state))
}

// putApplying writes the state of a peer whose data is that of a snapshot, which
// the database does not have yet.
func (p *peer) putApplying(b *engine.Batch) {
	state := &raft_serverpb.RegionLocalState{State: raft_serverpb.PeerState_Applying, Region: p.region, MergedRecords: p.merge.records}
	b.Put(engine.Raft, regionStateKey(nil, p.regionID), marshal(state))
}

func putApplyState(b *engine.Batch, region uint64, state raft_serverpb.RaftApplyState) {
	var key [16]byte
	b.Put(engine.Raft, applyStateKey(key[:0], region), marshal(&state))
}

// putMessage puts a message without allocating.
func (s *Store) putMessage(b *engine.Batch, key []byte, m marshaler) {
	size := m.Size()
	if cap(s.value) < size {
		s.value = make([]byte, 2*size)
	}
	s.value = s.value[:size]
	if _, err := m.MarshalTo(s.value); err != nil {
		panic(err)
	}
	b.Put(engine.Raft, key, s.value)
}
