package shrink

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"simrun/faults"
	"simrun/sim/plan"
)

// Clients leaves a plan its first n clients, and takes away the faults that name
// another one.
func Clients(p *plan.Plan, n int) {
	p.Workload.Clients = n
	Faults(p, func(_ int, f faults.Fault) bool { return p.Has(f) })
}

// Operations lets the clients of a plan begin n operations, all together.
func Operations(p *plan.Plan, n uint64) { p.Workload.Operations = n }

// Faults leaves a plan the faults that are to be kept. Keep is asked once of each, in
// order.
func Faults(p *plan.Plan, keep func(i int, f faults.Fault) bool) {
	kept := []faults.Fault{}
	for i, f := range p.Faults {
		if keep(i, f) {
			kept = append(kept, f)
		}
	}
	p.Faults = kept
}

// Storm ends the storm of a plan after length, and takes away the faults that begin
// later.
func Storm(p *plan.Plan, length time.Duration) {
	p.Phases.Storm = plan.Duration(length)
	Faults(p, func(_ int, f faults.Fault) bool { return f.At <= length })
}

// storm cuts the end of the storm.
func (s *shrinker) storm() error {
	length := func(p *plan.Plan) int64 { return int64(p.Phases.Storm) }
	return s.number(int64(time.Millisecond), grainOf(length(s.best)), length,
		func(p *plan.Plan, n int64) { Storm(p, time.Duration(n)) }, pleasant)
}

// grainOf is how exactly a time is worth knowing.
func grainOf(n int64) int64 { return max(n/32, int64(time.Millisecond)) }

// pleasant is a time with few digits.
func pleasant(n int64) int64 {
	unit := time.Millisecond
	for _, u := range []time.Duration{10 * time.Millisecond, 100 * time.Millisecond} {
		if n >= int64(10*u) {
			unit = u
		}
	}
	return n - n%int64(unit)
}

// faults takes away faults.
func (s *shrinker) faults() error {
	return s.list(func(p *plan.Plan) int { return len(p.Faults) },
		func(p *plan.Plan, from, to int) { p.Faults = slices.Delete(p.Faults, from, to) })
}

// earlier lets the schedule begin earlier, as a whole, and the storm end as much
// earlier: what comes before its first fault may not matter.
func (s *shrinker) earlier() error {
	begin := func(p *plan.Plan) int64 {
		if len(p.Faults) == 0 {
			return 0
		}
		first := slices.MinFunc(p.Faults, func(a, b faults.Fault) int { return cmp.Compare(a.At, b.At) })
		return int64(first.At)
	}
	return s.number(0, grainOf(begin(s.best)), begin, func(p *plan.Plan, n int64) {
		by := time.Duration(begin(p) - n)
		for i := range p.Faults {
			p.Faults[i].At -= by
		}
		p.Phases.Storm = max(p.Phases.Storm-plan.Duration(by), plan.Duration(time.Millisecond))
	}, pleasant)
}

// operations bounds the number of operations. A plan without a bound begins about as
// many as its rate says.
func (s *shrinker) operations() error {
	return s.number(1, 1, func(p *plan.Plan) int64 {
		if p.Workload.Operations > 0 {
			return int64(min(p.Workload.Operations, 1<<60)) //nolint:gosec // a plan's bound is not above that
		}
		perSecond := int64(p.Workload.Rate)
		seconds := int64(time.Duration(p.Phases.Storm)/time.Second) + 1
		return 2*perSecond*seconds + int64(p.Workload.Clients)
	}, func(p *plan.Plan, n int64) { Operations(p, uint64(n)) }, nil) //nolint:gosec // positive
}

// clients takes away clients, the last ones: the others are known by their numbers.
// Each goes on at its pace, or does what the others did too.
func (s *shrinker) clients() error {
	number := func(p *plan.Plan) int64 { return int64(p.Workload.Clients) }
	err := s.number(1, 1, number, func(p *plan.Plan, n int64) {
		p.Workload.Rate = max(p.Workload.Rate*int(n)/p.Workload.Clients, 1)
		Clients(p, int(n))
	}, nil)
	if err != nil {
		return err
	}
	return s.number(1, 1, number, func(p *plan.Plan, n int64) { Clients(p, int(n)) }, nil)
}

// cluster takes away stores and replicas, and members of the placement driver, with
// the faults that name them.
func (s *shrinker) cluster() error {
	now := s.best.Cluster
	shapes := [][2]int{{1, 1}, {3, 3}, {now.Replicas, now.Replicas}, {now.Stores - 1, now.Replicas}}
	var changes []func(p *plan.Plan)
	for _, shape := range shapes {
		stores, replicas := shape[0], shape[1]
		if stores >= now.Stores || replicas > now.Replicas {
			continue
		}
		changes = append(changes, func(p *plan.Plan) {
			p.Cluster.Stores, p.Cluster.Replicas = stores, replicas
			p.Cluster.Joining = max(min(p.Cluster.Joining, stores-replicas), 0)
			Faults(p, func(_ int, f faults.Fault) bool { return p.Has(f) })
		})
	}
	for _, members := range []int{1, 3} {
		if members >= now.Placement {
			continue
		}
		changes = append(changes, func(p *plan.Plan) {
			p.Cluster.Placement = members
			Faults(p, func(_ int, f faults.Fault) bool { return p.Has(f) })
		})
	}
	if now.Joining > 0 {
		changes = append(changes, func(p *plan.Plan) { p.Cluster.Joining = 0 })
	}
	if i, err := s.first(changes); err != nil || i < 0 {
		return err
	}
	return s.cluster()
}

// splitKeys takes away boundaries of regions.
func (s *shrinker) splitKeys() error {
	return s.list(func(p *plan.Plan) int { return len(p.Cluster.SplitKeys) },
		func(p *plan.Plan, from, to int) { p.Cluster.SplitKeys = slices.Delete(p.Cluster.SplitKeys, from, to) })
}

// keys takes away keys of the workload.
func (s *shrinker) keys() error {
	return s.number(1, 1, func(p *plan.Plan) int64 { return int64(p.Workload.Keys) },
		func(p *plan.Plan, n int64) { p.Workload.Keys = int(n) }, nil)
}

// params takes away parameters of the workload, so that it has them as usual.
func (s *shrinker) params() error {
	return s.list(func(p *plan.Plan) int { return len(p.Workload.Params) }, func(p *plan.Plan, from, to int) {
		for _, name := range slices.Sorted(maps.Keys(p.Workload.Params))[from:to] {
			delete(p.Workload.Params, name)
		}
	})
}
