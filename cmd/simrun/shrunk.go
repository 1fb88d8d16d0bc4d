package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"simrun/reports"
	"simrun/scenarios/runner"
	"simrun/sim/plan"
	"simrun/sim/shrink"
)

// fileShrunk is the name, in the folder of a run, of the smallest plan that fails as the
// run does.
const fileShrunk = "shrunk.toml"

// shrunkSign begins a file that shrink has written.
const shrunkSign = "# Shrunk by simrun"

// shrunkFile is where the smallest plan goes.
type shrunkFile struct {
	name    string
	comment string // before the plan
}

// open finds out where the smallest plan goes, and refuses what is not to be replaced.
func (c *failing) open(out string) (*shrunkFile, error) {
	f := &shrunkFile{name: out, comment: fmt.Sprintf("%s from %s and %s: %s\n# It fails with %s.\n", shrunkSign,
		plural(len(c.plan.Faults), "fault"), plural(c.plan.Workload.Clients, "client"), c.command, c.result.Signature())}
	if out == "" {
		f.name = filepath.Join(c.folder, fileShrunk)
	}
	info, err := os.Stat(f.name)
	switch {
	case err == nil && !info.IsDir() && !info.Mode().IsRegular():
		return nil, fmt.Errorf("cannot write %s: it is no regular file", f.name)
	case sameFile(f.name, c.name):
		return nil, fmt.Errorf("cannot write %s: that is the plan to be shrunk; choose another file (--out)", f.name)
	}
	if out == "" {
		if err = os.MkdirAll(c.folder, 0o755); err != nil {
			return nil, fmt.Errorf("cannot make the folder %s: %w; choose a file elsewhere (--out)", c.folder, withoutPath(err))
		}
	}
	file, err := openOut(f.name, shrunkSign)
	if err != nil {
		return nil, err
	}
	file.discard()
	return f, nil
}

// save writes a plan in the place of the one before.
func (f *shrunkFile) save(p *plan.Plan) error {
	file, err := openOut(f.name, shrunkSign)
	if err != nil {
		return err
	}
	_, err = io.WriteString(file, f.comment+p.String())
	return file.keep(err)
}

// shrunk is what a shrink has come to.
type shrunk struct {
	*failing

	file        string // of the smallest plan
	small       *plan.Plan
	runs        int           // in workers
	workerCPU   time.Duration // of these
	begun       time.Time
	smallest    bool
	interrupted bool
}

// tell runs the smallest plan once more, into a folder of its own, and prints what has
// become of it.
func (s *shrunk) tell(cmd *cobra.Command) error {
	w := cmd.OutOrStdout()
	if s.interrupted {
		s.summary(w, nil, "")
		return verdictStatus(s.result.Verdict)
	}
	src := &source{name: s.file, plan: s.small, shrunk: true}
	opts := runner.Options{Interrupted: interrupts(cmd.ErrOrStderr())}
	folder, closeLogs, err := (&runFlags{out: src.folder(s.small.Seed)}).open(cmd, src, &opts)
	if err != nil {
		s.summary(w, nil, "")
		return status{exitViolation, err}
	}
	before := cpuTime()
	run, err := runInto(folder, src, s.small, opts)
	s.cpu += cpuTime() - before
	err = tell(w, folder, run, errors.Join(err, closeLogs()))
	if run == nil {
		s.summary(w, nil, "")
		return status{exitViolation, err}
	}
	fmt.Fprintln(w)
	s.summary(w, run.Result, folder.Path())
	if got, want := run.Result.Signature(), s.result.Signature(); got != want {
		return status{exitViolation, fmt.Errorf("the plan was %s in a worker and is %s here: the simulation is not deterministic: simrun verify %s names the first difference",
			want, got, reports.ShellQuoted(s.file))}
	}
	return err
}

// summary prints how much smaller the plan is, what that took, and what to do with it.
// last is what its own run has found, nil if there was none.
func (s *shrunk) summary(w io.Writer, last *reports.Result, folder string) {
	fmt.Fprintf(w, "%s\n", s.result.Signature())
	s.table(w, last)
	fmt.Fprintf(w, "%s, %s CPU-seconds, %v in all", plural(s.runs, "run"), seconds(s.cpu+s.workerCPU), rounded(time.Since(s.begun)))
	switch {
	case s.interrupted:
		fmt.Fprintln(w, "; interrupted: it may become smaller still")
	case s.smallest:
		fmt.Fprintln(w, "; no single step makes it smaller")
	default:
		fmt.Fprintln(w, "; it may become smaller still")
	}
	fmt.Fprintf(w, "    simrun run %s\n", reports.ShellQuoted(s.file))
	if folder != "" {
		fmt.Fprintf(w, "    simrun replay %s\n", reports.ShellQuoted(folder))
	}
	if !s.smallest {
		fmt.Fprintf(w, "    simrun shrink %s\n", reports.ShellQuoted(s.file))
	}
}

// table compares the sizes of two plans, and the numbers of operations that their
// runs have recorded.
func (s *shrunk) table(w io.Writer, last *reports.Result) {
	before, after := shrink.SizeOf(s.plan), shrink.SizeOf(s.small)
	t := table.NewWriter()
	t.SetOutputMirror(w)
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"", "before", "after"})
	t.AppendRow(table.Row{"faults", before.Faults, after.Faults})
	t.AppendRow(table.Row{"clients", before.Clients, after.Clients})
	if last != nil {
		t.AppendRow(table.Row{"operations", operations(s.result), operations(last)})
	}
	for _, row := range []table.Row{
		{"storm", before.Storm, after.Storm},
		{"stores", before.Stores, after.Stores},
		{"regions", before.Regions, after.Regions},
		{"keys", before.Keys, after.Keys},
		{"settings not as usual", before.Settings, after.Settings},
	} {
		t.AppendRow(row)
	}
	t.Render()
}

// operations is how many operations a run has recorded, of all phases.
func operations(r *reports.Result) int {
	n := 0
	for i := range r.Stats.Operations {
		n += r.Stats.Operations[i].Total()
	}
	return n
}
