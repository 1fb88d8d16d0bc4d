package runner

import (
	"slices"
	"strings"
	"testing"
	"time"

	"simrun/checker/verdict"
	"simrun/nodes/invariant"
	"simrun/reports"
	"simrun/sim/plan"
)

// broken is a plan of three stores, one of which stays broken, with regions that
// sleep.
func broken(kind plan.Minority) *plan.Plan {
	p := plan.Default()
	p.Seed = 3
	p.Workload.Name, p.Workload.Clients, p.Workload.Keys = "register", 2, 12
	p.Cluster.API, p.Cluster.Placement = plan.Raw, 3
	p.Cluster.SplitKeys = []string{"reg/0003", "reg/0006", "reg/0009"}
	p.Knobs.Hibernate = plan.Duration(100 * time.Millisecond)
	p.Phases.Storm = plan.Duration(time.Second)
	p.Phases.Minority = kind
	return &p
}

// one is the event of the timeline with a text.
func one(t *testing.T, events []reports.Event, kind reports.EventKind, text string) reports.Event {
	t.Helper()
	i := slices.IndexFunc(events, func(e reports.Event) bool { return e.Kind == kind && strings.Contains(e.Text, text) })
	if i < 0 {
		t.Fatalf("the timeline has no %s %q", kind, text)
	}
	return events[i]
}

// Goal: a store stays broken from the calm on until everybody is served, in each of
// the ways that there are, and is well before the audit begins.
func TestMinority(t *testing.T) {
	for _, c := range []struct {
		kind plan.Minority
		text string // of the fault in the timeline
	}{
		{plan.Killed, "kill store"}, {plan.Paused, "pause store"}, {plan.Mute, "partition store"}, {plan.Deaf, "-> store"}, {plan.Cut, " | store"},
	} {
		t.Run(string(c.kind), func(t *testing.T) {
			p := broken(c.kind)
			o, err := Run(p, Options{})
			if err != nil {
				t.Fatal(err)
			}
			r := o.Result
			if r.Verdict != verdict.OK {
				t.Errorf("%v: %s", r.Verdict, r.Signature())
			}
			fault, calm, audit := one(t, r.Timeline, reports.Fault, c.text), one(t, r.Timeline, reports.Phase, "calm"), one(t, r.Timeline, reports.Phase, "audit")
			if fault.At < calm.At || fault.Until != audit.At {
				t.Errorf("%q lasts from %v to %v, the calm from %v to %v", fault.Text, fault.At, fault.Until, calm.At, audit.At)
			}
			if took := time.Duration(audit.At - fault.At); took < noticeBound(p) || took > noticeBound(p)+probeBound(p) {
				t.Errorf("it lasts for %v", took)
			}
			want := reports.FaultCount{Kind: "minority-" + string(c.kind), Scheduled: 1, Armed: 1, Effective: 1}
			if !slices.Contains(r.Stats.Faults, want) {
				t.Errorf("faults: %+v", r.Stats.Faults)
			}
		})
	}
}

// Goal: a store that somebody needs stays whole, and the run goes on without.
func TestMinorityIsIndispensable(t *testing.T) {
	p := broken(plan.Killed)
	p.Cluster.Stores, p.Cluster.Replicas = 1, 1
	o, err := Run(p, Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := reports.FaultCount{Kind: "minority-kill", Scheduled: 1}
	if o.Result.Verdict != verdict.OK || !slices.Contains(o.Result.Stats.Faults, want) {
		t.Errorf("%v: %+v", o.Result.Verdict, o.Result.Stats.Faults)
	}
	i := slices.IndexFunc(o.Result.Marks, func(m invariant.Count) bool {
		return m.Name == "runner: every store was needed in the calm, none stayed broken"
	})
	if i < 0 || o.Result.Marks[i].Count != 1 {
		t.Error("nobody says so")
	}
}

// Goal: whoever is not served in time is told, with what was broken and who waits.
func TestMinorityNotServed(t *testing.T) {
	p := broken(plan.Deaf)
	p.Phases.Calm = plan.Duration(time.Second) // nobody could be
	o, err := Run(p, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := o.Result.Signature(); !strings.HasPrefix(got, "VIOLATION liveness no-failover") {
		t.Errorf("signature %q", got)
	}
	var found string
	for _, c := range o.Result.Checkers {
		for _, f := range c.Findings {
			found = f.Message
		}
	}
	for _, text := range []string{"without the store that was broken not everybody was served within 1s, though every region had a quorum without it", "heard nobody, from ", "admin is at its probe"} {
		if !strings.Contains(found, text) {
			t.Errorf("%q does not say %q", found, text)
		}
	}
}
