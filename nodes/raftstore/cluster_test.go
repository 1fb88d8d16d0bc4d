package raftstore

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/pdpb"
	"github.com/pingcap/kvproto/pkg/raft_serverpb"

	"simrun/network"
	"simrun/nodes/engine"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/nodes/rpc"
	"simrun/sim"
	"simrun/sim/disk"
)

// cluster is a number of stores on a simulated network, each with a simulated
// disk, and a placement driver that only hands out ids.
type cluster struct {
	t      testing.TB
	w      *sim.World
	stores []*testStore
	cfg    Config
	engine engine.Options
	nextID uint64
	// What the stores have told.
	elections, splits, snapshots int
	terms                        map[string]uint64 // leader by region and term
	opened                       map[uint64]uint64 // by region, the last term with a committed entry
	reads                        [ReadByReplica + 1]int
	regionHeartbeats             int
	changes, destroyed           int
	prepared, merges, rollbacks  int
	// known are the regions as leaders have reported them, unless pdDown.
	known  map[uint64]*metapb.Region
	pdDown bool
	// dropChunk says which chunks of snapshots the network loses.
	dropChunk func(to *testStore, chunk *raft_serverpb.SnapshotChunk) bool
	// steps are the steps of snapshots by kind.
	steps [SnapshotRefused + 1]int
}

type testStore struct {
	c    *cluster
	id   uint64
	node *sim.Node
	*Store
}

type clusterOptions struct {
	seed    uint64
	stores  int
	regions []*metapb.Region // default: one region on all stores
	order   sim.Order
	network network.LinkConfig
	raft    Config
	engine  engine.Options
	disk    disk.Config
}

func quickNetwork() network.LinkConfig {
	return network.LinkConfig{LatencyMin: 200 * time.Microsecond, LatencyMax: 500 * time.Microsecond, Jitter: 100 * time.Microsecond}
}

// testRegions cuts the key space at the given keys into regions that have a
// peer on each of the stores.
func testRegions(stores int, keys ...string) []*metapb.Region {
	var regions []*metapb.Region
	start, id := "", uint64(0)
	for i := range len(keys) + 1 {
		end := ""
		if i < len(keys) {
			end = keys[i]
		}
		id++
		r := &metapb.Region{Id: id, StartKey: []byte(start), EndKey: []byte(end), RegionEpoch: &metapb.RegionEpoch{ConfVer: 1, Version: 1}}
		for s := range stores {
			id++
			r.Peers = append(r.Peers, &metapb.Peer{Id: id, StoreId: uint64(s + 1)})
		}
		regions = append(regions, r)
		start = end
	}
	return regions
}

func newCluster(t testing.TB, o clusterOptions) *cluster {
	t.Helper()
	if o.stores == 0 {
		o.stores = 3
	}
	if o.regions == nil {
		o.regions = testRegions(o.stores)
	}
	if o.network == (network.LinkConfig{}) {
		o.network = quickNetwork()
	}
	if o.disk == (disk.Config{}) {
		o.disk = disk.DefaultConfig()
	}
	c := &cluster{t: t, cfg: o.raft, engine: o.engine, nextID: 1000, terms: map[string]uint64{}, opened: map[uint64]uint64{}, known: map[uint64]*metapb.Region{}}
	config := sim.Config{Seed: o.seed, Order: o.order, Network: network.Config{Default: o.network}}
	if testing.Verbose() {
		config.Logf = t.Logf
	}
	c.w = sim.NewWorld(config)
	t.Cleanup(c.w.Close)
	for i := range o.stores {
		s := &testStore{c: c, id: uint64(i + 1)}
		diskConfig := o.disk
		s.node = c.w.AddNode(sim.NodeConfig{
			Name: fmt.Sprintf("store%d", s.id), Disk: &diskConfig,
			Main: func(e *env.Env) func() { return s.start(e, o.regions) },
		})
		c.stores = append(c.stores, s)
	}
	c.w.StartAll()
	return c
}

// start is a process of a store.
func (s *testStore) start(e *env.Env, regions []*metapb.Region) func() {
	eng, err := engine.Open(e, s.c.engine)
	if err == nil {
		err = Bootstrap(eng, s.id, regions)
	}
	if err != nil {
		s.c.t.Fatal(err)
	}
	ep := rpc.NewEndpoint(e)
	cfg := s.c.cfg
	cfg.StoreID, cfg.Observer, cfg.Witness = s.id, watcher{s.c, s.id}, s.c
	s.Store, err = Open(e, cfg, eng, &testTransport{s.c, ep}, s.c)
	if err != nil {
		s.c.t.Fatal(err)
	}
	store := s.Store
	ep.HandleRaw(rpc.Raft, func(_ env.Addr, body []byte) { store.OnRaftBatch(body) })
	rpc.Handle(ep, rpc.RaftSnapshot, func(t env.Task, _ env.Addr, chunk *raft_serverpb.SnapshotChunk) *SnapshotAnswer {
		if s.c.dropChunk != nil && s.c.dropChunk(s, chunk) {
			return nil
		}
		return store.OnSnapshotChunk(t, chunk)
	})
	return eng.Close
}

type testTransport struct {
	c  *cluster
	ep *rpc.Endpoint
}

func (tr *testTransport) Send(to uint64, batch []byte) { tr.ep.Send(env.Addr(to), rpc.Raft, batch) }

func (tr *testTransport) SendSnapshotChunk(t env.Task, to uint64, chunk *raft_serverpb.SnapshotChunk) (*SnapshotAnswer, error) {
	answer := &SnapshotAnswer{}
	return answer, rpc.Call(t, tr.ep, env.Addr(to), rpc.RaftSnapshot, chunk, answer, 500*time.Millisecond)
}

func (c *cluster) RegionHeartbeat(req *pdpb.RegionHeartbeatRequest) {
	c.regionHeartbeats++
	c.report(req.GetRegion())
	if !c.pdDown {
		c.stores[req.GetLeader().GetStoreId()-1].OnRegionReported(req)
	}
}

func (c *cluster) report(region *metapb.Region) {
	if known := c.known[region.GetId()]; known == nil || !staleEpoch(region.GetRegionEpoch(), known.GetRegionEpoch()) {
		c.known[region.GetId()] = region
	}
}

func (c *cluster) GetRegionByID(t env.Task, region uint64) (*metapb.Region, error) {
	t.Sleep(time.Millisecond)
	if c.pdDown {
		return nil, errors.New("placement is down")
	}
	return c.known[region], nil
}

func (c *cluster) StoreHeartbeat(*pdpb.StoreHeartbeatRequest) {}
func (c *cluster) AskBatchSplit(t env.Task, region *metapb.Region, count uint32) ([]*pdpb.SplitID, error) {
	t.Sleep(time.Millisecond)
	var ids []*pdpb.SplitID
	for range count {
		id := &pdpb.SplitID{NewRegionId: c.newID()}
		for range region.GetPeers() {
			id.NewPeerIds = append(id.NewPeerIds, c.newID())
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func (c *cluster) newID() uint64 {
	c.nextID++
	return c.nextID
}

// watcher is the observer of one store.
type watcher struct {
	*cluster
	store uint64
}

// LeaderElected checks election safety.
func (w watcher) LeaderElected(region, term uint64) {
	w.elections++
	key := fmt.Sprintf("%d/%d", region, term)
	if other := w.terms[key]; other != 0 {
		w.t.Errorf("stores %d and %d both lead region %d in term %d", other, w.store, region, term)
	}
	w.terms[key] = w.store
}

// LeaseRenewed and TermOpened check that no lease outlives the beginning of
// another term.
func (c *cluster) LeaseRenewed(region, term uint64) {
	if opened := c.opened[region]; opened > term {
		c.t.Errorf("region %d: lease of term %d renewed in term %d", region, term, opened)
	}
}

func (c *cluster) TermOpened(region, term uint64) {
	c.opened[region] = max(c.opened[region], term)
	for _, s := range c.stores {
		if !s.node.Up() || s.Store == nil {
			continue
		}
		if older, leased := s.Leased(region); leased && older < term {
			c.t.Errorf("region %d: store %d holds its lease of term %d in term %d", region, s.id, older, term)
		}
	}
}

func (c *cluster) ReadServed(_ uint64, way ReadWay)               { c.reads[way]++ }
func (c *cluster) RegionSplit([]*metapb.Region)                   { c.splits++ }
func (c *cluster) SnapshotApplied(uint64, uint64)                 { c.snapshots++ }
func (c *cluster) PeersChanged(region *metapb.Region)             { c.changes++; c.report(region) }
func (c *cluster) MergePrepared(*metapb.Region, *metapb.Region)   { c.prepared++ }
func (c *cluster) RegionMerged(*metapb.Region, *metapb.Region)    { c.merges++ }
func (c *cluster) MergeRolledBack(*metapb.Region, *metapb.Region) { c.rollbacks++ }
func (c *cluster) PeerDestroyed(uint64, uint64)                   { c.destroyed++ }
func (c *cluster) SnapshotMoved(_ uint64, step SnapshotStep)      { c.steps[step]++ }

// run lets the cluster run for a while.
func (c *cluster) run(d time.Duration) {
	c.t.Helper()
	if err := c.w.RunFor(d); err != nil {
		c.fatal(err)
	}
}

func (c *cluster) fatal(err error) {
	c.t.Helper()
	var f *sim.Failure
	if errors.As(err, &f) {
		c.t.Fatalf("%v\n%s", f, f.Stack)
	}
	c.t.Fatal(err)
}

// do runs fn in a task to its end.
func (c *cluster) do(fn func(t env.Task)) {
	c.t.Helper()
	done := false
	c.w.Go("test", func(t env.Task) {
		fn(t)
		done = true
		c.w.Stop()
	})
	c.run(time.Hour)
	if !done {
		c.t.Fatal("task did not end")
	}
}

// until runs the cluster until cond holds.
func (c *cluster) until(what string, cond func() bool) {
	c.t.Helper()
	for range 3000 {
		if cond() {
			return
		}
		c.run(10 * time.Millisecond)
	}
	for _, s := range c.stores {
		if s.node.Up() {
			for _, r := range s.Regions() {
				c.t.Logf("store %d: %v", s.id, r)
			}
		}
	}
	c.t.Fatalf("%s: not within 30 s", what)
}

// soon is until with a closer look.
func (c *cluster) soon(what string, cond func() bool) {
	c.t.Helper()
	for range 100_000 {
		if cond() {
			return
		}
		c.run(50 * time.Microsecond)
	}
	c.t.Fatalf("%s: not within 5 s", what)
}

// steps is n, or less if time is short.
func steps(n int) int {
	if testing.Short() {
		return n / 4
	}
	return n
}

// reached returns a function that reports how often a mark was reached since
// the call.
func reached(name string) func() uint64 {
	count := func() uint64 {
		for _, c := range invariant.Counts() {
			if c.Name == "raftstore: "+name {
				return c.Count
			}
		}
		panic("no such mark: " + name)
	}
	start := count()
	return func() uint64 { return count() - start }
}

// cut cuts two stores off from each other.
func (c *cluster) cut(a, b *testStore) {
	c.w.Network.Cut(a.node.Addr(), b.node.Addr())
	c.w.Network.Cut(b.node.Addr(), a.node.Addr())
}

// isolate cuts a store off, both ways.
func (c *cluster) isolate(s *testStore) (heal func()) {
	for _, other := range c.stores {
		if other != s {
			c.cut(s, other)
		}
	}
	return func() {
		for _, other := range c.stores {
			if other != s {
				c.w.Network.Heal(s.node.Addr(), other.node.Addr())
				c.w.Network.Heal(other.node.Addr(), s.node.Addr())
			}
		}
	}
}
