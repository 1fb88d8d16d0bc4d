package bareraft

import (
	"fmt"
	"time"

	"go.etcd.io/raft/v3"

	"simrun/nodes/env"
	"simrun/scenarios/bareraft/registers"
	"simrun/scenarios/cluster"
	"simrun/sim"
	"simrun/sim/plan"
)

// WorkloadName is the only workload that the system serves.
const WorkloadName = "register"

// Options are for whoever runs the system.
type Options struct {
	Logf func(format string, args ...any)
	// OnEvent gets what happens in the cluster.
	OnEvent func(cluster.Event)
	// Client is called when the process of a client (1, 2, ...; 0 is the
	// administrator) has started.
	Client func(n int, e *env.Env, db *Database)
	// Read is how replicas answer reads; nil is the correct way. Tests put a
	// wrong one here, to see that it is found out.
	Read registers.Reader
}

// Cluster is a raft group and its clients in a world.
type Cluster struct {
	World *sim.World

	plan    *plan.Plan
	opts    Options
	members []*member // by number, from 0
	ledger  *ledger
	moving  transfer // the latest transfer of leadership that was asked for
}

// member is a node of the group.
type member struct {
	node *sim.Node
	log  *raft.MemoryStorage // its disk
	// replica is its process, nil while it is down.
	replica *registers.Replica
}

// New builds the system that a plan of the API raft describes; nothing runs
// yet.
func New(p *plan.Plan, opts Options) (*Cluster, error) {
	switch {
	case p.Cluster.API != plan.Raft:
		return nil, fmt.Errorf("bare raft serves plans with cluster.api = 'raft', not '%s'", p.Cluster.API)
	case p.Cluster.Replicas != p.Cluster.Stores:
		return nil, fmt.Errorf("cluster.replicas is %d and cluster.stores is %d: bare raft has one group, of which every node is a member; write equal numbers",
			p.Cluster.Replicas, p.Cluster.Stores)
	case p.Workload.Name != WorkloadName:
		return nil, fmt.Errorf("workload.name is %q, but bare raft serves registers only: write %q", p.Workload.Name, WorkloadName)
	}
	c := &Cluster{plan: p, opts: opts, ledger: newLedger(p.StoreNames())}
	c.ledger.onElected, c.ledger.onRestored = c.elected, c.restored
	cfg := cluster.Environment(p)
	cfg.OnChange, cfg.Logf = c.changed, opts.Logf
	c.World = sim.NewWorld(cfg)
	c.World.Limit(p.Limits.Events)
	for _, name := range p.StoreNames() {
		m := &member{log: registers.NewLog(p.Cluster.Stores)}
		m.node = c.World.AddNode(sim.NodeConfig{Name: name, Main: func(e *env.Env) func() { return c.startReplica(m, e) }})
		c.members = append(c.members, m)
	}
	for i, name := range append(p.ClientNames(), cluster.AdminName) {
		number := (i + 1) % (p.Workload.Clients + 1) // the administrator is 0
		c.World.AddNode(sim.NodeConfig{Name: name, Main: func(e *env.Env) func() { return c.startClient(number, e) }})
	}
	cluster.SetClocks(c.World, p)
	return c, nil
}

// Close ends everything.
func (c *Cluster) Close() { c.World.Close() }

func (c *Cluster) startReplica(m *member, e *env.Env) func() {
	k := &c.plan.Knobs
	m.replica = registers.Start(e, m.log, registers.Config{
		Members:         c.plan.StoreNames(),
		TickInterval:    time.Duration(k.TickInterval),
		ElectionTick:    k.ElectionTick,
		HeartbeatTick:   k.HeartbeatTick,
		MaxInflightMsgs: k.MaxInflightMsgs,
		MaxSizePerMsg:   uint64(k.MaxSizePerMsg),
		LogEntries:      uint64(k.RaftLogGCThreshold),
		Read:            c.opts.Read,
		Observer:        c.ledger,
	})
	return func() { m.replica = nil }
}

func (c *Cluster) startClient(n int, e *env.Env) func() {
	k := &c.plan.Knobs
	db := &Database{registers.NewClient(e, registers.ClientConfig{
		Members:          c.plan.StoreNames(),
		RequestTimeout:   time.Duration(k.RequestTimeout),
		OperationTimeout: time.Duration(k.OperationTimeout),
	})}
	if c.opts.Client != nil {
		c.opts.Client(n, e, db)
	}
	return nil
}

// changed reports what became of a node.
func (c *Cluster) changed(n *sim.Node, change sim.Change) {
	kinds := [...]cluster.EventKind{
		sim.Started: cluster.Started, sim.Ended: cluster.Ended,
		sim.Paused: cluster.Paused, sim.Resumed: cluster.Resumed,
	}
	c.event(n.Name(), kinds[change], "")
}

// elected reports an election, and that a transfer which was asked for is done.
func (c *Cluster) elected(number, term uint64) {
	c.event(c.members[number-1].node.Name(), cluster.Elected, fmt.Sprintf("term %d", term))
	c.moved(number)
}

func (c *Cluster) restored(number, index uint64) {
	c.event(c.members[number-1].node.Name(), cluster.Snapshot, fmt.Sprintf("index %d", index))
}

func (c *Cluster) event(node string, kind cluster.EventKind, text string) {
	if c.opts.OnEvent != nil {
		c.opts.OnEvent(cluster.Event{At: c.World.Now(), Node: node, Kind: kind, Text: text})
	}
}
