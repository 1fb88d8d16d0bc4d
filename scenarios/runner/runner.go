// Package runner runs a plan: it boots the cluster, lets clients work through a
// storm of faults, waits for the calm, audits, and hands what was recorded to
// the checkers.
//
//	outcome, err := runner.Run(plan, runner.Options{})
//	outcome.Result.Verdict
//
// The outcome is a function of the plan and the program, with one exception: the
// search of the linearizability checker gives up after a minute of real time,
// and what it has not decided by then is UNKNOWN.
package runner

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"simrun/checker"
	"simrun/faults"
	"simrun/nodes/client"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/nodes/rpc"
	"simrun/reports"
	"simrun/scenarios/cluster"
	"simrun/scenarios/trial"
	"simrun/scenarios/workload"
	"simrun/sim"
	"simrun/sim/disk"
	"simrun/sim/history"
	"simrun/sim/plan"
)

// Options are for whoever watches a run; none of them influences it, but
// Interrupted, which ends it.
type Options struct {
	// History, if not nil, gets the history while it is recorded.
	History io.Writer
	// Logf, if set, gets what the nodes log.
	Logf func(format string, args ...any)
	// Watch, if set, sees every record of the trace.
	Watch func(r sim.Record, subject string)
	// Trace, if not nil, gets a line for every record of the trace from TraceFrom on
	// and before TraceTo, instants of virtual time; a TraceTo of zero is the end. An
	// error of writing is the writer's to keep.
	Trace              io.Writer
	TraceFrom, TraceTo time.Duration
	// Progress, if set, is called now and then.
	Progress func(Progress)
	// Interrupted, if set, is asked now and then whether to end the run.
	Interrupted func() bool
	// Dump, if set, gets the raft logs of all regions at the end of the run.
	Dump io.Writer
}

// Progress tells how far a run is.
type Progress struct {
	Phase      string
	Virtual    time.Duration
	Operations int
	Events     uint64
	Faults     int // that took effect
}

// Outcome is what a run has produced.
type Outcome struct {
	Result  *reports.Result
	History *history.History
	Storm   Storm
}

// ErrInterrupted is why a run that was interrupted ended.
var ErrInterrupted = errors.New("interrupted")

// The phases of a run.
const (
	phaseBoot  = "boot"
	phaseStorm = "storm"
	phaseCalm  = "calm"
	phaseAudit = "audit"
)

// run is one run under way.
type run struct {
	plan     *plan.Plan
	opts     Options
	cluster  System
	world    *sim.World
	load     workload.Workload
	rec      *history.Recorder
	trace    *sim.TraceLines // nil: nobody reads them
	schedule *faults.Scheduler
	sessions []*session
	admin    *session
	phase    string
	timeline timeline
	during   Storm
	minority minority

	operations uint64            // begun by all clients
	findings   []checker.Finding // of the run itself: what no history shows
	unknown    string            // why the verdict cannot be OK
	lost       string            // what the faults have made impossible
	calls      []string          // that led to a panic
	waits      []reports.Wait    // when somebody had waited too long
	state      []checker.Result  // of the state checkers
	looked     int64             // when they looked
}

// Run runs a plan. An error means that the plan could not be run, or that its
// history could not be written; what a run finds is in its outcome.
func Run(p *plan.Plan, opts Options) (*Outcome, error) {
	return RunSystem(p, opts, builder(p.Cluster.API))
}

// Check reports what is wrong with a plan, everything that can be known before
// it runs: its own ranges, the kinds of messages at which its faults are aimed, and
// its workload and what that knows. The error is a *plan.Error.
func Check(p *plan.Plan) error {
	if err := p.Validate(); err != nil {
		return err
	}
	if err := checkMessages(p); err != nil {
		return err
	}
	return workload.Check(&p.Workload, p.Cluster.API)
}

// checkMessages makes sure that a fault which is aimed at one kind of messages has
// something to hit.
func checkMessages(p *plan.Plan) error {
	for i, f := range p.Faults {
		if kind := f.Degradation.Of; kind != "" && !rpc.KnownMethod(kind) {
			return plan.Errorf(fmt.Sprintf("schedule.faults[%d]", i),
				"is aimed at %s, which is no kind of message: write the name of a request, such as KvPrewrite", kind)
		}
	}
	return nil
}

// RunSystem runs a plan on a system of one's own.
func RunSystem(p *plan.Plan, opts Options, build Builder) (*Outcome, error) {
	if err := Check(p); err != nil {
		return nil, err
	}
	r := &run{plan: p, opts: opts}
	if err := r.prepare(build); err != nil {
		return nil, err
	}
	defer r.cluster.Close()
	err := r.phases()
	if opts.Dump != nil {
		r.cluster.DumpLogs(opts.Dump)
	}
	return r.finish(err)
}

func (r *run) prepare(build Builder) error {
	invariant.Reset()
	p := r.plan
	load, err := workload.New(p.Workload.Name, workload.Config{
		Seed: p.Seed, Keys: p.Workload.Keys, Params: p.Workload.Params, SQL: p.Workload.SQL,
		SchemaLease: time.Duration(p.Knobs.SchemaLease),
	})
	if err != nil {
		return err
	}
	r.load = load
	header := history.Header{Scenario: p.Scenario, Seed: p.Seed}
	load.Header(&header)
	r.rec = history.NewRecorder(header, r.opts.History)
	r.sessions = make([]*session, p.Workload.Clients)
	for i := range r.sessions {
		r.sessions[i] = newSession(r, i+1)
	}
	r.admin = newSession(r, 0)
	r.cluster, r.world, err = build(p, Hooks{
		Logf:    r.opts.Logf,
		OnEvent: r.clusterEvent,
		Client:  r.clientStarted,
	})
	if err != nil {
		return err
	}
	r.timeline.Now = r.world.Now
	limit := diskQueueMax(p)
	r.world.OnDisk = func(_ *sim.Node, op disk.Op) { r.timeline.diskOp(op.Complete, limit) }
	r.rec.Observe(r.traceOp)
	r.trace = sim.WatchTrace(r.world, r.opts.Watch, r.opts.Trace, r.opts.TraceFrom, r.opts.TraceTo)
	r.schedule = faults.NewScheduler(r.world.Kernel, sim.NewInjector(r.world, r.cluster), p.Faults, r.faultEvent)
	r.watchProgress()
	return nil
}

// clientStarted gives a client's session its database.
func (r *run) clientStarted(n int, e *env.Env, raw workload.Raw, db *client.Client) {
	s := r.admin
	if n > 0 {
		s = r.sessions[n-1]
	}
	s.started(e, raw, db)
}

// clusterEvent takes an event of the cluster.
func (r *run) clusterEvent(e cluster.Event) {
	r.timeline.clusterEvent(e)
	if e.Kind == cluster.Failed {
		r.violate(checker.Finding{
			Checker: trial.AssertionName, Anomaly: anomalyExit, Place: checker.Place{At: e.At, Nodes: []string{e.Node}},
			Message: fmt.Sprintf("the process of %s ended itself at %v, and no injected error explains it: %s", e.Node, time.Duration(e.At), e.Text),
		})
	}
}

// traceOp folds what a client saw into the trace, so that runs which differ only
// in that differ in their hash too. The timestamps of statements are with what these
// read; when they were invoked lies between the same events in any case.
func (r *run) traceOp(op *history.Op) {
	saw := *op
	if op.Txn != nil {
		x := *op.Txn
		x.ReadCommitted, x.Statements = false, nil
		saw.Txn = &x
	}
	text, err := json.Marshal(&saw)
	invariant.Check(err == nil, "runner: operation %d does not encode: %v", op.ID, err)
	r.world.Mark(sim.TraceMark, string(text))
}

func (r *run) faultEvent(e faults.Event) {
	r.during.Faults = append(r.during.Faults, e)
	r.faultHappens(e)
}

// faultHappens shows a step of a fault to everybody who watches.
func (r *run) faultHappens(e faults.Event) {
	r.world.Mark(sim.TraceFault, e.String())
	r.timeline.fault(e)
	if r.opts.Logf != nil {
		r.opts.Logf("%12v %-8s %s", time.Duration(r.world.Now()), "-", e.Words()) // in the columns of what nodes log
	}
}

// violate adds a finding that no history shows. The operations that the clients
// among its nodes had under way are what it is about.
func (r *run) violate(f checker.Finding) {
	for _, s := range append([]*session{r.admin}, r.sessions...) {
		if s.Current != nil && slices.Contains(f.Nodes, s.name()) {
			f.Evidence = append(f.Evidence, s.Current.ID)
		}
	}
	r.findings = append(r.findings, f)
}

// setPhase begins a phase.
func (r *run) setPhase(name string) {
	r.phase = name
	r.rec.SetPhase(name)
	r.world.Mark(sim.TraceMark, "phase "+name)
	r.timeline.phase(name)
}
