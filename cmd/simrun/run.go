package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"simrun/checker"
	"simrun/reports"
	"simrun/scenarios/runner"
	"simrun/sim/plan"
)

// runFlags are the flags of run.
type runFlags struct {
	seed seedFlag
	out  string
	log  string
	// trace says where every event goes.
	trace traceFlags
	// marks lists the rare branches.
	marks bool
	knobs []string
}

func runCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run SCENARIO|FILE.toml",
		Short: "Run one seed of a scenario, or a plan, and print the verdict",
		Long: `run takes the name of a scenario, or the path of a scenario or plan file. A plan has its
seed inside; --seed runs it under another one. The output folder gets the plan, the history
while it is recorded, and at the end the verdict, the trace and a page. A folder that holds
an earlier run keeps it until the new one is whole; till then that is in its subfolder ` + reports.FolderNew + `.
While a run writes into a folder, another one is refused there.
An interrupt ends the run early: what was recorded is checked and kept. The exit status is
that of the verdict.`,
		Example: `  simrun run bank --seed 7
  simrun run bank --seed 7 --trace events.txt --trace-from 2s --trace-to 3s
  simrun run bank --seed 7 --knob commit-mode=async --knob pessimistic=1000
  simrun run out/bank-7/plan.toml
  simrun run out/bank-7/plan.toml --seed 8`,
		Args: one("one scenario or plan"),
		RunE: func(cmd *cobra.Command, args []string) error { return runOne(cmd, args[0], &f) },
	}
	addSeedFlag(cmd, &f.seed)
	cmd.Flags().StringVar(&f.out, "out", "", "output folder (default out/SCENARIO-SEED, or after the plan's file)")
	cmd.Flags().BoolVar(&f.marks, "marks", false, "list how often each rare branch was reached")
	addKnobFlag(cmd, &f.knobs)
	cmd.Flags().StringVar(&f.log, "log", "", "write what nodes and faults log to this file (- for standard error)")
	f.trace.add(cmd)
	return cmd
}

func runOne(cmd *cobra.Command, name string, f *runFlags) error {
	src, err := findSource(name)
	if err != nil {
		return err
	}
	if err = src.fix(f.knobs); err != nil {
		return err
	}
	p := src.under(src.seed(f.seed, cmd.Flags().Changed("seed")))
	// Before the folder is taken over: a plan that cannot run replaces nothing.
	if err = runner.Check(p); err != nil {
		return fmt.Errorf("%s, seed %d: the plan cannot be run: %w", name, p.Seed, err)
	}
	switch {
	case f.out == "" && cmd.Flags().Changed("out"):
		return errors.New("--out is empty: name a folder, or leave it out")
	case f.out == "":
		f.out = src.folder(p.Seed)
	}
	if err = src.keepsPlan(f.out, p.Seed); err != nil {
		return err
	}
	var opts runner.Options
	folder, closeLogs, err := f.open(cmd, src, &opts)
	if err != nil {
		return err
	}
	progress, clearProgress := progressLine(cmd.ErrOrStderr())
	opts.Progress, opts.Interrupted = progress, interrupts(cmd.ErrOrStderr())
	run, err := runInto(folder, src, p, opts)
	clearProgress()
	if logErr := closeLogs(); err == nil {
		err = logErr
	}
	err = tell(cmd.OutOrStdout(), folder, run, err)
	if f.marks && run != nil {
		m := marks{}
		m.add(run.Result.Marks)
		fmt.Fprintln(cmd.OutOrStdout())
		m.table(cmd.OutOrStdout(), 1)
		m.summary(cmd.OutOrStdout(), true)
	}
	return err
}

// open makes the folder and, when that is there, the log and the file of the trace.
// In a mistake nothing is replaced and nothing left.
func (f *runFlags) open(cmd *cobra.Command, src *source, opts *runner.Options) (folder *reports.Folder, closeLogs func() error, err error) {
	if err = f.trace.check(); err != nil {
		return nil, nil, err
	}
	input := ""
	if src.plan != nil {
		input = src.name
	}
	left := reports.Unfinished(f.out)
	folder, err = reports.Create(f.out, input)
	if err != nil {
		return nil, nil, err
	}
	if left != "" {
		fmt.Fprintf(cmd.ErrOrStderr(), "simrun: %s, what a run recorded that did not come to its end, gives way\n", left)
	}
	logf, closeLog, err := openLog(f.log, cmd.ErrOrStderr())
	if err != nil {
		folder.Discard()
		return nil, nil, err
	}
	opts.Logf = logf
	closeTrace, err := f.trace.open(opts, cmd.ErrOrStderr())
	if err != nil {
		folder.Discard()
		return nil, nil, errors.Join(err, closeLog())
	}
	return folder, func() error { return errors.Join(closeLog(), closeTrace()) }, nil
}

// keepsPlan refuses to record a run of a plan under another seed where the plan lies: it
// stays as it is, and would not be the plan of that run.
func (s *source) keepsPlan(out string, seed uint64) error {
	if s.plan == nil || s.ownSeed(seed) || !sameFile(s.name, filepath.Join(out, reports.FilePlan)) {
		return nil
	}
	return fmt.Errorf("%s is the plan of the run in %s, and has another seed: choose another folder (--out)", s.name, out)
}

// settle makes a folder that of one run, if the process was killed that was at it, and says
// where else something was recorded for it.
func settle(stderr io.Writer, dir string) error {
	if err := reports.Complete(dir); err != nil {
		return err
	}
	if left := reports.Unfinished(dir); left != "" {
		fmt.Fprintf(stderr, "simrun: %s is an earlier run; one that is to take its place has not come to its end, and what it recorded is in %s\n", dir, left)
	}
	return nil
}

// tell prints the verdict of a run. saveErr is why the run, or a part of it,
// could not be kept: what was found is told all the same.
func tell(w io.Writer, folder *reports.Folder, run *reports.Run, saveErr error) error {
	if run == nil {
		return saveErr
	}
	opts := reports.TextOptions{Folder: folder.Path(), Color: isTerminal(w)}
	if saveErr != nil {
		opts.Folder = "" // there is nothing to compare with
	}
	err := reports.WriteText(w, run, opts)
	if err == nil {
		err = saveErr
	}
	switch {
	case err == nil:
		return verdictStatus(run.Result.Verdict)
	case run.Result.Verdict == checker.Violation:
		return status{exitViolation, err}
	}
	return err
}

// runInto runs a plan and writes its folder. It returns what was found even if
// that could not be written.
func runInto(folder *reports.Folder, src *source, p *plan.Plan, opts runner.Options) (*reports.Run, error) {
	text := p.String()
	defer folder.Discard() // unless it was saved
	if err := folder.SavePlan(text); err != nil {
		return nil, err
	}
	stream, err := folder.HistoryStream()
	if err != nil {
		return nil, err
	}
	history := &lenient{w: stream}
	opts.History = history
	begun := time.Now()
	outcome, err := runner.Run(p, opts)
	if closeErr := stream.Close(); history.err == nil {
		history.err = closeErr
	}
	if err != nil {
		return nil, err
	}
	outcome.Result.Wall = time.Since(begun)
	outcome.Result.Program = program()
	if !src.embedded || len(src.knobs) > 0 {
		outcome.Result.Command = src.command(p.Seed)
	}
	outcome.Result.Shrunk = src.shrunk
	run := &reports.Run{Plan: text, History: outcome.History, Result: outcome.Result}
	if err := folder.Save(run); history.err == nil {
		return run, err
	}
	return run, history.err
}

// lenient passes on what is written until an error, and then swallows the rest:
// a run goes on and is checked though its history cannot be kept.
type lenient struct {
	w   io.Writer
	err error // the first
}

func (l *lenient) Write(p []byte) (int, error) {
	if l.err == nil {
		_, l.err = l.w.Write(p)
	}
	return len(p), nil
}

// openLog opens the file for the log; see openLines.
func openLog(name string, stderr io.Writer) (logf func(string, ...any), closeLog func() error, err error) {
	w, closeLog, err := openLines("log", name, stderr)
	if w != nil {
		logf = func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
	}
	return logf, closeLog, err
}

// interrupts returns a function that reports whether the user has asked to
// stop. A second interrupt ends the process as usual.
func interrupts(stderr io.Writer) func() bool {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	var asked atomic.Bool
	go func() {
		<-signals
		asked.Store(true)
		signal.Stop(signals)
		if isTerminal(stderr) {
			fmt.Fprintln(stderr) // the line shows the progress, and ^C
		}
		fmt.Fprintln(stderr, "simrun: interrupted: what there is so far is checked now; interrupt again to leave at once")
	}()
	return asked.Load
}
