// Package trial puts a system of one's own under test: it joins a world, a schedule
// of faults and the record of what clients see, and makes of them what the package
// reports tells and keeps.
//
//	t := trial.New(trial.Config{Name: "abd", World: sim.Config{Seed: seed}})
//	defer t.Close()
//	t.World.AddNode(sim.NodeConfig{Name: "replica1", Main: replica})
//	...
//	run := t.Run(schedule, trial.Phases{Storm: 3 * time.Second, Calm: time.Second})
//
// Clients record what they do with t.Recorder. One whose process ends has left an
// operation open: its next process goes on under another number (history.Op.Client).
// The run has no plan, for no plan describes the system: who wrote it runs it again,
// and Config.Command says how.
package trial

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"simrun/checker"
	"simrun/faults"
	"simrun/nodes/invariant"
	"simrun/reports"
	"simrun/sim"
	"simrun/sim/history"
)

// Config describes a trial.
type Config struct {
	// Name is what reports call the system.
	Name string
	// Command runs the same again, for whoever reads the report; empty: none is told.
	Command string
	// World is the world's; its seed decides everything. Its hooks are called too.
	World sim.Config
	// Header says what the history promises to the checkers; scenario and seed are set.
	Header history.Header
	// History, if not nil, gets the history while it is recorded.
	History io.Writer
	// Directory knows who leads what, where faults are to be aimed at that; it may be
	// nil.
	Directory sim.Directory
}

// Phases are how long a trial lasts, in virtual time.
type Phases struct {
	Storm time.Duration // in which the schedule is applied
	Calm  time.Duration // after everything was undone
}

// Trial is one run of a system.
type Trial struct {
	World    *sim.World
	Recorder *history.Recorder

	cfg      Config
	timeline timeline
	schedule *faults.Scheduler
	rest     error // of the history's stream
}

// New returns a trial with an empty world. As a process has one world at a time, it
// is closed before the next one.
func New(cfg Config) *Trial {
	t := &Trial{cfg: cfg}
	t.timeline.Now = func() int64 { return t.World.Now() }
	world := cfg.World
	world.OnChange = func(n *sim.Node, c sim.Change) {
		t.timeline.changed(n.Name(), c)
		if cfg.World.OnChange != nil {
			cfg.World.OnChange(n, c)
		}
	}
	world.OnExit = func(n *sim.Node, reason string) {
		t.timeline.Add(reports.Event{At: t.World.Now(), Node: n.Name(), Kind: reports.Note, Text: "exit: " + reason})
		if cfg.World.OnExit != nil {
			cfg.World.OnExit(n, reason)
		}
	}
	invariant.Reset()
	t.World = sim.NewWorld(world)
	header := cfg.Header
	header.Scenario, header.Seed = cfg.Name, cfg.World.Seed
	t.Recorder = history.NewRecorder(header, cfg.History)
	t.Recorder.Observe(t.traceOp)
	return t
}

// Close ends everything.
func (t *Trial) Close() { t.World.Close() }

// HistoryErr is why the history could not be written to Config.History.
func (t *Trial) HistoryErr() error { return t.rest }

// Run starts all nodes, lets them work through the schedule and, when everything is
// undone, through the calm, and has the history checked. judge, if there are any,
// look at the system at its end; what they find counts as what the checkers find.
func (t *Trial) Run(schedule []faults.Fault, phases Phases, judge ...func() checker.Result) *reports.Run {
	t.schedule = faults.NewScheduler(t.World.Kernel, sim.NewInjector(t.World, t.cfg.Directory), schedule, t.faultEvent)
	err := t.phases(phases)
	var results []checker.Result
	for _, look := range judge {
		if err == nil {
			err = t.World.Do(func() { results = append(results, look()) })
		}
	}
	return t.finish(Judge(t.World, err), results)
}

func (t *Trial) phases(p Phases) error {
	t.setPhase("storm")
	err := t.World.Do(func() {
		t.World.StartAll()
		t.schedule.Start()
	})
	if err == nil {
		err = t.World.RunFor(p.Storm)
	}
	if err != nil {
		return err
	}
	t.setPhase("calm")
	if err := t.World.Do(t.schedule.Calm); err != nil {
		return err
	}
	return t.World.RunFor(p.Calm)
}

// finish closes the history and gathers the result.
func (t *Trial) finish(own checker.Result, results []checker.Result) *reports.Run {
	h, err := t.Recorder.Close(t.World.Now())
	t.rest = err
	t.timeline.Close()
	r := &reports.Result{
		Scenario: t.cfg.Name, Seed: t.cfg.World.Seed, Command: t.cfg.Command,
		Timeline: t.timeline.Events,
		Marks:    invariant.Counts(),
	}
	Measure(r, t.World, t.schedule)
	r.Stats.Cluster = t.timeline.counts
	r.Stats.Operations = reports.CountOperations(h)
	r.Checkers = append([]checker.Result{own}, results...)
	r.Checkers = append(r.Checkers, checker.History(h, checker.Options{})...)
	r.Locate(h)
	r.Conclude()
	return &reports.Run{History: h, Result: r}
}

// setPhase begins a phase.
func (t *Trial) setPhase(name string) {
	t.Recorder.SetPhase(name)
	t.World.Mark(sim.TraceMark, "phase "+name)
	t.timeline.phase(name)
}

func (t *Trial) faultEvent(e faults.Event) {
	t.World.Mark(sim.TraceFault, e.String())
	t.timeline.fault(e)
}

// traceOp folds what a client saw into the trace.
func (t *Trial) traceOp(op *history.Op) {
	text, err := json.Marshal(op)
	if err != nil {
		panic(fmt.Errorf("trial: operation %d does not encode: %w", op.ID, err))
	}
	t.World.Mark(sim.TraceMark, string(text))
}
