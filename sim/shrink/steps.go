package shrink

import (
	"maps"
	"slices"
	"time"

	"simrun/faults"
	"simrun/sim/plan"
	"simrun/sim/reduce"
)

type (
	search = reduce.Search[*plan.Plan]
	number = reduce.Number[*plan.Plan]
	list   = reduce.List[*plan.Plan]
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
	p.Faults = reduce.Keep(p.Faults, keep)
}

// operations bounds the number of operations. A plan without a bound begins about as
// many as its rate says.
func operations() number {
	return number{
		Least: 1,
		Get: func(p *plan.Plan) int64 {
			if p.Workload.Operations > 0 {
				return int64(min(p.Workload.Operations, 1<<60)) // a plan's bound is not above that
			}
			perSecond := int64(p.Workload.Rate)
			seconds := int64(time.Duration(p.Phases.Storm)/time.Second) + 1
			return 2*perSecond*seconds + int64(p.Workload.Clients)
		},
		Set: func(p *plan.Plan, n int64) { Operations(p, uint64(n)) },
	}
}

// clients takes away clients, the last ones: the others are known by their numbers.
func clients(leave func(p *plan.Plan, n int)) number {
	return number{
		Least: 1,
		Get:   func(p *plan.Plan) int64 { return int64(p.Workload.Clients) },
		Set:   func(p *plan.Plan, n int64) { leave(p, int(n)) },
	}
}

// slower leaves a plan its first n clients at the pace that they had; else each does what
// the others did too.
func slower(p *plan.Plan, n int) {
	p.Workload.Rate = max(p.Workload.Rate*n/p.Workload.Clients, 1)
	Clients(p, n)
}

// cluster takes away stores and replicas, and members of the placement driver, with
// the faults that name them.
func cluster(s *search) error {
	for {
		if i, err := s.Try(smaller(s.Best.Cluster)); err != nil || i < 0 {
			return err
		}
	}
}

// smaller are the changes to clusters with less of something than there is now, so that
// they come to an end whatever is valid.
func smaller(now plan.Cluster) (changes []func(p *plan.Plan)) {
	shapes := [][2]int{{1, 1}, {3, 3}, {now.Replicas, now.Replicas}, {now.Stores - 1, now.Replicas}}
	for _, shape := range shapes {
		stores, replicas := shape[0], shape[1]
		if stores >= now.Stores || replicas > now.Replicas || replicas > stores || stores < 1 {
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
	return changes
}

// splitKeys takes away boundaries of regions.
func splitKeys() list {
	return list{
		Count:   func(p *plan.Plan) int { return len(p.Cluster.SplitKeys) },
		Without: func(p *plan.Plan, from, to int) { p.Cluster.SplitKeys = slices.Delete(p.Cluster.SplitKeys, from, to) },
	}
}

// keys takes away keys of the workload.
func keys() number {
	return number{
		Least: 1,
		Get:   func(p *plan.Plan) int64 { return int64(p.Workload.Keys) },
		Set:   func(p *plan.Plan, n int64) { p.Workload.Keys = int(n) },
	}
}

// params takes away parameters of the workload, so that it has them as usual.
func params() list {
	return list{
		Count: func(p *plan.Plan) int { return len(p.Workload.Params) },
		Without: func(p *plan.Plan, from, to int) {
			for _, name := range slices.Sorted(maps.Keys(p.Workload.Params))[from:to] {
				delete(p.Workload.Params, name)
			}
		},
	}
}
