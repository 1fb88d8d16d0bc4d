package client

import (
	"slices"
	"time"

	"github.com/pingcap/kvproto/pkg/deadlock"
	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_cmdpb"

	"simrun/nodes/engine"
	"simrun/nodes/env"
	"simrun/nodes/rpc"
	"simrun/nodes/txn"
)

// Transport.

func (c *cluster) Call(t env.Task, to env.Addr, m rpc.Method, req, resp rpc.Message, limit time.Duration) error {
	r := c.match(t, m)
	if r == nil {
		r = &rule{}
	}
	body, err := marshal(req)
	if err != nil {
		c.Fatal(err)
	}
	result := &env.Future[[]byte]{}
	c.inFlight++
	c.env.Sched.Go("store", func(t env.Task) {
		defer func() { c.inFlight-- }()
		c.serve(t, r, to, m, body, result)
	})
	answer, err := result.Await(t, limit)
	if err == nil {
		err = resp.Unmarshal(answer)
	}
	if c.trace != nil {
		c.traceCall(to, m, req, resp, r, err)
	}
	return err
}

func marshal(m rpc.Message) ([]byte, error) {
	buf := make([]byte, m.Size())
	_, err := m.MarshalTo(buf)
	return buf, err
}

func (c *cluster) serve(t env.Task, r *rule, to env.Addr, m rpc.Method, body []byte, result *env.Future[[]byte]) {
	t.Sleep(latency + r.delay)
	storeID := uint64(slices.Index(c.stores, to) + 1)
	switch {
	case r.refuse:
		t.Sleep(latency)
		result.Resolve(nil, rpc.ErrRefused)
		return
	case r.dropReq, storeID == c.down:
		return
	}
	if r.before != nil {
		r.before(t)
	}
	resp := c.execute(t, storeID, m, body, r)
	if resp == nil || r.dropResp {
		return
	}
	answer, err := marshal(resp)
	if err != nil {
		panic(err)
	}
	t.Sleep(latency)
	result.Resolve(answer, nil)
}

// served is a service: it decodes a request, checks that it came to the right
// store, and executes it.
func served[Q, P any, Request interface {
	*Q
	rpc.Message
	GetContext() *kvrpcpb.Context
}, Response interface {
	*P
	rpc.Message
}](t env.Task, storeID uint64, body []byte, fn func(env.Task, Request) Response) rpc.Message {
	req := Request(new(Q))
	if err := req.Unmarshal(body); err != nil {
		panic(err)
	}
	if peer := req.GetContext().GetPeer(); peer.GetStoreId() != storeID {
		return refusal(&errorpb.Error{StoreNotMatch: &errorpb.StoreNotMatch{RequestStoreId: peer.GetStoreId(), ActualStoreId: storeID}}, nil)
	}
	if resp := fn(t, req); resp != nil {
		return resp
	}
	return nil
}

// refusal is a response of any method: region and key errors have the same
// field numbers in all of them.
func refusal(e *errorpb.Error, ke *kvrpcpb.KeyError) rpc.Message {
	return &kvrpcpb.GetResponse{RegionError: e, Error: ke}
}

func (c *cluster) execute(t env.Task, id uint64, m rpc.Method, body []byte, r *rule) rpc.Message {
	if r.answer != nil || r.keyError != nil {
		return refusal(r.answer, r.keyError)
	}
	s := c.sched
	switch m { //nolint:exhaustive // what the client calls
	case rpc.KvGet:
		return served(t, id, body, s.Get)
	case rpc.KvBatchGet:
		return served(t, id, body, s.BatchGet)
	case rpc.KvScan:
		return served(t, id, body, s.Scan)
	case rpc.KvPrewrite:
		return served(t, id, body, s.Prewrite)
	case rpc.KvCommit:
		return served(t, id, body, s.Commit)
	case rpc.KvBatchRollback:
		return served(t, id, body, s.BatchRollback)
	case rpc.KvCleanup:
		return served(t, id, body, s.Cleanup)
	case rpc.KvCheckTxnStatus:
		return served(t, id, body, s.CheckTxnStatus)
	case rpc.KvResolveLock:
		return served(t, id, body, s.ResolveLock)
	case rpc.KvTxnHeartBeat:
		return served(t, id, body, s.TxnHeartBeat)
	case rpc.KvPessimisticLock:
		return served(t, id, body, s.PessimisticLock)
	case rpc.KVPessimisticRollback:
		return served(t, id, body, s.PessimisticRollback)
	case rpc.KvCheckSecondaryLocks:
		return served(t, id, body, s.CheckSecondaryLocks)
	case rpc.KvScanLock:
		return served(t, id, body, s.ScanLock)
	case rpc.KvGC:
		return served(t, id, body, s.GC)
	case rpc.KvDeleteRange:
		return c.deleteRange(t, id, body)
	case rpc.CloseSafePoint, rpc.SettleSafePoint:
		return c.moveSafePoints(t, m, body)
	case rpc.RawGet:
		return served(t, id, body, s.RawGet)
	case rpc.RawBatchGet:
		return served(t, id, body, s.RawBatchGet)
	case rpc.RawPut:
		return served(t, id, body, s.RawPut)
	case rpc.RawBatchPut:
		return served(t, id, body, s.RawBatchPut)
	case rpc.RawDelete:
		return served(t, id, body, s.RawDelete)
	case rpc.RawBatchDelete:
		return served(t, id, body, s.RawBatchDelete)
	case rpc.RawScan:
		return served(t, id, body, s.RawScan)
	case rpc.RawCompareAndSwap:
		return served(t, id, body, s.RawCompareAndSwap)
	}
	panic("no service for " + m.String())
}

// Replicated storage (txn.RegionStore).

// anywhere is the context of requests that the tests make themselves, behind
// the back of all routing.
func (c *cluster) anywhere() *kvrpcpb.Context { return &kvrpcpb.Context{} }

// check is what a store says to a request with this context.
func (c *cluster) check(ctx *kvrpcpb.Context) (*hosted, *errorpb.Error) {
	if ctx.RegionId == 0 {
		return &hosted{meta: &metapb.Region{}}, nil
	}
	i := slices.IndexFunc(c.regions, func(r *hosted) bool { return r.meta.Id == ctx.RegionId })
	if i < 0 {
		return nil, &errorpb.Error{RegionNotFound: &errorpb.RegionNotFound{RegionId: ctx.RegionId}}
	}
	r := c.regions[i]
	if r.leader != ctx.Peer.StoreId && !ctx.ReplicaRead {
		return nil, &errorpb.Error{NotLeader: &errorpb.NotLeader{RegionId: ctx.RegionId, Leader: r.meta.Peers[r.leader-1]}}
	}
	if ctx.RegionEpoch.GetVersion() != r.meta.RegionEpoch.Version || ctx.RegionEpoch.GetConfVer() != r.meta.RegionEpoch.ConfVer {
		current := []*metapb.Region{r.meta}
		if i+1 < len(c.regions) {
			current = append(current, c.regions[i+1].meta)
		}
		return nil, &errorpb.Error{EpochNotMatch: &errorpb.EpochNotMatch{CurrentRegions: current}}
	}
	return r, nil
}

// view is a snapshot of one region.
type view struct {
	*engine.Snapshot
	meta *metapb.Region
}

func (v *view) Region() *metapb.Region { return v.meta }
func (v *view) Term() uint64           { return 1 }

func (c *cluster) LeaderSnapshot(ctx *kvrpcpb.Context) (txn.Snapshot, *errorpb.Error) {
	r, e := c.check(ctx)
	if e != nil {
		return nil, e
	}
	return &view{c.db.NewSnapshot(), r.meta}, nil
}

func (c *cluster) ReadSnapshot(_ env.Task, ctx *kvrpcpb.Context) (txn.Snapshot, *errorpb.Error) {
	return c.LeaderSnapshot(ctx)
}

func (c *cluster) ReplicaSnapshot(_ env.Task, ctx *kvrpcpb.Context, _ []byte) (txn.Snapshot, *kvrpcpb.LockInfo, *errorpb.Error) {
	s, e := c.LeaderSnapshot(ctx) // all stores are one process
	return s, nil, e
}

// Detect and Forget implement txn.Detector.
func (c *cluster) Detect(t env.Task, edge deadlock.WaitForEntry) (*deadlock.DeadlockResponse, error) {
	t.Sleep(latency)
	resp := &deadlock.DeadlockResponse{Entry: edge}
	if chain := c.waits.Detect(c.env.Clock.Monotonic(), edge); len(chain) > 0 {
		last := chain[len(chain)-1]
		resp.WaitChain, resp.DeadlockKey, resp.DeadlockKeyHash = chain, last.Key, last.KeyHash
	}
	return resp, nil
}

func (c *cluster) Forget(t env.Task, edge deadlock.WaitForEntry) {
	t.Sleep(latency)
	c.waits.Forget(edge)
}

func (c *cluster) Propose(t env.Task, ctx *kvrpcpb.Context, _ uint64, reqs []*raft_cmdpb.Request, _ time.Duration) (*errorpb.Error, error) {
	if _, e := c.check(ctx); e != nil {
		return e, nil
	}
	c.proposals++
	t.Sleep(latency)
	if _, e := c.check(ctx); e != nil {
		return e, nil
	}
	b := c.db.NewBatch()
	defer b.Close()
	for _, req := range reqs {
		put, del, all := req.GetPut(), req.GetDelete(), req.GetDeleteRange()
		cf, err := engine.ParseCF(put.GetCf() + del.GetCf() + all.GetCf())
		if err != nil {
			panic(err)
		}
		switch {
		case put != nil:
			b.Put(cf, put.Key, put.Value)
		case del != nil:
			b.Delete(cf, del.Key)
		default:
			b.DeleteRange(cf, all.StartKey, all.EndKey)
		}
	}
	return nil, c.db.WriteUnsynced(b)
}
