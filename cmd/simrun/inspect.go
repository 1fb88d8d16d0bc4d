package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"simrun/scenarios/runner"
)

func inspectCommand() *cobra.Command {
	var (
		seed  seedFlag
		knobs []string
	)
	cmd := &cobra.Command{
		Use:   "inspect SCENARIO|FILE.toml",
		Short: "Run a seed and print the raft log of every region at its end",
		Long: `inspect prints one line for each log entry that a store still holds, such as
4_7 term=6 PUT default key="reg/0001" value="3.1": entry 7 of region 4.
A verdict other than OK is printed on standard error. The exit status is that of the verdict.`,
		Example: "  simrun inspect bank --seed 7",
		Args:    one("one scenario or plan"),
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
			if line := outcome.Result.Message(); line != "" {
				fmt.Fprintf(cmd.ErrOrStderr(), "simrun: %v: %s\n", outcome.Result.Verdict, line)
			}
			return verdictStatus(outcome.Result.Verdict)
		},
	}
	addSeedFlag(cmd, &seed)
	addKnobFlag(cmd, &knobs)
	return cmd
}
