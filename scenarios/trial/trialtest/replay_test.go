package trialtest_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"simrun/faults"
	"simrun/nodes/env"
	"simrun/scenarios/trial"
	"simrun/scenarios/trial/trialtest"
	"simrun/sim"
	"simrun/sim/history"
)

// cell is a register in the memory of a node, which may forget everything at its 20th write.
func cell() *trial.System {
	return &trial.System{
		Name: "cell", Phases: trial.Phases{Storm: trial.Second, Calm: trial.Second},
		Params: []trial.Param{{Name: "forgetful", Most: 1}},
		Build: func(t *trial.Trial) {
			held, writes := "", 0
			t.World.AddNode(sim.NodeConfig{Name: "server", Main: func(e *env.Env) func() {
				e.Log.Logf("the server is there")
				e.Net.Receive(func(from env.Addr, value []byte) {
					if len(value) > 0 {
						held, writes = string(value), writes+1
					}
					if writes == 20 && t.On("forgetful") {
						held, writes = "", 21
					}
					e.Net.Send(from, []byte(held))
				})
				return nil
			}})
			t.Clients(func(e *env.Env, c *trial.Client) func(env.Task) {
				var answer env.Future[string]
				e.Net.Receive(func(_ env.Addr, value []byte) { answer.Resolve(string(value), nil) })
				return func(task env.Task) {
					op, request := history.Op{Kind: history.Read, Key: "x"}, ""
					if c.Rand.IntN(2) == 0 {
						request = c.Unique()
						op.Kind, op.Value = history.Write, &request
					}
					answer = env.Future[string]{}
					rec := c.Begin(op)
					e.Net.Send(1, []byte(request))
					value, _ := answer.Await(task, time.Hour)
					if op.Kind == history.Read && value != "" {
						rec.Value = &value
					}
					task.Sleep(10 * time.Millisecond)
					c.End(rec, history.OK)
				}
			})
		},
	}
}

func TestCell(t *testing.T) { trialtest.Test(t, cell()) }

// A plan that was kept is run again by the test of the system, in a process of its own: the
// plan says what was left out.
func TestReplay(t *testing.T) {
	small, signature := trialtest.Find(t, cell(), "forgetful", 10)
	if small.Operations == 0 || small.Operations > 40 || small.Params["forgetful"] != 1 {
		t.Errorf("%s by\n%s", signature, small)
	}
	dir := t.TempDir()
	trace := filepath.Join(dir, "trace.txt")
	for name, c := range map[string]struct {
		plan *trial.Plan
		ok   bool
		want []string
	}{
		"wrong": {small, false, []string{"VIOLATION  cell, seed", "the server is there", "run it again:", "after", "make it smaller:  SIM_SHRINK=1 SIM_PLAN="}},
		"right": {cell().Plan(1), true, []string{"OK  cell, seed 1", "the server is there", "-run '^TestCell$'"}},
	} {
		file := filepath.Join(dir, name+".toml")
		if err := os.WriteFile(file, []byte(c.plan.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestCell$", "-test.v") // this very test
		cmd.Env = append(os.Environ(), "SIM_PLAN="+file, "SIM_SHRINK=1", "SIM_LOGS=1", "SIM_TRACE="+trace)
		out, err := cmd.CombinedOutput()
		if (err == nil) != c.ok {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		for _, want := range c.want {
			if !strings.Contains(string(out), want) {
				t.Errorf("%s: no %q in\n%s", name, want, out)
			}
		}
		if lines, err := os.ReadFile(trace); err != nil || !strings.Contains(string(lines), "phase calm") {
			t.Errorf("%s: the trace is %q, %v", name, lines, err)
		}
	}
}

// pretendVariable says which system TestPretended tests.
const pretendVariable = "SIM_PRETEND"

// What the tests below run in a process of its own, for it may fail.
func TestPretended(t *testing.T) {
	switch os.Getenv(pretendVariable) {
	case "":
		t.Skip("it is there for other tests")
	case "counted":
		s, seeds := cell(), []uint64{}
		build := s.Build
		s.Build = func(t *trial.Trial) {
			seeds = append(seeds, t.Plan.Seed)
			build(t)
		}
		trialtest.Test(t, s)
		fmt.Println("seeds", seeds)
	case "no target":
		s := cell()
		s.Faults = faults.StormConfig{Kinds: []faults.Kind{faults.ClockJump, faults.AddPeer}, Stores: []string{"server"}}
		trialtest.Test(t, s)
	case "forgetful":
		trialtest.Test(t, cell().With("forgetful", 1))
	case "panics anyway":
		s := cell()
		build := s.Build
		s.Build = func(t *trial.Trial) {
			build(t)
			t.World.AddNode(sim.NodeConfig{Name: "other", Main: func(e *env.Env) func() {
				e.Sched.After(time.Second, func() { e.Disk.Barrier(nil) })
				return nil
			}})
		}
		t.Run("find", func(t *testing.T) { trialtest.Find(t, s, "forgetful", 10) })
	}
}

// pretend runs a part of TestPretended and returns what it prints.
func pretend(t *testing.T, what, part string, environment ...string) (out string, passed bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestPretended$/^"+part+"$", "-test.v") // this very test
	cmd.Env = append(append(os.Environ(), pretendVariable+"="+what, "SIM_SEED=", "SIM_SEEDS=", "SIM_PLAN="), environment...)
	text, err := cmd.CombinedOutput()
	return string(text), err == nil
}

// A test that would run nothing fails, and every number of 64 bits is a seed: after the largest
// comes 0.
func TestSeedsOfEnvironment(t *testing.T) {
	if out, passed := pretend(t, "counted", "seeds", "SIM_SEEDS=0"); passed || !strings.Contains(out, "SIM_SEEDS is 0") {
		t.Errorf("no seeds: passed %v\n%s", passed, out)
	}
	if out, passed := pretend(t, "counted", "seeds", "SIM_SEED=18446744073709551616"); passed || !strings.Contains(out, "from 0 to 18446744073709551615") {
		t.Errorf("a seed that is too large: passed %v\n%s", passed, out)
	}
	largest := []string{"SIM_SEED=18446744073709551615", "SIM_SEEDS=2"}
	if out, passed := pretend(t, "counted", "seeds", largest...); !passed || !strings.Contains(out, "seeds [18446744073709551615 0]\n") {
		t.Errorf("the largest seed: passed %v\n%s", passed, out)
	}
	if out, passed := pretend(t, "counted", "one-trace", largest...); !passed || strings.Contains(out, "seeds []\n") {
		t.Errorf("the largest seed, one trace: passed %v\n%s", passed, out)
	}
}

// What fails for another reason is no find of the step that is left out, and it is told with its
// place.
func TestFindOfSomethingElse(t *testing.T) {
	out, passed := pretend(t, "panics anyway", "find", "TMPDIR="+t.TempDir())
	if passed || !strings.Contains(out, "forgetful = 1 is not why seed 0 fails; it also does with 0:") {
		t.Errorf("passed %v\n%s", passed, out)
	}
	want := regexp.MustCompile(`VIOLATION assertion panic: simrun/scenarios/trial/trialtest_test\.TestPretended\.\S+\n +` +
		`panic: panic at 1s in callback, replay_test\.go:\d+: runtime error: `)
	if !want.MatchString(out) {
		t.Errorf("the panic is told otherwise:\n%s", out)
	}
}

// A kind of fault that can be in no plan is told, as one that takes no effect.
func TestKindWithoutTarget(t *testing.T) {
	want := "add-peer is among the kinds of System.Faults and in no plan of 30 seeds"
	out, passed := pretend(t, "no target", "seeds")
	if passed || !strings.Contains(out, want) || strings.Contains(out, "clock-jump") {
		t.Errorf("passed %v\n%s", passed, out)
	}
}

// What fails in every seed is told and kept a few times, and counted. A folder is called after
// package, test and seed, and the smallest of the plans with parts removed has one folder.
func TestFailuresAreFew(t *testing.T) {
	dir := t.TempDir()
	out, passed := pretend(t, "forgetful", "(seeds|parts-of-plans)", "TMPDIR="+dir)
	if passed || !strings.Contains(out, "VIOLATION linear") {
		t.Fatalf("passed %v\n%s", passed, out)
	}
	seeds, _, _ := strings.Cut(out, "=== RUN   TestPretended/parts-of-plans")
	if n := strings.Count(seeds, "run it again:"); n != 3 {
		t.Errorf("%d failures are told", n)
	}
	if !regexp.MustCompile(`VIOLATION linear [a-z-]+\n +[a-z-]+: .{10,}\n +run it again:`).MatchString(seeds) {
		t.Error("no message of a finding")
	}
	if !regexp.MustCompile(`VIOLATION linear [a-z-]+: \d\d of 30 seeds; the first 3 are above`).MatchString(seeds) {
		t.Error("they are not counted")
	}
	for _, c := range []struct {
		folder string
		count  int
	}{{"TestPretended-seeds/cell-*", 3}, {"TestPretended-parts-of-plans/*", 1}} {
		kept, err := filepath.Glob(filepath.Join(dir, "simrun-failures-*", "simrun-scenarios-trial-trialtest", c.folder))
		if err != nil || len(kept) != c.count {
			t.Errorf("%s: %v, %v", c.folder, kept, err)
		}
	}
	if t.Failed() {
		t.Log(out)
	}
}
