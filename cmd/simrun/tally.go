package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/schollz/progressbar/v3"

	"simrun/checker"
	"simrun/reports"
)

// tally collects the answers of a hunt.
type tally struct {
	src    *source
	out    io.Writer
	bar    *progressbar.ProgressBar // nil: nobody looks
	log    io.Writer                // gets a line now and then, if there is no bar
	logged time.Time                // when it got its last
	counts map[checker.Verdict]int
	// bySignature holds the kinds of failure. What could not be run, and what
	// diverged, are kinds of their own.
	bySignature map[string]*failure
	failures    int // of all kinds
	errors      int
	idle        int            // runs in which no fault took effect
	never       map[string]int // runs in which a program of the workload did not succeed once
	diverged    int
	seeds       int
	cpu         time.Duration
	events      uint64
	virtual     time.Duration
	marks       marks
	listMarks   bool // all of them, not only how many were reached
	total       int  // seeds that were asked for; negative: as many as there is time for
	unfinished  []unfinished
	interrupted bool
	stopped     bool // at a violation, as was asked for
	keepCases   bool
	cases       []reports.Case // of all runs, if keepCases
}

// failure is a group of seeds that fail in the same way.
type failure struct {
	seed  uint64 // the smallest
	count int
}

// toldMax is how many failures of one kind are told when they are met; all
// are counted.
const toldMax = 3

// logEvery is how often a hunt that nobody watches tells that it goes on.
const logEvery = 30 * time.Second

// newTally returns a tally that prints to out, and shows its progress over
// total seeds (negative: unknown) on log.
func newTally(src *source, out, log io.Writer, total int) *tally {
	return &tally{
		src: src, out: out, total: total, bar: seedBar(log, total), log: log, logged: time.Now(),
		counts: map[checker.Verdict]int{}, bySignature: map[string]*failure{}, marks: marks{}, never: map[string]int{},
	}
}

// take counts an answer and tells at once what is not OK.
func (t *tally) take(a answer) {
	t.seeds++
	defer t.progress()
	if t.keepCases {
		t.cases = append(t.cases, a.junitCase(t.src))
	}
	if a.Error != "" {
		t.errors++
		t.fail("NOT RUN", a.Seed, a.Error)
		return
	}
	t.counts[a.Verdict]++
	t.cpu += a.CPU
	t.events += a.Stats.Events
	t.virtual += time.Duration(a.Stats.Virtual)
	if a.Stats.FaultsEffective() == 0 && a.Stats.Events > 0 {
		t.idle++
	}
	for _, program := range a.Never {
		t.never[program]++
	}
	t.marks.add(a.Marks)
	if a.Divergence != "" {
		t.diverged++
		t.fail("DIVERGENCE", a.Seed, a.Divergence)
	}
	if a.Verdict != checker.OK {
		t.fail(a.Signature, a.Seed, a.Message)
	}
}

// progress shows that the hunt goes on.
func (t *tally) progress() {
	switch {
	case t.bar != nil:
		_ = t.bar.Add(1)
	case time.Since(t.logged) >= logEvery:
		t.logged = time.Now()
		fmt.Fprintf(t.log, "%s so far, %d OK\n", plural(t.seeds, "seed"), t.counts[checker.OK])
	}
}

// junitCase is the answer as continuous integration lists it.
func (a *answer) junitCase(src *source) reports.Case {
	if a.Error != "" {
		return reports.Case{Name: fmt.Sprintf("%s, seed %d", src.name, a.Seed), Err: errors.New(a.Error)}
	}
	return reports.Case{Result: &reports.Result{
		Scenario: src.name, Seed: a.Seed, Command: src.command(a.Seed),
		Verdict: a.Verdict, Checkers: a.Checkers, Wall: a.CPU,
	}}
}

// openCases are what a test suite needs besides the runs that came to their end, or it
// would be green for a hunt that did not: why the hunt ended early, and the seeds that
// were asked for and have no answer. There are none if the runs are all that was wanted,
// as they are when a hunt without a last seed has used its time.
func (t *tally) openCases(err error) (cases []reports.Case) {
	open := func(name, format string, args ...any) {
		cases = append(cases, reports.Case{Name: t.src.name + ", " + name, Err: fmt.Errorf(format, args...)})
	}
	switch {
	case err != nil:
		open("the hunt", "%w", err)
	case t.interrupted:
		open("the hunt", "interrupted after %s", plural(t.seeds, "seed"))
	case t.total < 0 && t.seeds == 0:
		open("the hunt", "no seed came to its end in the time that there was")
	}
	if t.total >= 0 || t.interrupted {
		for _, u := range t.unfinished {
			open(fmt.Sprintf("seed %d", u.seed), "still under way after %v: not judged", rounded(u.ran))
		}
	}
	if missing := t.missing(); missing > 0 {
		open("seeds without a run", "%d of %s were not run", missing, plural(t.total, "seed"))
	}
	return cases
}

// fail counts a failure, and tells it if it is among the first of its kind.
func (t *tally) fail(signature string, seed uint64, message string) {
	f := t.bySignature[signature]
	if f == nil {
		f = &failure{seed: seed}
		t.bySignature[signature] = f
	}
	f.count++
	t.failures++
	if t.bar != nil {
		t.bar.Describe(plural(t.failures, "failure"))
	}
	f.seed = min(f.seed, seed)
	if f.count > toldMax {
		return
	}
	t.say("%s  %s, seed %d", signature, t.src.name, seed)
	if message != "" {
		t.say("    %s", message)
	}
	for _, command := range t.commands(signature, seed) {
		t.say("    %s", command)
	}
	if f.count == toldMax {
		t.say("    (more of this kind are only counted)")
	}
}

// commands are what to do about a failure: run it again, and make its plan smaller
// if it is one.
func (t *tally) commands(signature string, seed uint64) []string {
	commands := []string{t.src.command(seed)}
	if strings.HasPrefix(signature, checker.Violation.String()+" ") {
		commands = append(commands, t.src.commandTo("shrink", seed))
	}
	return commands
}

func (t *tally) say(format string, args ...any) {
	if t.bar != nil {
		_ = t.bar.Clear()
	}
	fmt.Fprintf(t.out, format+"\n", args...)
}

// leave takes the seeds that were under way when all was over. One that had run
// far longer than any other is a failure: a seed that loops for ever must not go
// unnoticed because the time was over before its own.
func (t *tally) leave(under []unfinished, longest time.Duration) {
	for _, u := range under {
		if longest == 0 || u.ran < hangMin || u.ran < hangFactor*longest {
			t.unfinished = append(t.unfinished, u)
			continue
		}
		t.take(lostAnswer(u.seed, didNotFinish, fmt.Sprintf("was still running after %v when the hunt ended, and the longest other seed took %v",
			rounded(u.ran), rounded(longest))))
	}
}

// A seed is taken to hang if it has run for hangMin and hangFactor times as long
// as the longest that came to its end.
const (
	hangMin    = 5 * time.Second
	hangFactor = 10
)

// rounded is a real time as people want it.
func rounded(d time.Duration) time.Duration { return d.Round(100 * time.Millisecond) }

// summary prints what was found, failures grouped by signature, and last how the
// seeds went.
func (t *tally) summary(wall time.Duration) {
	if t.bar != nil {
		_ = t.bar.Finish()
		t.bar = nil
	}
	if len(t.bySignature) > 0 {
		t.say("")
		t.table()
	}
	if t.listMarks {
		t.marks.table(t.out, t.seeds-t.errors)
	}
	t.marks.summary(t.out, t.listMarks)
	if n := float64(t.seeds - t.errors); n > 0 && t.cpu > 0 {
		t.say("%.1f virtual seconds and %.2f CPU-seconds a seed, %.0f events and %.1f virtual seconds per CPU-second, %v in all",
			t.virtual.Seconds()/n, t.cpu.Seconds()/n,
			float64(t.events)/t.cpu.Seconds(), t.virtual.Seconds()/t.cpu.Seconds(), rounded(wall))
	}
	if t.idle > 0 {
		t.say("no fault took effect in %s", plural(t.idle, "run"))
	}
	for _, program := range slices.Sorted(maps.Keys(t.never)) {
		t.say("program %s never succeeded in %d of %s", program, t.never[program], plural(t.seeds-t.errors, "run"))
	}
	if t.errors > 0 {
		t.say("%s could not be run", plural(t.errors, "seed"))
	}
	t.sayOpen()
	if t.interrupted {
		t.say("interrupted; this is what was found so far")
	}
	t.say("%s: %s: %d OK, %d VIOLATION, %d UNKNOWN, %d UNRECOVERABLE", t.src.name, plural(t.seeds, "seed"),
		t.counts[checker.OK], t.counts[checker.Violation], t.counts[checker.Unknown], t.counts[checker.Unrecoverable])
}

// sayOpen tells of the seeds that have no answer.
func (t *tally) sayOpen() {
	for i, u := range t.unfinished {
		if i == unfinishedMax {
			t.say("and %d more were under way", len(t.unfinished)-i)
			break
		}
		t.say("seed %d was still under way after %v: not judged", u.seed, rounded(u.ran))
	}
	if missing := t.missing(); missing > 0 {
		t.say("%d of %s were not run", missing, plural(t.total, "seed"))
	}
}

// unfinishedMax is how many seeds under way are named.
const unfinishedMax = 20

// missing is how many of the seeds that were asked for were not begun.
func (t *tally) missing() int { return max(t.total-t.seeds-len(t.unfinished), 0) }

// table prints the kinds of failure, the most frequent first.
func (t *tally) table() {
	kinds := slices.Sorted(maps.Keys(t.bySignature))
	slices.SortStableFunc(kinds, func(a, b string) int { return t.bySignature[b].count - t.bySignature[a].count })
	w := table.NewWriter()
	w.SetOutputMirror(t.out)
	w.SetStyle(table.StyleLight)
	w.AppendHeader(table.Row{"found", "seeds", "to run the first again"})
	for _, s := range kinds {
		f := t.bySignature[s]
		w.AppendRow(table.Row{s, f.count, strings.Join(t.commands(s, f.seed), "\n")})
	}
	w.Render()
}

// status is what the hunt returns to the shell. err is why it ended early; a
// violation that was found before outweighs it.
func (t *tally) status(err error) error {
	switch {
	case t.counts[checker.Violation] > 0 || t.diverged > 0:
		return status{exitViolation, err}
	case err != nil:
		return err
	case t.interrupted:
		return status{code: exitUnknown}
	case t.errors > 0:
		return status{code: exitUsage}
	case t.counts[checker.OK] < t.seeds || t.seeds == 0 || t.seeds < t.total:
		return status{code: exitUnknown}
	}
	return nil
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
