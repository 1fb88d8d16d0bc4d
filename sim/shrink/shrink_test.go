package shrink_test

import (
	"errors"
	"hash/fnv"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"simrun/faults"
	"simrun/sim/plan"
	"simrun/sim/reduce"
	"simrun/sim/shrink"
)

// drawPlan draws a plan of some size, with the faults of a storm and settings of all
// kinds.
func drawPlan(t *rapid.T) *plan.Plan {
	p := plan.Default()
	p.Seed = rapid.Uint64().Draw(t, "seed")
	p.Cluster.Stores = rapid.SampledFrom([]int{3, 5, 6}).Draw(t, "stores")
	p.Cluster.Placement = rapid.SampledFrom([]int{1, 3}).Draw(t, "placement")
	p.Cluster.SplitKeys = rapid.SampledFrom([][]string{{}, {"b"}, {"a", "b", "c", "d"}}).Draw(t, "regions")
	p.Workload.Clients = rapid.IntRange(1, 8).Draw(t, "clients")
	p.Workload.Operations = rapid.Uint64Range(0, 300).Draw(t, "operations")
	p.Workload.Params = rapid.SampledFrom([]map[string]int{{}, {"newest": 30, "past": 60}}).Draw(t, "params")
	p.Phases.Storm = plan.Duration(rapid.IntRange(2, 20).Draw(t, "storm")) * plan.Duration(time.Second)
	p.Knobs.LeaderLease = false
	p.Knobs.LockTTL = plan.Duration(time.Second)
	p.Phases.Minority = rapid.SampledFrom(plan.Minorities()).Draw(t, "minority")
	p.Network.Loss = rapid.IntRange(0, 20).Draw(t, "loss")
	p.Scheduling.Interval = plan.Duration(time.Second)
	p.Scheduling.ReplicaCheck = true
	p.Scheduling.OperatorTimeout = plan.Duration(3 * time.Second)
	p.Faults = faults.Storm(p.Seed, faults.StormConfig{
		Length: p.Phases.Storm, Kinds: faults.Kinds(), PeriodMin: plan.Duration(500 * time.Millisecond),
		Stores: p.StoreNames(), Placement: p.PlacementNames(), Clients: p.ClientNames(), Keys: []string{"a", "k"}, Bursts: 500,
	})
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	return &p
}

// need is what a failure needs: so many of everything, and faults of some kinds.
type need struct {
	clients, keys, regions int
	operations             uint64
	storm                  time.Duration
	kinds                  map[faults.Kind]int
	loss                   bool
}

// drawNeed draws something that the plan fails by.
func drawNeed(t *rapid.T, p *plan.Plan) need {
	n := need{
		clients: rapid.IntRange(1, p.Workload.Clients).Draw(t, "needs clients"),
		keys:    rapid.IntRange(1, p.Workload.Keys).Draw(t, "needs keys"),
		regions: rapid.IntRange(0, len(p.Cluster.SplitKeys)).Draw(t, "needs regions"),
		storm:   time.Duration(rapid.Int64Range(0, int64(p.Phases.Storm)).Draw(t, "needs storm")),
		kinds:   map[faults.Kind]int{},
		loss:    p.Network.Loss > 0 && rapid.Bool().Draw(t, "needs loss"),
	}
	n.operations = rapid.Uint64Range(0, p.Workload.Operations).Draw(t, "needs operations")
	for _, f := range p.Faults {
		if rapid.IntRange(0, 4).Draw(t, "needs fault") == 0 {
			n.kinds[f.Kind]++
		}
	}
	return n
}

// met reports whether a plan has all that is needed. It is monotone: what has more
// meets it too.
func (n need) met(p *plan.Plan) bool {
	for kind, wanted := range n.kinds {
		if count(p, kind) < wanted {
			return false
		}
	}
	operations := p.Workload.Operations == 0 || p.Workload.Operations >= n.operations
	return operations && p.Workload.Clients >= n.clients && p.Workload.Keys >= n.keys && len(p.Cluster.SplitKeys) >= n.regions &&
		time.Duration(p.Phases.Storm) >= n.storm && (p.Network.Loss > 0 || !n.loss)
}

// named reports whether a fault of the plan names a client: it stays then.
func named(p *plan.Plan, client int) bool {
	fewer := p.Clone()
	shrink.Clients(fewer, client-1)
	return len(fewer.Faults) < len(p.Faults)
}

func count(p *plan.Plan, kind faults.Kind) int {
	n := 0
	for _, f := range p.Faults {
		if f.Kind == kind {
			n++
		}
	}
	return n
}

// shrunk shrinks a plan, and makes sure of what holds in any case: only valid plans
// are tried, none twice, and what comes out fails.
func shrunk(t *rapid.T, p *plan.Plan, fails func(p *plan.Plan) bool) shrink.Result {
	before, tried, adopted := p.String(), map[string]bool{}, 0
	r, err := shrink.Shrink(p, shrink.Options{
		First: reduce.OneByOne(func(p *plan.Plan) (bool, error) {
			if err := p.Validate(); err != nil {
				t.Fatal(err)
			}
			text := p.String()
			if tried[text] {
				t.Fatalf("tried twice:\n%s", text)
			}
			tried[text] = true
			return fails(p), nil
		}),
		Smaller: func(*plan.Plan) { adopted++ },
	})
	if err != nil {
		t.Fatal(err)
	}
	if !fails(r.Plan) || !r.Smallest || p.String() != before || r.Tries != len(tried) {
		t.Fatalf("fails %v, smallest %v, %d tries of %d, plan changed: %v", fails(r.Plan), r.Smallest, r.Tries, len(tried), p.String() != before)
	}
	// A sweep over everything is linear in the number of faults and logarithmic in times
	// and numbers, and it takes some of them more than there are steps forward.
	if most := (adopted + 2) * (250 + 10*len(p.Faults)); r.Tries > most {
		t.Fatalf("%d tries for %d faults and %d steps, more than %d", r.Tries, len(p.Faults), adopted, most)
	}
	return r
}

// Where what fails is known, nothing else is left.
func TestMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlan(t)
		n := drawNeed(t, p)
		r := shrunk(t, p, n.met)
		got, wanted := shrink.SizeOf(r.Plan), 0
		for kind, k := range n.kinds {
			wanted += k
			if count(r.Plan, kind) != k {
				t.Fatalf("%d faults %v, want %d", count(r.Plan, kind), kind, k)
			}
		}
		settings := 0
		if n.loss {
			settings = 1
		}
		if got.Faults != wanted || got.Clients > n.clients && !named(r.Plan, got.Clients) || got.Keys != n.keys || got.Regions != n.regions+1 || got.Operations > max(n.operations, 1) {
			t.Fatalf("got %+v, want %d faults and %+v", got, wanted, n)
		}
		needsSettings := slices.ContainsFunc(r.Plan.Faults, func(f faults.Fault) bool {
			return f.Kind == faults.Wipe || f.Kind == faults.Drain || f.Kind == faults.Destroy || f.Kind == faults.ClockDrift
		})
		if got.Settings != settings && !needsSettings {
			t.Fatalf("%d settings are not as usual, want %d:\n%s", got.Settings, settings, r.Plan)
		}
		for _, f := range r.Plan.Faults {
			if f.For > time.Millisecond || f.Op > 0 {
				t.Fatalf("left: %v", f)
			}
		}
		if r.Tries > 400+40*(len(p.Faults)+1) {
			t.Fatalf("%d tries for %d faults", r.Tries, len(p.Faults))
		}
	})
}

// Whatever fails - here it is left to chance, so that taking something more away may make a
// plan fail again - no single fault can be taken from what comes out.
func TestNotMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlan(t)
		original, one := p.String(), rapid.Uint64Range(2, 6).Draw(t, "one in")
		fails := func(p *plan.Plan) bool {
			h := fnv.New64a()
			_, _ = h.Write([]byte(p.String()))
			return h.Sum64()%one == 0 || p.String() == original
		}
		r := shrunk(t, p, fails)
		for i := range r.Plan.Faults {
			q := r.Plan.Clone()
			shrink.Faults(q, func(j int, _ faults.Fault) bool { return j != i })
			if q.Validate() == nil && fails(q) {
				t.Fatalf("fault %d of %d can be taken away", i, len(r.Plan.Faults))
			}
		}
	})
}

// A shrink that may try only so much ends with the smallest so far, the same that a
// longer one comes by; so does one that is stopped.
func TestBudget(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlan(t)
		n := drawNeed(t, p)
		var smaller []string
		whole, err := shrink.Shrink(p, shrink.Options{
			First:   reduce.OneByOne(func(p *plan.Plan) (bool, error) { return n.met(p), nil }),
			Smaller: func(p *plan.Plan) { smaller = append(smaller, p.String()) },
		})
		if err != nil {
			t.Fatal(err)
		}
		smaller = append([]string{p.String()}, smaller...)
		tries := rapid.IntRange(1, whole.Tries).Draw(t, "tries")
		bounded, err := shrink.Shrink(p, shrink.Options{
			First: reduce.OneByOne(func(p *plan.Plan) (bool, error) { return n.met(p), nil }), Tries: tries,
		})
		if err != nil || bounded.Tries > tries || !n.met(bounded.Plan) || bounded.Smallest && tries < whole.Tries {
			t.Fatalf("%d tries of %d, smallest %v, error %v", bounded.Tries, tries, bounded.Smallest, err)
		}
		left, stop := tries, errors.New("stopped")
		stopped, err := shrink.Shrink(p, shrink.Options{First: reduce.OneByOne(func(p *plan.Plan) (bool, error) {
			if left--; left < 0 {
				return false, stop
			}
			return n.met(p), nil
		})})
		if tries < whole.Tries && (!errors.Is(err, stop) || stopped.Smallest) {
			t.Fatalf("got %v, smallest %v", err, stopped.Smallest)
		}
		for _, r := range []shrink.Result{bounded, stopped} {
			if !slices.Contains(smaller, r.Plan.String()) {
				t.Fatal("a shrink that ends early is on another way")
			}
		}
	})
}

// A plan that is not valid is refused, for nothing of it could be tried.
func TestInvalid(t *testing.T) {
	p := plan.Default()
	p.Workload.Clients = 0
	r, err := shrink.Shrink(&p, shrink.Options{First: func([]*plan.Plan) (int, error) {
		t.Error("something was tried")
		return -1, nil
	}})
	var wrong *plan.Error
	if !errors.As(err, &wrong) || wrong.Field != "workload.clients" || r.Smallest || r.Plan.String() != p.String() {
		t.Errorf("got %+v, %v", r, err)
	}
}

// Where everything is valid and fails, a shrink comes to its end all the same, with
// one of everything.
func TestEverythingFails(t *testing.T) {
	p := plan.Default()
	r, err := shrink.Shrink(&p, shrink.Options{
		Valid: func(*plan.Plan) error { return nil },
		First: func([]*plan.Plan) (int, error) { return 0, nil },
	})
	if err != nil || !r.Smallest || r.Plan.Cluster.Stores != 1 || r.Plan.Workload.Clients != 1 {
		t.Errorf("got %+v, %v", r, err)
	}
}
