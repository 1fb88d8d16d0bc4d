package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"simrun/checker"
	"simrun/reports"
	"simrun/scenarios/runner"
	"simrun/sim/history"
	"simrun/sim/plan"
)

func replayCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "replay FOLDER",
		Short: "Run what an output folder holds again and compare",
		Long: `replay runs the plan of an output folder again, compares trace and history with what
was recorded, and writes nothing. The exit status is that of the verdict; 1 also if two
runs of the plan differ from each other; 2 if the run is deterministic and differs from
the recording, which then comes from another build or another plan.`,
		Example: "  simrun replay out/bank-7",
		Args:    one("the folder of one run"),
		RunE:    func(cmd *cobra.Command, args []string) error { return replay(cmd, args[0]) },
	}
}

// errInterrupted is why a run is not what its plan says: it is the beginning of it.
var errInterrupted = errors.New("interrupted")

func replay(cmd *cobra.Command, dir string) error {
	if err := settle(cmd.ErrOrStderr(), dir); err != nil {
		return err
	}
	recorded, err := reports.Load(dir)
	if err != nil {
		return withRemedy(err, dir)
	}
	if err = refuseOwn(dir, recorded); err != nil {
		return err
	}
	p, err := shownPlan(dir, recorded)
	switch {
	case err != nil:
		return withRemedy(err, dir)
	case p == nil:
		return &reports.Error{File: filepath.Join(dir, reports.FilePlan), Problem: "the file is missing", Remedy: "only the program that recorded a run without a plan can run it again"}
	}
	interrupted := interrupts(cmd.ErrOrStderr())
	progress, clearProgress := progressLine(cmd.ErrOrStderr())
	outcome, err := runner.Run(p, runner.Options{Progress: progress, Interrupted: interrupted})
	clearProgress()
	switch {
	case err != nil:
		return err
	case interrupted():
		return status{exitUnknown, fmt.Errorf("%w before the replay could be compared", errInterrupted)}
	}
	outcome.Result.Command, outcome.Result.Shrunk = recorded.Result.Command, recorded.Result.Shrunk
	outcome.Result.Program = program()
	run := &reports.Run{Plan: recorded.Plan, History: outcome.History, Result: outcome.Result}
	opts := reports.TextOptions{Color: isTerminal(cmd.OutOrStdout())}
	if recorded.Result.TraceHash == run.Result.TraceHash {
		opts.Folder = dir // otherwise what is there is another run
	}
	if err = reports.WriteText(cmd.OutOrStdout(), run, opts); err != nil {
		return err
	}
	answer, err := compareRuns(dir, recorded, run, onceMore(p, interrupted))
	if err != nil {
		return err
	}
	fmt.Fprintln(cmd.OutOrStdout(), answer)
	return verdictStatus(outcome.Result.Verdict)
}

// compareRuns compares a recording with a run of its plan, and says in what they
// agree. Where the traces differ it runs the plan once more: a simulation that
// is not deterministic is another matter than a recording of another program.
func compareRuns(dir string, recorded, now *reports.Run, again func() (*runner.Outcome, error)) (string, error) {
	then, result := recorded.Result, now.Result
	same := sameOperations(recorded.History, now.History)
	switch {
	case then.TraceHash != result.TraceHash && endedEarly(recorded, now, same):
		return fmt.Sprintf("the recording ends after %d events without a verdict; as far as it goes, %d operations, the replay is the same",
			then.Stats.Events, same), nil
	case then.TraceHash != result.TraceHash:
		return "", explainDifference(dir, then, result, again)
	case same < max(len(recorded.History.Ops), len(now.History.Ops)):
		return "", fmt.Errorf("%s: the trace is that of the recording, but operation %d of the history is another: the file was edited; %s",
			filepath.Join(dir, reports.FileHistory), same+1, reports.RecordAnew(dir))
	}
	answer := fmt.Sprintf("replayed exactly: trace %v", result.TraceHash)
	if other := otherProgram(then.Program, result.Program); other != "" {
		answer += "\n" + other
	}
	if then.Signature() != result.Signature() {
		answer += fmt.Sprintf("\nbut the verdict was %s and is %s now: the checkers have changed since", then.Signature(), result.Signature())
	}
	return answer, nil
}

// explainDifference tells why the traces of a recording and of its replay
// differ.
func explainDifference(dir string, then, now *reports.Result, again func() (*runner.Outcome, error)) error {
	where := fmt.Sprintf("%s was recorded with trace %v, and the trace is %v now: %s", dir, then.TraceHash, now.TraceHash, firstDifference(then, now))
	third, err := again()
	switch {
	case errors.Is(err, errInterrupted):
		return status{exitUnknown, fmt.Errorf("%s; %w before a third run could tell whether that is the simulation's fault", where, err)}
	case err != nil:
		return err
	}
	file := filepath.Join(dir, reports.FilePlan)
	if third.Result.TraceHash != now.TraceHash {
		return status{exitViolation, fmt.Errorf("%s; the simulation is not deterministic, for a third run gives %v: simrun verify %s names the first difference",
			where, third.Result.TraceHash, reports.ShellQuoted(file))}
	}
	if other := otherProgram(then.Program, now.Program); other != "" {
		return fmt.Errorf("%s; the run is deterministic today, but it was %s: use the build that recorded it, or %s", where, other, reports.RecordAnew(dir))
	}
	return fmt.Errorf("%s; the run is deterministic today, so the recording comes from a different build or plan: use the build that recorded it, or %s",
		where, reports.RecordAnew(dir))
}

// onceMore returns a function that runs a plan, and has no outcome of a run that was
// interrupted.
func onceMore(p *plan.Plan, interrupted func() bool) func() (*runner.Outcome, error) {
	return func() (*runner.Outcome, error) {
		outcome, err := runner.Run(p, runner.Options{Interrupted: interrupted})
		switch {
		case err != nil:
			return nil, err
		case interrupted():
			return nil, errInterrupted
		}
		return outcome, nil
	}
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

// endedEarly reports whether a recording is the beginning of a run: one that was
// interrupted. The operations that were under way then have an unknown outcome
// in the recording alone.
func endedEarly(recorded, now *reports.Run, same int) bool {
	then := recorded.Result
	if then.Verdict != checker.Unknown || then.Stats.Events >= now.Result.Stats.Events {
		return false
	}
	for i, c := range then.Checkpoints {
		if i >= len(now.Result.Checkpoints) || now.Result.Checkpoints[i] != c {
			return false
		}
	}
	for _, op := range recorded.History.Ops[same:] {
		if op.Outcome != history.Unknown {
			return false
		}
	}
	return true
}

// sameOperations returns how many operations two histories have in common from
// their beginning.
func sameOperations(a, b *history.History) int {
	for i := range min(len(a.Ops), len(b.Ops)) {
		x, errX := json.Marshal(&a.Ops[i])
		y, errY := json.Marshal(&b.Ops[i])
		if errX != nil || errY != nil || string(x) != string(y) {
			return i
		}
	}
	return min(len(a.Ops), len(b.Ops))
}

// withRemedy replaces the general advice to record a run again by the command
// for this folder.
func withRemedy(err error, dir string) error {
	var file *reports.Error
	var record *history.Error
	var wrong *plan.Error
	switch {
	case errors.As(err, &wrong):
		if again := withoutPlan(dir); again != "" {
			return fmt.Errorf("%w; or record it anew: %s", err, again)
		}
	case errors.As(err, &file) && filepath.Base(file.File) != reports.FilePlan:
		return &reports.Error{File: file.File, Line: file.Line, Problem: file.Problem, Remedy: reports.RecordAnew(dir), Err: file.Err}
	case errors.As(err, &record):
		changed := *record
		changed.Remedy = reports.RecordAnew(dir)
		return &changed
	}
	return err
}

// withoutPlan is the command that records a folder anew whose plan cannot be read,
// by what its result says of the run; "" if that is not enough.
func withoutPlan(dir string) string {
	r, err := reports.LoadVerdict(dir)
	if err != nil || r.Scenario == "" || strings.Contains(r.Command, reports.FilePlan) {
		return ""
	}
	return r.Reproduce() + " --out " + reports.ShellQuoted(dir)
}
