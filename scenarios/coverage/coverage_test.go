package coverage

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"simrun/checker"
	"simrun/nodes/invariant"
	"simrun/scenarios"
	"simrun/scenarios/runner"
	"simrun/sim/plan"
)

// coverageSeeds is how many seeds a scenario has to do everything that it is
// for. It is a few times what it needs, for a change anywhere makes other runs
// of the same seeds.
const coverageSeeds = 120

// scenarioVariable names the scenario that a process of the test is for.
const scenarioVariable = "SIM_COVER"

// A scenario that never does what it is for finds nothing, and looks like one
// that finds nothing because all is well. The method: seeds are run one after
// another and what happened in them is summed, until all that the scenario
// promises has happened. What is left after the last seed is named. Each scenario has
// a process of its own, for there is one count of branches in each.
func TestScenariosDoWhatTheyAreFor(t *testing.T) {
	if testing.Short() {
		t.Skip("runs many seeds")
	}
	if name := os.Getenv(scenarioVariable); name != "" {
		c := cover(t, name)
		for _, missing := range c.missing() {
			t.Errorf("%d seeds without %s", c.seeds, missing)
		}
		t.Logf("%d seeds; the last needed them for %s", c.seeds, strings.Join(c.last, "; "))
		return
	}
	for _, name := range scenarios.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^"+strings.Split(t.Name(), "/")[0]+"$", "-test.v") // this very test
			cmd.Env = append(os.Environ(), scenarioVariable+"="+name, "GOMAXPROCS=1", "GOGC=400")
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%v", err)
			}
			t.Logf("%s", out)
		})
	}
}

// cover runs seeds of a scenario until there is nothing missing.
func cover(t *testing.T, name string) *coverage {
	t.Helper()
	s, err := scenarios.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	c := &coverage{scenario: s, seen: map[string]map[string]uint64{}}
	c.promise()
	for seed := uint64(1); seed <= coverageSeeds; seed++ {
		c.last = c.missing()
		p := s.Plan(seed)
		o, err := runner.Run(p, runner.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if o.Result.Verdict != checker.OK {
			t.Errorf("%v: %s\n    simrun run %s --seed %d", o.Result.Verdict, o.Result.Signature(), name, seed)
		}
		c.seeds++
		c.add(p, o)
		if len(c.missing()) == 0 {
			break
		}
	}
	return c
}

// A promise that nobody counts would be missed in every run, and one that is
// counted whatever happens would be kept by none: what stands for a workload is
// counted in a history that has it, and in an empty one it is not.
func TestCoverageMissesWhatIsMissing(t *testing.T) {
	known := map[string]bool{}
	for _, mark := range invariant.Counts() {
		known[mark.Name] = true
	}
	for _, name := range scenarios.Names() {
		s, err := scenarios.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		c := &coverage{scenario: s, seen: map[string]map[string]uint64{}}
		c.promise()
		if len(workloadPromises[s.Workload.Name]) == 0 {
			t.Errorf("nobody says what the workload %s is for", s.Workload.Name)
		}
		for _, promised := range c.wanted {
			if where, mark, _ := strings.Cut(promised, "\x00"); where == markSeen && !known[mark] {
				t.Errorf("%s promises the branch %q, which there is none of", name, mark)
			}
		}
		if n := len(c.missing()); n != len(c.wanted) || n < len(s.Faults.Kinds) {
			t.Errorf("%s: %d of %d promises are missing before the first seed", name, n, len(c.wanted))
		}
		c.count(faultSeen, s.Faults.Kinds[0].String(), 1)
		if n := len(c.missing()); n != len(c.wanted)-1 || slices.Contains(c.missing(), fmt.Sprint(faultSeen, " ", s.Faults.Kinds[0])) {
			t.Errorf("%s: a fault that took effect is missing still: %v", name, c.missing())
		}
	}
}

// What a scenario promises is done by its storm. Where the storm is over at once,
// nothing of it is kept but that the checkers have run, what the placement driver does
// in peace, and what the calm is for; where it lasts and no fault strikes, nothing of what is promised of
// the faults. So nothing is promised that boot, audit and the network's own losses keep.
func TestNothingIsKeptWithoutAStorm(t *testing.T) {
	for _, name := range []string{"bank", "client-crash", "membership", "merge-bank", "register", "rolling-restart-bank", "timestamps"} {
		s, err := scenarios.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, storm := range []time.Duration{time.Microsecond, 5 * time.Second} {
			c := &coverage{scenario: s, seen: map[string]map[string]uint64{}}
			c.promise()
			for c.seeds < 2 {
				c.seeds++
				p := s.Plan(uint64(c.seeds))
				p.Faults, p.Phases.Storm = nil, plan.Duration(storm)
				o, err := runner.Run(p, runner.Options{})
				if err != nil {
					t.Fatal(err)
				}
				c.add(p, o)
			}
			for _, promised := range c.wanted {
				where, what, _ := strings.Cut(promised, "\x00")
				barred := storm == time.Microsecond && where != checkSeen && where != endSeen && where != calmSeen || slices.Contains(c.byFaults, promised)
				if barred && c.seen[where][what] > 0 {
					t.Errorf("%s keeps without faults, in a storm of %v: %s %s", name, storm, where, what)
				}
			}
			if len(c.byFaults) == 0 {
				t.Errorf("%s promises nothing of its faults", name)
			}
		}
	}
}
