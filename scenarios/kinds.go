package scenarios

import (
	"fmt"
	"slices"

	"simrun/faults"
	"simrun/sim/plan"
)

// checkKinds makes sure that each kind of fault is one that some seed may draw. One that
// has nobody to happen to would be left out of every plan without a word.
func (s *Scenario) checkKinds() error {
	repairs := slices.Contains(s.Scheduling.ReplicaCheck, true) &&
		slices.ContainsFunc(s.Scheduling.Interval, func(d plan.Duration) bool { return d > 0 })
	for i, kind := range s.Faults.Kinds {
		field := fmt.Sprintf("faults.kinds[%d]", i)
		if !s.mayHappen(kind) {
			return plan.Errorf(field, "is %v, which no seed can draw: %s", kind, wanted(kind))
		}
		switch kind { //nolint:exhaustive // the others leave the stores as they are
		case faults.Wipe, faults.Drain, faults.Destroy:
			if !repairs {
				return plan.Errorf(field, "is %v, which takes a store away, and nobody would replace what it held: set scheduling.interval and scheduling.replica-check", kind)
			}
		}
	}
	return nil
}

// mayHappen reports whether there is a plan of the scenario with somebody for the kind to
// happen to.
func (s *Scenario) mayHappen(kind faults.Kind) bool {
	for _, stores := range s.Cluster.Stores {
		replicas := s.Cluster.Replicas
		if s.Cluster.API == plan.Raft {
			replicas = []int{stores}
		}
		for _, n := range replicas {
			if n > stores {
				continue
			}
			for _, joining := range append([]int{0}, s.Cluster.Joining...) {
				p := plan.Default()
				p.Cluster.Stores, p.Cluster.Replicas, p.Cluster.Joining = stores, n, min(joining, stores-n)
				p.Workload.Clients = s.Workload.Clients.Max
				c := s.Faults
				c.Replicas, c.Stores, c.Joining, c.Clients, c.Keys = n, p.StoreNames(), p.JoiningNames(), p.ClientNames(), []string{"key"}
				if c.Possible(kind) {
					return true
				}
			}
		}
	}
	return false
}

// wanted is what a kind of fault needs to happen to somebody.
func wanted(kind faults.Kind) string {
	switch kind { //nolint:exhaustive // the others need a node
	case faults.Join:
		return "list in cluster.joining how many stores join, and more stores than replicas"
	case faults.Wipe, faults.Destroy:
		return "list more stores than replicas, and more than one replica"
	case faults.Drain, faults.AddPeer, faults.RemovePeer, faults.MovePeer:
		return "list more stores than replicas"
	}
	return "list more stores"
}
