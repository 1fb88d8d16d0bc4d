package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"simrun/checker"
	"simrun/nodes/invariant"
	"simrun/reports"
	"simrun/scenarios/runner"
	"simrun/sim/plan"
)

// job is what a worker process is asked to do, one line of JSON each.
type job struct {
	// Seed is the seed to run. By it the answer is known.
	Seed uint64 `json:"seed"`
	// Plan, if not empty, is the text of the plan to run, under its own seed.
	Plan string `json:"plan,omitempty"`
	// Procs, if not empty, asks to run the seed once for each number of
	// processors and to compare traces, histories and results.
	Procs []int `json:"procs,omitempty"`

	later bool // there is none now, and may be one after the next answer
}

// answer is what a worker process says of a job, one line of JSON each.
type answer struct {
	Seed       uint64            `json:"seed"`
	Error      string            `json:"error,omitempty"` // the plan could not be run
	Verdict    checker.Verdict   `json:"verdict"`
	Signature  string            `json:"signature"`
	Message    string            `json:"message,omitempty"` // of the first finding, or why there is no verdict
	Divergence string            `json:"divergence,omitempty"`
	TraceHash  reports.Hash      `json:"trace_hash"`
	Stats      reports.Stats     `json:"stats"`
	Marks      []invariant.Count `json:"marks"`
	Never      []string          `json:"never,omitempty"`    // programs of the workload that did not succeed once
	Checkers   []checker.Result  `json:"checkers,omitempty"` // unless the verdict is OK
	CPU        time.Duration     `json:"cpu"`                // of this job
}

func workerCommand() *cobra.Command {
	var knobs []string
	cmd := &cobra.Command{
		Use:    "worker [SCENARIO|PLAN.toml]",
		Short:  "Run the seeds, or the plans, that come as lines on standard input",
		Hidden: true,
		Args:   cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 { // every job has its plan
				return work(&source{}, cmd.InOrStdin(), cmd.OutOrStdout())
			}
			src, err := findSource(args[0])
			if err != nil {
				return err
			}
			if err = src.fix(knobs); err != nil {
				return err
			}
			return work(src, cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
	addKnobFlag(cmd, &knobs)
	return cmd
}

// work answers jobs until its input ends.
func work(src *source, in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	encoder := json.NewEncoder(out)
	for lines.Scan() {
		var j job
		if err := json.Unmarshal(lines.Bytes(), &j); err != nil {
			return fmt.Errorf("worker: %w", err)
		}
		if err := encoder.Encode(src.do(j)); err != nil {
			return fmt.Errorf("worker: %w", err)
		}
	}
	return lines.Err()
}

// do runs one job.
func (s *source) do(j job) answer {
	before := cpuTime()
	a := answer{Seed: j.Seed}
	outcome, divergence, err := s.run(j)
	if err != nil {
		a.Error = err.Error()
		return a
	}
	r := outcome.Result
	a.Divergence = divergence
	a.Verdict, a.Signature, a.TraceHash, a.Stats, a.Marks = r.Verdict, r.Signature(), r.TraceHash, r.Stats, r.Marks
	a.Never = reports.ProgramsNever(r, outcome.History)
	if r.Verdict != checker.OK {
		a.Message, a.Checkers = r.Message(), r.Checkers
	}
	a.CPU = cpuTime() - before
	return a
}

// run runs a seed as the job wants it, and names the first difference if it is to
// be run for several numbers of processors.
func (s *source) run(j job) (outcome *runner.Outcome, divergence string, err error) {
	p, err := s.planOf(j)
	if err != nil {
		return nil, "", err
	}
	if len(j.Procs) == 0 {
		outcome, err = runner.Run(p, runner.Options{})
		return outcome, "", err
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(j.Procs[0]))
	reference, err := runner.Record(p)
	if err != nil {
		return nil, "", err
	}
	return reference.Outcome, compare(reference, p, j.Procs), nil
}

// planOf returns the plan of a job.
func (s *source) planOf(j job) (*plan.Plan, error) {
	if j.Plan == "" {
		return s.under(j.Seed), nil
	}
	p, err := plan.Parse(reports.FilePlan, j.Plan)
	return &p, err
}

// compare runs the plan once more for each number of processors but the first,
// with which the reference was recorded, and names the first difference.
func compare(reference *runner.Recording, p *plan.Plan, procs []int) string {
	for _, n := range procs[1:] {
		runtime.GOMAXPROCS(n)
		difference, err := reference.Compare(p)
		switch {
		case err != nil:
			return err.Error()
		case difference != "":
			return fmt.Sprintf("GOMAXPROCS %d and %d: %s", procs[0], n, difference)
		}
	}
	return ""
}

// cpuTime returns the processor time that this process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		fmt.Fprintln(os.Stderr, "simrun: processor time:", err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
