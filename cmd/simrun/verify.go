package main

import (
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"
)

// verifyFlags are the flags of verify.
type verifyFlags struct {
	seeds       string
	procs       []int
	workers     int
	seedTimeout time.Duration
	knobs       []string
	marks       bool
}

func verifyCommand() *cobra.Command {
	var f verifyFlags
	cmd := &cobra.Command{
		Use:   "verify SCENARIO|FILE.toml",
		Short: "Run each seed several times and name the first event that differs",
		Long: `verify runs each seed once to record its trace and then once for each number of
processors, and compares event by event, and then the histories and the results. A
divergence means that the simulation is not a function of its seed, so nothing that
it finds can be trusted.

Exit status: 1 if a seed diverged or violated something; otherwise as for hunt.`,
		Example: "  simrun verify bank --seeds 1-200",
		Args:    one("one scenario or plan"),
		RunE:    func(cmd *cobra.Command, args []string) error { return verify(cmd, args[0], &f) },
	}
	cmd.Flags().StringVar(&f.seeds, "seeds", "1-10", "seeds, such as 1-100 or 3,7; without it a plan has its own")
	cmd.Flags().IntSliceVar(&f.procs, "procs", []int{1, 2, 8}, "run with each of these as GOMAXPROCS")
	addPoolFlags(cmd, &f.workers, &f.seedTimeout)
	addKnobFlag(cmd, &f.knobs)
	addMarksFlag(cmd, &f.marks)
	return cmd
}

func verify(cmd *cobra.Command, name string, f *verifyFlags) error {
	src, err := findSource(name)
	if err != nil {
		return err
	}
	if err = src.fix(f.knobs); err != nil {
		return err
	}
	if err = checkPoolFlags(f.workers, f.seedTimeout); err != nil {
		return err
	}
	if len(f.procs) == 0 || slices.Min(f.procs) < 1 {
		return fmt.Errorf("--procs %v: give one or more numbers of processors, each at least 1", f.procs)
	}
	seeds, err := parseSeeds(f.seeds)
	if err != nil {
		return err
	}
	if src.plan != nil && !cmd.Flags().Changed("seeds") {
		seeds = []uint64{src.plan.Seed}
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	ctx, cancel := interruptible(cmd.Context())
	defer cancel()
	t := newTally(src, cmd.OutOrStdout(), cmd.ErrOrStderr(), len(seeds))
	begun := time.Now()
	// The first run of a worker is the reference for its own later ones, so the
	// first of procs is used twice: equal settings must agree too.
	p := &pool{program: program, source: name, knobs: f.knobs, workers: f.workers, timeout: f.seedTimeout, stderr: cmd.ErrOrStderr()}
	err = p.run(ctx, queueOf(seeds, append(f.procs[:1:1], f.procs...)), t.take)
	t.interrupted = ctx.Err() != nil
	t.leave(p.unfinished, p.longest)
	t.listMarks = f.marks
	t.summary(time.Since(begun))
	t.say("%s with GOMAXPROCS %v: %d diverged", plural(t.seeds, "seed"), f.procs, t.diverged)
	return t.status(err)
}
