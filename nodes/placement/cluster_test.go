package placement

import (
	"fmt"
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

// cluster is a member with a disk, and clients that talk to it over a network.
type cluster struct {
	*sim.World
	member *sim.Node
	server *Server // of the current process
	exits  []string
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

// newCluster starts a member; cfg needs neither cluster nor regions.
func newCluster(t interface{ Cleanup(func()) }, worldCfg sim.Config, cfg Config) *cluster {
	c := &cluster{}
	worldCfg.OnExit = func(n *sim.Node, reason string) {
		c.exits = append(c.exits, reason)
		n.Start()
	}
	c.World = sim.NewWorld(worldCfg)
	t.Cleanup(c.Close)
	cfg.ClusterID, cfg.Regions = clusterID, testRegions()
	diskCfg := disk.DefaultConfig()
	c.member = c.AddNode(sim.NodeConfig{Name: "pd1", Disk: &diskCfg, Main: func(e *env.Env) func() {
		db, err := engine.OpenDB(e, "placement", engine.Options{MemTableSize: 16 << 10})
		if err != nil {
			e.Exit(err.Error())
			return nil
		}
		if c.server, err = Open(e, cfg, db); err != nil {
			e.Exit(err.Error())
			return db.Close
		}
		c.server.Register(rpc.NewEndpoint(e))
		return db.Close
	}})
	return c
}

// addClient adds a node without a disk that runs main as a task.
func (c *cluster) addClient(name string, cfg ClientConfig, main func(t env.Task, e *env.Env, pd *Client)) {
	cfg.ClusterID = clusterID
	if cfg.Members == nil {
		cfg.Members = []string{"pd1"}
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
