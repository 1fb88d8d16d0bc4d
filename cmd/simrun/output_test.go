package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"simrun/checker"
	"simrun/reports"
	"simrun/scenarios/runner"
)

// errFull is what a full disk says.
var errFull = errors.New("no space left on device")

// fullAfter takes so many bytes.
type fullAfter int

func (n *fullAfter) Write(p []byte) (int, error) {
	taken := min(len(p), int(*n))
	*n -= fullAfter(taken)
	if taken < len(p) {
		return taken, errFull
	}
	return taken, nil
}

// A history that cannot be written whole does not stop the run: the writer
// keeps what fits, and the error.
func TestLenient(t *testing.T) {
	disk := fullAfter(1000)
	w := &lenient{w: &disk}
	outcome, err := runner.Run(tinyPlan(t), runner.Options{History: w})
	if err != nil {
		t.Fatal(err)
	}
	if !errors.Is(w.err, errFull) || disk != 0 {
		t.Errorf("got %v, %d bytes left", w.err, disk)
	}
	if outcome.Result.Verdict != checker.OK || len(outcome.History.Ops) == 0 {
		t.Errorf("verdict %v over %d operations", outcome.Result.Verdict, len(outcome.History.Ops))
	}
}

// What was found is told although it could not be kept, and a violation is
// still a violation.
func TestTellUnkept(t *testing.T) {
	t.Parallel()
	folder := reports.Open("out/x")
	for _, c := range []struct {
		verdict checker.Verdict
		saveErr error
		room    int
		code    int
	}{
		{checker.OK, nil, 1 << 20, exitOK},
		{checker.OK, errFull, 1 << 20, exitUsage},
		{checker.OK, nil, 10, exitUsage},
		{checker.Violation, nil, 1 << 20, exitViolation},
		{checker.Violation, errFull, 1 << 20, exitViolation},
		{checker.Violation, nil, 10, exitViolation},
		{checker.Unknown, nil, 1 << 20, exitUnknown},
		{checker.Unknown, errFull, 1 << 20, exitUsage},
	} {
		room := fullAfter(c.room)
		var kept bytes.Buffer
		out := &output{w: &kept}
		if c.room < 100 {
			out.w = &room
		}
		run := &reports.Run{Result: &reports.Result{Verdict: c.verdict, Checkers: []checker.Result{{Checker: "x", Verdict: c.verdict}}}}
		got := conclude(tell(out, folder, run, c.saveErr), out)
		if got.code != c.code {
			t.Errorf("%v, %v: status %d, want %d", c.verdict, c.saveErr, got.code, c.code)
		}
		if wantErr := c.saveErr != nil || c.room < 100; wantErr != errors.Is(got.cause, errFull) {
			t.Errorf("%v, %v: says %v", c.verdict, c.saveErr, got.cause)
		}
		if c.room >= 100 && !strings.Contains(kept.String(), c.verdict.String()) {
			t.Errorf("%v, %v: prints %s", c.verdict, c.saveErr, kept.String())
		}
		if c.saveErr != nil && strings.Contains(kept.String(), "simrun replay") {
			t.Errorf("a run that was not kept cannot be replayed:\n%s", kept.String())
		}
	}
}

// On a disk that is full in the middle of a run the verdict is told, the error
// names the file, and what fitted is there.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(smallDisk(t, 32<<10), "run")
	file := scenarioFile(t, "min = \"1s\"\nmax = \"1s\"", "min = \"10s\"\nmax = \"10s\"")
	p := start(t, "run", file, "--out", folder)
	out, code := p.end()
	if code != exitUsage || !strings.HasPrefix(out, "OK  tiny, seed 1") {
		t.Errorf("exit status %d:\n%s", code, out)
	}
	said := p.stderr.String()
	if strings.Count(said, "\n") != 1 || !strings.Contains(said, "history.jsonl: cannot be written: no space left on device; make room") {
		t.Errorf("standard error: %s", said)
	}
	if _, err := os.Stat(filepath.Join(folder, reports.FilePlan)); err != nil {
		t.Error(err)
	}
	check := start(t, "check", folder)
	if out, code := check.end(); code != exitUnknown || !strings.Contains(out, "history truncated: ") {
		t.Errorf("check: exit status %d: %s%s", code, out, check.stderr.String())
	}
}

// smallDisk returns the folder of a file system with little room; the test is
// skipped where none can be made.
func smallDisk(t *testing.T, size int) string {
	t.Helper()
	dir := t.TempDir()
	if err := mountSmall(dir, size); err != nil {
		t.Skipf("no small file system can be made here: %v", err)
	}
	t.Cleanup(func() {
		if err := unmount(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}
