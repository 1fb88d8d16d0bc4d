package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"simrun/checker"
	"simrun/scenarios"
	"simrun/scenarios/planted"
	"simrun/sim/plan"
	"simrun/sim/reduce"
	"simrun/sim/shrink"
)

// However many workers there are and in whatever order they answer, what comes out is what
// trying one candidate after the other gives. The method: a failure that needs faults and
// clients which are drawn, and workers that answer, or are lost, in an order that is drawn.
func TestTrialsAreInOrder(t *testing.T) {
	s := tiny(t)
	rapid.Check(t, func(t *rapid.T) {
		p := s.Plan(rapid.Uint64Range(1, 20).Draw(t, "seed"))
		faultsMin := rapid.IntRange(0, len(p.Faults)).Draw(t, "faults")
		clientsMin := rapid.IntRange(1, p.Workload.Clients).Draw(t, "clients")
		fails := func(p *plan.Plan) bool { return len(p.Faults) >= faultsMin && p.Workload.Clients >= clientsMin }
		want, err := shrink.Shrink(p, shrink.Options{First: reduce.OneByOne(func(p *plan.Plan) (bool, error) { return fails(p), nil })})
		if err != nil {
			t.Fatal(err)
		}
		workers := rapid.IntRange(1, 5).Draw(t, "workers")
		trials := newTrials(p, "VIOLATION pretended", 0, func(p *plan.Plan) {
			if !fails(p) {
				t.Fatalf("taken, and does not fail:\n%s", p)
			}
		}, io.Discard)
		var busy []job
		waited := 0
		for {
			for len(busy) < workers {
				j, ok := trials.next()
				if !ok || j.later {
					waited++
					break
				}
				busy = append(busy, j)
			}
			if trials.over {
				break
			}
			if len(busy) == 0 {
				t.Fatal("nobody works, and the shrink is not over")
			}
			i := rapid.IntRange(0, len(busy)-1).Draw(t, "answers")
			a := lostAnswer(busy[i].Seed, "worker died", "over a candidate")
			candidate, parseErr := plan.Parse("job.toml", busy[i].Plan)
			switch {
			case parseErr != nil:
				t.Fatal(parseErr)
			case fails(&candidate):
				a = answer{Seed: busy[i].Seed, Verdict: checker.Violation, Signature: "VIOLATION pretended"}
			case rapid.Bool().Draw(t, "answered"):
				a = answer{Seed: busy[i].Seed}
			}
			busy = slices.Delete(busy, i, i+1)
			trials.take(a)
		}
		got, err := trials.end()
		if err != nil || got.Plan.String() != want.Plan.String() || got.Tries != want.Tries || !got.Smallest {
			t.Fatalf("error %v, %d tries, want %d:\n%s\nwant\n%s", err, got.Tries, want.Tries, got.Plan, want.Plan)
		}
		if workers == 1 && trials.runs != got.Tries {
			t.Fatalf("%d runs of one worker for %d tries", trials.runs, got.Tries)
		}
	})
}

// A shrink whose pool ends before it does keeps what it has.
func TestTrialsStopped(t *testing.T) {
	p := tinyPlan(t)
	var last *plan.Plan
	trials := newTrials(p, "VIOLATION pretended", 0, func(p *plan.Plan) { last = p }, io.Discard)
	for range 3 {
		j, _ := trials.next()
		trials.take(answer{Seed: j.Seed, Verdict: checker.Violation, Signature: "VIOLATION pretended"})
	}
	got, err := trials.end()
	if err != nil || got.Smallest || last == nil || got.Plan.String() != last.String() || trials.runs != 3 {
		t.Errorf("error %v, smallest %v, %d runs", err, got.Smallest, trials.runs)
	}
}

// Candidates that hang, or with which their process dies, are not taken for the failure;
// workers that were told to wait go on, and all of them end.
func TestPoolWaits(t *testing.T) {
	t.Parallel()
	var stderr bytes.Buffer
	p := fakePool(t, "panic", &stderr)
	p.workers = 3
	given, answered := 0, 0
	err := p.run(t.Context(), func() (job, bool) {
		switch {
		case given == 6:
			return job{}, false
		case given > answered: // one after the other, whoever asks
			return job{later: true}, true
		}
		given++
		return job{Seed: uint64(given)}, true
	}, func(answer) { answered++ })
	if err != nil || answered != 6 {
		t.Errorf("%d answers, error %v: %s", answered, err, stderr.String())
	}
	// Nobody waits for an answer that does not come any more.
	ctx, cancel := context.WithCancel(t.Context())
	p = fakePool(t, "hang", &stderr)
	p.workers = 2
	begun := time.Now()
	err = p.run(ctx, func() (job, bool) {
		if given++; given == 7 {
			return job{Seed: 3}, true
		}
		time.AfterFunc(100*time.Millisecond, cancel)
		return job{later: true}, true
	}, func(answer) {})
	if err != nil || time.Since(begun) > p.timeout {
		t.Errorf("error %v after %v", err, time.Since(begun))
	}
}

// A failure of a database with a bug shrinks to what the bug needs: without a sync of the raft
// log that is a few writes and no fault at all, for the audit cuts the power. The method: the program is
// built with the bug, fails, and shrinks its own failure.
func TestShrinkOfPlantedBug(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	t.Parallel()
	bugs, err := planted.Select([]string{"K01"})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "simrun-K01")
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	if err = bugs[0].Build(t.Context(), root, program); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "shrink", "register", "--seed", "1", "--workers", "2")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != exitViolation {
		t.Fatalf("%v:\n%s", err, out)
	}
	file := filepath.Join(dir, "out", "register-1", fileShrunk)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	small, err := plan.Parse(file, string(text))
	if err != nil {
		t.Fatal(err)
	}
	s, err := scenarios.Find("register")
	if err != nil {
		t.Fatal(err)
	}
	before, after := shrink.SizeOf(s.Plan(1)), shrink.SizeOf(&small)
	if after.Faults > 0 || after.Clients > 1 || after.Storm > before.Storm/2 || after.Settings > before.Settings/2 || !strings.HasPrefix(string(text), shrunkSign) {
		t.Errorf("from %+v to %+v:\n%s", before, after, out)
	}
	replay := exec.CommandContext(t.Context(), program, "replay", filepath.Join("out", "register-1-shrunk"))
	replay.Dir = dir
	if out, _ = replay.CombinedOutput(); replay.ProcessState.ExitCode() != exitViolation || !strings.Contains(string(out), "replayed exactly") {
		t.Errorf("replay:\n%s", out)
	}
}
