package txn

import (
	"time"

	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_cmdpb"

	"simrun/nodes/engine"
	"simrun/nodes/env"
)

// RegionStore is the replicated storage below the transactions.
type RegionStore interface {
	// LeaderSnapshot returns the applied state of a peer that believes to be
	// leader and has applied an entry of its own term. It does not wait.
	LeaderSnapshot(ctx *kvrpcpb.Context) (Snapshot, *errorpb.Error)
	// ReadSnapshot returns a state that holds everything that was acknowledged
	// before the call: leadership is confirmed and the confirmed index applied.
	ReadSnapshot(t env.Task, ctx *kvrpcpb.Context) (Snapshot, *errorpb.Error)
	// ReplicaSnapshot is ReadSnapshot for a follower, which asks its leader first.
	// The leader has its own scheduler look at guard (GuardRead) and refuses the
	// read by the lock that it returns.
	ReplicaSnapshot(t env.Task, ctx *kvrpcpb.Context, guard []byte) (Snapshot, *kvrpcpb.LockInfo, *errorpb.Error)
	// Propose replicates reqs as one atomic entry in the given term and returns
	// once the entry is applied here. A region error means that it is not and
	// will never be applied. A Go error means that its fate is unknown; unless
	// limit has run out, it is decided nevertheless and no later state of this
	// peer will differ by it. A negative limit waits for as long as it takes.
	Propose(t env.Task, ctx *kvrpcpb.Context, term uint64, reqs []*raft_cmdpb.Request,
		limit time.Duration) (*errorpb.Error, error)
}

// Snapshot is a consistent state of one region.
type Snapshot interface {
	engine.Reader
	// Region is the region as of the snapshot.
	Region() *metapb.Region
	// Term is the term in which the peer was leader.
	Term() uint64
	Close()
}
