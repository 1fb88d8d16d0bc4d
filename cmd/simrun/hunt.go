package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"simrun/checker"
)

// huntFlags are the flags of hunt.
type huntFlags struct {
	seeds   string
	limit   time.Duration
	workers int
	stop    bool
	marks   bool
	json    bool
}

func huntCommand() *cobra.Command {
	var f huntFlags
	cmd := &cobra.Command{
		Use:   "hunt SCENARIO",
		Short: "Run many seeds in many processes and list the failures",
		Example: `  simrun hunt bank --seeds 1-2000
  simrun hunt bank --for 10m`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return hunt(cmd, args[0], &f) },
	}
	cmd.Flags().StringVar(&f.seeds, "seeds", "", "seeds, such as 1-2000 (default: from 1 on until --for is over)")
	cmd.Flags().DurationVar(&f.limit, "for", 0, "stop after this much real time (default 1m if there are no --seeds)")
	cmd.Flags().IntVar(&f.workers, "workers", runtime.NumCPU(), "worker processes")
	cmd.Flags().BoolVar(&f.stop, "stop", false, "stop at the first violation")
	cmd.Flags().BoolVar(&f.marks, "marks", false, "list how often each rare branch was reached")
	return cmd
}

func hunt(cmd *cobra.Command, name string, f *huntFlags) error {
	src, err := findSource(name)
	if err != nil {
		return err
	}
	if src.plan != nil {
		return errors.New("hunt takes a scenario: a plan has one seed only; use run")
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	next, total, err := f.jobs()
	if err != nil {
		return err
	}
	ctx, cancel := huntContext(cmd.Context(), f)
	defer cancel()
	t := newTally(src, cmd.OutOrStdout(), seedBar(cmd.ErrOrStderr(), total))
	begun := time.Now()
	p := &pool{program: program, source: name, workers: max(f.workers, 1), gomaxprocs: 1}
	err = p.run(ctx, next, func(a answer) {
		t.take(a)
		if f.stop && a.Verdict == checker.Violation {
			cancel()
		}
	})
	t.summary(time.Since(begun), errors.Is(ctx.Err(), context.Canceled) && !f.stop)
	if f.marks {
		t.listMarks()
	}
	if err != nil {
		return err
	}
	return t.status()
}

// jobs returns the jobs of a hunt and their number, negative if there is no end.
func (f *huntFlags) jobs() (next func() (job, bool), total int, err error) {
	if f.seeds == "" {
		if f.limit == 0 {
			f.limit = time.Minute
		}
		seed := uint64(0)
		return func() (job, bool) { seed++; return job{Seed: seed}, true }, -1, nil
	}
	seeds, err := parseSeeds(f.seeds)
	if err != nil {
		return nil, 0, err
	}
	return queueOf(seeds, nil), len(seeds), nil
}

// queueOf returns the seeds as jobs, one after another.
func queueOf(seeds []uint64, procs []int) func() (job, bool) {
	return func() (job, bool) {
		if len(seeds) == 0 {
			return job{}, false
		}
		j := job{Seed: seeds[0], Procs: procs}
		seeds = seeds[1:]
		return j, true
	}
}

// huntContext ends at an interrupt, and when the time is over.
func huntContext(parent context.Context, f *huntFlags) (context.Context, context.CancelFunc) {
	if parent == nil {
		parent = context.Background()
	}
	ctx, stop := signal.NotifyContext(parent, os.Interrupt, syscall.SIGTERM)
	if f.limit == 0 {
		return ctx, stop
	}
	ctx, cancel := context.WithTimeout(ctx, f.limit)
	return ctx, func() { cancel(); stop() }
}

// tally collects the answers of a hunt.
type tally struct {
	src    *source
	out    io.Writer
	bar    *progressbar.ProgressBar
	counts map[checker.Verdict]int
	// bySignature holds the first seed and the number of each kind of failure.
	bySignature map[string]*failure
	errors      int
	idle        int // runs in which no fault took effect
	diverged    int
	seeds       int
	cpu         time.Duration
	events      uint64
	virtual     time.Duration
	marks       map[string]uint64
}

// failure is a group of seeds that fail in the same way.
type failure struct {
	seed    uint64
	count   int
	message string
}

func newTally(src *source, out io.Writer, bar *progressbar.ProgressBar) *tally {
	return &tally{
		src: src, out: out, bar: bar, counts: map[checker.Verdict]int{},
		bySignature: map[string]*failure{}, marks: map[string]uint64{},
	}
}

// take counts an answer and tells at once what is not OK.
func (t *tally) take(a answer) {
	t.seeds++
	if t.bar != nil {
		_ = t.bar.Add(1)
	}
	if a.Error != "" {
		t.errors++
		t.say("seed %d could not be run: %s", a.Seed, a.Error)
		return
	}
	t.counts[a.Verdict]++
	t.cpu += a.CPU
	t.events += a.Stats.Events
	t.virtual += time.Duration(a.Stats.Virtual)
	if a.Stats.FaultsEffective() == 0 {
		t.idle++
	}
	for _, m := range a.Marks {
		t.marks[m.Name] += m.Count
	}
	if a.Divergence != "" {
		t.diverged++
		t.say("DIVERGENCE %s seed %d: %s", t.src.name, a.Seed, a.Divergence)
	}
	if a.Verdict == checker.OK {
		return
	}
	f := t.bySignature[a.Signature]
	if f == nil {
		f = &failure{seed: a.Seed, message: a.Message}
		t.bySignature[a.Signature] = f
	}
	f.count++
	t.say("%v %s seed %d: %s\n    %s", a.Verdict, t.src.name, a.Seed, a.Message, t.src.command(a.Seed))
}

func (t *tally) say(format string, args ...any) {
	if t.bar != nil {
		_ = t.bar.Clear()
	}
	fmt.Fprintf(t.out, format+"\n", args...)
}

// summary prints what was found, failures grouped by signature.
func (t *tally) summary(wall time.Duration, interrupted bool) {
	if t.bar != nil {
		_ = t.bar.Finish()
	}
	if interrupted {
		t.say("interrupted; this is what was found so far")
	}
	t.say("%s: %d seeds: %d OK, %d VIOLATION, %d UNKNOWN, %d UNRECOVERABLE", t.src.name, t.seeds,
		t.counts[checker.OK], t.counts[checker.Violation], t.counts[checker.Unknown], t.counts[checker.Unrecoverable])
	if t.errors > 0 {
		t.say("%d seeds could not be run", t.errors)
	}
	if t.idle > 0 {
		t.say("in %d runs no fault took effect", t.idle)
	}
	if n := max(t.seeds-t.errors, 1); t.cpu > 0 {
		t.say("%.1f virtual seconds and %.2f CPU-seconds a seed, %.0f events and %.1f virtual seconds per CPU-second, %v in all",
			t.virtual.Seconds()/float64(n), t.cpu.Seconds()/float64(n),
			float64(t.events)/t.cpu.Seconds(), t.virtual.Seconds()/t.cpu.Seconds(), wall.Round(time.Second))
	}
	if len(t.bySignature) == 0 {
		return
	}
	w := table.NewWriter()
	w.SetOutputMirror(t.out)
	w.AppendHeader(table.Row{"signature", "seeds", "first", "to run it again"})
	for _, s := range slices.Sorted(maps.Keys(t.bySignature)) {
		f := t.bySignature[s]
		w.AppendRow(table.Row{s, f.count, f.seed, t.src.command(f.seed)})
	}
	w.Render()
}

// listMarks prints the rare branches, the unreached ones first.
func (t *tally) listMarks() {
	var unreached, reached []string
	for _, name := range slices.Sorted(maps.Keys(t.marks)) {
		if t.marks[name] == 0 {
			unreached = append(unreached, name)
		} else {
			reached = append(reached, fmt.Sprintf("%10d  %s", t.marks[name], name))
		}
	}
	t.say("rare branches reached (%d) and not (%d):", len(reached), len(unreached))
	for _, line := range reached {
		t.say("%s", line)
	}
	for _, name := range unreached {
		t.say("%10s  %s", "never", name)
	}
}

// status is what the hunt returns to the shell.
func (t *tally) status() error {
	switch {
	case t.counts[checker.Violation] > 0 || t.diverged > 0:
		return status{code: exitViolation}
	case t.errors > 0:
		return status{code: exitUsage}
	case t.counts[checker.OK] < t.seeds || t.seeds == 0:
		return status{code: exitUnknown}
	}
	return nil
}
