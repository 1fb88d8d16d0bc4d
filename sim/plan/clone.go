package plan

import (
	"maps"
	"slices"

	"simrun/faults"
)

// Clone returns a copy that shares nothing with the plan.
func (p *Plan) Clone() *Plan {
	c := *p
	c.Cluster.SplitKeys = slices.Clone(p.Cluster.SplitKeys)
	c.Workload.Params = maps.Clone(p.Workload.Params)
	c.Faults = slices.Clone(p.Faults)
	for i := range c.Faults {
		f := &c.Faults[i]
		f.Targets, f.Peers = slices.Clone(f.Targets), slices.Clone(f.Peers)
	}
	return &c
}

// Has reports whether every node that a fault names is one of the plan's.
func (p *Plan) Has(f faults.Fault) bool {
	known := p.NodeNames()
	for _, targets := range [][]faults.Target{f.Targets, f.Peers} {
		for _, t := range targets {
			if t.Kind == faults.TargetNode && !slices.Contains(known, t.Name) {
				return false
			}
		}
	}
	return true
}
