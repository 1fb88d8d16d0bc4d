package nodes

import (
	"time"

	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/kvproto/pkg/raft_cmdpb"

	"simrun/nodes/codec"
	"simrun/nodes/env"
	"simrun/nodes/raftstore"
	"simrun/nodes/rpc"
	"simrun/nodes/txn"
)

// serve offers the services of a store.
func serve(ep *rpc.Endpoint, s *txn.Scheduler, store *raftstore.Store) {
	handle(ep, rpc.KvGet, s.Get)
	handle(ep, rpc.KvBatchGet, s.BatchGet)
	handle(ep, rpc.KvScan, s.Scan)
	handle(ep, rpc.KvPrewrite, s.Prewrite)
	handle(ep, rpc.KvCommit, s.Commit)
	handle(ep, rpc.KvBatchRollback, s.BatchRollback)
	handle(ep, rpc.KvCleanup, s.Cleanup)
	handle(ep, rpc.KvCheckTxnStatus, s.CheckTxnStatus)
	handle(ep, rpc.KvResolveLock, s.ResolveLock)
	handle(ep, rpc.KvTxnHeartBeat, s.TxnHeartBeat)
	handle(ep, rpc.KvScanLock, s.ScanLock)
	handle(ep, rpc.KvPessimisticLock, s.PessimisticLock)
	handle(ep, rpc.KVPessimisticRollback, s.PessimisticRollback)
	handle(ep, rpc.KvCheckSecondaryLocks, s.CheckSecondaryLocks)
	handle(ep, rpc.KvGC, s.GC)
	handle(ep, rpc.KvDeleteRange, s.DeleteRange)
	handle(ep, rpc.RawGet, s.RawGet)
	handle(ep, rpc.RawBatchGet, s.RawBatchGet)
	handle(ep, rpc.RawPut, s.RawPut)
	handle(ep, rpc.RawBatchPut, s.RawBatchPut)
	handle(ep, rpc.RawDelete, s.RawDelete)
	handle(ep, rpc.RawBatchDelete, s.RawBatchDelete)
	handle(ep, rpc.RawScan, s.RawScan)
	handle(ep, rpc.RawCompareAndSwap, s.RawCompareAndSwap)
	handle(ep, rpc.SplitRegion, func(t env.Task, req *kvrpcpb.SplitRegionRequest) *kvrpcpb.SplitRegionResponse {
		return splitRegion(t, store, req)
	})
	handle(ep, rpc.ChangePeers, func(t env.Task, req *raft_cmdpb.RaftCmdRequest) *raft_cmdpb.RaftCmdResponse {
		return changePeers(t, store, req)
	})
	handle(ep, rpc.MergeRegion, func(t env.Task, req *raft_cmdpb.RaftCmdRequest) *raft_cmdpb.RaftCmdResponse {
		return mergeRegion(t, store, req)
	})
}

// mergeTimeout limits the proposal of a merge.
const mergeTimeout = 2 * time.Second

// mergeRegion begins to merge a region into a neighbour. As with changePeers, the
// message is the command itself.
func mergeRegion(t env.Task, store *raftstore.Store, req *raft_cmdpb.RaftCmdRequest) *raft_cmdpb.RaftCmdResponse {
	h := req.Header
	ctx := &kvrpcpb.Context{RegionId: h.GetRegionId(), RegionEpoch: h.GetRegionEpoch(), Peer: h.GetPeer(), Term: h.GetTerm()}
	regionErr, err := store.MergeRegion(t, ctx, req.GetAdminRequest().GetPrepareMerge().GetTarget(), mergeTimeout)
	if err != nil {
		return nil // the outcome is unknown
	}
	return &raft_cmdpb.RaftCmdResponse{
		Header:        &raft_cmdpb.RaftResponseHeader{Error: regionErr},
		AdminResponse: &raft_cmdpb.AdminResponse{CmdType: raft_cmdpb.AdminCmdType_PrepareMerge},
	}
}

// changeTimeout limits the proposal of a change of members.
const changeTimeout = 2 * time.Second

// changePeers changes the members of a region. There is no message of TiKV's for
// this between processes; it is the command itself, whose header addresses the
// leader.
func changePeers(t env.Task, store *raftstore.Store, req *raft_cmdpb.RaftCmdRequest) *raft_cmdpb.RaftCmdResponse {
	h := req.Header
	ctx := &kvrpcpb.Context{RegionId: h.GetRegionId(), RegionEpoch: h.GetRegionEpoch(), Peer: h.GetPeer(), Term: h.GetTerm()}
	region, regionErr, err := store.ChangePeers(t, ctx, req.GetAdminRequest().GetChangePeerV2().GetChanges(), changeTimeout)
	if err != nil {
		return nil // the outcome is unknown
	}
	return &raft_cmdpb.RaftCmdResponse{
		Header: &raft_cmdpb.RaftResponseHeader{Error: regionErr},
		AdminResponse: &raft_cmdpb.AdminResponse{
			CmdType: raft_cmdpb.AdminCmdType_ChangePeerV2, ChangePeerV2: &raft_cmdpb.ChangePeerV2Response{Region: region},
		},
	}
}

// splitTimeout limits the proposal of a split.
const splitTimeout = 2 * time.Second

// splitRegion splits a region at the request's keys: user keys, unless the
// request is for the raw interface, in which keys are stored as they are.
func splitRegion(t env.Task, store *raftstore.Store, req *kvrpcpb.SplitRegionRequest) *kvrpcpb.SplitRegionResponse {
	keys := req.SplitKeys
	if !req.IsRawKv {
		keys = make([][]byte, len(req.SplitKeys))
		for i, k := range req.SplitKeys {
			keys[i] = codec.EncodeBytes(k)
		}
	}
	regions, regionErr, err := store.SplitRegion(t, req.Context, keys, splitTimeout)
	if err != nil {
		return nil // the outcome is unknown
	}
	return &kvrpcpb.SplitRegionResponse{RegionError: regionErr, Regions: regions}
}

// regionStore is the raft store as transactions see it: the interface of its
// snapshots instead of their type.
type regionStore struct{ *raftstore.Store }

// LeaderSnapshot implements txn.RegionStore.
func (r regionStore) LeaderSnapshot(ctx *kvrpcpb.Context) (txn.Snapshot, *errorpb.Error) {
	s, err := r.Store.LeaderSnapshot(ctx)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// ReadSnapshot implements txn.RegionStore.
func (r regionStore) ReadSnapshot(t env.Task, ctx *kvrpcpb.Context) (txn.Snapshot, *errorpb.Error) {
	s, err := r.Store.ReadSnapshot(t, ctx)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// ReplicaSnapshot implements txn.RegionStore.
func (r regionStore) ReplicaSnapshot(
	t env.Task, ctx *kvrpcpb.Context, guard []byte,
) (txn.Snapshot, *kvrpcpb.LockInfo, *errorpb.Error) {
	s, refusal, regionErr := r.GuardedSnapshot(t, ctx, guard)
	switch {
	case regionErr != nil:
		return nil, nil, regionErr
	case refusal == nil:
		return s, nil, nil
	}
	lock := &kvrpcpb.LockInfo{}
	if err := lock.Unmarshal(refusal); err != nil {
		return nil, nil, &errorpb.Error{Message: "the leader's refusal is malformed", StaleCommand: &errorpb.StaleCommand{}}
	}
	return nil, lock, nil
}

// message is a pointer to a message type.
type message[T any] interface {
	*T
	rpc.Message
}

// handle registers a service that does not care who asks.
func handle[Q, P any, Request message[Q], Response message[P]](
	ep *rpc.Endpoint, m rpc.Method, service func(env.Task, Request) Response,
) {
	rpc.Handle(ep, m, func(t env.Task, _ env.Addr, req Request) Response { return service(t, req) })
}
