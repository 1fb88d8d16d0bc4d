package bareraft_test

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"simrun/checker"
	"simrun/faults"
	"simrun/nodes/invariant"
	"simrun/reports"
	"simrun/scenarios"
	"simrun/scenarios/bareraft"
	"simrun/scenarios/bareraft/registers"
	"simrun/scenarios/runner"
	"simrun/sim/history"
	"simrun/sim/plan"
)

// seedPlan returns the plan of a seed of the scenario raft.
func seedPlan(tb testing.TB, seed uint64) *plan.Plan {
	tb.Helper()
	s, err := scenarios.Find("raft")
	if err != nil {
		tb.Fatal(err)
	}
	return s.Plan(seed)
}

func run(tb testing.TB, p *plan.Plan, opts bareraft.Options) *runner.Outcome {
	tb.Helper()
	o, err := runner.RunSystem(p, runner.Options{}, runner.BareRaft(opts))
	if err != nil {
		tb.Fatal(err)
	}
	return o
}

// A hundred seeds keep every promise, and between them every kind of fault
// takes effect, leaders move when they are told to, snapshots are sent, and
// every rare branch of the replicas is taken.
func TestSeeds(t *testing.T) {
	effective := map[string]int{}
	marks := map[string]uint64{}
	var sum reports.ClusterStats
	for seed := range uint64(100) {
		p := seedPlan(t, seed)
		p.Workload.Operations = 500 // of up to 9,000
		o := run(t, p, bareraft.Options{})
		if o.Result.Verdict != checker.OK {
			t.Errorf("%v: %s\n    simrun run raft --seed %d", o.Result.Verdict, o.Result.Signature(), seed)
		}
		for _, f := range o.Result.Stats.Faults {
			effective[f.Kind] += f.Effective
		}
		for _, m := range o.Result.Marks {
			marks[m.Name] += m.Count
		}
		sum.LeaderTransfers += o.Result.Stats.Cluster.LeaderTransfers
		sum.Snapshots += o.Result.Stats.Cluster.Snapshots
	}
	s, err := scenarios.Find("raft")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range s.Faults.Kinds {
		if effective[k.String()] == 0 {
			t.Errorf("%v took no effect", k)
		}
	}
	for _, name := range []string{
		"dropped a request that was seen before", "refused a request that was meant for an earlier process",
		"refused reads when the leader was deposed", "restored a snapshot from the leader",
	} {
		if marks["registers: "+name] == 0 {
			t.Errorf("never %s", name)
		}
	}
	if sum.LeaderTransfers == 0 || sum.Snapshots == 0 {
		t.Errorf("%d leader transfers, %d snapshots", sum.LeaderTransfers, sum.Snapshots)
	}
}

// A plan gives the same trace whatever the number of processors, and another
// seed gives another.
func TestSameTrace(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	seen := map[reports.Hash]bool{}
	for seed := range uint64(5) {
		first := run(t, seedPlan(t, seed), bareraft.Options{}).Result
		for _, procs := range []int{1, 2, 8} {
			runtime.GOMAXPROCS(procs)
			again := run(t, seedPlan(t, seed), bareraft.Options{}).Result
			if again.TraceHash != first.TraceHash || again.Stats.Events != first.Stats.Events {
				t.Fatalf("seed %d: trace %v of %d events, and %v of %d with %d processors",
					seed, first.TraceHash, first.Stats.Events, again.TraceHash, again.Stats.Events, procs)
			}
		}
		seen[first.TraceHash] = true
	}
	if len(seen) != 5 {
		t.Errorf("5 seeds gave %d traces", len(seen))
	}
}

// partitionedPlan cuts one member after the other from the rest, together with
// one of four busy clients, so that a leader that was deposed goes on being
// asked.
func partitionedPlan(tb testing.TB, seed uint64) *plan.Plan {
	tb.Helper()
	p := benchPlan(seed, 30*time.Second, 500)
	p.Workload.Rate, p.Workload.Keys = 200, 2
	p.Knobs.RequestTimeout = plan.Duration(50 * time.Millisecond)
	p.Faults = nil
	rest := []string{"store2,store3", "store1,store3", "store1,store2"}
	for i := range 14 {
		f, err := faults.Parse(fmt.Sprintf("at %ds partition store%d,client1 | %s,client2,client3,client4 for 1s", 1+2*i, i%3+1, rest[i%3]))
		if err != nil {
			tb.Fatal(err)
		}
		p.Faults = append(p.Faults, f)
	}
	return p
}

// A leader that answers reads from what it has, without asking whether it still
// leads, is found out: one that was deposed and does not know it yet returns
// what has been overwritten. The same plans are right with ReadIndex.
func TestUnconfirmedReadIsFound(t *testing.T) {
	const seeds = 20
	unconfirmed := bareraft.Options{Read: func(r *registers.Replica, q registers.Query) { r.Answer(q) }}
	found := 0
	for seed := range uint64(seeds) {
		right := run(t, partitionedPlan(t, seed), bareraft.Options{}).Result
		if right.Verdict != checker.OK {
			t.Errorf("seed %d with confirmed reads: %v: %s", seed, right.Verdict, right.Signature())
		}
		wrong := run(t, partitionedPlan(t, seed), unconfirmed).Result
		if wrong.Verdict == checker.OK {
			continue
		}
		found++
		if got := wrong.Signature(); got != "VIOLATION linear not-linearizable" {
			t.Errorf("seed %d: %s", seed, got)
		}
	}
	t.Logf("%d of %d seeds find it", found, seeds)
	if found < seeds/4 {
		t.Errorf("%d of %d seeds find it", found, seeds)
	}
}

// A plan that the system cannot serve is refused with what to write instead.
func TestRefusedPlans(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(p *plan.Plan)
		want   string
	}{
		{"api", func(p *plan.Plan) { *p = plan.Default() }, "bare raft serves plans with cluster.api = 'raft', not 'txn'"},
		{"workload", func(p *plan.Plan) { p.Workload.Name = "bank" }, `workload.name is "bank", but bare raft serves registers only: write "register"`},
		{
			"replicas", func(p *plan.Plan) { p.Cluster.Stores, p.Cluster.Replicas = 5, 3 },
			"cluster.replicas is 3 and cluster.stores is 5: bare raft has one group, of which every node is a member; write equal numbers",
		},
	} {
		p := seedPlan(t, 1)
		c.change(p)
		if _, err := bareraft.New(p, bareraft.Options{}); fmt.Sprint(err) != c.want {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// What ends a run in the middle is told with the instant and the node, on which an
// event of its own ran; that a client waited is told with its operation.
func TestFindingsHaveAPlace(t *testing.T) {
	broken := bareraft.Options{Read: func(*registers.Replica, registers.Query) { invariant.Fail("reads are not served") }}
	o := run(t, seedPlan(t, 1), broken)
	findings := o.Result.Findings()
	if len(findings) != 1 || findings[0].Checker != "assertion" {
		t.Fatalf("found %+v", findings)
	}
	f := findings[0]
	if f.At != o.Result.Stats.Virtual || len(f.Nodes) != 1 || !slices.Contains(seedPlan(t, 1).StoreNames(), f.Nodes[0]) {
		t.Errorf("the assertion of a replica is placed at %+v", f.Place)
	}

	p := seedPlan(t, 1)
	p.Phases.Calm = plan.Duration(time.Millisecond)
	o = run(t, p, bareraft.Options{})
	findings = o.Result.Findings()
	if len(findings) != 1 || findings[0].Checker != "liveness" {
		t.Fatalf("found %+v", findings)
	}
	f = findings[0]
	if f.At == 0 || len(f.Nodes) == 0 || len(f.Evidence) == 0 {
		t.Errorf("who is stuck is placed at %+v, operations %v", f.Place, f.Evidence)
	}
	for _, id := range f.Evidence {
		if !slices.ContainsFunc(o.History.Ops, func(op history.Op) bool { return op.ID == id }) {
			t.Errorf("operation %d is not in the history", id)
		}
	}
}
