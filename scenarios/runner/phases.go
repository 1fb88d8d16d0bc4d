package runner

import (
	"errors"
	"slices"
	"time"

	"simrun/checker"
	"simrun/nodes/env"
	"simrun/scenarios/trial"
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

// calm heals everything, or all but one store (minority.go). From then on the system
// must become available within the bound: every client finishes what it does and
// succeeds once more, and the administrator writes to every key, so to every region.
func (r *run) calm() error {
	r.setPhase(phaseCalm)
	defer func() { r.during.Healed = r.counts() }()
	if err := r.world.Do(r.schedule.Calm); err != nil {
		return err
	}
	if err := r.breakMinority(); err != nil {
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
		r.awaitNotice(t)
		r.admin.until(t, func() error { return r.load.Probe(t, &r.admin.Session) })
		probed = true
		look()
	})
	bound, otherwise := r.calmBound()
	if err := r.wait(bound, &served, otherwise); err != nil {
		return err
	}
	return r.mendMinority()
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
			return r.stuck(otherwise, limit, r.brokenMeanwhile())
		}
	}
	return nil
}

// explain turns the error that ended the phases into a finding or into the
// reason why the verdict is unknown.
func (r *run) explain(err error) {
	switch f, blamed := trial.Blame(r.world, err); {
	case err == nil, errors.Is(err, errOver):
	case blamed:
		r.violate(f)
		r.calls = trial.Calls(err, r.opts.Logf)
	default:
		r.unknown = trial.Inconclusive(r.world, r.plan.Limits.Events, err)
	}
}
