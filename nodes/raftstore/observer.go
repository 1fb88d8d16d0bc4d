package raftstore

import "github.com/pingcap/kvproto/pkg/metapb"

// Observer is told what happens on a store, for reports. It must not call the store.
type Observer interface {
	// LeaderElected: a peer of this store has become leader.
	LeaderElected(region, term uint64)
	// RegionSplit: this store has applied a split. The regions include the one
	// that was split.
	RegionSplit(regions []*metapb.Region)
	// SnapshotApplied: a peer of this store was restored from a snapshot.
	SnapshotApplied(region, index uint64)
	// SnapshotMoved: a step of the way of a snapshot to another store.
	SnapshotMoved(region uint64, step SnapshotStep)
	// PeersChanged: this store has applied a change of a region's members.
	PeersChanged(region *metapb.Region)
	// MergePrepared: this store has applied that a region is to be merged into
	// another one, RegionMerged that this has come about, MergeRolledBack that it
	// has not.
	MergePrepared(source, target *metapb.Region)
	RegionMerged(region, source *metapb.Region)
	MergeRolledBack(source, target *metapb.Region)
	// PeerDestroyed: a peer of this store was removed, and nothing of it is left.
	PeerDestroyed(region, peer uint64)
}

// SnapshotStep is what an Observer is told of the transfer of a snapshot.
type SnapshotStep uint8

// The steps of a transfer.
const (
	SnapshotSent    SnapshotStep = iota // by this store, and accepted by the other
	SnapshotResumed                     // by this store, after what the other has from an earlier stream
	SnapshotRefused                     // by this store: a chunk was not taken
)

// noObserver is nobody who is told.
type noObserver struct{}

func (noObserver) LeaderElected(uint64, uint64)                   {}
func (noObserver) RegionSplit([]*metapb.Region)                   {}
func (noObserver) SnapshotApplied(uint64, uint64)                 {}
func (noObserver) PeersChanged(*metapb.Region)                    {}
func (noObserver) MergePrepared(*metapb.Region, *metapb.Region)   {}
func (noObserver) RegionMerged(*metapb.Region, *metapb.Region)    {}
func (noObserver) MergeRolledBack(*metapb.Region, *metapb.Region) {}
func (noObserver) PeerDestroyed(uint64, uint64)                   {}
func (noObserver) SnapshotMoved(uint64, SnapshotStep)             {}

// noRoleChanged is nobody who is told of roles.
func noRoleChanged(uint64, uint64, bool) {}
