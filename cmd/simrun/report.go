package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"simrun/checker"
	"simrun/reports"
	"simrun/sim/plan"
)

func reportCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "report FOLDER",
		Short: "Print the verdict of an output folder and write its page again",
		Long: `report prints the verdict of a folder and writes its page again from the other files. For
a killed run, the page shows the plan and the part of the history that was recorded. A
history that was cut off later does not hide what the run has found, but is UNKNOWN by
itself. The exit status is that of the verdict.`,
		Example: "  simrun report out/bank-7",
		Args:    one("the folder of one run"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := settle(cmd.ErrOrStderr(), args[0]); err != nil {
				return err
			}
			run, err := reports.Load(args[0])
			switch {
			case isCut(run.History, err):
				run.Result = keptResult(args[0], run.History)
				run.Cut = run.Result == nil
				if err = run.OneRun(args[0], false); err != nil {
					return withRemedy(err, args[0])
				}
			case err != nil:
				return withRemedy(err, args[0])
			}
			p, err := shownPlan(args[0], run)
			if err != nil {
				return withRemedy(err, args[0])
			}
			if run.Cut {
				cutRun(args[0], run, p, checker.Options{})
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
	if run.Result != nil && run.Result.Own {
		return nil, nil // shown as it is
	}
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return nil, nil // no plan, and nothing wrong
	}
	p, err := parsePlan(file, run.Plan)
	return &p, err
}
