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
		putInitialApplyState(b, r.GetId(), initialIndex, initialTerm)
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
