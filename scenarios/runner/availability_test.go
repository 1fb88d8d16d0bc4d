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
		tl := &timeline{events: []reports.Event{{Node: "store1", Kind: reports.Down, At: 1, Until: int64(time.Hour)}}}
		r := tl.checkAvailability(p, &history.History{Ops: c.ops})
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

// What is not a rolling restart is not judged: something else may make clients wait.
func TestAvailabilityIsOfRestarts(t *testing.T) {
	long := &history.History{Ops: []history.Op{{Client: 1, Phase: phaseStorm, Return: int64(time.Hour), Outcome: history.OK}}}
	for name, change := range map[string]func(p *plan.Plan){
		"no faults":         func(p *plan.Plan) { p.Faults = nil },
		"two at a time":     func(p *plan.Plan) { p.Faults[1].At = 3 * time.Second },
		"for ever":          func(p *plan.Plan) { p.Faults[1].For = 0 },
		"another fault":     func(p *plan.Plan) { p.Faults[1].Kind = faults.Kill },
		"one replica":       func(p *plan.Plan) { p.Cluster.Replicas = 1 },
		"one placement":     func(p *plan.Plan) { p.Cluster.Placement = 1 },
		"messages are lost": func(p *plan.Plan) { p.Network.Loss = 1 },
	} {
		p := rolling()
		change(p)
		if r := (&timeline{}).checkAvailability(p, long); r.Checked != 0 || r.Verdict != verdict.OK {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// Where transactions lock, a client may wait for others, as long as these come to an end
// one after the other; those who lock nothing are no excuse.
func TestAvailabilityBesideLocks(t *testing.T) {
	p := rolling()
	p.Cluster.API, p.Workload.Name, p.Knobs.Pessimistic = plan.Txn, "bank", 500
	half := availabilityBound(p)/2 + time.Millisecond
	op := func(client int, from, to time.Duration, outcome history.Outcome, pessimistic bool, ops ...history.TxnOp) history.Op {
		return history.Op{
			Client: client, Kind: history.Txn, Phase: phaseStorm, Outcome: outcome,
			Invoke: int64(time.Minute + from*half/1000), Return: int64(time.Minute + to*half/1000),
			Txn: &history.TxnRecord{StartTS: 1, Pessimistic: pessimistic, Ops: ops},
		}
	}
	waits := op(1, 0, 3000, history.OK, true)
	for _, c := range []struct {
		name  string
		other []history.Op
		bad   int
	}{
		{"nobody else", nil, 1},
		{"one that locks, and another", []history.Op{
			op(2, 0, 1500, history.OK, true, history.TxnOp{Kind: history.TxnLock, Key: "a"}),
		}, 0},
		{"one that read for update", []history.Op{op(2, 0, 1500, history.OK, true, history.TxnOp{Kind: history.TxnRead, Key: "a", TS: 2})}, 0},
		{"one that got no lock in the end", []history.Op{op(2, 0, 1500, history.Failed, true)}, 0},
		{"one of unknown outcome", []history.Op{op(2, 1000, 1500, history.Unknown, true)}, 1},
		{"one that read its snapshot", []history.Op{op(2, 1000, 1500, history.OK, true, history.TxnOp{Kind: history.TxnRead, Key: "a"})}, 1},
		{"one that locks nothing before it commits", []history.Op{
			op(2, 1000, 1500, history.OK, false, history.TxnOp{Kind: history.TxnWrite, Key: "a"}),
		}, 1},
		{"one that came to an end too early", []history.Op{
			op(2, 0, 500, history.OK, true, history.TxnOp{Kind: history.TxnLock, Key: "a"}),
		}, 1},
	} {
		r := (&timeline{}).checkAvailability(p, &history.History{Ops: append(c.other, waits)})
		if len(r.Findings) != c.bad {
			t.Errorf("%s: %d findings, not %d: %+v", c.name, len(r.Findings), c.bad, r.Findings)
		}
	}
}
