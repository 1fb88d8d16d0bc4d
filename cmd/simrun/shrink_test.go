package main

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"simrun/reports"
	"simrun/sim/plan"
)

// An interrupt of the last run of a shrink ends that run early, and the next one the
// process, as the first has said. Nobody reads its output, so that it cannot end by itself
// in between.
func TestShrinkInterruptedTwice(t *testing.T) {
	t.Parallel()
	small := tinyPlan(t)
	small.Phases.Calm = plan.Duration(time.Millisecond) // nobody can be in time
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "impatient.toml"), []byte(small.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "simrun", "shrink", "impatient.toml", "--runs", "1", "--workers", "1", "--out", "small.toml")
	cmd.Dir = dir
	cmd.Stdout = fullPipe(t)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err = cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for { // until the last run records
		if _, err = os.Stat(filepath.Join(dir, "out", "small", reports.FileHistory)); err == nil {
			break
		}
		if t.Context().Err() != nil {
			t.Fatal("the smallest plan is not run")
		}
		time.Sleep(5 * time.Millisecond)
	}
	interrupt := func() {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
	}
	interrupt()
	said := bufio.NewScanner(stderr)
	for said.Scan() && !strings.HasSuffix(said.Text(), "interrupt again to leave at once") {
	}
	interrupt()
	killed := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
	defer killed.Stop()
	_ = cmd.Wait()
	if ended, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || ended.Signal() != syscall.SIGINT {
		t.Errorf("the second interrupt did not end it: %v", cmd.ProcessState)
	}
}

// fullPipe returns the end of a pipe into which nothing can be written any more.
func fullPipe(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = r.Close(), w.Close() })
	if err = w.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := w.Write(make([]byte, 4<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("a pipe takes %d bytes: %v", n, err)
	}
	return w
}
