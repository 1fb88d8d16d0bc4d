package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"simrun/checker"
	"simrun/reports"
	"simrun/scenarios"
	"simrun/scenarios/runner"
	"simrun/sim/plan"
)

func reportCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "report FOLDER",
		Short: "Print the verdict of an output folder and write its page again",
		Long: `report writes the page of a folder again from its other files. Of a run that was killed
it tells what the plan and the part of the history hold that were recorded.`,
		Args: one("the folder of one run"),
		RunE: func(cmd *cobra.Command, args []string) error {
			tellUnfinished(cmd.ErrOrStderr(), args[0])
			run, err := reports.Load(args[0])
			switch {
			case isCut(run.History, err):
				run.Cut = true
			case err != nil:
				return withRemedy(err, args[0])
			}
			p, err := shownPlan(args[0], run)
			if err != nil {
				return withRemedy(err, args[0])
			}
			if run.Cut {
				cutRun(args[0], run, p, checker.Options{Timeout: time.Minute})
			}
			if err := reports.Open(args[0]).SavePage(run); err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			if err := reports.WriteText(w, run, reports.TextOptions{Folder: args[0], Color: isTerminal(w)}); err != nil {
				return err
			}
			return verdictStatus(run.Result.Verdict)
		},
	}
}

// shownPlan makes sure that what the page shows is a plan. A system that no plan
// describes has none, and then there is nothing to show.
func shownPlan(dir string, run *reports.Run) (*plan.Plan, error) {
	file := filepath.Join(dir, reports.FilePlan)
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // no plan, and nothing wrong
	}
	p, err := parsePlan(file, run.Plan)
	return &p, err
}

func inspectCommand() *cobra.Command {
	var (
		seed  seedFlag
		knobs []string
	)
	cmd := &cobra.Command{
		Use:   "inspect SCENARIO|PLAN.toml",
		Short: "Run a seed and print the raft log of every region at its end",
		Long: `inspect prints one line for each log entry that a store still holds, such as
4_7 term=6 PUT default key="reg/0001" value="3.1": entry 7 of region 4.
The verdict is told on standard error unless it is OK, and by the exit status.`,
		Args: one("one scenario or plan"),
		RunE: func(cmd *cobra.Command, args []string) error {
			src, err := findSource(args[0])
			if err != nil {
				return err
			}
			if err = src.fix(knobs); err != nil {
				return err
			}
			outcome, err := runner.Run(src.under(src.seed(seed, cmd.Flags().Changed("seed"))), runner.Options{Dump: cmd.OutOrStdout(), Interrupted: interrupts(cmd.ErrOrStderr())})
			if err != nil {
				return err
			}
			if line := message(outcome.Result); line != "" {
				fmt.Fprintf(cmd.ErrOrStderr(), "simrun: %v: %s\n", outcome.Result.Verdict, line)
			}
			return verdictStatus(outcome.Result.Verdict)
		},
	}
	addSeedFlag(cmd, &seed)
	addKnobFlag(cmd, &knobs)
	return cmd
}

func listCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the scenarios",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			width := 0
			for _, name := range scenarios.Names() {
				width = max(width, len(name))
			}
			for _, name := range scenarios.Names() {
				s, err := scenarios.Find(name)
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%-*s  %s\n", width, s.Name, s.About)
			}
			return nil
		},
	}
}
