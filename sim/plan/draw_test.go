package plan_test

import (
	"slices"
	"time"

	"pgregory.net/rapid"

	"simrun/faults"
	"simrun/sim/plan"
)

// drawPlan draws any valid plan whose faults come from a storm.
func drawPlan(t *rapid.T) plan.Plan {
	number := func(name string, lowest, highest int) int { return rapid.IntRange(lowest, highest).Draw(t, name) }
	duration := func(name string, lowest plan.Duration) plan.Duration {
		return plan.Duration(rapid.Int64Range(int64(lowest), int64(faults.TimeMax)).Draw(t, name))
	}
	p := plan.Default()
	p.Scenario = rapid.SampledFrom([]string{"", "bank", "write-skew"}).Draw(t, "scenario")
	p.Seed = rapid.Uint64().Draw(t, "seed")
	p.Cluster = drawCluster(t)
	p.Workload = plan.Workload{
		Name: "register", Clients: number("clients", 1, 20), Rate: number("rate", 1, 1_000_000),
		Operations: rapid.Uint64Range(0, 1<<60).Draw(t, "operations"), Keys: number("keys", 1, 1000),
		SQL:    rapid.OneOf(rapid.Just(""), rapid.String()).Draw(t, "sql"),
		Params: rapid.MapOf(rapid.StringMatching(`p[a-z0-9_.-]{0,8}`), rapid.Int()).Draw(t, "params"),
	}
	p.Phases = plan.Phases{
		Boot: duration("boot", 1), Storm: duration("storm", plan.Duration(time.Millisecond)),
		Calm: duration("calm", 1), Audit: duration("audit", 1),
		Minority: plan.NoMinority,
	}
	if p.Cluster.API != plan.Raft {
		p.Phases.Minority = rapid.SampledFrom(plan.Minorities()).Draw(t, "minority")
	}
	p.Knobs.Order = rapid.SampledFrom([]plan.Order{plan.FIFO, plan.Seeded}).Draw(t, "order")
	p.Knobs.HeartbeatTick = number("heartbeat", 1, 10)
	p.Knobs.ElectionTick = number("election", p.Knobs.HeartbeatTick+1, 1000)
	p.Knobs.Ticks = rapid.SampledFrom([]plan.Ticks{plan.Lazy, plan.Eager}).Draw(t, "ticks")
	p.Knobs.Hibernate = duration("hibernate", 0)
	p.Knobs.LockTTL = duration("ttl", 1)
	p.Network.LatencyMin = plan.Duration(number("latency", 0, 1_000_000))
	p.Network.Unordered = rapid.Bool().Draw(t, "unordered")
	p.Network.Loss = number("loss", 0, 1000)
	p.Disk.SyncMax = duration("sync", p.Disk.SyncMin)
	p.Clocks.DriftMax = number("drift", 0, faults.DriftMax)
	p.Limits.Events = rapid.Uint64Range(1, 1<<60-1).Draw(t, "events")
	if rapid.Bool().Draw(t, "faults") {
		p.Faults = drawStorm(t, &p)
	}
	p.Scheduling = drawScheduling(t, p.Faults)
	p.Knobs.ClockDriftBound = min(p.ClockDrift(), faults.DriftMax)
	p.Knobs.LeaderLease = p.ClockDrift() <= faults.DriftMax && rapid.Bool().Draw(t, "lease")
	p.Knobs.ReplicaRead = number("replica", 0, 1000)
	return p
}

func drawCluster(t *rapid.T) plan.Cluster {
	replicas := rapid.SampledFrom([]int{1, 3, 5, 7}).Draw(t, "replicas")
	c := plan.Cluster{
		Stores: rapid.IntRange(replicas, 9).Draw(t, "stores"), Replicas: replicas, Placement: 1,
		API:       rapid.SampledFrom([]plan.API{plan.Raw, plan.Txn, plan.Raft}).Draw(t, "api"),
		SplitKeys: []string{},
	}
	if c.API != plan.Raft {
		keys := rapid.SliceOf(rapid.String().Filter(func(s string) bool { return s != "" })).Draw(t, "keys")
		slices.Sort(keys)
		c.SplitKeys = slices.Compact(keys)
	} else {
		c.Placement, c.Stores = 0, replicas
	}
	c.Joining = rapid.IntRange(0, c.Stores-c.Replicas).Draw(t, "joining")
	return c
}

// drawScheduling draws one that fits the faults: where stores go away, somebody has
// to replace what they held.
func drawScheduling(t *rapid.T, schedule []faults.Fault) plan.Scheduling {
	s := plan.Default().Scheduling
	leaves := slices.ContainsFunc(schedule, func(f faults.Fault) bool {
		return f.Kind == faults.Wipe || f.Kind == faults.Drain || f.Kind == faults.Destroy
	})
	if leaves || rapid.Bool().Draw(t, "scheduling") {
		s.Interval = plan.Duration(rapid.Int64Range(1, int64(time.Hour)).Draw(t, "interval"))
		s.ReplicaCheck = leaves || rapid.Bool().Draw(t, "replica check")
	}
	s.BalanceLeaders = rapid.Bool().Draw(t, "balance")
	s.SplitSize = rapid.Int64Range(0, 1<<60).Draw(t, "split size")
	s.MergeSize = s.SplitSize / 2
	s.Tolerance = rapid.IntRange(0, 1_000_000).Draw(t, "tolerance")
	return s
}

func drawStorm(t *rapid.T, p *plan.Plan) []faults.Fault {
	schedule := faults.Storm(p.Seed, faults.StormConfig{
		Length: p.Phases.Storm, Kinds: faults.Kinds(), PeriodMin: max(p.Phases.Storm/8, 1e6), PeriodMax: max(p.Phases.Storm, 1e6),
		Stores: p.StoreNames(), Placement: p.PlacementNames(), Clients: p.ClientNames(), Joining: p.JoiningNames(),
		Keys: []string{rapid.String().Draw(t, "key"), "k1"}, Replicas: p.Cluster.Replicas,
	})
	if schedule == nil {
		schedule = []faults.Fault{}
	}
	return schedule
}
