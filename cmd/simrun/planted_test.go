package main

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"simrun/checker"
	"simrun/scenarios/planted"
)

// However many workers there are and in whatever order they answer, the seed
// that is found is the first that fails, and what is counted are the seeds up to
// it. The method: answers come in an order that is drawn, from as many workers
// as are drawn, for failing seeds that are drawn.
func TestDetectionIsInSeedOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.Uint64Range(1, 30).Draw(t, "limit")
		failing := rapid.SliceOfDistinct(rapid.Uint64Range(1, 40), func(seed uint64) uint64 { return seed }).Draw(t, "failing")
		workers := rapid.IntRange(1, 8).Draw(t, "workers")
		h := inOrder{limit: limit}
		var busy []uint64
		for {
			for len(busy) < workers {
				j, ok := h.next()
				if !ok {
					break
				}
				busy = append(busy, j.Seed)
			}
			if len(busy) == 0 || h.found {
				break
			}
			i := rapid.IntRange(0, len(busy)-1).Draw(t, "answers")
			a := answer{Seed: busy[i], CPU: time.Second}
			if slices.Contains(failing, a.Seed) {
				a.Verdict, a.Signature = checker.Violation, "VIOLATION bank total"
			}
			busy = slices.Delete(busy, i, i+1)
			h.take(a)
		}
		slices.Sort(failing)
		want := detection{seeds: int(limit), cpu: time.Duration(limit) * time.Second}
		if len(failing) > 0 && failing[0] <= limit {
			want = detection{
				found: true, seed: failing[0], seeds: int(failing[0]), cpu: time.Duration(failing[0]) * time.Second, signature: "bank total",
			}
		}
		if h.detection != want {
			t.Fatalf("got %+v, want %+v", h.detection, want)
		}
	})
}

// A seed that cannot be run ends the hunt for a planted bug, unless an earlier
// one finds it: it is no evidence of blindness. Lost workers are told.
func TestDetectionWithoutVerdicts(t *testing.T) {
	t.Parallel()
	h := inOrder{limit: 100}
	for range 4 {
		h.next()
	}
	h.take(answer{Seed: 3, Error: "the plan is gone"})
	if _, ok := h.next(); ok || h.err != nil {
		t.Errorf("more seeds: %v, error %v", ok, h.err)
	}
	h.take(lostAnswer(1, "worker died", "the worker process died"))
	h.take(answer{Seed: 2})
	if h.err == nil || h.err.Error() != "seed 3 cannot be run: the plan is gone" || h.seeds != 2 {
		t.Errorf("got %v after %d seeds", h.err, h.seeds)
	}
	h.bug = &planted.Bug{ID: "X1", Scenario: "bank"}
	if got := h.String(); got != "X1 NOT FOUND in bank, 2 seeds, 0.00 CPU-seconds; 1 seed had no verdict, the first of them seed 1: the worker process died" {
		t.Errorf("got %s", got)
	}
	h = inOrder{limit: 100}
	for range 2 {
		h.next()
	}
	h.take(answer{Seed: 2, Error: "the plan is gone"})
	h.take(answer{Seed: 1, Verdict: checker.Violation})
	if !h.found || h.err != nil {
		t.Errorf("found %v, %v", h.found, h.err)
	}
}

// A program that cannot run what it is to hunt in is an error.
func TestDetectError(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("simrun")
	if err != nil {
		t.Fatal(err)
	}
	// Some seeds draw a plan in which a request lasts longer than its operation may.
	file := scenarioFile(t, "[knobs]", "[knobs]\nrequest-timeout = [\"2s\", \"100ms\"]\noperation-timeout = [\"1s\", \"10s\"]")
	bug := &planted.Bug{ID: "X1", Scenario: file}
	f := &plantedFlags{seeds: 50, workers: 2}
	if d, err := detect(t.Context(), bug, program, f, io.Discard); err == nil || !strings.Contains(err.Error(), " cannot be run: knobs.operation-timeout is 1s") {
		t.Errorf("got %v, %v", d, err)
	}
}

// An interrupt ends a build, and nothing temporary is left.
func TestPlantedInterrupted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := &process{t: t, cmd: exec.CommandContext(t.Context(), "simrun", "planted", "--apply-only", "--root", filepath.Join("..", ".."))}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.lines = bufio.NewScanner(out)
	p.cmd.Stderr = &p.stderr
	p.cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for len(folders(t, dir)) < 2 { // that of the command and that of the bug
		time.Sleep(5 * time.Millisecond)
	}
	p.signal(syscall.SIGTERM)
	if text, code := p.end(); code != exitUnknown || !strings.Contains(p.stderr.String(), "simrun: interrupted") {
		t.Errorf("exit status %d: %s%s", code, text, p.stderr.String())
	}
	if left := folders(t, dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func folders(t *testing.T, dir string) []os.DirEntry {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

func FuzzParseSeeds(f *testing.F) {
	for _, text := range []string{"7", "1-100", "3,7,20-30", "9-1", "1,,2", "-", "18446744073709551614-18446744073709551615"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 40 { // or it lists ten million seeds several times
			return
		}
		seeds, err := parseSeeds(text)
		if err == nil && len(seeds) == 0 || err != nil && seeds != nil {
			t.Errorf("%q: %d seeds, %v", text, len(seeds), err)
		}
		if uint64(len(seeds)) > seedsMax {
			t.Errorf("%q: %d seeds", text, len(seeds))
		}
	})
}
