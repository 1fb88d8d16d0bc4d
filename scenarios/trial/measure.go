package trial

import (
	"errors"
	"fmt"
	"regexp"
	"time"

	"simrun/checker"
	"simrun/checker/consensus"
	"simrun/faults"
	"simrun/nodes/invariant"
	"simrun/reports"
	"simrun/sim"
	"simrun/sim/disk"
)

// The checkers that judge while a world runs.
const (
	AssertionName = "assertion" // of the simulated code itself
	PromisesName  = "raft"      // of what raft promises about all peers together
)

// The anomalies of a run that ended in its middle.
const (
	AnomalyAssertion checker.Anomaly = "assertion" // an invariant was violated
	AnomalyPanic     checker.Anomaly = "panic"     // simulated code panicked
)

// asserted says what it means that the run ended with an error, nil if it came to its
// end: what simulated code is to blame for is a violation, and what ended the run
// otherwise leaves it without a verdict.
func (t *Trial) asserted(err error) checker.Result {
	r := checker.Result{Checker: AssertionName, Checked: 1}
	switch f, blamed := Blame(t.World, err); {
	case err == nil:
	case blamed:
		r.Checker = f.Checker
		r.Add(f)
	default:
		r.Undecided(Inconclusive(t.World, t.Plan.Events, err))
	}
	return r
}

// Blame says what simulated code is to blame for if a world ended with the error: a
// violated invariant, a broken promise of raft, or a panic.
func Blame(w *sim.World, err error) (f checker.Finding, blamed bool) {
	var violation invariant.Violation
	var breach consensus.Breach
	var failure *sim.Failure
	f.Place = placeOf(w, err)
	switch {
	case errors.As(err, &violation):
		f.Checker, f.Anomaly, f.Message, f.Check = AssertionName, AnomalyAssertion, violation.Message, withoutValues(violation.Format)
	case errors.As(err, &breach):
		f.Checker, f.Anomaly, f.Message = PromisesName, breach.Anomaly, breach.Message
	case errors.As(err, &failure):
		f.Checker, f.Anomaly, f.Message, f.Check = AssertionName, AnomalyPanic, failure.Error(), failure.Function()
	default:
		return checker.Finding{}, false
	}
	return f, true
}

// withoutValues is a format without what differs from case to case.
func withoutValues(format string) string { return verbs.ReplaceAllString(format, "…") }

var verbs = regexp.MustCompile(`%[-+# 0-9.]*[a-zA-Z]`)

// Inconclusive says why a world with a budget of events that ended with an error, for
// which nobody is to blame, tells nothing.
func Inconclusive(w *sim.World, budget uint64, err error) string {
	if errors.Is(err, sim.ErrBudget) {
		return fmt.Sprintf("the run used up its %d events at %v", budget, time.Duration(w.Now()))
	}
	return err.Error()
}

// Calls returns where simulated code has panicked, nil if that is not why a world ended, and
// shows the stack to who reads the log.
func Calls(err error, logf func(format string, args ...any)) []string {
	var failure *sim.Failure
	if !errors.As(err, &failure) {
		return nil
	}
	if logf != nil {
		logf("%v\n%s", failure, failure.Stack)
	}
	return failure.Calls()
}

// placeOf is where simulated code ended a world.
func placeOf(w *sim.World, err error) checker.Place {
	p := checker.Place{At: w.Now()}
	var failure *sim.Failure
	if errors.As(err, &failure) {
		p.At, p.Task = int64(failure.At), failure.Task
		if failure.Node != 0 {
			p.Nodes = []string{w.Nodes()[failure.Node-1].Name()}
		}
	}
	return p
}

// Measure fills in what a world and a schedule have counted.
func Measure(r *reports.Result, w *sim.World, schedule *faults.Scheduler) {
	r.TraceHash = reports.Hash(w.Trace.Hash())
	for _, c := range w.Trace.Checkpoints() {
		r.Checkpoints = append(r.Checkpoints, reports.Checkpoint{Events: c.Events, Time: c.Time, Hash: reports.Hash(c.Hash)})
	}
	for _, n := range w.Nodes() {
		r.Nodes = append(r.Nodes, n.Name())
	}
	Count(&r.Stats, w, schedule)
}

// Count is the part of Measure that can be taken at any instant, to be compared with
// that of another one.
func Count(s *reports.Stats, w *sim.World, schedule *faults.Scheduler) {
	s.Network = reports.NetworkStats(w.Network.Stats())
	s.Events = w.Trace.Events()
	s.Virtual = w.Now()
	for _, n := range w.Nodes() {
		if d := n.Disk(); d != nil {
			addDisk(&s.Disk, d)
		}
	}
	for _, c := range schedule.Counts() {
		s.Faults = append(s.Faults, reports.FaultCount{
			Kind: c.Kind.String(), Scheduled: c.Scheduled, Armed: c.Armed, Effective: c.Effective,
		})
	}
}

func addDisk(sum *reports.DiskStats, d *disk.Disk) {
	s := d.Stats()
	sum.Operations += s.Ops
	sum.Syncs += s.Syncs + s.DirSyncs
	sum.Bytes += uint64(s.Written)
	sum.Lost += s.Lost + s.LostEntries + s.Unissued
	sum.Torn += s.Torn + s.Holed
	sum.Errors += s.ReadErrors + s.WriteErrors + s.SpaceErrors
	sum.Stalls += s.Stalled
}
