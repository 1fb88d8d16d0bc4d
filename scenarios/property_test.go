package scenarios_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"simrun/checker"
	"simrun/faults"
	"simrun/scenarios"
	"simrun/scenarios/runner"
	"simrun/scenarios/trial/trialtest"
	"simrun/sim/plan"
	"simrun/sim/shrink"
)

// SIM_SEED is the first seed, or rapid's own; SIM_SEEDS is how many are run.
const (
	seedsDefault  = 2  // of each scenario in TestSeeds
	checksDefault = 10 // plans of each scenario in TestPlans
)

// Every scenario keeps its promises under its first seeds: the very runs of
// `simrun run SCENARIO --seed N`.
func TestSeeds(t *testing.T) {
	first, n := trialtest.Seeds(t, 1, seedsDefault)
	for _, name := range scenarios.Names() {
		t.Run(name, func(t *testing.T) {
			s, err := scenarios.Find(name)
			if err != nil {
				t.Fatal(err)
			}
			ran := 0
			for i := range n {
				seed := first + i // after the largest comes 0
				o, err := runner.Run(s.Plan(seed), runner.Options{})
				if err != nil {
					t.Fatal(err)
				}
				ran++
				if o.Result.Verdict != checker.OK {
					t.Errorf("%v: %s\n    simrun run %s --seed %d", o.Result.Verdict, o.Result.Signature(), name, seed)
				}
			}
			t.Logf("%d of %d seeds were run, from %d on", ran, n, first)
		})
	}
}

// Plans drawn by rapid keep the promises too. A plan is a seed's plan with some
// of its faults, clients and operations taken away, so a failure shrinks to few
// of each; it is kept as a file, and the message names the command that runs it.
func TestPlans(t *testing.T) {
	seed, checks := trialtest.Seeds(t, 0, checksDefault)
	setFlag(t, "rapid.checks", strconv.FormatUint(checks, 10))
	if seed != 0 {
		setFlag(t, "rapid.seed", strconv.FormatUint(seed, 10))
	}
	for _, name := range scenarios.Names() {
		t.Run(name, func(t *testing.T) { checkPlans(t, name, verdictOf) })
	}
}

// verdictOf runs a plan and returns what was found, "" if all is well.
func verdictOf(p *plan.Plan) (string, error) {
	o, err := runner.Run(p, runner.Options{})
	if err != nil || o.Result.Verdict == checker.OK {
		return "", err
	}
	return o.Result.Signature(), nil
}

// checkPlans draws plans of a scenario until run finds something.
func checkPlans(t *testing.T, name string, run func(*plan.Plan) (string, error)) {
	s, err := scenarios.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	kept := keeper{t: t}
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlan(t, s)
		found, err := run(p)
		if err != nil {
			t.Fatal(err)
		}
		if found != "" {
			t.Fatalf("%s\n    simrun run %s", found, kept.keep(t, p))
		}
	})
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
	shrink.Clients(p, rapid.IntRange(1, p.Workload.Clients).Draw(t, "clients"))
	shrink.Operations(p, rapid.Uint64Range(1, 1000).Draw(t, "operations"))
	shrink.Faults(p, func(i int, _ faults.Fault) bool { return rapid.Bool().Draw(t, fmt.Sprintf("fault %d", i)) })
	return p
}

// keeper keeps the plan that failed last: rapid ends with the smallest.
type keeper struct {
	t      *testing.T
	folder string // made at the first failure
}

// keep writes a plan that failed and returns its path. The file outlives the
// test, or the command to paste would be of no use.
func (k *keeper) keep(t *rapid.T, p *plan.Plan) string {
	t.Helper()
	if k.folder == "" && flag.Lookup("test.artifacts").Value.String() == "true" {
		k.folder = k.t.ArtifactDir()
	}
	if k.folder == "" {
		var err error
		if k.folder, err = os.MkdirTemp("", "simrun-plan-"); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(k.folder, p.Scenario+".toml")
	if err := os.WriteFile(path, []byte(p.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// pretendVariable makes TestPretendedFailure fail.
const pretendVariable = "SIM_PRETEND_FAILURE"

// What TestFailureShrinks runs in a process of its own: a database that cannot
// stand two clients and a power loss.
func TestPretendedFailure(t *testing.T) {
	if os.Getenv(pretendVariable) == "" {
		t.Skip("it is there for TestFailureShrinks")
	}
	setFlag(t, "rapid.nofailfile", "true")
	checkPlans(t, "bank", func(p *plan.Plan) (string, error) {
		for _, f := range p.Faults {
			if f.Kind == faults.PowerLoss && p.Workload.Clients > 1 {
				return "VIOLATION pretended", nil
			}
		}
		return "", nil
	})
}

// Without a seed, or with something else than a number, the property tests fail; the largest
// seed is one as any other. The method: they run in processes of their own. Of TestSeeds, one
// scenario suffices.
func TestSeedsOfEnvironment(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		test, env, want string
	}{
		{"^TestSeeds$/^register$", "SIM_SEEDS=0", "SIM_SEEDS is 0"},
		{"^TestPlans$/^register$", "SIM_SEEDS=0", "SIM_SEEDS is 0"},
		{"^TestSeeds$/^register$", "SIM_SEEDS=many", `SIM_SEEDS is "many": write a whole number`},
		{"^TestSeeds$/^register$", "SIM_SEED=18446744073709551615", "2 of 2 seeds were run, from 18446744073709551615 on"},
	} {
		cmd := exec.CommandContext(t.Context(), program, "-test.v", "-test.run", c.test)
		cmd.Env = append(os.Environ(), c.env)
		if out, err := cmd.CombinedOutput(); !strings.Contains(string(out), c.want) {
			t.Errorf("%s %s: %v, and no %q in\n%s", c.env, c.test, err, c.want, out)
		}
	}
}

// A plan that fails shrinks to what the failure needs, stays as a file when the
// test is over, and is named by a command to paste.
func TestFailureShrinks(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "-test.run", "^TestPretendedFailure$")
	cmd.Env = append(os.Environ(), pretendVariable+"=1")
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Fatalf("the test passed:\n%s", out)
	}
	command := regexp.MustCompile(`VIOLATION pretended\n\s+simrun run (\S+)`).FindSubmatch(out)
	if command == nil {
		t.Fatalf("no command in\n%s", out)
	}
	file := string(command[1])
	t.Cleanup(func() { _ = os.RemoveAll(filepath.Dir(file)) })
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.Parse(file, string(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Faults) != 1 || p.Faults[0].Kind != faults.PowerLoss || p.Workload.Clients != 2 || p.Workload.Operations != 1 {
		t.Errorf("the smallest plan has %d clients, %d operations, faults %v", p.Workload.Clients, p.Workload.Operations, p.Faults)
	}
}
