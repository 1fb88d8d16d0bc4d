package trial_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"simrun/checker"
	"simrun/faults"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/reports"
	"simrun/scenarios/trial"
	"simrun/scenarios/trial/trialtest"
	"simrun/sim"
	"simrun/sim/disk"
	"simrun/sim/history"
)

// The register keeps its promises, with parts of plans taken away too, and is one trace.
func TestRegister(t *testing.T) { trialtest.Test(t, register()) }

// The step that is left out is found, by a plan that becomes small.
func TestRegisterWithoutWriteBack(t *testing.T) {
	small, signature := trialtest.Find(t, register(), "no-write-back", 60)
	if signature != "VIOLATION linear not-linearizable" || len(small.Faults) > 0 || small.Operations == 0 || small.Operations > 50 {
		t.Errorf("%s by\n%s", signature, small)
	}
}

func runOf(t *testing.T, s *trial.System, p *trial.Plan, opts trial.Options) *reports.Run {
	t.Helper()
	run, err := s.Run(p, opts)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// The folder of a failing protocol holds what it takes to look into it: its plan, a history
// that is judged the same from the file, a page with operations, faults and the finding, and
// nothing that the database alone has.
func TestFolder(t *testing.T) {
	s := register().With("no-write-back", 1)
	found := searchRegister(s)
	p, err := s.Parse("plan.toml", found.Plan)
	if err != nil {
		t.Fatal(err)
	}
	run := runOf(t, s, p, trial.Options{Command: "go test ./abd"})
	dir := filepath.Join(t.TempDir(), "abd")
	for range 2 { // the second time over the first
		folder, failed := reports.Create(dir, "")
		if failed == nil {
			failed = folder.Save(run)
		}
		if failed != nil {
			t.Fatal(failed)
		}
	}
	loaded, err := reports.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if loaded.Plan != found.Plan {
		t.Errorf("the plan is\n%s", loaded.Plan)
	}
	if got := checker.Of(checker.History(loaded.History, checker.Options{})); got != checker.Violation {
		t.Errorf("the history is judged %v", got)
	}
	var first, then bytes.Buffer
	for out, r := range map[*bytes.Buffer]*reports.Run{&first: run, &then: loaded} {
		if err = reports.WriteText(out, r, reports.TextOptions{Folder: dir}); err != nil {
			t.Fatal(err)
		}
	}
	if first.String() != then.String() {
		t.Errorf("saved as\n%s\nread back as\n%s", first.String(), then.String())
	}
	for _, falsehood := range []string{"NONE", "elections", "disk", "simrun run", "simrun replay", "simrun shrink"} {
		if strings.Contains(first.String(), falsehood) {
			t.Errorf("the text says %q:\n%s", falsehood, first.String())
		}
	}
	page, err := os.ReadFile(filepath.Join(dir, reports.FilePage))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"kind":"fault","text":"at `, `"flags":[{"at":`, "go test ./abd", "<h3>Network</h3>", "<summary>Plan</summary>"} {
		if !bytes.Contains(page, []byte(want)) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, falsehood := range []string{"<h3>Cost</h3>", "<h3>Engines</h3>", "<h3>Reads of regions</h3>", "paused</span>", "election</span>", "stalled</span>", "snapshot</span>"} {
		if bytes.Contains(page, []byte(falsehood)) {
			t.Errorf("the page has %s", falsehood)
		}
	}
}

// counter is a client that counts, and a node that does something meanwhile.
func counter(then func(t *trial.Trial, e *env.Env, task env.Task)) *trial.System {
	return &trial.System{
		Name: "counter", Clients: 2, Params: []trial.Param{{Name: "pace", Usual: 10, Least: 1, Most: 100}},
		Phases: trial.Phases{Boot: trial.Second, Storm: trial.Second, Calm: trial.Second, Audit: 100 * trial.Millisecond},
		Build: func(t *trial.Trial) {
			t.World.AddNode(sim.NodeConfig{Name: "a", Disk: &disk.Config{}, Main: func(e *env.Env) func() {
				e.Sched.Go("count", func(task env.Task) { then(t, e, task) })
				return nil
			}})
			t.Clients(func(_ *env.Env, c *trial.Client) func(env.Task) {
				return func(task env.Task) {
					value := c.Unique()
					op := c.Begin(history.Op{Kind: history.Write, Key: "n", Value: &value})
					task.Sleep(time.Duration(t.Param("pace")) * time.Millisecond)
					c.End(op, history.OK)
				}
			})
		},
	}
}

func idle(*trial.Trial, *env.Env, env.Task) {}

func fault(t *testing.T, text string) faults.Fault {
	t.Helper()
	f, err := faults.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// Clients that are killed go on under another number, nodes are counted and drawn, and what
// a judge finds, or the system tells of itself, is in the result.
func TestClientsAndJudges(t *testing.T) {
	s := counter(func(tr *trial.Trial, e *env.Env, task env.Task) {
		task.Sleep(100 * time.Millisecond)
		tr.Event(e.Name, "counted to %d", 7)
	})
	build := s.Build
	s.Build = func(tr *trial.Trial) {
		build(tr)
		tr.Judge(func() checker.Result {
			r := checker.Result{Checker: "sum", Checked: 1}
			r.Add(checker.Finding{Anomaly: "wrong-sum", Message: "a counts badly"})
			return r
		})
	}
	p := s.Plan(3)
	p.Faults = []faults.Fault{fault(t, "at 300ms kill client2 for 100ms"), fault(t, "at 500ms kill a for 100ms")}
	var stream bytes.Buffer
	run := runOf(t, s, p, trial.Options{History: &stream})
	r := run.Result
	if c := r.Stats.Cluster; c.Crashes != 2 || c.Restarts != 2 || r.Stats.FaultsEffective() != 2 {
		t.Errorf("counted %+v", r.Stats)
	}
	clients := map[int]bool{}
	for i := range run.History.Ops {
		clients[run.History.Ops[i].Client] = true
	}
	if want := map[int]bool{1: true, 2: true, 4: true}; !reflect.DeepEqual(clients, want) {
		t.Errorf("the clients are %v", clients)
	}
	if err := history.Validate(run.History); err != nil {
		t.Error(err)
	}
	for _, want := range []reports.Event{{Kind: reports.Down, Node: "a"}, {Kind: reports.Note, Node: "a", Text: "counted to 7"}} {
		if !slices.ContainsFunc(r.Timeline, func(e reports.Event) bool {
			return e.Kind == want.Kind && e.Node == want.Node && e.Text == want.Text && (e.Kind == reports.Note || e.Until-e.At == int64(100*time.Millisecond))
		}) {
			t.Errorf("no %+v in %+v", want, r.Timeline)
		}
	}
	if f := r.Findings(); r.Signature() != "VIOLATION sum wrong-sum" || !slices.Equal(f[0].Nodes, []string{"a"}) {
		t.Errorf("found %+v", f)
	}
	if h, err := history.Decode(&stream, "stream"); err != nil || !reflect.DeepEqual(h, run.History) {
		t.Errorf("the stream holds %+v, %v", h, err)
	}
}

// What simulated code asserts ends the run, and the finding says where; so does a
// panic, which leaves its calls in the result and its stack in the log. A process that
// ends itself is started again, and told.
func TestAssertion(t *testing.T) {
	for signature, then := range map[string]func(e *env.Env){
		"VIOLATION assertion assertion": func(*env.Env) { invariant.Check(false, "n is %d", 5) },
		"VIOLATION assertion panic":     func(*env.Env) { panic("five") },
		"VIOLATION assertion exit":      func(e *env.Env) { e.Exit("tired") },
	} {
		ended := false
		s := counter(func(_ *trial.Trial, e *env.Env, task env.Task) {
			task.Sleep(60 * time.Millisecond)
			if !ended {
				ended = true
				then(e)
			}
		})
		var log, text, page strings.Builder
		run := runOf(t, s, s.Plan(1), trial.Options{Logf: func(format string, args ...any) {
			log.WriteString(strings.TrimSpace(strings.ReplaceAll(format, "%s", "")))
			for _, a := range args {
				if stack, ok := a.([]byte); ok {
					log.Write(stack)
				}
			}
		}})
		if err := errors.Join(reports.WriteText(&text, run, reports.TextOptions{}), reports.WritePage(&page, run)); err != nil {
			t.Fatal(err)
		}
		r := run.Result
		f := r.Findings()
		if !strings.HasPrefix(r.Signature(), signature) || f[0].At != int64(60*time.Millisecond) || !slices.Equal(f[0].Nodes, []string{"a"}) {
			t.Errorf("%s: found %+v", signature, f)
		}
		exited := strings.HasSuffix(signature, "exit")
		if exited != (len(r.Stack) == 0) || exited == strings.Contains(log.String(), "TestAssertion") || exited != (r.Stats.Cluster.Restarts == 1) {
			t.Errorf("%s: stack %q, log %s, %d restarts", signature, r.Stack, log.String(), r.Stats.Cluster.Restarts)
		}
		if exited == strings.Contains(text.String(), "\n  panicked in\n    simrun/") || exited == strings.Contains(page.String(), "<h2>Panicked in</h2>") {
			t.Errorf("%s: the text is\n%s", signature, text.String())
		}
		if !exited && !slices.ContainsFunc(r.Stack, func(call string) bool { return strings.Contains(call, "trial_test.TestAssertion") }) {
			t.Errorf("%s: the calls are %q", signature, r.Stack)
		}
	}
}

// A node whose process dies of a full disk is started again, and that is no violation.
func TestSupervisor(t *testing.T) {
	s := counter(func(_ *trial.Trial, e *env.Env, task env.Task) {
		for {
			f, err := e.Disk.FS().Create(fmt.Sprint(e.Clock.Wall().UnixNano()), "")
			if err == nil {
				_, err = f.Write([]byte("n"))
			}
			if err != nil {
				panic(err)
			}
			task.Sleep(10 * time.Millisecond)
		}
	})
	p := s.Plan(1)
	p.Faults = []faults.Fault{fault(t, "at 100ms disk-full a for 500ms")}
	if r := runOf(t, s, p, trial.Options{}).Result; r.Verdict != checker.OK || r.Stats.Cluster.Restarts < 2 || r.Stats.Cluster.Crashes != r.Stats.Cluster.Restarts {
		t.Errorf("%s, %+v", r.Signature(), r.Stats.Cluster)
	}
}

// Whoever has not succeeded in the boot or in the calm is told; a world that goes on without
// time passing comes to an end, and has no verdict.
func TestLiveness(t *testing.T) {
	s := counter(idle)
	p := s.Plan(1)
	p.Phases.Boot, p.Params["pace"] = trial.Millisecond, 100
	r := runOf(t, s, p, trial.Options{}).Result
	if f := r.Findings(); r.Signature() != "VIOLATION liveness stuck" || len(f) != 2 || f[1].Message != "client2 has not succeeded within 1ms of boot, with an operation write since 0s" {
		t.Errorf("found %+v", f)
	}
	p = s.Plan(1)
	p.Phases.Calm, p.Params["pace"] = 50*trial.Millisecond, 100
	if r = runOf(t, s, p, trial.Options{}).Result; r.Signature() != "VIOLATION liveness stuck" || len(r.Findings()) != 2 {
		t.Errorf("found %+v", r.Findings())
	}
	s = counter(func(_ *trial.Trial, e *env.Env, _ env.Task) {
		var again func()
		again = func() { e.Sched.After(0, again) }
		again()
	})
	p = s.Plan(1)
	p.Events = 1000
	if r = runOf(t, s, p, trial.Options{}).Result; r.Verdict != checker.Unknown {
		t.Errorf("%s", r.Signature())
	}
}

// As many operations begin in the storm as the plan says, beside one of everybody in the boot
// and one in the calm.
func TestOperations(t *testing.T) {
	s := counter(idle)
	p := s.Plan(1)
	p.Operations = 5
	h := runOf(t, s, p, trial.Options{}).History
	phases := map[string]int{}
	for i := range h.Ops {
		phases[h.Ops[i].Phase]++
	}
	if want := map[string]int{"boot": 2, "storm": 5, "calm": 2}; !reflect.DeepEqual(phases, want) {
		t.Errorf("operations by phase: %v", phases)
	}
}

// Everything in the schedule has to mean something, and names of one's own do.
func TestTargets(t *testing.T) {
	s := counter(idle)
	build := s.Build
	s.Build = func(tr *trial.Trial) {
		build(tr)
		tr.Target("first", func(string) []string { return []string{"a"} })
		tr.Target("leader", func(key string) []string { return map[string][]string{"x": {"a"}}[key] })
	}
	for text, problem := range map[string]string{
		"at 10ms kill first for 10ms":       "",
		"at 10ms kill leader(x) for 10ms":   "",
		"at 10ms kill all-clients for 10ms": "",
		"at 10ms kill nobody for 10ms":      "there is no node nobody, and the system has no target of that name",
		"at 10ms kill follower(x) for 10ms": "there is no node follower(x), and the system has no target of that name",
		"at 10ms split k":                   "the system has no sim.Administrator that could be asked for that",
		"at 10ms transfer-leader k":         "the system has no sim.LeaderMover that could be asked for that",
	} {
		p := s.Plan(1)
		p.Faults = []faults.Fault{fault(t, text)}
		run, err := s.Run(p, trial.Options{})
		switch {
		case problem == "" && (err != nil || run.Result.Stats.FaultsEffective() != 1 || run.Result.Verdict != checker.OK):
			t.Errorf("%s: %v, %+v", text, err, run)
		case problem != "" && (err == nil || run != nil || !strings.HasSuffix(err.Error(), problem)):
			t.Errorf("%s: %v", text, err)
		}
	}
}

// fullDisk takes a number of bytes.
type fullDisk int

func (d *fullDisk) Write(p []byte) (int, error) {
	if *d -= fullDisk(len(p)); *d < 0 {
		return 0, syscall.ENOSPC
	}
	return len(p), nil
}

// A history that cannot be written is told, and the run judged as if it could.
func TestHistoryCannotBeWritten(t *testing.T) {
	s := counter(idle)
	whole := runOf(t, s, s.Plan(1), trial.Options{})
	for _, room := range []fullDisk{0, 1000} {
		left := room
		run, err := s.Run(s.Plan(1), trial.Options{History: &left})
		if !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("the error is %v", err)
		}
		if !reflect.DeepEqual(run.History, whole.History) || run.Result.TraceHash != whole.Result.TraceHash || run.Result.Verdict != whole.Result.Verdict {
			t.Errorf("with room for %d bytes the run is another: %v", room, run.Result.Signature())
		}
	}
}

// What differs between two runs is named, and the lines of a trace are as many as its events.
func TestTrace(t *testing.T) {
	lives := 0
	s := counter(func(_ *trial.Trial, _ *env.Env, task env.Task) {
		lives++
		task.Sleep(time.Duration(lives) * 100 * time.Millisecond)
	})
	recording, err := s.Record(s.Plan(1))
	if err != nil {
		t.Fatal(err)
	}
	difference, err := s.Compare(recording)
	if err != nil || !strings.HasPrefix(difference, "event ") || !strings.Contains(difference, " at 100ms on node 1 ") {
		t.Errorf("the difference is %q, %v", difference, err)
	}
	s = counter(idle)
	if recording, err = s.Record(s.Plan(1)); err != nil {
		t.Fatal(err)
	}
	if difference, err = s.Compare(recording); err != nil || difference != "" {
		t.Errorf("the difference is %q, %v", difference, err)
	}
	recording.Result.Checkers[0].Checked += 1000
	if difference, err = s.Compare(recording); err != nil || !strings.Contains(difference, `"checked":100`) {
		t.Errorf("the difference is %q, %v", difference, err)
	}
	var lines strings.Builder
	run := runOf(t, s, s.Plan(1), trial.Options{Trace: &lines})
	if n := uint64(strings.Count(lines.String(), "\n")); n != run.Result.Stats.Events || run.Result.TraceHash != recording.Result.TraceHash {
		t.Errorf("%d lines of %d events", n, run.Result.Stats.Events)
	}
}
