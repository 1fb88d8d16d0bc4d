package chain

import (
	"fmt"
	"time"

	"simrun/checker"
	"simrun/faults"
	"simrun/network"
	"simrun/nodes/env"
	"simrun/scenarios/trial"
	"simrun/sim"
	"simrun/sim/disk"
	"simrun/sim/stream"
)

const replicas = 3

// omissions are the steps that a plan can have left out, to see that it is found.
type omissions struct {
	sync   bool // logs are handed to the disk and not synced
	lease  bool // the tail reads without a lease
	clock  bool // leases are measured with the wall clock
	wait   bool // the master does not wait until a lease is over
	cut    bool // who joins keeps what was never stable
	resync bool // what a process finds in its log is taken for durable
}

// System returns the chain, under all faults of processes, links, clocks and disks.
func System() *trial.System {
	return &trial.System{
		Name:  "chain",
		Build: build,
		World: sim.Config{Order: sim.Seeded, Network: network.Config{
			Default: network.LinkConfig{LatencyMin: 200 * time.Microsecond, LatencyMax: 2 * time.Millisecond, Jitter: time.Millisecond},
			Kind:    func(b []byte) string { return string(parse(b).Kind) },
		}},
		Phases: trial.Phases{Storm: 6 * trial.Second, Calm: 5 * trial.Second},
		Params: []trial.Param{
			{Name: "keys", Usual: 2, Least: 1, Most: 100},
			{Name: "no-sync", Most: 1},
			{Name: "no-lease", Most: 1},
			{Name: "no-monotonic-clock", Most: 1},
			{Name: "no-wait", Most: 1},
			{Name: "no-cut", Most: 1},
			{Name: "no-resync", Most: 1},
		},
		Faults: faults.StormConfig{
			Kinds: []faults.Kind{
				faults.Partition, faults.Isolate, faults.Clog, faults.Network, faults.PowerLoss, faults.Kill, faults.Pause,
				faults.ClockJump, faults.ClockDrift, faults.DiskStall, faults.DiskSlow, faults.DiskError, faults.DiskFull,
			},
			Stores: trial.Names("replica", replicas), Placement: []string{masterName}, Keys: []string{"x"},
			Blackout: 100, Bursts: 700, MajorityDown: true,
		},
		Draw: leaseStorm,
	}
}

// build adds master, replicas and clients. To faults the head is the leader of every key, and the
// tail its follower.
func build(t *trial.Trial) {
	omit := omissions{
		sync: t.On("no-sync"), lease: t.On("no-lease"), clock: t.On("no-monotonic-clock"),
		wait: t.On("no-wait"), cut: t.On("no-cut"), resync: t.On("no-resync"),
	}
	var m *master
	all := make([]*replica, replicas)
	d := disk.DefaultConfig()
	t.World.AddNode(sim.NodeConfig{Name: masterName, Disk: &d, Main: func(e *env.Env) func() {
		m = startMaster(e, omit, func(c Chain) { t.Event(masterName, "epoch %d: %v", c.Epoch, nodeNames(t.World, c)) })
		return nil
	}})
	for i, name := range trial.Names("replica", replicas) {
		t.World.AddNode(sim.NodeConfig{Name: name, Disk: &d, Main: func(e *env.Env) func() {
			all[i] = startReplica(e, omit)
			return nil
		}})
	}
	t.Clients(func(e *env.Env, c *trial.Client) func(env.Task) {
		return startClient(e, c, t.Param("keys")).operate
	})
	head := func(string) []string { return nodeNames(t.World, m.chain)[:1] }
	tail := func(string) []string { return nodeNames(t.World, m.chain)[len(m.chain.Members)-1:] }
	t.Target("leader", head)
	t.Target("follower", tail)
	t.Target("tail", tail)
	t.Judge(func() checker.Result { return agree(all) })
	t.Judge(func() checker.Result { return whole(m) })
}

func nodeNames(w *sim.World, c Chain) (names []string) {
	for _, a := range c.Members {
		names = append(names, w.Nodes()[a-1].Name())
	}
	return names
}

// leaseStorm adds spells in which the tail is cut off from the master, and only from it: then its
// lease is all that keeps it from answering reads which are too old. Its wall clock may be set
// back meanwhile.
func leaseStorm(p *trial.Plan) {
	r := stream.New(p.Seed, "lease storm")
	if !r.PerMille(300) {
		return
	}
	tail := []faults.Target{faults.Node("tail")}
	millis := func(lo, hi int64) time.Duration { return time.Duration(r.Between(lo, hi)) * time.Millisecond }
	for at := millis(200, 3000); at < time.Duration(p.Phases.Storm); at += millis(200, 3000) {
		p.Faults = append(p.Faults, faults.Fault{
			At: at, For: millis(300, 1000), Kind: faults.Partition, Targets: []faults.Target{faults.Node(masterName)}, Peers: tail,
		})
		if r.PerMille(500) {
			p.Faults = append(p.Faults, faults.Fault{At: at + 100*time.Millisecond, Kind: faults.ClockJump, Jump: -millis(100, 2000), Targets: tail})
		}
	}
}

// agree compares the logs of the replicas as far as they are stable.
func agree(all []*replica) checker.Result {
	res := checker.Result{Checker: "logs"}
	for i, a := range all {
		for _, b := range all[:i] {
			for k := range min(a.stable, b.stable) {
				res.Checked++
				if a.log[k] != b.log[k] {
					res.Add(checker.Finding{Anomaly: "log-mismatch", Message: fmt.Sprintf("%s and %s differ at index %d: %+v, %+v",
						a.env.Name, b.env.Name, k+1, a.log[k], b.log[k])})
					return res
				}
			}
		}
	}
	return res
}

// whole makes sure that after the calm everybody is in the chain again.
func whole(m *master) checker.Result {
	res := checker.Result{Checker: "members", Checked: 1}
	if len(m.chain.Members) < replicas || m.chain.Joining != 0 {
		res.Add(checker.Finding{Anomaly: "incomplete-chain", Message: fmt.Sprintf("after the calm the chain is %+v", m.chain)})
	}
	return res
}
