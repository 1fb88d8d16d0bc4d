package runner

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"simrun/checker"
	"simrun/checker/consensus"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/scenarios/trial"
	"simrun/sim"
	"simrun/sim/disk"
	"simrun/sim/plan"
)

// Anomalies of the run itself.
const (
	anomalyStuck checker.Anomaly = "stuck" // no progress within the bound, without faults
	anomalyExit  checker.Anomaly = "exit"  // a process ended itself without a reason that was injected
)

// errOver ends the phases early: the finding is recorded.
var errOver = errors.New("the run is over")

// phases runs the phases of the plan in order. Its error is the kernel's, or
// errOver.
func (r *run) phases() error {
	for _, phase := range []func() error{r.boot, r.storm, r.calm, r.audit} {
		if err := phase(); err != nil {
			return err
		}
	}
	return nil
}

// boot starts everything and prepares the data.
func (r *run) boot() error {
	r.setPhase(phaseBoot)
	if err := r.world.Do(r.world.StartAll); err != nil {
		return err
	}
	ready := false
	r.admin.do("setup", func(t env.Task) {
		r.admin.until(t, func() error { return r.load.Setup(t, &r.admin.Session) })
		ready = true
		r.world.Stop()
	})
	return r.wait(r.plan.Phases.Boot, &ready, "the cluster never served its first operation")
}

// storm lets the clients work while the schedule runs.
func (r *run) storm() error {
	r.setPhase(phaseStorm)
	r.during.Before = r.counts()
	defer func() { r.during.After = r.counts() }()
	r.schedule.Start()
	for _, s := range r.sessions {
		s.work()
	}
	return r.world.RunFor(time.Duration(r.plan.Phases.Storm))
}

// calm heals everything. From then on the system must become available within
// the bound: every client finishes what it does and succeeds once more, and the
// administrator writes to every key, so to every region.
func (r *run) calm() error {
	r.setPhase(phaseCalm)
	defer func() { r.during.Healed = r.counts() }()
	if err := r.world.Do(r.schedule.Calm); err != nil {
		return err
	}
	served, probed := false, false
	look := func() {
		if probed && !slices.ContainsFunc(r.sessions, func(s *session) bool { return !s.served }) {
			served = true
			r.world.Stop()
		}
	}
	for _, s := range r.sessions {
		s.probe(look)
	}
	r.admin.do("probe", func(t env.Task) {
		r.admin.until(t, func() error { return r.load.Probe(t, &r.admin.Session) })
		probed = true
		look()
	})
	return r.wait(r.plan.Phases.Calm, &served, "after the storm not every client was served")
}

// audit reads the final state through the database, cuts the power of all
// machines at once and reads again: what was acknowledged must have survived.
// Then it waits until nothing moves any more and looks at the stores themselves.
func (r *run) audit() error {
	r.setPhase(phaseAudit)
	r.timeline.audit = true
	if err := r.readAll("audit"); err != nil {
		return err
	}
	if err := r.world.Do(r.blackout); err != nil {
		return err
	}
	if err := r.readAll("audit after a blackout"); err != nil {
		return err
	}
	if err := r.settle(); err != nil {
		return err
	}
	r.looked = r.world.Now()
	return r.world.Do(func() { r.state = r.cluster.CheckState(r.rec.AsOf(r.looked)) })
}

// readAll lets the administrator read everything.
func (r *run) readAll(name string) error {
	read := false
	r.admin.do(name, func(t env.Task) {
		r.admin.until(t, func() error { return r.load.Audit(t, &r.admin.Session) })
		read = true
		r.world.Stop()
	})
	return r.wait(r.plan.Phases.Audit, &read, "the final reads did not succeed")
}

// blackout cuts the power of all machines that have a disk and starts them
// again.
func (r *run) blackout() {
	for _, n := range r.world.Nodes() {
		if n.Disk() != nil {
			n.Crash(disk.PowerLoss)
		}
	}
	r.world.StartAll()
}

// wait runs the world until done, at most for limit.
func (r *run) wait(limit plan.Duration, done *bool, otherwise string) error {
	deadline := r.world.Now() + int64(limit)
	for !*done {
		if err := r.world.Run(deadline); err != nil {
			return err
		}
		if !*done && r.world.Now() >= deadline {
			return r.stuck(fmt.Sprintf("%s within %v", otherwise, limit))
		}
	}
	return nil
}

// explain turns the error that ended the phases into a finding or into the
// reason why the verdict is unknown.
func (r *run) explain(err error) {
	var failure *sim.Failure
	var violation invariant.Violation
	var breach consensus.Breach
	switch {
	case err == nil, errors.Is(err, errOver):
	case errors.Is(err, sim.ErrBudget):
		r.unknown = fmt.Sprintf("the run used up its %d events at %v", r.plan.Limits.Events, time.Duration(r.world.Now()))
	case errors.As(err, &violation):
		r.violate(trial.AssertionName, trial.AnomalyAssertion, trial.PlaceOf(r.world, err), "%s", violation.Message)
		r.stack(err)
	case errors.As(err, &breach):
		r.violate("raft", breach.Anomaly, trial.PlaceOf(r.world, err), "%s", breach.Message)
		r.stack(err)
	case errors.As(err, &failure):
		r.violate(trial.AssertionName, trial.AnomalyPanic, trial.PlaceOf(r.world, err), "%v", failure)
		r.stack(err)
	default:
		r.unknown = err.Error()
	}
}

// stack shows the stack of a panic to whoever reads the log.
func (r *run) stack(err error) {
	var failure *sim.Failure
	if errors.As(err, &failure) && r.opts.Logf != nil {
		r.opts.Logf("%v\n%s", failure, failure.Stack)
	}
}
