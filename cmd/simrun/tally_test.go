package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"simrun/checker"
	"simrun/nodes/invariant"
	"simrun/reports"
)

// ran is the answer of a seed that was run.
func ran(seed uint64, v checker.Verdict, signature, message string) answer {
	a := answer{Seed: seed, Verdict: v, Signature: signature, Message: message, CPU: 500 * time.Millisecond}
	a.Stats.Events, a.Stats.Virtual = 1000, 2e9
	a.Stats.Faults = []reports.FaultCount{{Kind: "kill", Scheduled: 1, Effective: 1}}
	return a
}

// What is not OK is told when it comes, a few of each kind, and at the end all
// are counted, the most frequent first.
func TestTally(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	tl := newTally(&source{name: "bank", embedded: true}, &out, &bytes.Buffer{}, -1)
	for seed := uint64(1); seed <= 6; seed++ {
		tl.take(ran(seed, checker.OK, "OK", ""))
	}
	for _, seed := range []uint64{19, 12, 15, 13} {
		tl.take(ran(seed, checker.Violation, "VIOLATION bank total", "bank: the total is 99"))
	}
	idle := ran(20, checker.OK, "OK", "")
	idle.Stats.Faults = nil
	idle.Never = []string{"order", "look"}
	tl.take(idle)
	tl.take(answer{Seed: 21, Error: "no such workload"})
	tl.take(ran(22, checker.Unknown, "UNKNOWN", ""))
	tl.interrupted = true
	tl.total = 20
	tl.leave([]unfinished{{23, 900 * time.Millisecond}, {24, 4 * time.Second}, {25, 31 * time.Second}}, 3*time.Second)
	tl.summary(3 * time.Second)
	want := `VIOLATION bank total  bank, seed 19
    bank: the total is 99
    simrun run bank --seed 19
    simrun shrink bank --seed 19
VIOLATION bank total  bank, seed 12
    bank: the total is 99
    simrun run bank --seed 12
    simrun shrink bank --seed 12
VIOLATION bank total  bank, seed 15
    bank: the total is 99
    simrun run bank --seed 15
    simrun shrink bank --seed 15
    (more of this kind are only counted)
NOT RUN  bank, seed 21
    no such workload
    simrun run bank --seed 21
UNKNOWN  bank, seed 22
    simrun run bank --seed 22
UNKNOWN did not finish  bank, seed 25
    was still running after 31s when the hunt ended, and the longest other seed took 3s
    simrun run bank --seed 25

┌────────────────────────┬───────┬──────────────────────────────┐
│ FOUND                  │ SEEDS │ TO RUN THE FIRST AGAIN       │
├────────────────────────┼───────┼──────────────────────────────┤
│ VIOLATION bank total   │     4 │ simrun run bank --seed 12    │
│                        │       │ simrun shrink bank --seed 12 │
│ NOT RUN                │     1 │ simrun run bank --seed 21    │
│ UNKNOWN                │     1 │ simrun run bank --seed 22    │
│ UNKNOWN did not finish │     1 │ simrun run bank --seed 25    │
└────────────────────────┴───────┴──────────────────────────────┘
1.8 virtual seconds and 0.46 CPU-seconds a seed, 2000 events and 4.0 virtual seconds per CPU-second, 3s in all
no fault took effect in 1 run
program look never succeeded in 1 of 13 runs
program order never succeeded in 1 of 13 runs
1 seed could not be run
seed 23 was still under way after 900ms: not judged
seed 24 was still under way after 4s: not judged
4 of 20 seeds were not run
interrupted; this is what was found so far
bank: 14 seeds: 7 OK, 4 VIOLATION, 2 UNKNOWN, 0 UNRECOVERABLE
`
	if got := out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A hunt that nobody watches tells now and then that it goes on.
func TestTallyLog(t *testing.T) {
	t.Parallel()
	var out, log bytes.Buffer
	tl := newTally(&source{name: "bank"}, &out, &log, -1)
	tl.take(ran(1, checker.OK, "OK", ""))
	tl.logged = tl.logged.Add(-logEvery)
	tl.take(ran(2, checker.OK, "OK", ""))
	tl.take(ran(3, checker.OK, "OK", ""))
	if log.String() != "2 seeds so far, 2 OK\n" || out.Len() > 0 {
		t.Errorf("got %q and %q", log.String(), out.String())
	}
}

// Marks are summed over the answers of all workers and listed by package; the
// unreached ones are named, unless the whole package has no part in the scenario.
func TestTallyMarks(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	tl := newTally(&source{name: "bank"}, &out, &bytes.Buffer{}, -1)
	for seed := range uint64(2) {
		a := ran(seed, checker.OK, "OK", "")
		a.Marks = []invariant.Count{
			{Name: "engine: often", Count: 20},
			{Name: "raftstore: at no time"},
			{Name: "raftstore: seldom", Count: seed},
			{Name: "registers: here", Count: 0},
			{Name: "registers: there", Count: 0},
		}
		tl.take(a)
	}
	tl.marks.table(&out, tl.seeds)
	tl.marks.summary(&out, true)
	want := `engine, 1 of 1
          40  often (in 2 of 2 seeds)
raftstore, 1 of 2
       never  at no time
           1  seldom (in 1 of 2 seeds)
registers, 0 of 2
       never  here
       never  there
2 of 5 rare branches reached
  raftstore: 1 of 2, and never
    at no time
  registers: none of 2
`
	if out.String() != want {
		t.Errorf("got\n%s", out.String())
	}
	out.Reset()
	tl.marks.summary(&out, false)
	if out.String() != "2 of 5 rare branches reached; --marks lists them\n" {
		t.Errorf("without a list: %s", out.String())
	}
	out.Reset()
	marks{}.summary(&out, false)
	if out.Len() > 0 {
		t.Errorf("without a run: %s", out.String())
	}
}

// The exit status: a violation outweighs everything, an error of the hunt what
// the runs left open.
func TestTallyStatus(t *testing.T) {
	t.Parallel()
	ok, violation := ran(1, checker.OK, "OK", ""), ran(2, checker.Violation, "VIOLATION x", "")
	unknown, notRun := ran(3, checker.Unknown, "UNKNOWN", ""), answer{Seed: 4, Error: "no"}
	diverged := ran(5, checker.OK, "OK", "")
	diverged.Divergence = "event 7"
	broken := errors.New("broken")
	for _, c := range []struct {
		name        string
		answers     []answer
		err         error
		interrupted bool
		want        int
	}{
		{"nothing", nil, nil, false, exitUnknown},
		{"ok", []answer{ok}, nil, false, exitOK},
		{"interrupted", []answer{ok}, nil, true, exitUnknown},
		{"interrupted, not run", []answer{ok, notRun}, nil, true, exitUnknown},
		{"interrupted, violation", []answer{ok, violation}, nil, true, exitViolation},
		{"unknown", []answer{ok, unknown}, nil, false, exitUnknown},
		{"not run", []answer{ok, notRun, unknown}, nil, false, exitUsage},
		{"violation", []answer{notRun, unknown, violation}, nil, false, exitViolation},
		{"diverged", []answer{ok, diverged}, nil, false, exitViolation},
		{"error", []answer{ok, unknown}, broken, false, exitUsage},
		{"error, violation", []answer{ok, violation}, broken, false, exitViolation},
	} {
		t.Run(c.name, func(t *testing.T) {
			tl := newTally(&source{name: "bank"}, &bytes.Buffer{}, &bytes.Buffer{}, -1)
			tl.keepCases = true
			for _, a := range c.answers {
				tl.take(a)
			}
			tl.interrupted = c.interrupted
			if got := conclude(tl.status(c.err), &output{}); got.code != c.want || !errors.Is(got.cause, c.err) {
				t.Errorf("got %d, %v; want %d", got.code, got.cause, c.want)
			}
			if green := isGreen(t, tl, c.err); green != (c.want == exitOK) && c.name != "diverged" { // which is verify's, without a suite
				t.Errorf("status %d, and the test suite is green: %v", c.want, green)
			}
		})
	}
}

// Seeds that were asked for and have no answer leave the hunt without a verdict;
// those that only the time would have given do not.
func TestTallyOpen(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		total int
		under []unfinished
		want  int
	}{
		{1, nil, exitOK},
		{2, nil, exitUnknown},
		{2, []unfinished{{2, time.Second}}, exitUnknown},
		{-1, []unfinished{{2, 4 * time.Second}}, exitOK},
		{-1, []unfinished{{2, 14 * time.Second}}, exitUnknown},
	} {
		tl := newTally(&source{name: "bank"}, &bytes.Buffer{}, &bytes.Buffer{}, c.total)
		tl.keepCases = true
		tl.take(ran(1, checker.OK, "OK", ""))
		tl.leave(c.under, time.Second)
		if got := conclude(tl.status(nil), &output{}); got.code != c.want {
			t.Errorf("%d seeds, %v: got %d, want %d", c.total, c.under, got.code, c.want)
		}
		if green := isGreen(t, tl, nil); green != (c.want == exitOK) {
			t.Errorf("%d seeds, %v: status %d, and the test suite is green: %v", c.total, c.under, c.want, green)
		}
	}
}

// isGreen reports whether the test suite of a hunt that ended with an error, or with none, has nothing but
// successes. It has to agree with the exit status.
func isGreen(t *testing.T, tl *tally, ended error) bool {
	t.Helper()
	var suite bytes.Buffer
	if err := reports.WriteJUnit(&suite, "bank", append(tl.cases, tl.openCases(ended)...)); err != nil {
		t.Fatal(err)
	}
	return strings.Contains(suite.String(), `failures="0" errors="0" skipped="0"`)
}

// A test suite names the seed of what failed and the command.
func TestJUnitCases(t *testing.T) {
	t.Parallel()
	a := ran(7, checker.Violation, "VIOLATION bank total", "the total is 99")
	a.Checkers = []checker.Result{{
		Checker: "bank", Verdict: checker.Violation,
		Findings: []checker.Finding{{Checker: "bank", Anomaly: "total", Message: "the total is 99"}},
	}}
	src := &source{name: "bank", embedded: true}
	var out bytes.Buffer
	cases := []reports.Case{a.junitCase(src), (&answer{Seed: 8, Error: "no such workload"}).junitCase(src)}
	if err := reports.WriteJUnit(&out, "bank", cases); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`tests="2" failures="1" errors="1"`, "bank, seed 7", "run it again: simrun run bank --seed 7", "bank, seed 8", "no such workload"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
}
