package runner

import (
	"testing"
	"time"

	"simrun/checker/verdict"
	"simrun/faults"
	"simrun/reports"
	"simrun/sim/history"
	"simrun/sim/plan"
)

// Clients and keys that wait longer than the bound are found, together with who was
// away; what waits for nobody is none of it. The method: histories of a client or
// two, in units of half a bound.
func TestAvailability(t *testing.T) {
	p := rolling()
	half := availabilityBound(p)/2 + time.Millisecond
	op := func(client int, key string, from, to time.Duration, outcome history.Outcome) history.Op {
		return history.Op{
			Client: client, Kind: history.Write, Key: key, Phase: phaseStorm, Outcome: outcome,
			Invoke: int64(time.Minute + from*half/1000), Return: int64(time.Minute + to*half/1000),
		}
	}
	for _, c := range []struct {
		name string
		ops  []history.Op
		bad  int
	}{
		{"answered at once", []history.Op{op(1, "a", 0, 10, history.OK)}, 0},
		{"one long operation", []history.Op{op(1, "a", 0, 2000, history.OK)}, 2},
		{"one long operation that failed", []history.Op{op(1, "a", 0, 2000, history.Unknown)}, 2},
		{"several that were lost", []history.Op{
			op(1, "a", 0, 700, history.Unknown), op(1, "a", 700, 1400, history.Unknown), op(1, "a", 1400, 2000, history.OK),
		}, 2},
		{"a conflict in between", []history.Op{
			op(1, "a", 0, 700, history.Unknown), op(1, "a", 700, 1400, history.Failed), op(1, "a", 1400, 2000, history.OK),
		}, 0},
		{"a pause in between", []history.Op{
			op(1, "a", 0, 700, history.Unknown), op(1, "a", 9000, 9700, history.OK),
		}, 0},
		{"of several clients, one key", []history.Op{
			op(1, "a", 0, 700, history.Unknown), op(1, "b", 710, 720, history.OK), op(2, "a", 700, 1400, history.Unknown),
			op(1, "a", 1400, 2000, history.Unknown),
		}, 1},
		{"lanes of one client", []history.Op{
			op(1, "a", 0, 1500, history.Unknown), op(1+1<<20, "b", 0, 1500, history.Unknown), op(1, "c", 1500, 2000, history.OK),
		}, 1},
		{"the administrator", []history.Op{op(0, "a", 0, 2000, history.OK)}, 0},
	} {
		tl := &timeline{Timeline: reports.Timeline[openKey]{Events: []reports.Event{{Node: "store1", Kind: reports.Down, At: 1, Until: int64(time.Hour)}}}}
		r, _ := tl.checkAvailability(p, &history.History{Ops: c.ops}, nil)
		if len(r.Findings) != c.bad || (r.Verdict == verdict.Violation) != (c.bad > 0) {
			t.Errorf("%s: %d findings, not %d: %+v", c.name, len(r.Findings), c.bad, r.Findings)
		}
	}
}

// rolling is a plan that restarts two stores in turn.
func rolling() *plan.Plan {
	p := plan.Default()
	p.Workload.Name, p.Workload.Clients = "register", 2
	p.Cluster.API, p.Cluster.Placement = plan.Raw, 3
	p.Knobs.OperationTimeout = plan.Duration(10 * time.Second)
	p.Phases.Storm = plan.Duration(15 * time.Second)
	for i, text := range []string{"at 1s restart store1 within 1s for 4s", "at 7s restart store2 for 4s"} {
		f, err := faults.Parse(text)
		if err != nil {
			panic(err) // an example of the test's own
		}
		p.Faults = append(p.Faults[:i], f)
	}
	return &p
}

// What is not a rolling restart is not judged, since something else may make clients
// wait; and where nodes are restarted the result says so.
func TestAvailabilityIsOfRestarts(t *testing.T) {
	long := &history.History{Ops: []history.Op{{Client: 1, Phase: phaseStorm, Return: int64(time.Hour), Outcome: history.OK}}}
	for name, c := range map[string]struct {
		change func(p *plan.Plan)
		h      *history.History
		asked  bool
	}{
		"no faults":         {func(p *plan.Plan) { p.Faults = nil }, long, false},
		"two at a time":     {func(p *plan.Plan) { p.Faults[1].At = 3 * time.Second }, long, true},
		"for ever":          {func(p *plan.Plan) { p.Faults[1].For = 0 }, long, true},
		"another fault too": {func(p *plan.Plan) { p.Faults[1].Kind = faults.Kill }, long, true},
		"another fault": {func(p *plan.Plan) {
			p.Faults[0].Kind, p.Faults[1].Kind = faults.Kill, faults.Kill
		}, long, false},
		"one replica":       {func(p *plan.Plan) { p.Cluster.Replicas = 1 }, long, true},
		"one placement":     {func(p *plan.Plan) { p.Cluster.Placement = 1 }, long, true},
		"messages are lost": {func(p *plan.Plan) { p.Network.Loss = 1 }, long, true},
		"nobody works":      {func(*plan.Plan) {}, &history.History{}, true},
	} {
		p := rolling()
		c.change(p)
		r, asked := (&timeline{}).checkAvailability(p, c.h, nil)
		if r.Checked != 0 || r.Verdict != verdict.OK || asked != c.asked || (r.Reason != "") != asked {
			t.Errorf("%s: asked %v: %+v", name, asked, r)
		}
	}
}
