package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"simrun/nodes/env"
	"simrun/reports"
	"simrun/scenarios/trial"
	"simrun/sim/history"
)

// What the kit for systems of one's own has recorded can be reported and checked, and what
// would run its plan says who does.
func TestOwnSystem(t *testing.T) {
	t.Parallel()
	s := &trial.System{Name: "cell", Build: func(t *trial.Trial) {
		t.Clients(func(_ *env.Env, c *trial.Client) func(env.Task) {
			return func(task env.Task) {
				op := c.Begin(history.Op{Kind: history.Read, Key: "x"})
				task.Sleep(time.Second)
				c.End(op, history.OK)
			}
		})
	}}
	dir := t.TempDir()
	folder, err := reports.Create(filepath.Join(dir, "cell-1"), "")
	if err != nil {
		t.Fatal(err)
	}
	run, err := s.Run(s.Plan(1), trial.Options{Command: "go test ./cell"})
	if err == nil {
		err = folder.Save(run)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ args, want string }{
		{"report cell-1", "OK  cell, seed 1\n"},
		{"check cell-1", "linear     OK"},
		{"replay cell-1", "simrun: cell-1/plan.toml: this is a plan of cell, a system of its own, which simrun does not run; run it again with go test ./cell\n"},
		{"shrink cell-1", "simrun: cell-1/plan.toml: this is a plan of cell, a system of its own, which simrun does not run; run it again with go test ./cell\n"},
		{"run cell-1/plan.toml", "simrun: cell-1/plan.toml: this is a plan of cell, a system of its own, which simrun does not run; run the test of cell with SIM_PLAN=cell-1/plan.toml\n"},
	} {
		cmd := exec.CommandContext(t.Context(), "simrun", strings.Fields(c.args)...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if refused := strings.HasPrefix(c.want, "simrun: "); !strings.HasPrefix(string(out), c.want) || (cmd.ProcessState.ExitCode() == exitUsage) != refused {
			t.Errorf("simrun %s: %v\n%s", c.args, err, out)
		}
	}
}
