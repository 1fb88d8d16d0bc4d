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

	"simrun/reports"
	"simrun/scenarios/runner"
	"simrun/sim/plan"
)

// runFlags are the flags of run.
type runFlags struct {
	seed uint64
	out  string
	log  string
}

func runCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run SCENARIO|PLAN.toml",
		Short: "Run one seed of a scenario, or a plan, and print the verdict",
		Example: `  simrun run bank --seed 7
  simrun run out/bank-7/plan.toml`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runOne(cmd, args[0], &f) },
	}
	cmd.Flags().Uint64Var(&f.seed, "seed", 1, "the seed that decides everything")
	cmd.Flags().StringVar(&f.out, "out", "", "output folder (default out/SCENARIO-SEED)")
	cmd.Flags().StringVar(&f.log, "log", "", "write what nodes and faults log to this file (- for standard error)")
	return cmd
}

func runOne(cmd *cobra.Command, name string, f *runFlags) error {
	src, err := findSource(name)
	if err != nil {
		return err
	}
	if src.plan != nil && cmd.Flags().Changed("seed") {
		return errors.New("a plan has its seed inside: edit the plan, or give a scenario with --seed")
	}
	p := src.planOf(f.seed)
	if f.out == "" {
		f.out = filepath.Join("out", folderName(p))
	}
	logf, closeLog, err := openLog(f.log, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	defer closeLog()
	folder, err := reports.Create(f.out)
	if err != nil {
		return err
	}
	run, err := runInto(folder, p, runner.Options{Logf: logf, Progress: progressLine(cmd.ErrOrStderr()), Interrupted: interrupts()})
	if err != nil {
		return err
	}
	err = reports.WriteText(cmd.OutOrStdout(), run, reports.TextOptions{Folder: folder.Path(), Color: isTerminal(cmd.OutOrStdout())})
	if err != nil {
		return err
	}
	return verdictStatus(run.Result.Verdict)
}

// runInto runs a plan and writes its folder.
func runInto(folder *reports.Folder, p *plan.Plan, opts runner.Options) (*reports.Run, error) {
	text := p.String()
	if err := folder.SavePlan(text); err != nil {
		return nil, err
	}
	stream, err := folder.HistoryStream()
	if err != nil {
		return nil, err
	}
	opts.History = stream
	begun := time.Now()
	outcome, err := runner.Run(p, opts)
	if closeErr := stream.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, err
	}
	outcome.Result.Wall = time.Since(begun)
	run := &reports.Run{Plan: text, History: outcome.History, Result: outcome.Result}
	return run, folder.Save(run)
}

func folderName(p *plan.Plan) string {
	name := p.Scenario
	if name == "" {
		name = "plan"
	}
	return fmt.Sprintf("%s-%d", name, p.Seed)
}

// openLog opens the file for the log; "" is none, "-" standard error.
func openLog(name string, stderr io.Writer) (logf func(string, ...any), closeLog func(), err error) {
	w := stderr
	closeLog = func() {}
	switch name {
	case "":
		return nil, closeLog, nil
	case "-":
	default:
		file, err := os.Create(name)
		if err != nil {
			return nil, nil, fmt.Errorf("cannot write the log: %w", err)
		}
		w, closeLog = file, func() { _ = file.Close() }
	}
	return func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }, closeLog, nil
}

// interrupts returns a function that reports whether the user has asked to
// stop. A second interrupt ends the process as usual.
func interrupts() func() bool {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	var asked atomic.Bool
	go func() {
		<-signals
		asked.Store(true)
		signal.Stop(signals)
	}()
	return asked.Load
}
