package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"simrun/checker"
	"simrun/scenarios/planted"
)

// plantedFlags are the flags of planted.
type plantedFlags struct {
	root        string
	seeds       uint64
	workers     int
	seedTimeout time.Duration
	markdown    string
	apply       bool
}

func plantedCommand() *cobra.Command {
	var f plantedFlags
	cmd := &cobra.Command{
		Use:   "planted [ID...]",
		Short: "Build the database with a planted bug and hunt for it",
		Long: `planted builds this program from a copy in which one bug was planted, and hunts
with it until the bug is found. A bug that is not found means that the simulator
is blind to its kind. Seeds without a verdict are counted, and the first is named. A
seed that cannot be run ends the command. It needs the source and the go command.

Exit status: 0 if every bug was found, 1 if one was not, 2 if the command could not be
carried out, 3 after an interrupt.

With --markdown the row of each bug is put into the table of a file as soon as it
is known, in the place of the row that the bug had; other rows, and what people
wrote around the table, stay. The table stands between two lines,

    ` + tableBegin + `
    ` + tableEnd + `

A file that is not there is written whole.`,
		Example: `  simrun planted P03 P22
  simrun planted --markdown docs/detection.md`,
		RunE: func(cmd *cobra.Command, args []string) error { return plantAll(cmd, args, &f) },
	}
	cmd.Flags().StringVar(&f.root, "root", ".", "root of the module's source")
	cmd.Flags().Uint64Var(&f.seeds, "seeds", 5000, "give up after this many seeds")
	addPoolFlags(cmd, &f.workers, &f.seedTimeout)
	cmd.Flags().StringVar(&f.markdown, "markdown", "", "also put the rows of the bugs into the table of this file")
	cmd.Flags().BoolVar(&f.apply, "apply-only", false, "only check that every patch applies and builds")
	return cmd
}

func plantAll(cmd *cobra.Command, ids []string, f *plantedFlags) error {
	bugs, err := planted.Select(ids)
	if err != nil {
		return err
	}
	if err = checkPoolFlags(f.workers, f.seedTimeout); err != nil {
		return err
	}
	if f.seeds < 1 {
		return errors.New("--seeds 0: give at least 1")
	}
	if _, err = os.Stat(filepath.Join(f.root, "go.mod")); err != nil {
		return errors.New("--root " + f.root + " is not the root of the source: go.mod is missing there")
	}
	dir, err := os.MkdirTemp("", "simrun-planted-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it is in the system's temporary directory
	ctx, cancel := interruptible(cmd.Context())
	defer cancel()
	if err = f.record(); err != nil { // before hours are spent
		return err
	}
	missed := 0
	for _, bug := range bugs {
		if f.apply {
			if err := bug.Check(ctx, f.root); err != nil {
				return orInterrupted(ctx, err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s applies and builds\n", bug.ID)
			continue
		}
		program := filepath.Join(dir, "simrun-"+bug.ID)
		if err := bug.Build(ctx, f.root, program); err != nil {
			return orInterrupted(ctx, err)
		}
		d, err := detect(ctx, bug, program, f, cmd.ErrOrStderr())
		if err != nil {
			return orInterrupted(ctx, err)
		}
		_ = os.Remove(program)
		if !d.found {
			missed++
		}
		fmt.Fprintln(cmd.OutOrStdout(), d)
		if err := f.record(d); err != nil {
			return err
		}
	}
	if missed > 0 {
		return status{exitViolation, fmt.Errorf("%d planted bugs were not found", missed)}
	}
	return nil
}

// orInterrupted says that there was an interrupt where that is why there is an
// error.
func orInterrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return status{exitUnknown, errInterrupted}
	}
	return err
}

// record puts detections into the table, if there is one to write.
func (f *plantedFlags) record(found ...detection) error {
	if f.markdown == "" || f.apply {
		return nil
	}
	return updateDetections(f.markdown, found, f.seeds)
}

// detection is how a planted bug was found.
type detection struct {
	bug       *planted.Bug
	found     bool
	seed      uint64 // with which it was found
	seeds     int    // up to and including it
	cpu       time.Duration
	signature string
	unknown   int    // of the seeds have no verdict
	lost      string // the first of these, and why; "" if there is none
}

func (d detection) String() string {
	text := fmt.Sprintf("%s found in %s after %s, %s CPU-seconds: seed %d, %s",
		d.bug.ID, d.where(), plural(d.seeds, "seed"), seconds(d.cpu), d.seed, d.signature)
	if !d.found {
		text = fmt.Sprintf("%s NOT FOUND in %s, %d seeds, %s CPU-seconds", d.bug.ID, d.where(), d.seeds, seconds(d.cpu))
	}
	if d.unknown > 0 {
		text += fmt.Sprintf("; %s had no verdict, the first of them %s", plural(d.unknown, "seed"), d.lost)
	}
	return text
}

// seconds is a processor time with as many digits as tell something: a plan that
// was written for a bug finds it within some hundredths.
func seconds(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%.2f", d.Seconds())
	}
	return fmt.Sprintf("%.1f", d.Seconds())
}

// where is what was hunted in.
func (d detection) where() string {
	if d.bug.Plan != "" {
		return "plan " + d.bug.Plan
	}
	return d.bug.Scenario
}

// detect hunts with a program that has a bug.
func detect(parent context.Context, bug *planted.Bug, program string, f *plantedFlags, stderr io.Writer) (detection, error) {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	h := inOrder{detection: detection{bug: bug}, limit: f.seeds}
	source := bug.Scenario
	if bug.Plan != "" {
		source = bug.PlanFile(f.root)
	}
	p := &pool{program: program, source: source, workers: f.workers, gomaxprocs: 1, timeout: f.seedTimeout, stderr: stderr}
	err := p.run(ctx, h.next, func(a answer) {
		h.take(a)
		if h.found || h.err != nil {
			cancel()
		}
	})
	switch {
	case parent.Err() != nil:
		err = parent.Err()
	case h.err != nil:
		err = h.err
	}
	if err != nil {
		err = fmt.Errorf("bug %s in %s: %w", bug.ID, h.where(), err)
	}
	return h.detection, err
}

// inOrder looks at the answers in the order of their seeds, whatever the order
// in which the workers come to them, so that what it finds does not depend on
// their number.
type inOrder struct {
	detection

	limit   uint64 // seeds at most
	given   uint64 // seeds handed out: from 1 on, each once
	failing bool   // some seed has failed, or could not be run: no later one matters
	err     error  // the first that could not be run
	waiting map[uint64]answer
}

// next hands out the next seed. When one has failed, all before it have been
// handed out already.
func (h *inOrder) next() (job, bool) {
	if h.failing || h.given >= h.limit {
		return job{}, false
	}
	h.given++
	return job{Seed: h.given}, true
}

// take looks at an answer as soon as those of all seeds before it are there.
func (h *inOrder) take(a answer) {
	if h.waiting == nil {
		h.waiting = map[uint64]answer{}
	}
	h.waiting[a.Seed] = a
	h.failing = h.failing || a.Error != "" || a.Verdict == checker.Violation
	for !h.found && h.err == nil {
		a, ok := h.waiting[uint64(h.seeds)+1]
		if !ok {
			return
		}
		delete(h.waiting, a.Seed)
		if a.Error != "" {
			h.err = fmt.Errorf("seed %d cannot be run: %s", a.Seed, a.Error)
			return
		}
		h.seeds++
		h.cpu += a.CPU
		if a.Verdict == checker.Violation {
			h.found, h.seed, h.signature = true, a.Seed, strings.TrimPrefix(a.Signature, "VIOLATION ")
		}
		if a.Verdict == checker.Unknown {
			h.unknown++
			if h.lost == "" {
				h.lost = fmt.Sprintf("seed %d: %s", a.Seed, a.Message)
			}
		}
	}
}
