package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"simrun/reports"
	"simrun/scenarios/runner"
	"simrun/sim/plan"
)

func replayCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "replay FOLDER",
		Short:   "Run what an output folder holds again and compare",
		Example: "  simrun replay out/bank-7",
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return replay(cmd, args[0]) },
	}
}

func replay(cmd *cobra.Command, dir string) error {
	recorded, err := reports.Load(dir)
	if err != nil {
		return err
	}
	p, err := plan.Parse(filepath.Join(dir, reports.FilePlan), recorded.Plan)
	if err != nil {
		return err
	}
	outcome, err := runner.Run(&p, runner.Options{Progress: progressLine(cmd.ErrOrStderr()), Interrupted: interrupts()})
	if err != nil {
		return err
	}
	run := &reports.Run{Plan: recorded.Plan, History: outcome.History, Result: outcome.Result}
	if err := reports.WriteText(cmd.OutOrStdout(), run, reports.TextOptions{Folder: dir, Color: isTerminal(cmd.OutOrStdout())}); err != nil {
		return err
	}
	if recorded.Result.TraceHash != outcome.Result.TraceHash {
		return status{exitViolation, fmt.Errorf("%s was recorded with trace %v, but is %v now: %s; it comes from another version of the program, or the simulation is not deterministic (simrun verify %s)",
			dir, recorded.Result.TraceHash, outcome.Result.TraceHash, firstDifference(recorded.Result, outcome.Result), filepath.Join(dir, reports.FilePlan))}
	}
	fmt.Fprintf(cmd.OutOrStdout(), "replayed exactly: trace %v\n", outcome.Result.TraceHash)
	return verdictStatus(outcome.Result.Verdict)
}

// firstDifference says between which checkpoints two traces part.
func firstDifference(a, b *reports.Result) string {
	from := uint64(0)
	for i := range min(len(a.Checkpoints), len(b.Checkpoints)) {
		if a.Checkpoints[i] != b.Checkpoints[i] {
			return fmt.Sprintf("they part between event %d and event %d", from, a.Checkpoints[i].Events)
		}
		from = a.Checkpoints[i].Events
	}
	return fmt.Sprintf("they part after event %d", from)
}
