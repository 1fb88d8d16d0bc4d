package scenarios_test

import (
	"testing"
	"time"

	"simrun/checker"
	"simrun/scenarios"
	"simrun/scenarios/runner"
	"simrun/sim/plan"
)

// The scenario idle in its full size: a thousand regions on five stores, of which
// a handful is used, under its faults. In the calm each of them must have a leader
// when it is written to, and none of the checkers may be overwhelmed.
func TestThousandRegions(t *testing.T) {
	if testing.Short() {
		t.Skip("boots a thousand regions three times")
	}
	const regions = 1000
	s, err := scenarios.Find("idle")
	if err != nil {
		t.Fatal(err)
	}
	s.Cluster.Stores, s.Cluster.Replicas = []int{5}, []int{3}
	s.Cluster.Regions = scenarios.Range{Min: regions, Max: regions}
	s.Workload.Keys = s.Cluster.Regions
	for seed := uint64(1); seed <= 2; seed++ {
		p := s.Plan(seed)
		p.Phases.Storm = max(p.Phases.Storm, plan.Duration(5*time.Second))
		o, err := runner.Run(p, runner.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Cluster.SplitKeys) != regions-1 || o.Result.Verdict != checker.OK {
			t.Errorf("seed %d with %d regions: %v: %s", seed, len(p.Cluster.SplitKeys)+1, o.Result.Verdict, o.Result.Signature())
		}
		slept := false
		for _, m := range o.Result.Marks {
			slept = slept || m.Name == "raftstore: leader goes to sleep" && m.Count >= regions
		}
		if !slept {
			t.Errorf("seed %d: not all regions have hibernated", seed)
		}
		t.Logf("seed %d: %v virtual, %d events", seed, time.Duration(o.Result.Stats.Virtual), o.Result.Stats.Events)
	}
}
