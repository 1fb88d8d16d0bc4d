package nodes

import (
	"errors"
	"time"

	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/pdpb"
	"github.com/pingcap/kvproto/pkg/raft_serverpb"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/nodes/placement"
	"simrun/nodes/raftstore"
	"simrun/nodes/rpc"
)

// Limits of a store's own requests.
const (
	retryPutStore   = 500 * time.Millisecond
	snapshotTimeout = 2 * time.Second
)

var errNoAddress = errors.New("the address of the store is not known yet")

// transport carries messages between stores. It implements
// raftstore.Transport. Addresses are owned by the placement driver; this is a
// cache of them.
type transport struct {
	env       *env.Env
	ep        *rpc.Endpoint
	pd        *placement.Client
	addresses map[uint64]env.Addr
	asking    map[uint64]bool
}

func newTransport(e *env.Env, ep *rpc.Endpoint, pd *placement.Client) *transport {
	return &transport{env: e, ep: ep, pd: pd, addresses: map[uint64]env.Addr{}, asking: map[uint64]bool{}}
}

// register hands what other stores send to the store.
func (tr *transport) register(s *raftstore.Store) {
	tr.ep.HandleRaw(rpc.Raft, func(_ env.Addr, body []byte) { s.OnRaftBatch(body) })
	rpc.Handle(tr.ep, rpc.RaftSnapshot, func(t env.Task, _ env.Addr, chunk *raft_serverpb.SnapshotChunk) *raftstore.SnapshotAnswer {
		return s.OnSnapshotChunk(t, chunk)
	})
}

// Send implements raftstore.Transport. A batch to a store of which no address is
// known is lost, as if the network had lost it.
func (tr *transport) Send(toStore uint64, batch []byte) {
	if addr, ok := tr.address(toStore); ok {
		tr.ep.Send(addr, rpc.Raft, batch)
	}
}

// SendSnapshotChunk implements raftstore.Transport.
func (tr *transport) SendSnapshotChunk(t env.Task, toStore uint64, chunk *raft_serverpb.SnapshotChunk) (*raftstore.SnapshotAnswer, error) {
	addr, ok := tr.address(toStore)
	if !ok {
		return nil, errNoAddress
	}
	answer := &raftstore.SnapshotAnswer{}
	return answer, rpc.Call(t, tr.ep, addr, rpc.RaftSnapshot, chunk, answer, snapshotTimeout)
}

// address returns a store's address; if it is not known it asks for it.
func (tr *transport) address(store uint64) (env.Addr, bool) {
	if addr, ok := tr.addresses[store]; ok {
		return addr, true
	}
	if !tr.asking[store] {
		tr.asking[store] = true
		tr.env.Sched.Go("find store", func(t env.Task) {
			tr.ask(t, store)
			tr.asking[store] = false
		})
	}
	return 0, false
}

func (tr *transport) ask(t env.Task, store uint64) {
	meta, err := tr.pd.GetStore(t, store, -1)
	if err != nil || meta == nil {
		t.Sleep(retryPutStore / 5)
		return
	}
	if addr, ok := tr.env.Net.Resolve(meta.Address); ok {
		tr.addresses[store] = addr
	}
}

// driver is the placement driver as a store sees it. It implements
// raftstore.PD.
type driver struct {
	env *env.Env
	pd  *placement.Client
	// answered gets the answers to reports of regions, removed is called when this
	// store turns out to have been removed from the cluster.
	answered func(*pdpb.RegionHeartbeatResponse)
	removed  func()
	// reported is told of reports that have arrived, and awaken is called when the
	// placement driver wants to hear of all regions.
	reported func(*pdpb.RegionHeartbeatRequest)
	awaken   func()
}

// RegionHeartbeat implements raftstore.PD.
func (d *driver) RegionHeartbeat(req *pdpb.RegionHeartbeatRequest) {
	d.env.Sched.Go("region heartbeat", func(t env.Task) {
		if resp, err := d.pd.RegionHeartbeat(t, req); err == nil {
			d.reported(req)
			d.answered(resp)
		}
	})
}

// StoreHeartbeat implements raftstore.PD.
func (d *driver) StoreHeartbeat(req *pdpb.StoreHeartbeatRequest) {
	d.env.Sched.Go("store heartbeat", func(t env.Task) {
		resp, err := d.pd.StoreHeartbeat(t, req.Stats)
		if placement.IsTombstone(err) {
			d.removed()
		}
		if resp.GetAwakenRegions() != nil {
			d.awaken()
		}
	})
}

// register hands what the placement driver wants to know to the store.
func (d *driver) register(ep *rpc.Endpoint, s *raftstore.Store) {
	ep.HandleRaw(rpc.ReportRegion, func(_ env.Addr, body []byte) {
		req := &pdpb.RegionHeartbeatResponse{}
		err := req.Unmarshal(body)
		invariant.Check(err == nil, "store: malformed request for a report: %v", err)
		s.ReportRegion(req.RegionId)
	})
}

// GetRegionByID implements raftstore.PD.
func (d *driver) GetRegionByID(t env.Task, id uint64) (*metapb.Region, error) {
	region, _, err := d.pd.GetRegionByID(t, id)
	return region, err
}

// AskBatchSplit implements raftstore.PD.
func (d *driver) AskBatchSplit(t env.Task, region *metapb.Region, count uint32) ([]*pdpb.SplitID, error) {
	return d.pd.AskBatchSplit(t, region, int(count))
}
