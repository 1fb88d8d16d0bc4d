package scenarios

import (
	"slices"
	"time"

	"simrun/faults"
	"simrun/sim/plan"
)

// assured returns the schedule with at least one fault that takes effect
// whatever happens. Most faults may miss: a key's leader is not known, a disk is
// not used while it fails, nothing crosses a link that is cut. If all of a
// schedule's may, a store crashes before the first of them, while every store
// is up.
func (s *Scenario) assured(schedule []faults.Fault, p *plan.Plan, g generator) []faults.Fault {
	var crashes []faults.Kind
	for _, k := range s.Faults.Kinds {
		if k == faults.PowerLoss || k == faults.Kill {
			crashes = append(crashes, k)
		}
	}
	if len(crashes) == 0 || slices.ContainsFunc(schedule, certain) {
		return schedule
	}
	before := time.Duration(p.Phases.Storm) / 2
	if len(schedule) > 0 {
		before = min(before, schedule[0].At)
	}
	r := g.stream("certain fault")
	at := time.Duration(r.Between(0, int64(before))).Truncate(faults.Resolution)
	crash := faults.Fault{
		At:      at,
		Kind:    crashes[r.IntN(len(crashes))],
		Targets: []faults.Target{faults.Node(p.StoreNames()[r.IntN(p.Cluster.Stores)])},
		// The next fault may take another store: this one is back by then.
		For: max(min(before-at, time.Second).Truncate(faults.Resolution), faults.Resolution),
	}
	return slices.Insert(schedule, 0, crash)
}

// certain reports whether a fault of a schedule is certain to take effect, or
// misses only because another one did: it needs nothing but a process, and every
// process runs until a fault ends it.
func certain(f faults.Fault) bool {
	switch f.Kind {
	case faults.PowerLoss, faults.Kill:
		return f.Op == 0 && named(f)
	case faults.Pause, faults.ClockJump, faults.ClockDrift, faults.Restart:
		return named(f)
	default:
		return false
	}
}

// named reports whether a fault names its nodes, so that they are known to exist.
func named(f faults.Fault) bool {
	return slices.ContainsFunc(f.Targets, func(t faults.Target) bool {
		return t.Kind == faults.TargetNode || t.Kind == faults.TargetAllStores
	})
}
