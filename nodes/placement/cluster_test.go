package placement

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/metapb"

	"simrun/nodes/engine"
	"simrun/nodes/env"
	"simrun/nodes/rpc"
	"simrun/sim"
	"simrun/sim/disk"
)

const clusterID = 77

// cluster is some members with disks, and clients that talk to them over a
// network.
type cluster struct {
	*sim.World
	members []*testMember
	exits   []string
}

type testMember struct {
	*sim.Node
	server *Server // of the current process; nil until it serves
}

// testRegions are three regions with three peers each.
func testRegions() []*metapb.Region {
	var regions []*metapb.Region
	bounds := []string{"", "g", "p", ""}
	for i := range 3 {
		id := uint64(4 + 4*i)
		r := &metapb.Region{
			Id: id, StartKey: []byte(bounds[i]), EndKey: []byte(bounds[i+1]),
			RegionEpoch: &metapb.RegionEpoch{Version: 1, ConfVer: 1},
		}
		for store := range uint64(3) {
			r.Peers = append(r.Peers, &metapb.Peer{Id: id + 1 + store, StoreId: 1 + store})
		}
		regions = append(regions, r)
	}
	return regions
}

// newCluster makes a cluster of n members; cfg needs neither cluster, members
// nor regions.
func newCluster(t interface{ Cleanup(func()) }, n int, worldCfg sim.Config, cfg Config) *cluster {
	c := &cluster{}
	worldCfg.OnExit = func(n *sim.Node, reason string) {
		c.exits = append(c.exits, reason)
		n.Start()
	}
	c.World = sim.NewWorld(worldCfg)
	t.Cleanup(c.Close)
	if cfg.ClusterID == 0 {
		cfg.ClusterID = clusterID
	}
	cfg.Regions = testRegions()
	cfg.Raft.TickInterval = 10 * time.Millisecond
	for i := range n {
		cfg.Members = append(cfg.Members, fmt.Sprintf("pd%d", i+1))
	}
	for _, name := range cfg.Members {
		c.addMember(name, cfg)
	}
	return c
}

func (c *cluster) addMember(name string, cfg Config) {
	m := &testMember{}
	diskCfg := disk.DefaultConfig()
	m.Node = c.AddNode(sim.NodeConfig{Name: name, Disk: &diskCfg, Main: func(e *env.Env) func() {
		m.server = nil
		eng, err := engine.Open(e, engine.Options{MemTableSize: 64 << 10})
		if err != nil {
			e.Exit(err.Error())
			return nil
		}
		if err = Prepare(e, cfg, eng); err != nil {
			e.Exit(err.Error())
			return eng.Close
		}
		e.Disk.Barrier(func() {
			if m.server, err = Open(e, rpc.NewEndpoint(e), cfg, eng); err != nil {
				e.Exit(err.Error())
			}
		})
		return eng.Close
	}})
	c.members = append(c.members, m)
}

// leader returns the member that leads and is ready, in the latest term if
// several believe to, nil if there is none.
func (c *cluster) leader() (best *testMember) {
	for _, m := range c.members {
		if m.Up() && m.server != nil && m.server.leadership != nil && m.server.leadership.ready &&
			(best == nil || m.server.leadership.term > best.server.leadership.term) {
			best = m
		}
	}
	return best
}

// until runs the world until ok holds.
func (c *cluster) until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for range 10_000 {
		if ok() {
			return
		}
		if err := c.RunFor(time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatalf("%s: it does not come about; exits %q", what, c.exits)
}

// awaitLeader runs the world until there is a leader other than those given.
func (c *cluster) awaitLeader(t testing.TB, others ...*testMember) (leader *testMember) {
	t.Helper()
	c.until(t, "a leader", func() bool {
		leader = c.leader()
		return leader != nil && !slices.Contains(others, leader)
	})
	return leader
}

// transfer makes another member the leader.
func (c *cluster) transfer(t testing.TB, to *testMember) {
	t.Helper()
	c.until(t, "the transfer", func() bool {
		from := c.leader()
		if from != nil && from != to {
			_ = from.server.replica.store.TransferLeader(groupID, to.server.replica.self.Id)
		}
		return from == to
	})
}

// cutOff cuts a member off from the other members, not from clients.
func (c *cluster) cutOff(m *testMember) (heal func()) {
	each := func(fn func(from, to env.Addr) bool) {
		for _, other := range c.members {
			if other != m {
				fn(m.Addr(), other.Addr())
				fn(other.Addr(), m.Addr())
			}
		}
	}
	each(c.Network.Cut)
	return func() { each(c.Network.Heal) }
}

// addClient adds a node without a disk that runs main as a task.
func (c *cluster) addClient(name string, cfg ClientConfig, main func(t env.Task, e *env.Env, pd *Client)) {
	cfg.ClusterID = clusterID
	if cfg.Members == nil {
		for _, m := range c.members {
			cfg.Members = append(cfg.Members, m.Name())
		}
	}
	c.AddNode(sim.NodeConfig{Name: name, Main: func(e *env.Env) func() {
		pd := NewClient(e, rpc.NewEndpoint(e), cfg)
		e.Sched.Go(name, func(t env.Task) { main(t, e, pd) })
		return nil
	}})
}

// session is a client that runs one function after the other.
type session struct {
	cluster *cluster
	work    env.Future[func(env.Task, *env.Env, *Client)]
}

func (c *cluster) addSession(name string, cfg ClientConfig) *session {
	s := &session{cluster: c}
	c.addClient(name, cfg, func(t env.Task, e *env.Env, pd *Client) {
		for {
			fn, _ := s.work.Await(t, -1)
			s.work = env.Future[func(env.Task, *env.Env, *Client)]{}
			fn(t, e, pd)
			c.Stop()
		}
	})
	return s
}

// do runs fn in the session and returns when it has ended.
func (s *session) do(t testing.TB, fn func(t env.Task, e *env.Env, pd *Client)) {
	t.Helper()
	done := false
	s.work.Resolve(func(t env.Task, e *env.Env, pd *Client) {
		fn(t, e, pd)
		done = true
	}, nil)
	if err := s.cluster.RunFor(time.Minute); err != nil || !done {
		t.Fatal(fmt.Errorf("session: done %v: %w", done, err))
	}
}
