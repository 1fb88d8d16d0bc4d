package client

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_cmdpb"

	"simrun/nodes/codec"
	"simrun/nodes/engine"
	"simrun/nodes/env"
	"simrun/nodes/placement"
	"simrun/nodes/rpc"
	"simrun/nodes/txn"
	"simrun/sim"
	"simrun/sim/disk"
)

var _ Placement = (*placement.Client)(nil)

// latency is the way of a message in the cluster.
const latency = time.Millisecond

// cluster is a database of one replica with the routing of many: the regions
// have peers, leaders and epochs, which every request is checked against, but
// all of them share one engine. The transactions are the real ones. Faults are
// put on single requests by rules.
type cluster struct {
	testing.TB
	world  *sim.World
	env    *env.Env
	client *Client
	db     *engine.DB
	sched  *txn.Scheduler

	stores  []env.Addr // of store i+1
	regions []*hosted  // in the order of keys
	nextID  uint64
	known   []*hosted // what placement knows; nil: the truth
	lastTS  uint64

	rules    []*rule
	hooks    func(t env.Task, m rpc.Method) *rule // if no rule applies
	inFlight int
	trace    func(line string)
	tsNames  map[uint64]string
}

// hosted is a region as the stores know it.
type hosted struct {
	meta   *metapb.Region
	leader uint64 // store
}

// rule is a fault on the requests of one method.
type rule struct {
	method rpc.Method
	skip   int // so many requests pass before it applies
	times  int // then it applies so often

	refuse   bool
	dropReq  bool
	dropResp bool
	delay    time.Duration // before execution
	answer   *errorpb.Error
	before   func(t env.Task) // runs when the request arrives
	keyError *kvrpcpb.KeyError
}

func (r *rule) String() string {
	switch {
	case r.refuse:
		return "refused"
	case r.dropReq:
		return "request lost"
	case r.dropResp:
		return "response lost"
	case r.delay > 0:
		return fmt.Sprintf("request late by %v", r.delay)
	}
	return ""
}

// newCluster returns a cluster of three stores with regions that begin at the
// given keys (encoded for transactions, else raw) and a client of it.
func newCluster(tb testing.TB, seed uint64, cfg Config, raw bool, splits ...string) *cluster {
	c := &cluster{TB: tb, world: sim.NewWorld(sim.Config{Seed: seed}), nextID: 1, tsNames: map[uint64]string{}}
	tb.Cleanup(c.world.Close)
	for i := range 3 {
		n := c.world.AddNode(sim.NodeConfig{Name: fmt.Sprintf("store%d", i+1), Main: func(*env.Env) func() { return nil }})
		c.stores = append(c.stores, n.Addr())
	}
	c.world.AddNode(sim.NodeConfig{Name: "client1", Disk: &disk.Config{}, Main: func(e *env.Env) func() {
		c.env = e
		var err error
		if c.db, err = engine.OpenDB(e, "kv", engine.Options{}); err != nil {
			tb.Fatal(err)
		}
		c.sched = txn.NewScheduler(e, c)
		c.client = NewWithTransport(e, c, c, cfg)
		return c.db.Close
	}})
	c.world.StartAll()
	c.addRegion(nil, nil)
	for _, key := range splits {
		c.split(key, raw)
	}
	for i, r := range c.regions {
		r.leader = uint64(i%len(c.stores) + 1)
	}
	return c
}

func (c *cluster) addRegion(start, end []byte) *hosted {
	r := &hosted{leader: 1, meta: &metapb.Region{
		Id: c.nextID, StartKey: start, EndKey: end, RegionEpoch: &metapb.RegionEpoch{ConfVer: 1, Version: 1},
	}}
	for i := range c.stores {
		r.meta.Peers = append(r.meta.Peers, &metapb.Peer{Id: c.nextID*10 + uint64(i) + 1, StoreId: uint64(i + 1)})
	}
	c.nextID++
	c.regions = append(c.regions, r)
	slices.SortFunc(c.regions, func(a, b *hosted) int { return bytes.Compare(a.meta.StartKey, b.meta.StartKey) })
	return r
}

func bound(key string, raw bool) []byte {
	if raw {
		return []byte(key)
	}
	return codec.EncodeBytes([]byte(key))
}

// split makes a region begin at key.
func (c *cluster) split(key string, raw bool) {
	at := bound(key, raw)
	left := find(c.regions, at)
	if bytes.Equal(left.meta.StartKey, at) {
		return
	}
	meta := *left.meta
	epoch := *meta.RegionEpoch
	epoch.Version++
	meta.RegionEpoch = &epoch
	right := c.addRegion(at, meta.EndKey)
	right.leader = left.leader
	right.meta.RegionEpoch = &metapb.RegionEpoch{ConfVer: 1, Version: epoch.Version}
	meta.EndKey = at
	left.meta = &meta
}

func (c *cluster) transfer(key string, raw bool, store uint64) {
	find(c.regions, bound(key, raw)).leader = store
}

func find(regions []*hosted, key []byte) *hosted {
	for _, r := range regions {
		if (&region{meta: r.meta}).contains(key) {
			return r
		}
	}
	panic(fmt.Sprintf("no region holds %q", key))
}

// freeze makes placement forget to follow the regions.
func (c *cluster) freeze() {
	c.known = nil
	for _, r := range c.regions {
		known := *r
		c.known = append(c.known, &known)
	}
}

// run runs fn as a task of the client's process, to its end.
func (c *cluster) run(fn func(t env.Task)) {
	c.Helper()
	done := false
	c.env.Sched.Go("test", func(t env.Task) {
		fn(t)
		done = true
	})
	for range 10_000 {
		if done {
			return
		}
		if err := c.world.RunFor(100 * time.Millisecond); err != nil {
			c.Fatal(err)
		}
	}
	c.Fatal("task does not end")
}

// settle lets background work end.
func (c *cluster) settle(t env.Task) {
	for c.client.Background() > 0 || c.inFlight > 0 {
		t.Sleep(10 * time.Millisecond)
	}
}

// Placement.

func (c *cluster) GetTS(t env.Task) (uint64, error) {
	if err := c.ask(t, rpc.PdTso); err != nil {
		return 0, err
	}
	return c.tick(), nil
}

// tick returns a timestamp without a journey.
func (c *cluster) tick() uint64 {
	physical := uint64(c.world.Now()/int64(time.Millisecond)) + 1
	c.lastTS = max(c.lastTS+1, codec.ComposeTS(physical, 0))
	return c.lastTS
}

func (c *cluster) GetRegion(t env.Task, key []byte) (*metapb.Region, *metapb.Peer, error) {
	if err := c.ask(t, rpc.PdGetRegion); err != nil {
		return nil, nil, err
	}
	regions := c.known
	if regions == nil {
		regions = c.regions
	}
	r := find(regions, key)
	return r.meta, r.meta.Peers[r.leader-1], nil
}

func (c *cluster) GetStore(t env.Task, id uint64) (*metapb.Store, error) {
	if err := c.ask(t, rpc.PdGetStore); err != nil {
		return nil, err
	}
	return &metapb.Store{Id: id, Address: fmt.Sprintf("store%d", id)}, nil
}

var errNoAnswer = errors.New("placement does not answer")

func (c *cluster) ask(t env.Task, m rpc.Method) error {
	r := c.match(t, m)
	t.Sleep(2 * latency)
	if r != nil {
		c.logf("%-16v => no answer", m)
		return errNoAnswer
	}
	if c.trace != nil {
		c.logf("%-16v => ok", m)
	}
	return nil
}

// match returns the rule that applies to a request.
func (c *cluster) match(t env.Task, m rpc.Method) *rule {
	for _, r := range c.rules {
		if r.method != m || r.times == 0 {
			continue
		}
		if r.skip > 0 {
			r.skip--
			continue
		}
		r.times--
		return r
	}
	if c.hooks != nil {
		return c.hooks(t, m)
	}
	return nil
}

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
	switch {
	case r.refuse:
		t.Sleep(latency)
		result.Resolve(nil, rpc.ErrRefused)
		return
	case r.dropReq:
		return
	}
	if r.before != nil {
		r.before(t)
	}
	storeID := uint64(slices.Index(c.stores, to) + 1)
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
	switch m {
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
	case rpc.KvCheckTxnStatus:
		return served(t, id, body, s.CheckTxnStatus)
	case rpc.KvResolveLock:
		return served(t, id, body, s.ResolveLock)
	case rpc.KvTxnHeartBeat:
		return served(t, id, body, s.TxnHeartBeat)
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
	if r.leader != ctx.Peer.StoreId {
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

func (c *cluster) Propose(t env.Task, ctx *kvrpcpb.Context, _ uint64, reqs []*raft_cmdpb.Request, _ time.Duration) (*errorpb.Error, error) {
	if _, e := c.check(ctx); e != nil {
		return e, nil
	}
	t.Sleep(latency)
	if _, e := c.check(ctx); e != nil {
		return e, nil
	}
	b := c.db.NewBatch()
	defer b.Close()
	for _, req := range reqs {
		put, del := req.GetPut(), req.GetDelete()
		cf, err := engine.ParseCF(put.GetCf() + del.GetCf())
		if err != nil {
			panic(err)
		}
		if put != nil {
			b.Put(cf, put.Key, put.Value)
		} else {
			b.Delete(cf, del.Key)
		}
	}
	return nil, c.db.WriteUnsynced(b)
}

func (c *cluster) logf(format string, args ...any) {
	if c.trace != nil {
		c.trace(strings.TrimRight(fmt.Sprintf(format, args...), " "))
	}
}
