// Package trial is the kit for testing a system of one's own: it owns plans, phases,
// clients and their record, the restarts of nodes, liveness, and makes of a run what the
// package reports tells and keeps. What is left to be written is the protocol, and a
// function that says which nodes there are and what a client does:
//
//	system := &trial.System{
//		Name:   "abd",
//		Faults: faults.StormConfig{Kinds: ..., Stores: trial.Names("replica", 3)},
//		Build: func(t *trial.Trial) {
//			for _, name := range trial.Names("replica", 3) {
//				t.World.AddNode(sim.NodeConfig{Name: name, Main: replica})
//			}
//			t.Clients(func(e *env.Env, c *trial.Client) func(env.Task) {
//				return func(task env.Task) {
//					op := c.Begin(history.Op{Kind: history.Read, Key: "x"})
//					... asks the replicas ...
//					c.End(op, history.OK)
//				}
//			})
//		},
//	}
//	run, err := system.Run(system.Plan(7), trial.Options{})
//	run.Result.Verdict
//
// Package trialtest makes tests of that: seeds, replays of plans that failed, and the rest.
//
// A run has four phases. Boot: all nodes start, and it lasts until every client has
// succeeded once. Storm: the faults of the plan. Calm: all faults are undone, all nodes are up,
// and every client has to succeed once more. Audit: the clients end, the system comes to rest,
// and the judges of the system look at it.
package trial

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"simrun/checker"
	"simrun/faults"
	"simrun/nodes/invariant"
	"simrun/reports"
	"simrun/sim"
	"simrun/sim/disk"
	"simrun/sim/history"
)

// Options are for whoever watches a run; none of them influences it.
type Options struct {
	// Logf, if set, gets what nodes log, what faults do, and the stack of a panic.
	Logf func(format string, args ...any)
	// History, if not nil, gets the history while it is recorded.
	History io.Writer
	// Trace, if not nil, gets a line for every record of the trace.
	Trace io.Writer
	// Watch, if set, sees every record of the trace.
	Watch func(r sim.Record, subject string)
	// Command runs the plan again, for whoever reads the report; empty: none is told.
	Command string
}

// Trial is one run of a plan. Build gets it with an empty world.
type Trial struct {
	// World is where the nodes are added.
	World *sim.World
	// Plan is what is run.
	Plan *Plan
	// Recorder records what is no operation of a Client.
	Recorder *history.Recorder
	// Directory, if set, is asked what late-bound targets mean that Target was not told of,
	// and takes what else the system can be asked for; see sim.Directory.
	Directory sim.Directory

	system   *System
	opts     Options
	phase    string
	timeline timeline
	schedule *faults.Scheduler
	targets  map[string]func(key string) []string
	judges   []func() checker.Result
	lives    map[string]disk.Stats // of the disks, when their processes began

	clients  []*Client // by number, from 1; the processes that they have now
	begun    uint64    // operations, in the storm
	exits    []checker.Finding
	liveness checker.Result
}

// The phases of a run.
const (
	phaseBoot  = "boot"
	phaseStorm = "storm"
	phaseCalm  = "calm"
	phaseAudit = "audit"
)

// errOver ends the phases early: the finding is recorded.
var errOver = errors.New("the run is over")

// Run runs a plan. An error without a run means that it could not be run. With one it is
// why the history could not be written to Options.History; it was judged all the same.
func (s *System) Run(p *Plan, opts Options) (*reports.Run, error) {
	if err := s.Check(p); err != nil {
		return nil, err
	}
	t := &Trial{
		Plan: p, system: s, opts: opts, targets: map[string]func(string) []string{}, lives: map[string]disk.Stats{},
		liveness: checker.Result{Checker: LivenessName},
	}
	t.prepare()
	defer t.World.Close()
	s.Build(t)
	if err := t.checkFaults(); err != nil {
		return nil, err
	}
	lines := sim.WatchTrace(t.World, opts.Watch, opts.Trace, 0, 0)
	t.schedule = faults.NewScheduler(t.World.Kernel, t.injector(), p.Faults, t.faultEvent)
	t.World.Limit(p.Events)
	err := t.phases()
	lines.Close()
	return t.finish(err)
}

// prepare makes the world and the record.
func (t *Trial) prepare() {
	invariant.Reset()
	world := t.system.World
	world.Seed, world.Logf = t.Plan.Seed, t.opts.Logf
	changed := world.OnChange
	world.OnChange = func(n *sim.Node, c sim.Change) {
		t.changed(n, c)
		if changed != nil {
			changed(n, c)
		}
	}
	world.OnExit = t.exited
	t.World = sim.NewWorld(world)
	t.timeline.Now = t.World.Now
	header := t.system.Header
	header.Scenario, header.Seed = t.system.Name, t.Plan.Seed
	t.Recorder = history.NewRecorder(header, t.opts.History)
	t.Recorder.Observe(t.traceOp)
}

// phases runs the phases in order. Its error is the kernel's, or errOver.
func (t *Trial) phases() error {
	for _, phase := range []func() error{t.boot, t.storm, t.calm, t.audit} {
		if err := phase(); err != nil {
			return err
		}
	}
	return nil
}

func (t *Trial) boot() error {
	t.setPhase(phaseBoot)
	if err := t.World.Do(t.World.StartAll); err != nil {
		return err
	}
	end := t.World.Now() + int64(t.Plan.Phases.Boot)
	for t.unserved() > 0 {
		if err := t.World.Run(end); err != nil { // ended early by whoever is served last
			return err
		}
		if t.World.Now() >= end && t.unserved() > 0 {
			t.stuck(t.Plan.Phases.Boot)
			return errOver
		}
	}
	return nil
}

func (t *Trial) storm() error {
	t.setPhase(phaseStorm)
	if err := t.World.Do(t.schedule.Start); err != nil {
		return err
	}
	return t.runFor(t.Plan.Phases.Storm)
}

func (t *Trial) calm() error {
	t.setPhase(phaseCalm)
	if err := t.World.Do(t.schedule.Calm); err != nil {
		return err
	}
	if err := t.runFor(t.Plan.Phases.Calm); err != nil {
		return err
	}
	if t.unserved() > 0 {
		t.stuck(t.Plan.Phases.Calm)
	}
	return nil
}

func (t *Trial) audit() error {
	t.setPhase(phaseAudit)
	return t.runFor(t.Plan.Phases.Audit)
}

func (t *Trial) runFor(d Duration) error { return t.World.RunFor(time.Duration(d)) }

// finish lets the judges look, closes the history and gathers the result.
func (t *Trial) finish(err error) (*reports.Run, error) {
	var results []checker.Result
	for _, look := range t.judges {
		if err == nil {
			err = t.World.Do(func() { results = append(results, look()) })
		}
	}
	if errors.Is(err, errOver) {
		err = nil
	}
	if t.liveness.Checked = len(t.clients); t.liveness.Checked == 0 {
		t.liveness.NotJudged("the kit has no clients in this run")
	}
	own := t.asserted(err)
	for _, f := range t.exits {
		own.Add(f)
	}
	h, streamed := t.Recorder.Close(t.World.Now())
	t.timeline.Close()
	r := &reports.Result{
		Scenario: t.system.Name, Seed: t.Plan.Seed, Command: t.opts.Command, Own: true,
		Timeline: t.timeline.Events,
		Marks:    invariant.Counts(),
		Stack:    Calls(err, t.opts.Logf),
	}
	Measure(r, t.World, t.schedule)
	r.Stats.Cluster = t.timeline.counts
	r.Stats.Operations = reports.CountOperations(h)
	r.Checkers = append([]checker.Result{own}, t.liveness)
	r.Checkers = append(r.Checkers, results...)
	r.Checkers = append(r.Checkers, checker.History(h, checker.Options{})...)
	r.Locate(h)
	r.Conclude()
	return &reports.Run{Plan: t.Plan.String(), History: h, Result: r}, streamed
}

// setPhase begins a phase, in which nobody has succeeded yet.
func (t *Trial) setPhase(name string) {
	t.phase = name
	for _, c := range t.clients {
		c.served = false
	}
	t.Recorder.SetPhase(name)
	t.World.Mark(sim.TraceMark, "phase "+name)
	t.timeline.phase(name)
}

func (t *Trial) faultEvent(e faults.Event) {
	t.World.Mark(sim.TraceFault, e.String())
	t.timeline.fault(e)
	if t.opts.Logf != nil {
		t.opts.Logf("%12v %-8s %s", time.Duration(t.World.Now()), "-", e.Words()) // in the columns of what nodes log
	}
}

// traceOp folds what a client saw into the trace.
func (t *Trial) traceOp(op *history.Op) {
	text, err := json.Marshal(op)
	invariant.Check(err == nil, "trial: operation %d does not encode: %v", op.ID, err)
	t.World.Mark(sim.TraceMark, string(text))
}

// Param returns a parameter of the plan.
func (t *Trial) Param(name string) int {
	n, there := t.Plan.Params[name]
	invariant.Check(there, "trial: %s has no parameter %q", t.system.Name, name)
	return n
}

// On returns whether a parameter that is a switch is on.
func (t *Trial) On(name string) bool { return t.Param(name) != 0 }

// Judge has look called at the end of a run that came to its end: what it finds counts
// as what the checkers of the history find.
func (t *Trial) Judge(look func() checker.Result) { t.judges = append(t.judges, look) }

// Event puts something that the system did onto the timeline of the report, and into the
// trace. node is the name of the one that did it, empty if it is of all.
func (t *Trial) Event(node, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	t.World.Mark(sim.TraceMark, node+": "+text)
	t.timeline.Add(reports.Event{At: t.World.Now(), Node: node, Kind: reports.Note, Text: text})
}
