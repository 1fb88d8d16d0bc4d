package faults_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"simrun/faults"
)

// stormOf is a storm of everything on a cluster of that many stores.
func stormOf(stores, replicas int) faults.StormConfig {
	c := faults.StormConfig{
		Length:    faults.Duration(10 * time.Second),
		Kinds:     faults.Kinds(),
		Placement: []string{"pd1"},
		Clients:   []string{"client1", "client2"},
		Keys:      []string{"k1", "k2"},
		Replicas:  replicas,
		Blackout:  100,
		Bursts:    300,
	}
	for i := range stores {
		c.Stores = append(c.Stores, fmt.Sprintf("store%d", i+1))
	}
	return c
}

// Goal: every storm is a valid schedule, in order, within its length, and a
// function of seed and configuration.
func TestStormIsValid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := stormOf(rapid.IntRange(0, 7).Draw(t, "stores"), 3)
		c.Kinds = rapid.SliceOfN(rapid.SampledFrom(faults.Kinds()), 0, 20).Draw(t, "kinds")
		c.Length = faults.Duration(rapid.Int64Range(int64(time.Millisecond), int64(time.Minute)).Draw(t, "length"))
		c.ForMin = faults.Duration(rapid.SampledFrom([]time.Duration{0, time.Millisecond, time.Second}).Draw(t, "forMin"))
		c.MajorityDown = rapid.Bool().Draw(t, "majority")
		if rapid.Bool().Draw(t, "no keys") {
			c.Keys = nil
		}
		if c.Validate() != nil {
			t.Skip("the combination is not valid")
		}
		seed := rapid.Uint64().Draw(t, "seed")
		schedule := faults.Storm(seed, c)
		for i, f := range schedule {
			if err := f.Validate(); err != nil {
				t.Fatal(err)
			}
			if f.At >= time.Duration(c.Length) || i > 0 && f.At < schedule[i-1].At {
				t.Fatalf("%v is out of place", f)
			}
			if !slices.Contains(c.Kinds, f.Kind) {
				t.Fatalf("%v is not allowed", f)
			}
			if !f.Kind.Momentary() && f.For == 0 {
				t.Fatalf("%v does not end before the calm", f)
			}
		}
		if again := faults.Storm(seed, c); !slices.EqualFunc(schedule, again, faults.Fault.Equal) {
			t.Fatal("the same seed gives another storm")
		}
	})
}

// Goal: at no instant are more stores down than leave a quorum.
// Method: an account kept independently of the generator's: at the beginning of
// each fault, the stores that the faults in force keep away are counted; the
// ones bound late count as stores of their own.
func TestStormKeepsQuorums(t *testing.T) {
	for _, shape := range []struct{ stores, replicas int }{{3, 3}, {5, 3}, {5, 5}, {7, 5}} {
		c := stormOf(shape.stores, shape.replicas)
		c.Blackout = 0
		most := 0
		for seed := range uint64(300) {
			schedule := faults.Storm(seed, c)
			for _, f := range schedule {
				down := map[string]bool{}
				for i, g := range schedule {
					if g.At <= f.At && f.At <= g.At+g.Within+g.For {
						for _, name := range away(g, c) {
							if name != "" && name[0] == 'l' {
								name = fmt.Sprint(name, i)
							}
							down[name] = true
						}
					}
				}
				most = max(most, len(down))
				if len(down) > (shape.replicas-1)/2 {
					t.Fatalf("seed %d: at %v these are down: %v", seed, f.At, down)
				}
			}
		}
		if most != (shape.replicas-1)/2 {
			t.Errorf("%d of %d replicas were down at most: the storms are too tame", most, shape.replicas)
		}
	}
}

// away names the stores that a fault keeps from the majority.
func away(f faults.Fault, c faults.StormConfig) []string {
	stores := func(targets []faults.Target) (names []string) {
		for _, target := range targets {
			switch target.Kind {
			case faults.TargetLeader, faults.TargetFollower, faults.TargetSnapshotReceiver, faults.TargetSnapshotSender:
				names = append(names, "late")
			case faults.TargetNode:
				if slices.Contains(c.Stores, target.Name) {
					names = append(names, target.Name)
				}
			default:
			}
		}
		return names
	}
	switch f.Kind {
	case faults.PowerLoss, faults.Kill, faults.Pause, faults.Isolate, faults.DiskStall, faults.DiskFull, faults.DiskError, faults.Wipe, faults.Destroy, faults.Restart:
		return stores(f.Targets)
	case faults.Partition, faults.Clog:
		a, b := stores(f.Targets), stores(f.Peers)
		if len(b) < len(a) {
			a = b
		}
		return a
	default:
		return nil
	}
}

// Goal: swarm testing: each kind is on in some storms and off in others, and
// storms differ in how much they hold.
func TestStormSwarms(t *testing.T) {
	c := stormOf(7, 5)
	c.Joining = c.Stores[5:]
	const seeds = 200
	on := map[faults.Kind]int{}
	blackouts, armed, late := 0, 0, 0
	for seed := range uint64(seeds) {
		schedule := faults.Storm(seed, c)
		if len(schedule) == 0 {
			t.Errorf("seed %d has no faults", seed)
		}
		seen := map[faults.Kind]bool{}
		for _, f := range schedule {
			seen[f.Kind] = true
			if f.Kind == faults.PowerLoss && f.Targets[0] == faults.AllStores() {
				blackouts++
			}
			if f.Op > 0 {
				armed++
			}
			if len(f.Targets) > 0 && f.Targets[0].Kind == faults.TargetLeader {
				late++
			}
		}
		for k := range seen {
			on[k]++
		}
	}
	for _, k := range faults.Kinds() {
		if k == faults.Join || k == faults.Restart {
			if on[k] != seeds {
				t.Errorf("%v is on in %d of %d storms", k, on[k], seeds)
			}
			continue
		}
		if on[k] < seeds/20 || on[k] > seeds*3/4 {
			t.Errorf("%v is on in %d of %d storms", k, on[k], seeds)
		}
	}
	if blackouts == 0 || armed == 0 || late == 0 {
		t.Errorf("blackouts %d, armed crashes %d, leaders hit %d: none may be missing", blackouts, armed, late)
	}
}

// Goal: a rolling restart takes every node with a disk down once, never two at a
// time, and leaves each the time to come back; some hand their leaders over before.
func TestStormRestartsInTurn(t *testing.T) {
	c := stormOf(4, 3)
	c.Kinds, c.Bursts = []faults.Kind{faults.Restart}, 0
	all := slices.Concat(c.Stores, c.Placement)
	relieved, plain := 0, 0
	for seed := range uint64(100) {
		schedule := faults.Storm(seed, c)
		var names []string
		back := time.Duration(0)
		for _, f := range schedule {
			if f.At < back {
				t.Fatalf("seed %d: %v begins while another node is away, or has just come back", seed, f)
			}
			back = f.At + f.Within + f.For + time.Duration(c.Length)/time.Duration(5*len(all))
			names = append(names, f.Targets[0].Name)
			if f.Within > 0 {
				relieved++
			} else {
				plain++
			}
		}
		slices.Sort(names)
		if want := slices.Sorted(slices.Values(all)); !slices.Equal(names, want) {
			t.Fatalf("seed %d restarts %v, not %v", seed, names, want)
		}
	}
	if relieved == 0 || plain == 0 {
		t.Errorf("%d are relieved, %d are not", relieved, plain)
	}
}

// Goal: allowing one more kind changes nothing about the faults of the others.
func TestKindsDoNotShiftEachOther(t *testing.T) {
	c := stormOf(3, 3)
	c.KindChance = 1000
	c.MajorityDown = true // the budget is what makes kinds compete
	c.Bursts = 0          // they are of several kinds
	for seed := range uint64(50) {
		all := faults.Storm(seed, c)
		for _, k := range faults.Kinds() {
			alone := c
			alone.Kinds = []faults.Kind{k}
			want := slices.DeleteFunc(slices.Clone(all), func(f faults.Fault) bool { return f.Kind != k })
			if got := faults.Storm(seed, alone); !slices.EqualFunc(got, want, faults.Fault.Equal) {
				t.Fatalf("seed %d: %v alone gives %v, among all %v", seed, k, got, want)
			}
		}
	}
}

// burstsOf returns the faults that a storm has because of its bursts. Without the
// budget, nothing makes them compete with the others.
func burstsOf(t *testing.T, seed uint64, c faults.StormConfig) []faults.Fault {
	t.Helper()
	c.MajorityDown = true
	all := faults.Storm(seed, c)
	c.Bursts = 0
	singles := faults.Storm(seed, c)
	var bursts []faults.Fault
	for _, f := range all {
		if len(singles) > 0 && f.Equal(singles[0]) {
			singles = singles[1:]
		} else {
			bursts = append(bursts, f)
		}
	}
	if len(singles) > 0 {
		t.Fatalf("seed %d: with bursts there is no %v", seed, singles[0])
	}
	return bursts
}

// Goal: some storms have bursts and others not, single faults are what they are
// without, and every sort of burst comes up: of one store, of a quorum, of all.
// Method: a burst shows in its power losses, each within moments of what else
// happens to the same stores.
func TestStormBursts(t *testing.T) {
	c := stormOf(3, 3)
	const seeds = 300
	const moments = 450 * time.Millisecond
	with := 0
	partners := map[faults.Kind]int{}
	victims := map[int]int{}
	for seed := range uint64(seeds) {
		list := burstsOf(t, seed, c)
		if len(list) > 0 {
			with++
		}
		for i, f := range list {
			if f.Kind != faults.PowerLoss {
				continue
			}
			victims[len(f.Targets)]++
			for _, g := range list[:i] {
				if f.At-g.At < moments {
					partners[g.Kind]++
				}
			}
		}
	}
	if with < seeds/5 || with > seeds*2/5 {
		t.Errorf("%d of %d storms have bursts, want about 3 of 10", with, seeds)
	}
	for _, k := range []faults.Kind{
		faults.PowerLoss, faults.Kill, faults.DiskSlow, faults.DiskStall, faults.Isolate, faults.TransferLeader, faults.Split,
	} {
		if partners[k] == 0 {
			t.Errorf("no burst has %v before a power loss", k)
		}
	}
	for n := range 3 {
		if victims[n+1] == 0 {
			t.Errorf("no burst takes the power from %d stores at once", n+1)
		}
	}
}

// Goal: bursts crash a quorum only where all stores may lose the power at once.
func TestBurstsKeepToTheBudget(t *testing.T) {
	c := stormOf(3, 3)
	c.Bursts = 1000
	for _, blackout := range []int{0, 1} {
		c.Blackout = blackout
		quorums := 0
		for seed := range uint64(200) {
			for _, f := range faults.Storm(seed, c) {
				if (f.Kind == faults.PowerLoss || f.Kind == faults.Kill) && len(f.Targets) > 1 {
					quorums++
				}
			}
		}
		if (quorums > 0) != (blackout > 0) {
			t.Errorf("blackout %d: quorums were crashed %d times", blackout, quorums)
		}
	}
}

func TestStormConfigIsValidated(t *testing.T) {
	for name, spoil := range map[string]func(*faults.StormConfig){
		"length":        func(c *faults.StormConfig) { c.Length = 0 },
		"for-m":         func(c *faults.StormConfig) { c.ForMin, c.ForMax = 2e9, 1e9 },
		"period-min":    func(c *faults.StormConfig) { c.PeriodMin = 5 },
		"kind-chance":   func(c *faults.StormConfig) { c.KindChance = 1001 },
		"answer-chance": func(c *faults.StormConfig) { c.AnswerChance = 1001 },
		"loss-max":      func(c *faults.StormConfig) { c.LossMax = -1 },
		"bursts":        func(c *faults.StormConfig) { c.Bursts = -1 },
		"slow-max":      func(c *faults.StormConfig) { c.SlowMax = 1 },
		"Kind(99)":      func(c *faults.StormConfig) { c.Kinds = []faults.Kind{99} },
		"pd 1":          func(c *faults.StormConfig) { c.Placement = []string{"pd 1"} },
		"two nodes":     func(c *faults.StormConfig) { c.Clients = []string{"store1"} },
	} {
		c := stormOf(3, 3)
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		spoil(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, expected an error that names %s", err, name)
		}
	}
}
