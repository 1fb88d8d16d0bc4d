package nodes

import (
	"errors"
	"time"

	"github.com/pingcap/kvproto/pkg/deadlock"

	"simrun/nodes/codec"
	"simrun/nodes/env"
	"simrun/nodes/placement"
	"simrun/nodes/raftstore"
	"simrun/nodes/rpc"
	"simrun/nodes/txn"
)

// Limits of the detection of deadlocks.
const (
	// detectTimeout is how long a store waits for the detector's answer.
	detectTimeout = 300 * time.Millisecond
	// edgeTTL is how long an edge of the wait-for graph outlives its last report:
	// longer than any wait.
	edgeTTL = 3 * time.Second
)

var errNoDetector = errors.New("the store that was asked does not detect deadlocks")

// detector carries the edges of the wait-for graph to the store that leads the
// region of the smallest key, which keeps the graph of the whole cluster. It
// implements txn.Detector. Who that is, the placement driver knows; this is a
// cache.
type detector struct {
	ep        *rpc.Endpoint
	pd        *placement.Client
	transport *transport
	leader    uint64 // store; 0: not known
}

// Detect implements txn.Detector.
func (d *detector) Detect(t env.Task, edge deadlock.WaitForEntry) (*deadlock.DeadlockResponse, error) {
	return d.ask(t, deadlock.DeadlockRequestType_Detect, edge)
}

// Forget implements txn.Detector. If it fails the edge expires by itself.
func (d *detector) Forget(t env.Task, edge deadlock.WaitForEntry) {
	_, _ = d.ask(t, deadlock.DeadlockRequestType_CleanUpWaitFor, edge)
}

func (d *detector) ask(
	t env.Task, what deadlock.DeadlockRequestType, edge deadlock.WaitForEntry,
) (*deadlock.DeadlockResponse, error) {
	leader, err := d.find(t)
	if err != nil {
		return nil, err
	}
	addr, ok := d.transport.address(leader)
	if !ok {
		return nil, errNoAddress
	}
	req := &deadlock.DeadlockRequest{Tp: what, Entry: edge}
	resp := &deadlock.DeadlockResponse{}
	err = rpc.Call(t, d.ep, addr, rpc.DetectDeadlock, req, resp, detectTimeout)
	if err == nil && resp.Entry.Txn == 0 {
		err = errNoDetector
	}
	if err != nil {
		d.leader = 0
		return nil, err
	}
	return resp, nil
}

// find returns the store that detects deadlocks.
func (d *detector) find(t env.Task) (uint64, error) {
	if d.leader != 0 {
		return d.leader, nil
	}
	_, leader, err := d.pd.GetRegion(t, codec.EncodeBytes(txn.DetectorKey()), detectTimeout)
	if err != nil {
		return 0, err
	}
	d.leader = leader.GetStoreId()
	if d.leader == 0 {
		return 0, errNoDetector
	}
	return d.leader, nil
}

// detection is the service of the store that detects deadlocks.
type detection struct {
	env          *env.Env
	store        *raftstore.Store
	table        *txn.DetectTable
	region, term uint64 // for which the table was kept
}

// serve answers with an empty entry if another store detects deadlocks now.
func (d *detection) serve(_ env.Task, req *deadlock.DeadlockRequest) *deadlock.DeadlockResponse {
	region, term, leads := d.store.Leads(codec.EncodeBytes(txn.DetectorKey()))
	if !leads {
		return &deadlock.DeadlockResponse{}
	}
	if region != d.region || term != d.term {
		d.table.Clear()
		d.region, d.term = region, term
	}
	resp := &deadlock.DeadlockResponse{Entry: req.Entry}
	switch req.Tp {
	case deadlock.DeadlockRequestType_Detect:
		if chain := d.table.Detect(d.env.Clock.Monotonic(), req.Entry); len(chain) > 0 {
			last := chain[len(chain)-1]
			resp.WaitChain, resp.DeadlockKeyHash, resp.DeadlockKey = chain, last.KeyHash, last.Key
		}
	case deadlock.DeadlockRequestType_CleanUpWaitFor:
		d.table.Forget(req.Entry)
	case deadlock.DeadlockRequestType_CleanUp:
	}
	return resp
}
