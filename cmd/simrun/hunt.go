package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"simrun/checker"
	"simrun/reports"
)

// huntFlags are the flags of hunt.
type huntFlags struct {
	seeds       string
	limit       time.Duration
	seedTimeout time.Duration
	workers     int
	stop        bool
	marks       bool
	junit       string
	knobs       []string
}

func huntCommand() *cobra.Command {
	var f huntFlags
	cmd := &cobra.Command{
		Use:   "hunt SCENARIO|FILE.toml",
		Short: "Run many seeds in many processes and list the failures",
		Long: `hunt draws the plan of each seed from a scenario, which is named or given by its file, and
runs it. Given a plan, it runs the plan under each seed in place of its own. It prints each failure as it comes (of one kind
the first three), and at the end all failures grouped by what was found, each with the
commands that run its first seed again and that shrink it.

An interrupt ends the hunt and prints what was found so far. When --for is over, seeds
that are almost done are waited for, and unfinished seeds are listed; one that has run far
longer than all others is UNKNOWN.

Exit status: 1 if there was a violation; otherwise 3 after an interrupt; otherwise 2 if a
seed could not be run; otherwise 3 if a seed is UNKNOWN or UNRECOVERABLE, or some of
--seeds were not run.`,
		Example: `  simrun hunt bank --seeds 1-2000
  simrun hunt bank --for 10m
  simrun hunt bank --seeds 1-500 --knob commit-mode=async
  simrun hunt out/bank-7/plan.toml --seeds 1-500`,
		Args: one("one scenario or plan"),
		RunE: func(cmd *cobra.Command, args []string) error { return hunt(cmd, args[0], &f) },
	}
	cmd.Flags().StringVar(&f.seeds, "seeds", "", "seeds, such as 1-2000 (default: from 1 on until --for is over)")
	cmd.Flags().DurationVar(&f.limit, "for", 0, "stop after this much real time (default 1m if there are no --seeds)")
	addPoolFlags(cmd, &f.workers, &f.seedTimeout)
	addKnobFlag(cmd, &f.knobs)
	cmd.Flags().BoolVar(&f.stop, "stop", false, "stop at the first violation")
	addMarksFlag(cmd, &f.marks)
	cmd.Flags().StringVar(&f.junit, "junit", "", "also write the runs as a JUnit test suite to this file; it has an error unless all were run")
	return cmd
}

func addMarksFlag(cmd *cobra.Command, marks *bool) {
	cmd.Flags().BoolVar(marks, "marks", false, "list how often each rare branch was reached, and in how many seeds")
}

// addPoolFlags adds the flags of the commands that use worker processes.
func addPoolFlags(cmd *cobra.Command, workers *int, seedTimeout *time.Duration) {
	cmd.Flags().IntVar(workers, "workers", runtime.NumCPU(), "worker processes")
	cmd.Flags().DurationVar(seedTimeout, "seed-timeout", seedTimeoutDefault, "processor time after which a run is given up as UNKNOWN, and real time in which it may use none")
}

// checkPoolFlags checks the values of these flags.
func checkPoolFlags(workers int, seedTimeout time.Duration) error {
	switch {
	case workers < 1:
		return fmt.Errorf("--workers %d: give at least 1", workers)
	case seedTimeout <= 0:
		return fmt.Errorf("--seed-timeout %v: give a positive duration such as 2m", seedTimeout)
	}
	return nil
}

func hunt(cmd *cobra.Command, name string, f *huntFlags) error {
	src, err := findSource(name)
	if err != nil {
		return err
	}
	if err = src.fix(f.knobs); err != nil {
		return err
	}
	if f.limit == 0 && cmd.Flags().Changed("for") {
		return errors.New("--for 0s leaves no time: give a positive duration such as 10m, or leave it out")
	}
	if f.seeds == "" && cmd.Flags().Changed("seeds") {
		return errors.New("--seeds is empty: give seeds such as 1-2000, or leave it out to hunt for a time")
	}
	next, total, err := f.jobs()
	if err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	var suite *outFile
	if f.junit != "" {
		if suite, err = openOut(f.junit, "<testsuite "); err != nil {
			return err
		}
	}
	ctx, cancel := interruptible(cmd.Context())
	defer cancel()
	t := newTally(src, cmd.OutOrStdout(), cmd.ErrOrStderr(), total)
	t.keepCases = f.junit != ""
	begun := time.Now()
	p := &pool{program: program, source: name, knobs: f.knobs, workers: f.workers, gomaxprocs: 1, timeout: f.seedTimeout, limit: f.limit, stderr: cmd.ErrOrStderr()}
	err = p.run(ctx, next, func(a answer) {
		t.take(a)
		if f.stop && a.Verdict == checker.Violation {
			t.stopped = true
			cancel()
		}
	})
	t.interrupted = ctx.Err() != nil && !t.stopped
	t.leave(p.unfinished, p.longest)
	t.listMarks = f.marks
	t.summary(time.Since(begun))
	if suite != nil {
		t.cases = append(t.cases, t.openCases(err)...)
		if junitErr := suite.keep(reports.WriteJUnit(suite, src.name, t.cases)); err == nil {
			err = junitErr
		}
	}
	return t.status(err)
}

// jobs returns the jobs of a hunt and their number, negative if there is no end.
func (f *huntFlags) jobs() (next func() (job, bool), total int, err error) {
	if err = checkPoolFlags(f.workers, f.seedTimeout); err != nil {
		return nil, 0, err
	}
	if f.limit < 0 {
		return nil, 0, fmt.Errorf("--for %v: give a positive duration such as 10m", f.limit)
	}
	if f.seeds == "" {
		if f.limit == 0 {
			f.limit = time.Minute
		}
		seed := uint64(0)
		return func() (job, bool) { seed++; return job{Seed: seed}, true }, -1, nil
	}
	seeds, err := parseSeeds(f.seeds)
	if err != nil {
		return nil, 0, err
	}
	return queueOf(seeds, nil), len(seeds), nil
}

// queueOf returns the seeds as jobs, one after another.
func queueOf(seeds []uint64, procs []int) func() (job, bool) {
	return func() (job, bool) {
		if len(seeds) == 0 {
			return job{}, false
		}
		j := job{Seed: seeds[0], Procs: procs}
		seeds = seeds[1:]
		return j, true
	}
}

// interruptible returns a context that ends at an interrupt.
func interruptible(parent context.Context) (context.Context, context.CancelFunc) {
	if parent == nil {
		parent = context.Background()
	}
	return signal.NotifyContext(parent, os.Interrupt, syscall.SIGTERM)
}
