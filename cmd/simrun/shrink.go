package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"simrun/checker"
	"simrun/reports"
	"simrun/scenarios"
	"simrun/scenarios/runner"
	"simrun/sim/plan"
)

// shrinkFlags are the flags of shrink.
type shrinkFlags struct {
	seed        seedFlag
	out         string
	limit       time.Duration
	runs        int
	workers     int
	seedTimeout time.Duration
	knobs       []string
}

func shrinkCommand() *cobra.Command {
	var f shrinkFlags
	cmd := &cobra.Command{
		Use:   "shrink FOLDER|SCENARIO|FILE.toml",
		Short: "Find a minimal plan that still fails in the same way",
		Long: `shrink runs a failing plan again and again, each time with something taken away -
faults, operations, clients, the end of the storm, stores, regions, parts of faults,
settings that are not as usual - and keeps what still fails in the same way: with the
same verdict, checker and anomaly. It ends with a minimal plan: no single step makes it
smaller. The lengths of boot, calm and audit stay as they are.

The plan is kept whenever it has become smaller, in the folder of the run, as
` + fileShrunk + `, or in the file of --out, and is run once more at the end, as simrun run
does. An interrupt leaves the smallest plan so far; so does the end of --for or --runs.
Without --for, the result is independent of --workers.

Exit status: 1 after a shrink, because the plan that it leaves fails; 2 if there is
nothing to shrink because the run passes; 3 if the run has no verdict.`,
		Example: `  simrun shrink out/bank-7
  simrun shrink bank --seed 7 --for 10m
  simrun shrink plan.toml --out small.toml`,
		Args: one("the folder of one run, one plan or one scenario"),
		RunE: func(cmd *cobra.Command, args []string) error { return shrinkOne(cmd, args[0], &f) },
	}
	addSeedFlag(cmd, &f.seed)
	cmd.Flags().StringVar(&f.out, "out", "", "file of the minimal plan (default "+fileShrunk+" in the folder of the run)")
	cmd.Flags().DurationVar(&f.limit, "for", 0, "stop after this much real time")
	cmd.Flags().IntVar(&f.runs, "runs", 0, "stop after this many runs")
	addPoolFlags(cmd, &f.workers, &f.seedTimeout)
	addKnobFlag(cmd, &f.knobs)
	return cmd
}

func shrinkOne(cmd *cobra.Command, name string, f *shrinkFlags) error {
	if err := f.check(cmd); err != nil {
		return err
	}
	ctx, cancel := interruptible(cmd.Context())
	defer cancel()
	c, err := f.find(cmd, name)
	if err != nil {
		return err
	}
	if err = c.run(ctx, cmd); err != nil {
		return err
	}
	if err = c.refuse(c.result); err != nil {
		return err
	}
	file, err := c.open(f.out)
	if err != nil {
		return err
	}
	s, err := f.shrink(ctx, cmd, c, file)
	if err != nil {
		return status{exitViolation, err} // that it fails is known
	}
	cancel() // the interrupts are tell's now: a second one is to end the process
	return s.tell(cmd)
}

// check checks the values of the flags.
func (f *shrinkFlags) check(cmd *cobra.Command) error {
	switch {
	case f.limit < 0, f.limit == 0 && cmd.Flags().Changed("for"):
		return fmt.Errorf("--for %v: give a positive duration such as 10m", f.limit)
	case f.runs < 0, f.runs == 0 && cmd.Flags().Changed("runs"):
		return fmt.Errorf("--runs %d: give at least 1", f.runs)
	case f.out == "" && cmd.Flags().Changed("out"):
		return errors.New("--out is empty: name a file, or leave it out")
	}
	return checkPoolFlags(f.workers, f.seedTimeout)
}

// failing is what is to be shrunk.
type failing struct {
	plan    *plan.Plan
	name    string // as the command line has it
	command string // that shrinks it
	folder  string // of the run
	// recorded is the run in the folder, nil if it is not by its folder that the run was
	// named.
	recorded *reports.Run

	result *reports.Result // of the run
	cpu    time.Duration   // of all runs in this process
}

// find finds out what is to be shrunk.
func (f *shrinkFlags) find(cmd *cobra.Command, name string) (*failing, error) {
	if info, err := os.Stat(name); err == nil && info.IsDir() && !slices.Contains(scenarios.Names(), name) {
		for _, flag := range []string{"seed", "knob"} {
			if cmd.Flags().Changed(flag) {
				return nil, fmt.Errorf("--%s: %s holds one run, with its seed and knobs; give a scenario or a plan", flag, name)
			}
		}
		return findRecorded(cmd, name)
	}
	src, err := findSource(name)
	if err != nil {
		return nil, err
	}
	if err = src.fix(f.knobs); err != nil {
		return nil, err
	}
	p := src.under(src.seed(f.seed, cmd.Flags().Changed("seed")))
	if err = runner.Check(p); err != nil {
		return nil, fmt.Errorf("%s, seed %d: the plan cannot be run: %w", name, p.Seed, err)
	}
	return &failing{plan: p, name: name, command: src.commandTo("shrink", p.Seed), folder: src.folder(p.Seed)}, nil
}

// findRecorded reads the folder of a run that failed.
func findRecorded(cmd *cobra.Command, dir string) (*failing, error) {
	if err := settle(cmd.ErrOrStderr(), dir); err != nil {
		return nil, err
	}
	recorded, err := reports.Load(dir)
	if err != nil {
		return nil, withRemedy(err, dir)
	}
	if err = refuseOwn(dir, recorded); err != nil {
		return nil, err
	}
	p, err := parsePlan(filepath.Join(dir, reports.FilePlan), recorded.Plan)
	if err != nil {
		return nil, withRemedy(err, dir)
	}
	c := &failing{plan: &p, name: dir, command: "simrun shrink " + reports.ShellQuoted(dir), folder: dir, recorded: recorded}
	return c, c.refuse(recorded.Result)
}

// refuse returns an error for a run that is no violation.
func (c *failing) refuse(r *reports.Result) error {
	switch r.Verdict {
	case checker.Violation:
		return nil
	case checker.OK:
		return fmt.Errorf("nothing to shrink: %s seed %d passes", c.name, r.Seed)
	case checker.Unknown, checker.Unrecoverable:
	}
	err := fmt.Errorf("nothing to shrink: %s seed %d is %v; only a violation can be shrunk", c.name, r.Seed, r.Verdict)
	if line := r.Message(); line != "" {
		err = fmt.Errorf("%w: %s", err, line)
	}
	return status{exitUnknown, err}
}

// run runs what is to be shrunk, and makes sure that it is what was recorded.
func (c *failing) run(ctx context.Context, cmd *cobra.Command) error {
	before := cpuTime()
	interrupted := func() bool { return ctx.Err() != nil }
	progress, clearProgress := progressLine(cmd.ErrOrStderr())
	outcome, err := runner.Run(c.plan, runner.Options{Progress: progress, Interrupted: interrupted})
	clearProgress()
	switch {
	case err != nil:
		return err
	case interrupted():
		return status{exitUnknown, fmt.Errorf("%w before the run that is to be shrunk was over", errInterrupted)}
	}
	c.result = outcome.Result
	c.result.Program = program()
	if c.recorded != nil && c.recorded.Result.TraceHash != c.result.TraceHash {
		return explainDifference(c.folder, c.recorded.Result, c.result, onceMore(c.plan, interrupted))
	}
	c.cpu = cpuTime() - before
	return nil
}

// shrink shrinks it in the workers of a pool.
func (f *shrinkFlags) shrink(ctx context.Context, cmd *cobra.Command, c *failing, file *shrunkFile) (*shrunk, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	over, cancel := context.WithCancel(ctx)
	defer cancel()
	begun := time.Now()
	var saveErr error
	t := newTrials(c.plan, c.result.Signature(), f.runs, func(p *plan.Plan) {
		if saveErr = file.save(p); saveErr != nil {
			cancel()
		}
	}, cmd.ErrOrStderr())
	p := &pool{program: program, workers: f.workers, gomaxprocs: 1, timeout: f.seedTimeout, limit: f.limit, stderr: cmd.ErrOrStderr()}
	err = p.run(over, t.next, func(a answer) {
		if t.take(a); t.over {
			cancel() // of what was tried ahead nothing is needed
		}
	})
	result, shrinkErr := t.end()
	if saveErr == nil {
		saveErr = file.save(result.Plan)
	}
	switch {
	case saveErr != nil:
		return nil, saveErr
	case err == nil:
		err = shrinkErr
	}
	if err != nil {
		return nil, fmt.Errorf("%w; %s is the smallest plan until then", err, file.name)
	}
	return &shrunk{
		failing: c, file: file.name, small: result.Plan, runs: t.runs, workerCPU: t.cpu, begun: begun,
		smallest: result.Smallest, interrupted: ctx.Err() != nil && !t.over,
	}, nil
}
