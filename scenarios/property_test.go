package scenarios_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"simrun/checker"
	"simrun/faults"
	"simrun/scenarios"
	"simrun/scenarios/runner"
	"simrun/sim/plan"
)

// SIM_SEED is the first seed, or rapid's own; SIM_SEEDS is how many are run.
const (
	seedsDefault  = 2  // of each scenario in TestSeeds
	checksDefault = 10 // plans of each scenario in TestPlans
)

func fromEnvironment(t *testing.T, name string, byDefault uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return byDefault
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s is %q, which is no number", name, text)
	}
	return n
}

// Every scenario keeps its promises under its first seeds: the very runs of
// `simrun run SCENARIO --seed N`.
func TestSeeds(t *testing.T) {
	first := fromEnvironment(t, "SIM_SEED", 1)
	n := fromEnvironment(t, "SIM_SEEDS", seedsDefault)
	for _, name := range scenarios.Names() {
		t.Run(name, func(t *testing.T) {
			s, err := scenarios.Find(name)
			if err != nil {
				t.Fatal(err)
			}
			for seed := first; seed < first+n; seed++ {
				o, err := runner.Run(s.Plan(seed), runner.Options{})
				if err != nil {
					t.Fatal(err)
				}
				if o.Result.Verdict != checker.OK {
					t.Errorf("%v: %s\n    simrun run %s --seed %d", o.Result.Verdict, o.Result.Signature(), name, seed)
				}
			}
		})
	}
}

// Plans drawn by rapid keep the promises too. A plan is a seed's plan with some
// of its faults, clients and operations taken away, so a failure shrinks to few
// of each; it is kept as a file, and the message names the command that runs it.
func TestPlans(t *testing.T) {
	checks := fromEnvironment(t, "SIM_SEEDS", checksDefault)
	setFlag(t, "rapid.checks", strconv.FormatUint(checks, 10))
	if seed := fromEnvironment(t, "SIM_SEED", 0); seed != 0 {
		setFlag(t, "rapid.seed", strconv.FormatUint(seed, 10))
	}
	for _, name := range scenarios.Names() {
		t.Run(name, func(t *testing.T) {
			s, err := scenarios.Find(name)
			if err != nil {
				t.Fatal(err)
			}
			folder := t.ArtifactDir()
			rapid.Check(t, func(t *rapid.T) {
				p := drawPlan(t, s)
				o, err := runner.Run(p, runner.Options{})
				if err != nil {
					t.Fatal(err)
				}
				if o.Result.Verdict != checker.OK {
					t.Fatalf("%v: %s\n    simrun run %s", o.Result.Verdict, o.Result.Signature(), keep(t, folder, p))
				}
			})
		})
	}
}

func setFlag(t *testing.T, name, value string) {
	t.Helper()
	old := flag.Lookup(name).Value.String()
	if err := flag.Set(name, value); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = flag.Set(name, old) })
}

// drawPlan draws a plan of a scenario. The smallest draws leave out most.
func drawPlan(t *rapid.T, s *scenarios.Scenario) *plan.Plan {
	p := s.Plan(rapid.Uint64Range(1, 1<<32).Draw(t, "seed"))
	p.Workload.Clients = rapid.IntRange(1, p.Workload.Clients).Draw(t, "clients")
	p.Workload.Operations = rapid.Uint64Range(1, 1000).Draw(t, "operations")
	kept := []faults.Fault{}
	for i, f := range p.Faults {
		if rapid.Bool().Draw(t, fmt.Sprintf("fault %d", i)) {
			kept = append(kept, withoutClients(f, p))
		}
	}
	p.Faults = kept
	return p
}

// withoutClients leaves out of a fault the clients that the plan has no longer.
func withoutClients(f faults.Fault, p *plan.Plan) faults.Fault {
	known := map[string]bool{}
	for _, n := range p.NodeNames() {
		known[n] = true
	}
	filter := func(targets []faults.Target) []faults.Target {
		var left []faults.Target
		for _, target := range targets {
			if target.Kind != faults.TargetNode || known[target.Name] {
				left = append(left, target)
			}
		}
		if len(left) == 0 && len(targets) > 0 {
			left = []faults.Target{faults.AllStores()}
		}
		return left
	}
	f.Targets, f.Peers = filter(f.Targets), filter(f.Peers)
	return f
}

// keep writes a plan that failed and returns its path.
func keep(t *rapid.T, folder string, p *plan.Plan) string {
	path := filepath.Join(folder, fmt.Sprintf("%s-%d.toml", p.Scenario, p.Seed))
	if err := os.WriteFile(path, []byte(p.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
