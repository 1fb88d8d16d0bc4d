package runner

import (
	"fmt"
	"slices"
	"time"

	"simrun/checker"
	"simrun/faults"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/reports"
	"simrun/sim"
	"simrun/sim/plan"
	"simrun/sim/stream"
)

// A calm in which everything is healed shows that the database comes back. That it
// goes on without a few of its members, and without somebody who repairs them, is
// another promise, and the one that replication is for. So one store may stay broken
// through the calm, while all that want anything have to be served by the others
// (TigerBeetle's VOPR heals a core of the cluster and leaves the others as they are,
// src/vopr.zig). It is a store without which every region has a quorum: whatever is
// not served then is not served for no good reason.
//
// The clients try from the first instant on. The administrator leaves the database
// alone until it must have noticed, and then expects of every region to be served at
// once: a region that nobody uses has to find out for itself.

const (
	// minoritySearch is how long it is looked for a store that can be spared, and
	// minorityPause the time between two looks. Regions are still coming back from the
	// storm, and may be about to change their members.
	minoritySearch = 3 * time.Second
	minorityPause  = 100 * time.Millisecond
	// minorityDelay is the longest that it waits before, so that regions may sleep, or
	// not, when it happens.
	minorityDelay = 2 * time.Second
)

// anomalyNoFailover: somebody was not served though a majority was there.
const anomalyNoFailover checker.Anomaly = "no-failover"

//nolint:gochecknoglobals // marks register once
var markIndispensable = invariant.NewMark("runner: every store was needed in the calm, none stayed broken")

// Sparer is a System of which a node can be spared.
type Sparer interface {
	// Spare returns the nodes of which any one, but not two, may be away without
	// anybody having to wait for it.
	Spare() []string
}

// minority is the store that stays broken through the calm.
type minority struct {
	choosing bool              // it is yet to be broken, and nobody counts as served
	schedule *faults.Scheduler // of what it suffers; nil: there is none
	words    string            // what it suffers
	since    int64
}

// breakMinority breaks a store if the plan says so and one can be spared.
func (r *run) breakMinority() error {
	p := r.plan
	if p.Phases.Minority == plan.NoMinority {
		return nil
	}
	m, draw := &r.minority, stream.New(p.Seed, "minority")
	m.choosing = true
	first := draw.IntN(p.Cluster.Stores)
	if err := r.world.RunFor(time.Duration(draw.Int64N(int64(minorityDelay)))); err != nil {
		return err
	}
	over := r.world.Now() + int64(minoritySearch)
	victim, err := r.spareFrom(first)
	for err == nil && victim == "" && r.world.Now() < over {
		if err = r.world.RunFor(minorityPause); err == nil {
			victim, err = r.spareFrom(first)
		}
	}
	m.choosing = false
	if err != nil || markIndispensable.Sometimes(victim == "") {
		return err
	}
	fault, words := r.minorityFault(victim)
	m.words, m.since = words, r.world.Now()
	m.schedule = faults.NewScheduler(r.world.Kernel, sim.NewInjector(r.world, r.cluster), []faults.Fault{fault}, r.minorityEvent)
	return r.world.Do(m.schedule.Start)
}

// spareFrom returns the first store that can be spared, beginning with that of an
// index; "" if there is none.
func (r *run) spareFrom(first int) (victim string, err error) {
	err = r.world.Do(func() {
		var spare []string
		if s, can := r.cluster.(Sparer); can {
			spare = s.Spare()
		}
		for _, name := range rotated(r.plan.StoreNames(), first) {
			if victim == "" && slices.Contains(spare, name) {
				victim = name
			}
		}
	})
	return victim, err
}

func rotated(names []string, first int) []string {
	return slices.Concat(names[first:], names[:first])
}

// minorityFault is what becomes of the victim, as a fault without an end and in words.
func (r *run) minorityFault(victim string) (fault faults.Fault, words string) {
	itself := nodeTargets(victim)
	var others []string
	for _, n := range r.world.Nodes() {
		if n.Name() != victim {
			others = append(others, n.Name())
		}
	}
	switch r.plan.Phases.Minority {
	case plan.Killed:
		return faults.Fault{Kind: faults.Kill, Targets: itself}, victim + " was down"
	case plan.Paused:
		return faults.Fault{Kind: faults.Pause, Targets: itself}, victim + " stood still"
	case plan.Mute:
		return faults.Fault{Kind: faults.Partition, Targets: itself, Peers: nodeTargets(others...), Directed: true}, "nobody heard " + victim
	case plan.Deaf:
		return faults.Fault{Kind: faults.Partition, Targets: nodeTargets(others...), Peers: itself, Directed: true}, victim + " heard nobody"
	case plan.Cut:
		other := r.otherStore(victim)
		return faults.Fault{Kind: faults.Partition, Targets: itself, Peers: nodeTargets(other)}, victim + " and " + other + " did not hear each other"
	case plan.NoMinority:
	}
	panic("runner: no minority: " + r.plan.Phases.Minority)
}

// otherStore is the next store behind one that is up.
func (r *run) otherStore(victim string) string {
	stores := r.plan.StoreNames()
	for _, name := range rotated(stores, slices.Index(stores, victim)) {
		if name != victim && r.world.Node(name).Up() {
			return name
		}
	}
	panic("runner: " + victim + " is the only store, and can be spared")
}

func nodeTargets(names ...string) []faults.Target {
	targets := make([]faults.Target, len(names))
	for i, name := range names {
		targets[i] = faults.Target{Kind: faults.TargetNode, Name: name}
	}
	return targets
}

// minorityEvent takes a step of what the minority suffers: it is numbered as the one
// behind the last fault of the storm.
func (r *run) minorityEvent(e faults.Event) {
	e.Index = len(r.plan.Faults)
	r.faultHappens(e)
}

// broken reports whether there is a store that stays broken.
func (m *minority) broken() bool { return m.schedule != nil }

// mendMinority heals what is broken.
func (r *run) mendMinority() error {
	if !r.minority.broken() {
		return nil
	}
	return r.world.Do(r.minority.schedule.Calm)
}

// calmBound is within which time everybody has to be served in the calm, and what is
// to be said if somebody was not.
func (r *run) calmBound() (bound plan.Duration, otherwise string) {
	m, p := &r.minority, r.plan
	if !m.broken() {
		return p.Phases.Calm, "after the storm not every client was served"
	}
	bound = p.Phases.Calm
	if p.Network.Loss == 0 { // else requests go unanswered anywhere, and operations of many fail for that
		bound = min(bound, plan.Duration(noticeBound(p)+probeBound(p)))
	}
	return bound, "without the store that was broken not everybody was served"
}

// brokenMeanwhile tells what was broken in the calm, to be appended to what is told.
func (r *run) brokenMeanwhile() string {
	if m := &r.minority; m.broken() && r.phase == phaseCalm {
		return fmt.Sprintf(", though every region had a quorum without it (%s, from %v on)", m.words, time.Duration(m.since))
	}
	return ""
}

// awaitNotice lets the time pass in which the others may notice that a store is broken.
func (r *run) awaitNotice(t env.Task) {
	if r.minority.broken() {
		t.Sleep(noticeBound(r.plan))
		r.admin.Onward = true
	}
}

// noticeBound is how long the database may take, by itself, until every region has a
// leader who can serve it. To what a node takes that is gone comes that a leader may
// have to notice for itself that nobody hears it, or that it hears nobody: its store
// misses the others, and then its quorum is not confirmed for two election timeouts.
func noticeBound(p *plan.Plan) time.Duration {
	timeout := time.Duration(p.Knobs.ElectionTick) * time.Duration(p.Knobs.TickInterval)
	bound := availabilityBound(p) + 2*timeout
	if p.Knobs.Hibernate > 0 {
		bound += 2 * timeout
	}
	return bound
}

// stuckAnomaly is what it is called if somebody has waited too long.
func (r *run) stuckAnomaly() checker.Anomaly {
	if r.minority.broken() && r.phase == phaseCalm {
		return anomalyNoFailover
	}
	return anomalyStuck
}

// countMinority counts what the minority suffers with the faults of the storm.
func (r *run) countMinority(s *reports.Stats) {
	if r.plan.Phases.Minority == plan.NoMinority {
		return
	}
	c := reports.FaultCount{Kind: "minority-" + string(r.plan.Phases.Minority), Scheduled: 1}
	if r.minority.broken() {
		for _, n := range r.minority.schedule.Counts() {
			c.Armed, c.Effective = n.Armed, n.Effective
		}
	}
	s.Faults = append(s.Faults, c)
}

// probeBound is how long the administrator may take to be served by all regions, one
// key after the other. Now and then a request goes to the store that does not answer,
// as each region is believed to be led there until it was asked; those who ask pass
// over the store for as long as they have waited for it.
func probeBound(p *plan.Plan) time.Duration {
	return 2*availabilityBound(p) + time.Duration(p.Workload.Keys)*probeWrite
}

// probeWrite is how long a write takes where nothing is in its way, and more.
const probeWrite = 20 * time.Millisecond
