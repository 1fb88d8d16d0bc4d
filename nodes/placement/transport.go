package placement

import (
	"time"

	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/pdpb"
	"github.com/pingcap/kvproto/pkg/raft_serverpb"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/nodes/raftstore"
	"simrun/nodes/rpc"
)

// snapshotTimeout limits the wait for the answer to one chunk.
const snapshotTimeout = 2 * time.Second

// transport carries raft messages between the members, whose addresses are
// fixed. It implements raftstore.Transport.
type transport struct {
	ep    *rpc.Endpoint
	addrs []env.Addr // by id, which is one more than the index
}

func newTransport(e *env.Env, ep *rpc.Endpoint, members []string) *transport {
	tr := &transport{ep: ep}
	for _, name := range members {
		addr, ok := e.Net.Resolve(name)
		invariant.Check(ok, "placement: no node is named %q", name)
		tr.addrs = append(tr.addrs, addr)
	}
	return tr
}

// register hands what the other members send to the store.
func (tr *transport) register(s *raftstore.Store) {
	tr.ep.HandleRaw(rpc.Raft, func(_ env.Addr, body []byte) { s.OnRaftBatch(body) })
	rpc.Handle(tr.ep, rpc.RaftSnapshot, func(t env.Task, _ env.Addr, chunk *raft_serverpb.SnapshotChunk) *raftstore.SnapshotAnswer {
		return s.OnSnapshotChunk(t, chunk)
	})
}

// Send implements raftstore.Transport.
func (tr *transport) Send(to uint64, batch []byte) { tr.ep.Send(tr.addrs[to-1], rpc.Raft, batch) }

// SendSnapshotChunk implements raftstore.Transport.
func (tr *transport) SendSnapshotChunk(t env.Task, to uint64, chunk *raft_serverpb.SnapshotChunk) (*raftstore.SnapshotAnswer, error) {
	answer := &raftstore.SnapshotAnswer{}
	return answer, rpc.Call(t, tr.ep, tr.addrs[to-1], rpc.RaftSnapshot, chunk, answer, snapshotTimeout)
}

// nobody is the placement driver of the members' own raft group: there is none.
// It implements raftstore.PD.
type nobody struct{}

// RegionHeartbeat implements raftstore.PD.
func (nobody) RegionHeartbeat(*pdpb.RegionHeartbeatRequest) {}

// StoreHeartbeat implements raftstore.PD.
func (nobody) StoreHeartbeat(*pdpb.StoreHeartbeatRequest) {}

// AskBatchSplit implements raftstore.PD: the group is never split.
func (nobody) AskBatchSplit(env.Task, *metapb.Region, uint32) ([]*pdpb.SplitID, error) {
	return nil, errNotLeader
}

// GetRegionByID implements raftstore.PD: the members of the group never change,
// so who asks whether it was removed gets no answer.
func (nobody) GetRegionByID(env.Task, uint64) (*metapb.Region, error) {
	return nil, errNotLeader
}
