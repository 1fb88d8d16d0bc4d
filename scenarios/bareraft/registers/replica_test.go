package registers_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"go.etcd.io/raft/v3"

	"simrun/network"
	"simrun/nodes/env"
	"simrun/scenarios/bareraft/registers"
	"simrun/sim"
	"simrun/sim/disk"
)

// group is three replicas and a client in a world.
type group struct {
	world   *sim.World
	members []string
	logs    []*raft.MemoryStorage
	client  *registers.Client
	env     *env.Env // of the client
}

func newGroup(t *testing.T, link network.LinkConfig) *group {
	t.Helper()
	g := &group{
		world:   sim.NewWorld(sim.Config{Seed: 1, Network: network.Config{Default: link}}),
		members: []string{"store1", "store2", "store3"},
	}
	t.Cleanup(g.world.Close)
	for i, name := range g.members {
		g.logs = append(g.logs, registers.NewLog(len(g.members)))
		g.world.AddNode(sim.NodeConfig{Name: name, Main: func(e *env.Env) func() {
			registers.Start(e, g.logs[i], registers.Config{
				Members: g.members, TickInterval: 20 * time.Millisecond, ElectionTick: 10, HeartbeatTick: 2,
				MaxInflightMsgs: 256, MaxSizePerMsg: 1 << 20, LogEntries: 4,
			})
			return nil
		}})
	}
	g.world.AddNode(sim.NodeConfig{Name: "client", Main: func(e *env.Env) func() {
		g.env = e
		g.client = registers.NewClient(e, registers.ClientConfig{
			Members: g.members, RequestTimeout: 200 * time.Millisecond, OperationTimeout: 2 * time.Second,
		})
		return nil
	}})
	g.world.StartAll()
	return g
}

// do runs a job of the client to its end.
func (g *group) do(t *testing.T, job func(task env.Task)) {
	t.Helper()
	done := false
	g.env.Sched.Go("job", func(task env.Task) {
		job(task)
		done = true
		g.world.Stop()
	})
	if err := g.world.RunFor(time.Minute); err != nil {
		t.Fatal(err)
	}
	if !done {
		t.Fatal("the client is stuck")
	}
}

// What is written survives the end of every process, be it in the log or in a
// snapshot.
func TestRestart(t *testing.T) {
	g := newGroup(t, network.LinkConfig{LatencyMax: time.Millisecond})
	for i := range 30 {
		g.do(t, func(task env.Task) {
			if err := g.client.Put(task, "k", fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
		})
		for _, name := range g.members {
			if n := g.world.Node(name); i%10 == 9 {
				n.Crash(disk.PowerLoss)
				n.Start()
			}
		}
		g.do(t, func(task env.Task) {
			if value, found, err := g.client.Get(task, "k"); err != nil || !found || value != fmt.Sprint(i) {
				t.Fatalf("after write %d: %q, %v, %v", i, value, found, err)
			}
		})
	}
}

// A duplicated request is executed once: over a network that doubles most
// datagrams, and delays the copies, no late copy undoes a later write.
func TestAtMostOnce(t *testing.T) {
	g := newGroup(t, network.LinkConfig{LatencyMax: time.Millisecond, Duplicate: 900, Detour: 50 * time.Millisecond})
	g.do(t, func(task env.Task) {
		for i := range 200 {
			value := fmt.Sprint(i)
			if err := g.client.Put(task, "k", value); err != nil {
				t.Fatal(err)
			}
			if got, _, err := g.client.Get(task, "k"); err != nil || got != value {
				t.Fatalf("write %d: read %q, %v, wrote %q", i, got, err, value)
			}
		}
	})
	if g.world.Network.Stats().Duplicated < 500 {
		t.Errorf("only %d datagrams were doubled", g.world.Network.Stats().Duplicated)
	}
}

// The three outcomes. Without a quorum a read fails, and so does a write that
// nobody has begun; a write that somebody may have proposed is unknown.
func TestOutcomes(t *testing.T) {
	g := newGroup(t, network.LinkConfig{LatencyMax: time.Millisecond})
	g.do(t, func(task env.Task) {
		if err := g.client.Put(task, "k", "1"); err != nil {
			t.Fatal(err)
		}
	})
	cut := func(from, to string) { g.world.Network.Cut(g.world.Node(from).Addr(), g.world.Node(to).Addr()) }
	for _, a := range g.members {
		for _, b := range g.members {
			if a != b {
				cut(a, b)
			}
		}
	}
	g.do(t, func(task env.Task) {
		if err := g.client.Put(task, "k", "2"); !errors.Is(err, registers.ErrUnknown) {
			t.Errorf("a write to a leader without followers: %v", err)
		}
	})
	if err := g.world.RunFor(time.Second); err != nil { // until nobody leads
		t.Fatal(err)
	}
	g.do(t, func(task env.Task) {
		if err := g.client.Delete(task, "k"); !errors.Is(err, registers.ErrFailed) {
			t.Errorf("a write without a leader: %v", err)
		}
		if _, _, err := g.client.Get(task, "k"); !errors.Is(err, registers.ErrFailed) {
			t.Errorf("a read without a leader: %v", err)
		}
	})
	g.world.Network.HealAll()
	g.do(t, func(task env.Task) {
		swapped, previous, err := g.client.CompareAndSwap(task, "k", nil, "3")
		if err != nil || swapped || previous == nil || *previous == "3" {
			t.Errorf("a swap that expects nothing: %v, %v, %v", swapped, previous, err)
		}
		swapped, _, err = g.client.CompareAndSwap(task, "k", previous, "3")
		if err != nil || !swapped {
			t.Errorf("a swap that expects what is there: %v, %v", swapped, err)
		}
	})
}
