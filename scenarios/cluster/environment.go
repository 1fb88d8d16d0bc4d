package cluster

import (
	"time"

	"simrun/network"
	"simrun/nodes/rpc"
	"simrun/sim"
	"simrun/sim/plan"
	"simrun/sim/stream"
)

// Environment is the world of a plan, apart from who listens to it: its seed,
// its order of events and its network.
func Environment(p *plan.Plan) sim.Config {
	order := sim.Arrival
	if p.Knobs.Order == plan.Seeded {
		order = sim.Seeded
	}
	n := &p.Network
	return sim.Config{Seed: p.Seed, Order: order, Network: network.Config{Kind: rpc.KindOf, Default: network.LinkConfig{
		LatencyMin: time.Duration(n.LatencyMin), LatencyMax: time.Duration(n.LatencyMax), Jitter: time.Duration(n.Jitter),
		Loss: n.Loss, Duplicate: n.Duplicate, Reorder: n.Reorder, Detour: time.Duration(n.Detour),
		Unordered: n.Unordered, Bandwidth: n.Bandwidth, QueueMax: time.Duration(n.QueueMax),
	}}}
}

// SetClocks gives every node of a world the errors of its clocks.
func SetClocks(w *sim.World, p *plan.Plan) {
	offset, drift := int64(p.Clocks.OffsetMax), int64(p.Clocks.DriftMax)
	for _, n := range w.Nodes() {
		r := stream.New(p.Seed, "clock "+n.Name())
		n.JumpClock(time.Duration(r.Between(-offset, offset)))
		n.SetDrift(r.Between(-drift, drift))
	}
}
