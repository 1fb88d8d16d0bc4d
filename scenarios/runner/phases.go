package runner

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"simrun/checker"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/sim"
	"simrun/sim/plan"
)

// Anomalies of the run itself.
const (
	anomalyAssertion checker.Anomaly = "assertion" // an invariant of the database was violated
	anomalyPanic     checker.Anomaly = "panic"     // the database panicked
	anomalyStuck     checker.Anomaly = "stuck"     // no progress within the bound, without faults
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
	r.world.StartAll()
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
	r.schedule.Start()
	for _, s := range r.sessions {
		s.work()
	}
	return r.world.RunFor(time.Duration(r.plan.Phases.Storm))
}

// calm heals everything. From then on the system must become available within
// the bound: every client finishes what it does and succeeds once more.
func (r *run) calm() error {
	r.setPhase(phaseCalm)
	r.schedule.Calm()
	served := false
	for _, s := range r.sessions {
		s.probe(func() {
			if !slices.ContainsFunc(r.sessions, func(s *session) bool { return !s.served }) {
				served = true
				r.world.Stop()
			}
		})
	}
	return r.wait(r.plan.Phases.Calm, &served, "after the storm not every client was served")
}

// audit reads the final state through the database, waits until nothing moves
// any more, and then looks at the stores themselves.
func (r *run) audit() error {
	r.setPhase(phaseAudit)
	read := false
	r.admin.do("audit", func(t env.Task) {
		r.admin.until(t, func() error { return r.load.Audit(t, &r.admin.Session) })
		read = true
		r.world.Stop()
	})
	if err := r.wait(r.plan.Phases.Audit, &read, "the final reads did not succeed"); err != nil {
		return err
	}
	deadline := r.world.Now() + int64(r.plan.Phases.Audit)
	for !r.cluster.Quiet() {
		if r.world.Now() >= deadline {
			r.violate("liveness", anomalyStuck, "replicas did not agree within %v after the last operation: %s",
				r.plan.Phases.Audit, r.cluster.Unrest())
			return errOver
		}
		if err := r.world.RunFor(quietStep); err != nil {
			return err
		}
	}
	r.state = r.cluster.CheckState(r.rec.History())
	return nil
}

// quietStep is how often the audit looks whether the replicas agree.
const quietStep = 50 * time.Millisecond

// wait runs the world until done, at most for limit.
func (r *run) wait(limit plan.Duration, done *bool, otherwise string) error {
	deadline := r.world.Now() + int64(limit)
	for !*done {
		if err := r.world.Run(deadline); err != nil {
			return err
		}
		if !*done && r.world.Now() >= deadline {
			r.violate("liveness", anomalyStuck, "%s within %v: %s", otherwise, limit, r.waiting())
			return errOver
		}
	}
	return nil
}

// waiting tells who waits for what.
func (r *run) waiting() string {
	var lines []string
	for _, s := range append([]*session{r.admin}, r.sessions...) {
		if text := s.waiting(); text != "" {
			lines = append(lines, text)
		}
	}
	if unrest := r.cluster.Unrest(); unrest != "" {
		lines = append(lines, unrest)
	}
	return strings.Join(lines, "; ")
}

// explain turns the error that ended the phases into a finding or into the
// reason why the verdict is unknown.
func (r *run) explain(err error) {
	var failure *sim.Failure
	var violation invariant.Violation
	switch {
	case err == nil, errors.Is(err, errOver):
	case errors.Is(err, sim.ErrBudget):
		r.unknown = fmt.Sprintf("the run used up its %d events at %v", r.plan.Limits.Events, time.Duration(r.world.Now()))
	case errors.As(err, &violation):
		r.violate("assertion", anomalyAssertion, "%s", violation.Message)
		r.stack(err)
	case errors.As(err, &failure):
		r.violate("assertion", anomalyPanic, "%v", failure)
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
