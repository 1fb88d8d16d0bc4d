// Command simrun runs a distributed database inside a simulator, breaks it by
// faults, and reports whether it kept its promises.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"

	"github.com/spf13/cobra"
)

// The exit statuses.
const (
	exitOK        = 0
	exitViolation = 1 // a promise was broken; also by the simulator (two runs differ) or the checkers (a planted bug is missed)
	exitUsage     = 2 // the command could not be carried out as it was given
	exitUnknown   = 3 // no verdict: out of budget, interrupted, undecided, or nothing left to judge
)

// status is an error that decides the exit status. Without a cause everything
// has been said already.
type status struct {
	code  int
	cause error
}

func (s status) Error() string {
	if s.cause == nil {
		return fmt.Sprintf("exit status %d", s.code)
	}
	return s.cause.Error()
}

func (s status) Unwrap() error { return s.cause }

// parsing is how the conversions of the standard library begin and end their errors.
var parsing = regexp.MustCompile(`strconv\.\w+: parsing "[^"]*": (?:invalid syntax|value out of range)`)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run carries out one command line and returns the exit status.
func run(args []string, stdout, stderr io.Writer) int {
	root := &cobra.Command{
		Use:   "simrun",
		Short: "Deterministic simulation testing of a distributed database",
		Long: `simrun runs a complete distributed SQL database - Pebble, raft, Percolator, tables -
inside a seeded simulator with faults, and checks what its clients saw.

Exit status:
  0  OK.
  1  A violation. Also: two runs of one plan differ (verify, replay, shrink), or a planted
     bug was not found. shrink exits with 1 when it succeeds, because the plan that it
     leaves fails.
  2  The command could not be carried out: bad input, a plan that cannot be run, output
     that cannot be written.
  3  No verdict: UNKNOWN, UNRECOVERABLE (the faults have destroyed the data), interrupted,
     or seeds that were not run.
For many seeds (hunt, verify) the first of these that applies decides: a violation or a
difference (1), an interrupt (3), a seed that could not be run (2), a seed without a
verdict or not run (3).`,
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	out := &output{w: stdout}
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(stderr)
	root.SetVersionTemplate("{{.Name}} {{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%s; see %s --help", parsing.ReplaceAllString(err.Error(), "it is not a number that fits"), cmd.CommandPath())
	})
	root.AddCommand(
		runCommand(),     // one seed or plan: verdict and output folder
		replayCommand(),  // an output folder again, compared with what was recorded
		verifyCommand(),  // every seed several times: name the first difference
		huntCommand(),    // many seeds in many processes
		shrinkCommand(),  // a failure: a minimal plan that fails in the same way
		checkCommand(),   // a history file, without the simulator
		inspectCommand(), // the raft logs at the end of a run
		reportCommand(),  // the text and the page of an output folder
		plantedCommand(), // planted bugs: does the hunt find them?
		listCommand(),    // scenarios
		versionCommand(), // of program and file formats
		workerCommand(),  // hidden: what verify, hunt, shrink and planted run in parallel
	)
	root.SetHelpCommand(helpCommand())
	s := conclude(root.Execute(), out)
	if s.cause != nil {
		fmt.Fprintln(stderr, "simrun:", s.cause)
	}
	return s.code
}

// helpCommand is help that knows an error from an answer.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Help about any command",
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return fmt.Errorf("there is no command %q; see simrun --help", args[len(args)-1])
			}
			return about.Help()
		},
	}
}

// conclude turns what a command returned into an exit status. Output that could
// not be written is an error of its own: who reads it must not take it for all.
func conclude(err error, out *output) status {
	s := status{code: exitOK}
	if err != nil && !errors.As(err, &s) {
		s = status{exitUsage, err}
	}
	if out.err != nil && (s.cause == nil || errors.Is(s.cause, out.err)) {
		s.cause = fmt.Errorf("cannot write to standard output: %w", out.err)
		if s.code != exitViolation {
			s.code = exitUsage
		}
	}
	return s
}

// output is the standard output; it remembers its first error, so that nobody
// has to look after each line.
type output struct {
	w   io.Writer
	err error
}

func (o *output) Write(p []byte) (int, error) {
	if o.err != nil {
		return 0, o.err
	}
	n, err := o.w.Write(p)
	o.err = err
	return n, err
}

// one demands exactly one argument and says what it should be.
func one(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 {
			return nil
		}
		got := "none"
		if len(args) > 0 {
			got = strconv.Itoa(len(args)) + " arguments"
		}
		return fmt.Errorf("%s: expected %s, got %s; see %s --help", cmd.Name(), what, got, cmd.CommandPath())
	}
}
