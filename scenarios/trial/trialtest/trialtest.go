// Package trialtest makes Go tests of a system of one's own.
//
//	func TestABD(t *testing.T) { trialtest.Test(t, abd()) }
//
// runs the plans of many seeds and plans of which parts were taken away, and makes sure that
// a plan is one trace. Of what fails, a few of each kind leave a folder with plan, history and
// report, below the folder for temporary files (TMPDIR), and end with the command that runs
// exactly that again. Find is for the other direction: a step of the protocol that is left out
// has to be found, and what is found has to be due to that step.
//
// The environment steers it, as it does the tests of scenarios:
//
//	SIM_SEED=7 SIM_SEEDS=1000   the first seed, and how many
//	SIM_PLAN=plan.toml          run this plan instead, and tell what came of it
//	SIM_SHRINK=1                with SIM_PLAN: look for a minimal plan that fails in the same way
//	SIM_LOGS=1                  with SIM_PLAN: print what the nodes log
//	SIM_TRACE=trace.txt         with SIM_PLAN: write a line for every event there
package trialtest

import (
	"flag"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"simrun/checker"
	"simrun/faults"
	"simrun/reports"
	"simrun/scenarios/trial"
	"simrun/sim/reduce"
)

// How much is run unless the environment says otherwise.
const (
	seedsDefault = 30
	checks       = 20 // plans of which parts were taken away
	twice        = 2  // seeds that are run again and again
	keptMax      = 3  // failures of one kind that are told and kept; all are counted
)

// The tests of a test of a system; none of them has a part in the command that replays a plan.
const (
	nameSeeds    = "seeds"
	nameOneTrace = "one-trace"
	nameParts    = "parts-of-plans"
)

// Test tests a system.
func Test(t *testing.T, s *trial.System) {
	if file := os.Getenv("SIM_PLAN"); file != "" {
		replay(t, s, file)
		return
	}
	t.Run(nameSeeds, func(t *testing.T) { seeds(t, s) })
	t.Run(nameOneTrace, func(t *testing.T) { oneTrace(t, s) })
	t.Run(nameParts, func(t *testing.T) { parts(t, s) })
}

// seeds wants every seed to be OK, and between them that every kind of fault takes effect, also
// of those that are in no plan, and that every mark is reached which is named after the system
// ("abd: ...").
func seeds(t *testing.T, s *trial.System) {
	first, n := Seeds(t, 0, seedsDefault)
	marks, scheduled, effective := map[string]uint64{}, map[string]int{}, map[string]int{}
	for _, kind := range s.Faults.Kinds {
		scheduled[kind.String()] = 0
	}
	failed := map[string]int{} // how many, by signature
	for i := range n {
		r := run(t, s, s.Plan(first+i)) // after the largest seed comes 0
		if r.Result.Verdict != checker.OK {
			failed[r.Result.Signature()]++
			if failed[r.Result.Signature()] <= keptMax {
				t.Error(describe(t, s, r, ""))
			}
		}
		for _, m := range r.Result.Marks {
			marks[m.Name] += m.Count
		}
		for _, f := range r.Result.Stats.Faults {
			scheduled[f.Kind] += f.Scheduled
			effective[f.Kind] += f.Effective
		}
	}
	for _, signature := range slices.Sorted(maps.Keys(failed)) {
		if failed[signature] > keptMax {
			t.Errorf("%s: %d of %d seeds; the first %d are above", signature, failed[signature], n, keptMax)
		}
	}
	if n < seedsDefault {
		return // too few to tell
	}
	for _, name := range slices.Sorted(maps.Keys(marks)) {
		if marks[name] == 0 && strings.HasPrefix(name, s.Name+": ") {
			t.Errorf("none of %d seeds has reached %q", n, name)
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(scheduled)) {
		switch {
		case scheduled[kind] == 0:
			t.Errorf("%s is among the kinds of System.Faults and in no plan of %d seeds: has it a target in this system?", kind, n)
		case effective[kind] == 0:
			t.Errorf("%s took no effect in any of %d seeds", kind, n)
		}
	}
}

// oneTrace runs plans again, at several numbers of processors.
func oneTrace(t *testing.T, s *trial.System) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	first, _ := Seeds(t, 0, twice)
	for i := range uint64(twice) {
		seed := first + i
		recording, err := s.Record(s.Plan(seed))
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{1, 2, 8} {
			runtime.GOMAXPROCS(n)
			if difference, err := s.Compare(recording); err != nil || difference != "" {
				t.Errorf("seed %d, run again with %d processors, is another: %s %v", seed, n, difference, err)
			}
		}
	}
}

// parts runs plans of which parts were taken away: rapid makes one that fails small.
func parts(t *testing.T, s *trial.System) {
	setFlag(t, "rapid.checks", strconv.Itoa(checks))
	setFlag(t, "rapid.nofailfile", "true") // a plan is kept instead
	rapid.Check(t, func(rt *rapid.T) {
		p := s.Plan(rapid.Uint64Range(0, 1<<32).Draw(rt, "seed"))
		p.KeepClients(rapid.IntRange(1, p.Clients).Draw(rt, "clients"))
		p.Operations = rapid.Uint64Range(1, 300).Draw(rt, "operations")
		p.Faults = reduce.Keep(p.Faults, func(i int, _ faults.Fault) bool {
			return rapid.Bool().Draw(rt, fmt.Sprintf("fault %d", i))
		})
		r := run(rt, s, p)
		if r.Result.Verdict != checker.OK {
			rt.Fatal(describe(t, s, r, nameParts)) // the last is the smallest
		}
	})
}

// setFlag sets a flag of rapid until the end of the test.
func setFlag(t *testing.T, name, value string) {
	t.Helper()
	before := flag.Lookup(name).Value.String()
	if err := flag.Set(name, value); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = flag.Set(name, before) })
}

// Find makes sure that one of the first seeds finds what is wrong with a system if a parameter
// is 1 and not what it usually is, so that a step is left out: its plan says the same after it was
// a file, and becomes smaller; and with the usual value of the parameter, both plans are OK. It
// returns the smallest, and the signature of what it finds.
func Find(t *testing.T, s *trial.System, omission string, seeds uint64) (smallest *trial.Plan, signature string) {
	t.Helper()
	planted := s.With(omission, 1)
	if file := os.Getenv("SIM_PLAN"); file != "" {
		replay(t, planted, file)
		t.SkipNow()
	}
	for seed := range seeds {
		found := run(t, s, planted.Plan(seed))
		if found.Result.Verdict != checker.Violation {
			continue
		}
		p, err := s.Parse(reports.FilePlan, found.Plan)
		if err != nil {
			t.Fatal(err)
		}
		wantSound(t, s, omission, p)
		if again := run(t, s, p); again.Result.TraceHash != found.Result.TraceHash {
			t.Errorf("trace %v, and %v when read from a file", found.Result.TraceHash, again.Result.TraceHash)
		}
		smallest = shrink(t, s, p, found.Result.Signature(), testing.Verbose())
		wantSound(t, s, omission, smallest)
		return smallest, found.Result.Signature()
	}
	t.Fatalf("%d seeds do not find %s", seeds, omission)
	return nil, ""
}

// wantSound wants a plan that fails to be OK with the usual value of the parameter: what fails
// anyway has another cause.
func wantSound(t *testing.T, s *trial.System, omission string, p *trial.Plan) {
	t.Helper()
	p = p.Clone()
	p.Params[omission] = s.Plan(p.Seed).Params[omission]
	if r := run(t, s, p); r.Result.Verdict != checker.OK {
		t.Fatalf("%s = 1 is not why seed %d fails; it also does with %d:\n%s", omission, p.Seed, p.Params[omission], describe(t, s, r, ""))
	}
}

// shrink returns the smallest plan that fails in the same way, and tells of it if somebody
// listens.
func shrink(t *testing.T, s *trial.System, p *trial.Plan, signature string, told bool) *trial.Plan {
	t.Helper()
	small, err := s.Shrink(p, signature, 0)
	if err != nil {
		t.Fatal(err)
	}
	if told {
		t.Logf("seed %d: %s, with %d of %d faults and %d of %d clients after %d runs\n%s", p.Seed, signature,
			len(small.Plan.Faults), len(p.Faults), small.Plan.Clients, p.Clients, small.Tries, keep(t, s, run(t, s, small.Plan), ""))
	}
	return small.Plan
}

// replay runs the plan in a file and tells what came of it.
func replay(t *testing.T, s *trial.System, file string) {
	text, err := os.ReadFile(file) // who runs the test names it
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Parse(file, string(text))
	if err != nil {
		t.Fatal(err)
	}
	opts := trial.Options{Command: command(t, file)}
	if os.Getenv("SIM_LOGS") != "" {
		opts.Logf = func(format string, args ...any) { fmt.Printf(format+"\n", args...) }
	}
	if name := os.Getenv("SIM_TRACE"); name != "" {
		lines, failed := os.Create(name)
		if failed != nil {
			t.Fatal(failed)
		}
		defer func() {
			if failed := lines.Close(); failed != nil {
				t.Error(failed)
			}
		}()
		opts.Trace = lines
	}
	r, err := s.Run(p, opts)
	if err != nil {
		t.Fatal(err)
	}
	if err := reports.WriteText(os.Stdout, r, reports.TextOptions{}); err != nil {
		t.Fatal(err)
	}
	if r.Result.Verdict != checker.OK {
		t.Fail()
		if os.Getenv("SIM_SHRINK") != "" {
			shrink(t, s, p, r.Result.Signature(), true)
		}
	}
}

// failer is a test that can end, of testing or of rapid.
type failer interface {
	Helper()
	Fatal(args ...any)
}

func run(t failer, s *trial.System, p *trial.Plan) *reports.Run {
	t.Helper()
	r, err := s.Run(p, trial.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// describe says what a run that failed has found, keeps it and says how to run it again.
func describe(t *testing.T, s *trial.System, r *reports.Run, name string) string {
	t.Helper()
	words := r.Result.Signature()
	if message := r.Result.Message(); message != "" {
		words += "\n    " + message
	}
	return words + "\n" + keep(t, s, r, name)
}

// keep saves a run that failed, and says how to run it again, or why it could not be
// saved. The folder has the name, or that
// of system and seed if there is none.
func keep(t *testing.T, s *trial.System, r *reports.Run, name string) string {
	t.Helper()
	dashed := func(path string) string { return strings.ReplaceAll(path, "/", "-") }
	if name == "" {
		name = fmt.Sprintf("%s-%d", s.Name, r.Result.Seed)
	}
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("simrun-failures-%d", os.Getuid()), dashed(packageOfTest()), dashed(t.Name()), name)
	again := command(t, filepath.Join(dir, reports.FilePlan))
	r.Result.Command = again
	folder, err := reports.Create(dir, "")
	if err == nil {
		err = folder.Save(r)
	}
	if err != nil {
		return "    it is not kept: " + err.Error() // and told all the same
	}
	return fmt.Sprintf("    run it again:     %s\n    make it smaller:  SIM_SHRINK=1 %s\n    look at it:       %s", again, again, filepath.Join(dir, reports.FilePage))
}

// packageOfTest is the package that is tested, "." if nobody knows.
func packageOfTest() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return strings.TrimSuffix(info.Path, ".test")
	}
	return "."
}

// command runs the plan in a file with the test that is under way.
func command(t *testing.T, file string) string {
	t.Helper()
	name := t.Name()
	for _, own := range []string{nameSeeds, nameOneTrace, nameParts} {
		name = strings.TrimSuffix(name, "/"+own)
	}
	pattern := "^" + strings.ReplaceAll(name, "/", "$/^") + "$"
	return fmt.Sprintf("SIM_PLAN=%s go test %s -run %s -count 1 -v", reports.ShellQuoted(file), packageOfTest(), reports.ShellQuoted(pattern))
}

// Seeds returns what SIM_SEED and SIM_SEEDS say, the first seed and how many, or else what is
// given. A test that would run none fails, for it must not pass.
func Seeds(t *testing.T, first, n uint64) (uint64, uint64) {
	t.Helper()
	first, n = fromEnvironment(t, "SIM_SEED", first), fromEnvironment(t, "SIM_SEEDS", n)
	if n == 0 {
		t.Fatal("SIM_SEEDS is 0, and nothing would be run: write at least 1, or leave it out")
	}
	return first, n
}

// fromEnvironment reads a number from the environment.
func fromEnvironment(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s is %q: write a whole number from 0 to %d", name, text, uint64(math.MaxUint64))
	}
	return n
}
