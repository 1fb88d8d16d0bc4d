package trial

import (
	"errors"
	"fmt"
	"time"

	"simrun/checker"
	"simrun/checker/consensus"
	"simrun/faults"
	"simrun/nodes/invariant"
	"simrun/reports"
	"simrun/sim"
	"simrun/sim/disk"
)

// AssertionName is the name in results of what ended a run in its middle.
const AssertionName = "assertion"

// The anomalies of a run that ended in its middle.
const (
	AnomalyAssertion checker.Anomaly = "assertion" // an invariant was violated
	AnomalyPanic     checker.Anomaly = "panic"     // simulated code panicked
)

// Judge says what it means that a world ended with an error, nil if it came to its
// end: an assertion or a panic of simulated code is a violation, and what ended the
// run otherwise leaves it without a verdict.
func Judge(w *sim.World, err error) checker.Result {
	r := checker.Result{Checker: AssertionName, Checked: 1}
	var failure *sim.Failure
	switch f, found := asserted(w, err); {
	case err == nil:
	case found:
		r.Add(f)
	case errors.As(err, &failure):
		r.Add(checker.Finding{Anomaly: AnomalyPanic, Message: failure.Error(), Place: PlaceOf(w, err)})
	case errors.Is(err, sim.ErrBudget):
		r.Undecided(fmt.Sprintf("the run used up its events at %v", time.Duration(w.Now())))
	default:
		r.Undecided(err.Error())
	}
	return r
}

// asserted is what simulated code asserts with the error that ended a world: an
// invariant, or a promise of raft.
func asserted(w *sim.World, err error) (f checker.Finding, found bool) {
	var violation invariant.Violation
	var breach consensus.Breach
	switch {
	case errors.As(err, &violation):
		return checker.Finding{Anomaly: AnomalyAssertion, Message: violation.Message, Place: PlaceOf(w, err)}, true
	case errors.As(err, &breach):
		return checker.Finding{Anomaly: breach.Anomaly, Message: breach.Message, Place: PlaceOf(w, err)}, true
	}
	return f, false
}

// PlaceOf is where simulated code ended a world.
func PlaceOf(w *sim.World, err error) checker.Place {
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
