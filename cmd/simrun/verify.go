package main

import (
	"context"
	"os"
	"runtime"
	"time"

	"github.com/spf13/cobra"
)

func verifyCommand() *cobra.Command {
	var (
		seeds   string
		procs   []int
		workers int
	)
	cmd := &cobra.Command{
		Use:   "verify SCENARIO|PLAN.toml",
		Short: "Run each seed several times and name the first event that differs",
		Long: `verify runs each seed once to record its trace and then once for each number of
processors, and compares event by event. A divergence means that the simulation
is not a function of its seed, so nothing that it finds can be trusted.`,
		Example: "  simrun verify bank --seeds 1-200",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return verify(cmd, args[0], seeds, procs, workers)
		},
	}
	cmd.Flags().StringVar(&seeds, "seeds", "1-10", "seeds, such as 1-100 or 3,7")
	cmd.Flags().IntSliceVar(&procs, "procs", []int{1, 2, 8}, "run with each of these as GOMAXPROCS")
	cmd.Flags().IntVar(&workers, "workers", runtime.NumCPU(), "worker processes")
	return cmd
}

func verify(cmd *cobra.Command, name, seedText string, procs []int, workers int) error {
	src, err := findSource(name)
	if err != nil {
		return err
	}
	seeds, err := parseSeeds(seedText)
	if err != nil {
		return err
	}
	if src.plan != nil {
		seeds = []uint64{src.plan.Seed}
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	ctx, cancel := huntContext(context.Background(), &huntFlags{})
	defer cancel()
	t := newTally(src, cmd.OutOrStdout(), seedBar(cmd.ErrOrStderr(), len(seeds)))
	begun := time.Now()
	// The first run of a worker is the reference for its own later ones, so the
	// first of procs is used twice: equal settings must agree too.
	p := &pool{program: program, source: name, workers: max(workers, 1)}
	err = p.run(ctx, queueOf(seeds, append(procs[:1:1], procs...)), t.take)
	t.summary(time.Since(begun), ctx.Err() != nil)
	t.say("%d seeds with GOMAXPROCS %v: %d diverged", t.seeds, procs, t.diverged)
	if err != nil {
		return err
	}
	return t.status()
}
