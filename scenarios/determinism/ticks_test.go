package determinism

import (
	"fmt"
	"testing"

	"simrun/checker"
	"simrun/scenarios"
	"simrun/scenarios/runner"
	"simrun/sim/plan"
)

// Lazy ticks have the effect of eager ones and no other: the same plans, faults
// and all, give the same history, and the same trace to the bit, which holds
// every message and every disk operation with its content.
func TestLazyTicksAreEagerTicks(t *testing.T) {
	for _, name := range []string{"bank", "lease", "idle", "membership", "merge", "snapshot", "timestamps", "rolling-restart"} {
		s, err := scenarios.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		for seed := uint64(1); seed <= ticksSeeds(); seed++ {
			t.Run(fmt.Sprint(name, seed), func(t *testing.T) {
				run := func(ticks plan.Ticks) *runner.Outcome {
					p := s.Plan(seed)
					p.Knobs.Ticks = ticks
					o, err := runner.Run(p, runner.Options{})
					if err != nil || o.Result.Verdict != checker.OK {
						t.Fatal(err, o.Result.Findings())
					}
					return o
				}
				lazy, eager := run(plan.Lazy), run(plan.Eager)
				if lazy.Result.TraceHash != eager.Result.TraceHash || len(lazy.History.Ops) != len(eager.History.Ops) {
					t.Errorf("trace %v of %d operations with lazy ticks, %v of %d with eager ones",
						lazy.Result.TraceHash, len(lazy.History.Ops), eager.Result.TraceHash, len(eager.History.Ops))
				}
			})
		}
	}
}

// ticksSeeds is how many seeds of a scenario are run both ways.
func ticksSeeds() uint64 {
	if testing.Short() {
		return 1
	}
	return 3
}
