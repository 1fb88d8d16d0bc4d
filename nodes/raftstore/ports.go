package raftstore

import (
	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/pdpb"
	"github.com/pingcap/kvproto/pkg/raft_serverpb"

	"simrun/nodes/env"
)

// Transport carries messages to other stores.
type Transport interface {
	// Send sends a batch of raft messages, to arrive at OnRaftBatch. It may be
	// lost, duplicated and reordered. Send must not keep the slice.
	Send(toStore uint64, batch []byte)
	// SendSnapshotChunk carries a chunk to OnSnapshotChunk and waits for its
	// answer. An error says that there was none.
	SendSnapshotChunk(t env.Task, toStore uint64, chunk *raft_serverpb.SnapshotChunk) (*SnapshotAnswer, error)
}

// PD is the placement driver, as far as a store needs it.
type PD interface {
	// RegionHeartbeat and StoreHeartbeat report without waiting; a report may be
	// lost. One of a region that was answered is for OnRegionReported, the answer
	// for OnRegionHeartbeatResponse.
	RegionHeartbeat(req *pdpb.RegionHeartbeatRequest)
	StoreHeartbeat(req *pdpb.StoreHeartbeatRequest)
	// AskBatchSplit returns ids for count new regions and their peers.
	AskBatchSplit(t env.Task, region *metapb.Region, count uint32) ([]*pdpb.SplitID, error)
	// GetRegionByID returns what is known of a region.
	GetRegionByID(t env.Task, region uint64) (*metapb.Region, error)
}
