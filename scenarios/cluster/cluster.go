// Package cluster puts the database into a simulated world, as a plan
// describes it: the placement driver, the stores, the clients, and beside them
// an administrator, who prepares the data, splits regions, moves leaders and
// makes the final audit.
package cluster

import (
	"slices"
	"time"

	"github.com/pingcap/kvproto/pkg/metapb"

	"simrun/nodes"
	"simrun/nodes/client"
	"simrun/nodes/codec"
	"simrun/nodes/engine"
	"simrun/nodes/env"
	"simrun/nodes/placement"
	"simrun/nodes/raftstore"
	"simrun/nodes/rpc"
	"simrun/sim"
	"simrun/sim/disk"
	"simrun/sim/plan"
)

// AdminName is the name of the administrator's node.
const AdminName = "admin"

// Options are for whoever watches a run; they never influence it.
type Options struct {
	Logf func(format string, args ...any)
	// OnEvent gets every Event as it happens.
	OnEvent func(Event)
	// Client is called when the process of a client (1, 2, ...; 0 is the
	// administrator) has started.
	Client func(n int, e *env.Env, db *client.Client)
}

// Cluster is a database in a world.
type Cluster struct {
	World *sim.World

	plan    *plan.Plan
	opts    Options
	caches  *engine.Caches // shared by all stores and members
	members []*member
	stores  []*store
	admin   admin
	losses  []loss // of disks, in their order
	// lives are the disks' counters at the start of each node's process.
	lives map[*sim.Node]disk.Stats
	// resting is since when the stores have been at rest, 0 if they are not.
	resting int64
	// awaited is since when somebody waits for that, when the clients have ended, 0
	// before; before is what the placement driver had had done by then.
	awaited int64
	before  []OperatorCount
	leases  leases
	commits Commits
	queues  queues
	witness schedulingWitness
	// regionPromises and placementPromises are what raft has to keep in the regions
	// and in the group of the placement driver.
	regionPromises, placementPromises *promises
	// grants is what the placement driver hands out.
	grants  grants
	engines engines
	// collected is the greatest safe point at which a client has done a whole round
	// of garbage collection.
	collected uint64
}

// member is a placement member's node and, while it is up, its server.
type member struct {
	node   *sim.Node
	server *nodes.Placement
}

// store is a store's node and, while it is up, its server.
type store struct {
	// id is the store's identity, 0 from the loss of its disk until it has another
	// one; last is the identity that it has lost.
	id, last uint64
	node     *sim.Node
	server   *nodes.Store
	// held: it has yet to join; draining: it is being emptied; gone: nothing is left
	// of it, and nothing comes back. See lifecycle.go.
	held, draining, gone bool
	// join, if not nil, starts the store in the process of its machine, which is up.
	join func()
	// backlogs is what waits for the store's disk.
	backlogs raftstore.Backlogs
}

// New builds the cluster of a plan; nothing runs yet.
func New(p *plan.Plan, opts Options) (*Cluster, error) {
	caches, err := engine.NewCaches(16<<20, 1000)
	if err != nil {
		return nil, err
	}
	c := &Cluster{plan: p, opts: opts, caches: caches, lives: map[*sim.Node]disk.Stats{}}
	c.leases.init(c)
	c.witness.c = c
	c.regionPromises, c.placementPromises = newPromises("region"), newPromises("placement")
	c.regionPromises.ledger.UniqueIDs()
	c.engines.c = c
	cfg := Environment(p)
	cfg.OnExit, cfg.OnChange, cfg.Logf = c.exited, c.changed, opts.Logf
	c.World = sim.NewWorld(cfg)
	c.World.Limit(p.Limits.Events)
	regions := initialRegions(p)
	for _, name := range p.PlacementNames() {
		m := &member{}
		m.node = c.addNode(name, true, func(e *env.Env) func() { return c.startPlacement(m, e, regions) })
		c.members = append(c.members, m)
	}
	for i, name := range p.StoreNames() {
		s := &store{id: uint64(i + 1), held: slices.Contains(p.JoiningNames(), name)}
		s.node = c.addNode(name, true, func(e *env.Env) func() { return c.startStore(s, e, regions) })
		c.stores = append(c.stores, s)
	}
	for i, name := range p.ClientNames() {
		c.addNode(name, false, func(e *env.Env) func() { return c.startClient(i+1, e) })
	}
	c.addNode(AdminName, false, func(e *env.Env) func() { return c.startClient(0, e) })
	SetClocks(c.World, p)
	return c, nil
}

// Close ends everything.
func (c *Cluster) Close() {
	c.World.Close()
	c.caches.Close()
}

func (c *Cluster) addNode(name string, hasDisk bool, main func(e *env.Env) func()) *sim.Node {
	cfg := sim.NodeConfig{Name: name, Main: main}
	if hasDisk {
		d := diskConfig(&c.plan.Disk)
		cfg.Disk = &d
	}
	return c.World.AddNode(cfg)
}

// changed reports what became of a node.
func (c *Cluster) changed(n *sim.Node, change sim.Change) {
	switch change {
	case sim.Started:
		if d := n.Disk(); d != nil {
			c.lives[n] = d.Stats()
		}
		c.event(n.Name(), Started, "")
	case sim.Ended:
		c.engines.ended(n)
		c.queues.ended(c.World.Now(), n.Name())
		c.event(n.Name(), Ended, "")
	case sim.Paused:
		c.event(n.Name(), Paused, "")
	case sim.Resumed:
		c.event(n.Name(), Resumed, "")
	}
}

func (c *Cluster) event(node string, kind EventKind, text string, regions ...uint64) {
	c.tell(Event{Node: node, Kind: kind, Text: text, Regions: regions})
}

// tell reports an event of now.
func (c *Cluster) tell(e Event) {
	if c.opts.OnEvent != nil {
		e.At = c.World.Now()
		c.opts.OnEvent(e)
	}
}

// disconnectedBeats is how many heartbeats a store has missed that is disconnected.
const disconnectedBeats = 5

func (c *Cluster) startPlacement(m *member, e *env.Env, regions []*metapb.Region) func() {
	k := &c.plan.Knobs
	raft := c.raftConfig(e.Name, c.placementPromises)
	raft.Observer = memberObserver{c, e.Name}
	disconnected := disconnectedBeats * time.Duration(k.StoreHeartbeat)
	server, err := nodes.StartPlacement(e, rpc.NewEndpoint(e), nodes.PlacementConfig{
		Config: placement.Config{
			Members:           c.plan.PlacementNames(),
			TimestampWindow:   time.Duration(k.TSOWindow),
			DisconnectedAfter: disconnected,
			DownAfter:         max(time.Duration(c.plan.Scheduling.MaxStoreDownTime), disconnected),
			Scheduling:        scheduling(c.plan),
			Observer:          schedulingObserver{&c.witness, e.Name},
			Regions:           regions,
			Raft:              raft,
			Grants:            &c.grants,
		},
		Engine: c.engineOptions(e.Name),
	})
	if err != nil {
		e.Exit(err.Error())
		return nil
	}
	m.server = server
	return func() {
		m.server = nil
		server.Close()
	}
}

// raftConfig is what the raft groups of stores and of placement members have in
// common.
func (c *Cluster) raftConfig(node string, group *promises) raftstore.Config {
	k := &c.plan.Knobs
	return raftstore.Config{
		TickInterval:        time.Duration(k.TickInterval),
		ElectionTick:        k.ElectionTick,
		HeartbeatTick:       k.HeartbeatTick,
		EagerTicks:          k.Ticks == plan.Eager,
		MaxInflightMsgs:     k.MaxInflightMsgs,
		MaxSizePerMsg:       uint64(k.MaxSizePerMsg),
		LogGCThreshold:      uint64(k.RaftLogGCThreshold),
		LogGCCountLimit:     uint64(k.RaftLogGCLimit) * uint64(k.RaftLogGCThreshold),
		SnapshotChunkSize:   k.SnapshotChunkBytes,
		SnapshotRate:        k.SnapshotRate,
		SnapshotSendsMax:    k.SnapshotsMax,
		SnapshotReceivesMax: k.SnapshotsMax,
		Observer:            observer{c, node},
		Auditor:             &auditor{promises: group, node: node},
	}
}

// openStore starts the server of a store that has its identity.
func (c *Cluster) openStore(s *store, e *env.Env, ep *rpc.Endpoint, regions []*metapb.Region) {
	k := &c.plan.Knobs
	raft := c.raftConfig(e.Name, c.regionPromises)
	raft.StoreID = s.id
	raft.LeaderLease, raft.ClockDriftBound = k.LeaderLease, k.ClockDriftBound
	raft.MaxUncommittedBytes = uint64(k.MaxUncommittedBytes)
	raft.Backlogs = &s.backlogs
	raft.Witness = witness{&c.leases, s}
	raft.RegionMaxSize, raft.RegionMaxKeys = uint64(c.plan.Scheduling.SplitSize), uint64(c.plan.Scheduling.SplitKeys)
	raft.ExactSizes = c.plan.Scheduling.Merges()
	raft.SplitCheckInterval = time.Duration(c.plan.Scheduling.SplitCheck)
	raft.HibernateTimeout = time.Duration(k.Hibernate)
	raft.StoreHeartbeatInterval = time.Duration(k.StoreHeartbeat)
	raft.RegionHeartbeatInterval = time.Duration(k.RegionHeartbeat)
	server, err := nodes.StartStore(e, ep, nodes.StoreConfig{
		Placement: c.plan.PlacementNames(),
		Regions:   regions,
		Engine:    c.engineOptions(e.Name),
		Raft:      raft,

		PendingWrites: c.plan.Knobs.PendingWrites,
		Proposed:      func() { c.commits.Proposals++ },
		Queued: func(startTS, holder, region uint64) func() {
			return c.queues.began(c.World.Now, e.Name, LockWait{Waiter: startTS, Holder: holder, region: region})
		},
	})
	if err != nil {
		e.Exit(err.Error())
		return
	}
	s.server = server
}

func (c *Cluster) startClient(n int, e *env.Env) func() {
	ep := rpc.NewEndpoint(e)
	k := &c.plan.Knobs
	pd := placement.NewClient(e, ep, placement.ClientConfig{
		ClusterID:      nodes.ClusterID,
		Members:        c.plan.PlacementNames(),
		RequestTimeout: time.Duration(k.RequestTimeout),
	})
	db := client.New(e, ep, pd, client.Config{
		RPCTimeout:    time.Duration(k.RequestTimeout),
		OpTimeout:     time.Duration(k.OperationTimeout),
		CommitTimeout: time.Duration(k.OperationTimeout),
		LockTTL:       time.Duration(k.LockTTL),
		ReplicaRead:   k.ReplicaRead,
		ScanPage:      k.ScanPage,
		BatchBytes:    k.BatchBytes,
		AsyncKeys:     k.AsyncKeys,
		AsyncBytes:    k.AsyncBytes,
		CommitWindow:  time.Duration(k.CommitWindow),
		PrimaryFirst:  k.PrimaryFirst,
		Cleanup:       k.ResolveByCleanup,
		Committed:     c.commits.count,
	})
	c.collect(db, pd)
	if n == 0 {
		c.admin = admin{env: e, ep: ep, pd: pd}
	}
	if c.opts.Client != nil {
		c.opts.Client(n, e, db)
	}
	return nil
}

func (c *Cluster) engineOptions(node string) engine.Options {
	k := &c.plan.Knobs
	return engine.Options{
		MemTableSize:         k.MemtableBytes,
		L0SlowdownFiles:      k.L0SlowdownFiles,
		L0StopFiles:          k.L0StopFiles,
		PendingBytesSlowdown: int64(k.PendingCompactionBytes),
		PendingBytesStop:     4 * int64(k.PendingCompactionBytes),
		RateBytesPerSec:      int64(k.BackgroundRate),
		Caches:               c.caches,
		Observer:             c.engines.of(node),
	}
}

// initialRegions divides the keyspace at the plan's split keys. Every region
// has its peers on consecutive stores, so that leaders and load spread.
func initialRegions(p *plan.Plan) []*metapb.Region {
	bounds := [][]byte{nil}
	for _, k := range p.Cluster.SplitKeys {
		bounds = append(bounds, bound(p.Cluster.API, k))
	}
	bounds = append(bounds, nil)
	// Ids are unique in the cluster, whatever they name, and stores have the
	// first ones.
	next := uint64(p.Cluster.Stores)
	id := func() uint64 { next++; return next }
	var regions []*metapb.Region
	for i := range len(bounds) - 1 {
		r := &metapb.Region{
			Id: id(), StartKey: bounds[i], EndKey: bounds[i+1],
			RegionEpoch: &metapb.RegionEpoch{ConfVer: 1, Version: 1},
		}
		for j := range p.Cluster.Replicas {
			storeID := uint64((i+j)%(p.Cluster.Stores-p.Cluster.Joining)) + 1
			r.Peers = append(r.Peers, &metapb.Peer{Id: id(), StoreId: storeID})
		}
		regions = append(regions, r)
	}
	return regions
}

// bound translates a user's key into the space in which regions are bounded.
func bound(api plan.API, key string) []byte {
	raw := []byte(plan.KeyBytes(key))
	if api == plan.Txn {
		return codec.EncodeBytes(raw)
	}
	return raw
}

func diskConfig(d *plan.Disk) disk.Config {
	cfg := disk.DefaultConfig()
	cfg.Write = disk.Latency{Min: time.Duration(d.WriteMin), Max: time.Duration(d.WriteMax), PerKiB: time.Duration(d.WritePerKiB)}
	cfg.Sync = disk.Latency{Min: time.Duration(d.SyncMin), Max: time.Duration(d.SyncMax)}
	cfg.Entry = disk.Latency{Min: time.Duration(d.EntryMin), Max: time.Duration(d.EntryMax)}
	cfg.Capacity = d.Capacity
	return cfg
}
