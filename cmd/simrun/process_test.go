package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"simrun/reports"
	"simrun/scenarios"
	"simrun/scenarios/runner"
	"simrun/sim/history"
	"simrun/sim/plan"
)

// tiny returns the scenario of the tests. A test that runs it in this process
// is not parallel: a process holds one simulation at a time.
func tiny(t *testing.T) *scenarios.Scenario {
	t.Helper()
	s, err := scenarios.Find(filepath.Join("testdata", "tiny.toml"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func tinyPlan(t *testing.T) *plan.Plan {
	t.Helper()
	return tiny(t).Plan(7)
}

// scenarioFile writes the tiny scenario with one change and returns its path.
func scenarioFile(t *testing.T, old, replacement string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "tiny.toml"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), old) {
		t.Fatalf("tiny.toml does not contain %q", old)
	}
	file := filepath.Join(t.TempDir(), "changed.toml")
	if err := os.WriteFile(file, []byte(strings.Replace(string(text), old, replacement, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// process is a simrun under way.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	lines  *bufio.Scanner
	stderr bytes.Buffer
}

func start(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.CommandContext(t.Context(), "simrun", args...)}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.lines = bufio.NewScanner(out)
	p.cmd.Stderr = &p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return p
}

// end reads what is still printed and returns it with the exit status.
func (p *process) end() (stdout string, code int) {
	p.t.Helper()
	var b strings.Builder
	for p.lines.Scan() {
		b.WriteString(p.lines.Text() + "\n")
	}
	_ = p.cmd.Wait()
	return b.String(), p.cmd.ProcessState.ExitCode()
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// An interrupt in the middle of a hunt tells what was found so far, and does
// not take it for a verdict.
func TestHuntInterrupted(t *testing.T) {
	t.Parallel()
	// An operation lasts at least as long as a request, so that some seeds cannot be run.
	file := scenarioFile(t, "[knobs]", "[knobs]\nrequest-timeout = [\"2s\", \"100ms\"]\noperation-timeout = [\"1s\", \"10s\"]")
	p := start(t, "hunt", file, "--for", "10m", "--workers", "1")
	if !p.lines.Scan() || !strings.HasPrefix(p.lines.Text(), "NOT RUN  "+file+", seed ") {
		t.Fatalf("the hunt begins with %q", p.lines.Text())
	}
	p.signal(os.Interrupt)
	out, code := p.end()
	if code != exitUnknown {
		t.Errorf("exit status %d, want %d", code, exitUnknown)
	}
	for _, want := range []string{"knobs.operation-timeout", "interrupted; this is what was found so far", " OK, 0 VIOLATION", "could not be run"} {
		if !strings.Contains(out, want) {
			t.Errorf("the output lacks %q:\n%s", want, out)
		}
	}
	if p.stderr.Len() > 0 {
		t.Errorf("standard error: %s", p.stderr.String())
	}
}

// longRun starts a run that lasts, and returns when a part of its history is on
// disk.
func longRun(t *testing.T) (p *process, folder string) {
	t.Helper()
	file := scenarioFile(t, "min = \"1s\"\nmax = \"1s\"", "min = \"3000s\"\nmax = \"3000s\"")
	folder = filepath.Join(t.TempDir(), "run")
	p = start(t, "run", file, "--out", folder)
	waitForHistory(t, folder)
	return p, folder
}

// waitForHistory returns when a part of the history is in a folder.
func waitForHistory(t *testing.T, folder string) {
	t.Helper()
	for {
		if info, err := os.Stat(filepath.Join(folder, reports.FileHistory)); err == nil && info.Size() > 20_000 {
			return
		}
		if t.Context().Err() != nil {
			t.Fatal("the run records nothing")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// An interrupt in the middle of a run leaves a folder that is whole: what was
// recorded is checked, kept, and can be compared with a replay.
func TestRunInterrupted(t *testing.T) {
	t.Parallel()
	p, folder := longRun(t)
	p.signal(os.Interrupt)
	out, code := p.end()
	if code != exitUnknown {
		t.Errorf("exit status %d, want %d:\n%s%s", code, exitUnknown, out, p.stderr.String())
	}
	if !strings.Contains(out, "UNKNOWN  tiny, seed 1") || !strings.Contains(out, "the run was interrupted") {
		t.Errorf("the output is\n%s", out)
	}
	run, err := reports.Load(folder)
	if err != nil {
		t.Fatal(err)
	}
	if len(run.History.Ops) < 50 {
		t.Errorf("the history holds %d operations", len(run.History.Ops))
	}
	check := start(t, "check", folder)
	if out, code = check.end(); code != exitUnknown || !strings.Contains(out, "linear     OK") || !strings.Contains(out, "the run itself: UNKNOWN") {
		t.Errorf("check ended with status %d:\n%s%s", code, out, check.stderr.String())
	}
	// The replay of such a folder goes on to the end: too long here. What it
	// says then is TestReplayOfInterrupted's matter.
}

// A process that is killed leaves its plan, and a history that is known as
// truncated and checked as far as it goes.
func TestRunKilled(t *testing.T) {
	t.Parallel()
	p, folder := longRun(t)
	p.signal(syscall.SIGKILL)
	if _, code := p.end(); code != -1 {
		t.Errorf("exit status %d", code)
	}
	text, err := os.ReadFile(filepath.Join(folder, reports.FilePlan))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = plan.Parse("plan.toml", string(text)); err != nil {
		t.Error(err)
	}
	again := start(t, "replay", folder)
	if out, code := again.end(); code != exitUsage || out != "" {
		t.Errorf("replay ended with status %d:\n%s", code, out)
	}
	said := again.stderr.String()
	if strings.Count(said, "\n") != 1 || !strings.Contains(said, "the file is truncated; record it anew: simrun run "+folder+"/plan.toml --out "+folder) {
		t.Errorf("replay says %s", said)
	}
	told := ""
	for _, command := range []string{"check", "report"} {
		again := start(t, command, folder)
		out, code := again.end()
		if code != exitUnknown || !strings.Contains(out, "history truncated: ") || !strings.Contains(out, "linear") || again.stderr.Len() > 0 {
			t.Errorf("%s ended with status %d:\n%s%s", command, code, out, again.stderr.String())
		}
		told = out
	}
	// The report tells what plan and history hold, and of the rest that it is unknown.
	for _, want := range []string{" read: ", " write: ", " scheduled; which of them took effect was not recorded: ", "trace        not recorded", "run it again:        simrun run " + folder + "/plan.toml\n"} {
		if !strings.Contains(told, want) {
			t.Errorf("the report lacks %q:\n%s", want, told)
		}
	}
	for _, falsehood := range []string{"NONE", "0000000000000000", "elections", "simrun replay"} {
		if strings.Contains(told, falsehood) {
			t.Errorf("the report says %q:\n%s", falsehood, told)
		}
	}
	if _, err := os.Stat(filepath.Join(folder, reports.FilePage)); err != nil {
		t.Error(err)
	}
}

// A run that is killed takes nothing away from the earlier one in its folder.
func TestRunKilledOverAnother(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "run")
	p := start(t, "run", filepath.Join("testdata", "tiny.toml"), "--out", folder)
	if out, code := p.end(); code != exitOK {
		t.Fatalf("exit status %d: %s%s", code, out, p.stderr.String())
	}
	p = start(t, "run", scenarioFile(t, "min = \"1s\"\nmax = \"1s\"", "min = \"3000s\"\nmax = \"3000s\""), "--out", folder)
	waitForHistory(t, filepath.Join(folder, reports.FolderNew))
	p.signal(syscall.SIGKILL)
	p.end()
	p = start(t, "replay", folder)
	if out, code := p.end(); code != exitOK || !strings.Contains(out, "replayed exactly") || !strings.Contains(p.stderr.String(), "what it recorded is in "+filepath.Join(folder, reports.FolderNew)) {
		t.Errorf("exit status %d: %s%s", code, out, p.stderr.String())
	}
}

// Of two runs into one folder the second is refused, and the first loses nothing by it. If the
// first is killed, the next one may.
func TestTwoRunsIntoOneFolder(t *testing.T) {
	t.Parallel()
	p, folder := longRun(t)
	recorded, err := os.ReadFile(filepath.Join(folder, reports.FilePlan))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", "tiny.toml")
	second := start(t, "run", file, "--out", folder)
	out, code := second.end()
	want := fmt.Sprintf("simrun: %s: another run (process %d) is writing into the folder; wait until that has ended, or choose another folder (--out)\n", folder, p.cmd.Process.Pid)
	if code != exitUsage || out != "" || second.stderr.String() != want {
		t.Errorf("exit status %d: %s%s", code, out, second.stderr.String())
	}
	if text, lost := os.ReadFile(filepath.Join(folder, reports.FilePlan)); lost != nil || !bytes.Equal(text, recorded) {
		t.Errorf("the plan of the first run was changed: %v", lost)
	}
	p.signal(syscall.SIGKILL)
	p.end()
	third := start(t, "run", file, "--out", folder)
	if out, code = third.end(); code != exitOK || third.stderr.Len() > 0 {
		t.Errorf("exit status %d: %s%s", code, out, third.stderr.String())
	}
	if _, err := reports.Load(folder); err != nil {
		t.Error(err)
	}
}

// The recording of an interrupted run is the beginning of its replay; one that
// holds something else is not.
func TestReplayOfInterrupted(t *testing.T) {
	p := tiny(t).Plan(7)
	whole, err := runner.Run(p, runner.Options{})
	if err != nil {
		t.Fatal(err)
	}
	now := &reports.Run{History: whole.History, Result: whole.Result}
	again := func() (*runner.Outcome, error) { return runner.Run(p, runner.Options{}) }
	record := func() *reports.Run {
		r := *whole.Result
		r.Verdict = 0
		r.Checkers = nil
		r.Conclude()
		r.TraceHash++
		r.Stats.Events -= 100
		h := *whole.History
		h.Ops = append([]history.Op{}, h.Ops[:len(h.Ops)/2]...)
		last := &h.Ops[len(h.Ops)-1]
		last.Outcome, last.Error = history.Unknown, "under way at the end of the run"
		return &reports.Run{History: &h, Result: &r}
	}
	answer, err := compareRuns("out/x", record(), now, again)
	if err != nil || !strings.Contains(answer, "as far as it goes") {
		t.Errorf("got %q, %v", answer, err)
	}
	other := record()
	other.History.Ops[1].Return++
	_, err = compareRuns("out/x", other, now, again)
	if err == nil || !strings.Contains(err.Error(), "a different build or plan") {
		t.Errorf("got %v", err)
	}
	_, err = compareRuns("out/x", other, now, func() (*runner.Outcome, error) { return runner.Run(tiny(t).Plan(8), runner.Options{}) })
	if err == nil || !strings.Contains(err.Error(), "the simulation is not deterministic") {
		t.Errorf("got %v", err)
	}
	// A third run that was cut short says nothing of the simulation.
	_, err = compareRuns("out/x", other, now, func() (*runner.Outcome, error) { return nil, errInterrupted })
	if s := conclude(err, &output{}); s.code != exitUnknown || strings.Contains(err.Error(), "not deterministic") || !strings.Contains(err.Error(), "; interrupted before a third run") {
		t.Errorf("got %d, %v", s.code, err)
	}
}

// An interrupt in the third run of a replay is told as such.
func TestReplayInterruptedLate(t *testing.T) {
	t.Parallel()
	file := scenarioFile(t, "min = \"1s\"\nmax = \"1s\"", "min = \"40s\"\nmax = \"40s\"")
	folder := filepath.Join(t.TempDir(), "run")
	p := start(t, "run", file, "--out", folder)
	if out, code := p.end(); code != exitOK {
		t.Fatalf("run: exit status %d: %s%s", code, out, p.stderr.String())
	}
	for _, name := range []string{reports.FileResult, reports.FileTrace} { // as of another program
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		edited := traceHashes.ReplaceAll(text, []byte(`"${1}hash": "0000000000000001"`))
		if err := os.WriteFile(filepath.Join(folder, name), edited, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p = start(t, "replay", folder)
	for p.lines.Scan() && !strings.Contains(p.lines.Text(), "run it again:") { // the verdict is told, and the third run begins
	}
	p.signal(os.Interrupt)
	out, code := p.end()
	if said := p.stderr.String(); code != exitUnknown || strings.Contains(said, "deterministic") || !strings.Contains(said, "; interrupted before a third run") {
		t.Errorf("exit status %d:\n%s%s", code, out, said)
	}
}

// traceHashes finds the hashes in a result and in a trace.
var traceHashes = regexp.MustCompile(`"(trace_|)hash": "[0-9a-f]{16}"`)

// The trace of a seed is the same in this process, in that of a run, and in a
// worker's.
func TestTraceAcrossProcesses(t *testing.T) {
	outcome, err := runner.Run(tiny(t).Plan(3), runner.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := outcome.Result.TraceHash
	file := filepath.Join("testdata", "tiny.toml")
	folder := filepath.Join(t.TempDir(), "run")
	p := start(t, "run", file, "--seed", "3", "--out", folder)
	if out, code := p.end(); code != exitOK {
		t.Fatalf("run: exit status %d: %s%s", code, out, p.stderr.String())
	}
	r, err := reports.LoadResult(folder)
	if err != nil {
		t.Fatal(err)
	}
	if r.TraceHash != want {
		t.Errorf("run: trace %v, want %v", r.TraceHash, want)
	}
	worker := exec.CommandContext(t.Context(), "simrun", "worker", file)
	// Another seed first: nothing of it may be left in the process.
	worker.Stdin = strings.NewReader("{\"seed\":2}\n{\"seed\":3}\n")
	out, err := worker.Output()
	if err != nil {
		t.Fatal(err)
	}
	var a answer
	for line := range strings.Lines(string(out)) {
		a = answer{}
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatal(err)
		}
	}
	if a.Seed != 3 || a.TraceHash != want {
		t.Errorf("worker: seed %d, trace %v, want %v", a.Seed, a.TraceHash, want)
	}
}
