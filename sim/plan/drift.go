package plan

import (
	"simrun/faults"
)

// ClockDrift returns the most by which the clock of some store may come to run
// fast or slow in this plan, in parts per million: by itself, and by all the
// faults that last at the same time. A fault of a leader, say, may hit any store.
func (p *Plan) ClockDrift() int {
	most := 0
	for _, name := range p.StoreNames() {
		for _, f := range p.Faults {
			if f.Kind != faults.ClockDrift || !mayHit(f, name) {
				continue
			}
			fast, slow := p.driftsAt(f, name)
			most = max(most, fast, slow)
		}
	}
	return p.Clocks.DriftMax + most
}

// driftsAt adds up the faults in force on a store when f begins, those of fast
// and those of slow clocks. The sum of drifts is greatest at such an instant.
func (p *Plan) driftsAt(f faults.Fault, store string) (fast, slow int) {
	for _, g := range p.Faults {
		if g.Kind != faults.ClockDrift || !mayHit(g, store) || g.At > f.At || g.For != 0 && g.At+g.For < f.At {
			continue
		}
		if g.Drift > 0 {
			fast += g.Drift
		} else {
			slow -= g.Drift
		}
	}
	return fast, slow
}

// mayHit reports whether a fault may have the store for a target.
func mayHit(f faults.Fault, store string) bool {
	for _, t := range f.Targets {
		switch t.Kind {
		case faults.TargetNode:
			if t.Name == store {
				return true
			}
		case faults.TargetPlacement, faults.TargetAllClients:
		default:
			return true
		}
	}
	return false
}

// validateDrift refuses a plan in which clocks go beyond what leases allow: stale
// reads would be its own fault, and prove nothing.
func (p *Plan) validateDrift(v *validator) {
	if v.err != nil || !p.Knobs.LeaderLease || p.Cluster.API == Raft {
		return
	}
	drift := p.ClockDrift()
	v.check("knobs.clock-drift-bound", p.Knobs.ClockDriftBound >= drift,
		"is %d, but clocks.drift-max and the schedule make a store's clock drift by up to %d ppm, beyond which leases are not safe: "+
			"write at least that, or leader-lease = false", p.Knobs.ClockDriftBound, drift)
}
