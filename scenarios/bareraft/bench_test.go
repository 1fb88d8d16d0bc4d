package bareraft_test

import (
	"syscall"
	"testing"
	"time"

	"simrun/checker"
	"simrun/faults"
	"simrun/scenarios/bareraft"
	"simrun/sim/plan"
)

// benchPlan is three replicas under 50 small proposals a virtual second, with
// crashes and partitions. A share of reads comes on top, in per mille.
func benchPlan(seed uint64, storm time.Duration, reads int) *plan.Plan {
	p := plan.Default()
	p.Scenario, p.Seed = "raft", seed
	p.Cluster = plan.Cluster{Stores: 3, Replicas: 3, API: plan.Raft, SplitKeys: []string{}}
	p.Phases.Storm = plan.Duration(storm)
	p.Workload = plan.Workload{
		Name: bareraft.WorkloadName, Clients: 4, Rate: 56 * 1000 / (1000 - reads), Keys: 8,
		Params: map[string]int{"write": 1000 - reads, "cas": 0},
	}
	p.Faults = faults.Storm(seed, faults.StormConfig{
		Length: p.Phases.Storm, Kinds: []faults.Kind{faults.Partition, faults.Kill, faults.PowerLoss}, KindChance: 1000,
		PeriodMin: plan.Duration(5 * time.Second), PeriodMax: plan.Duration(10 * time.Second), ForMax: plan.Duration(2 * time.Second),
		Stores: p.StoreNames(), Clients: p.ClientNames(),
	})
	return &p
}

// BenchmarkRaftOnly reports virtual seconds per CPU-second of whole runs, from
// the boot to the verdict.
func BenchmarkRaftOnly(b *testing.B) {
	b.Run("proposals", func(b *testing.B) { benchmark(b, 0) })
	b.Run("proposals-and-reads", func(b *testing.B) { benchmark(b, 500) })
}

func benchmark(b *testing.B, reads int) {
	b.ReportAllocs()
	var virtual, operations int64
	var effective int
	before := cpuTime(b)
	for i := range b.N {
		o := run(b, benchPlan(uint64(i), time.Minute, reads), bareraft.Options{})
		if o.Result.Verdict != checker.OK {
			b.Fatalf("seed %d: %v: %s", i, o.Result.Verdict, o.Result.Signature())
		}
		virtual += o.Result.Stats.Virtual
		operations += int64(len(o.History.Ops))
		for _, f := range o.Result.Stats.Faults {
			effective += f.Effective
		}
	}
	seconds := float64(virtual) / float64(time.Second)
	b.ReportMetric(seconds/(cpuTime(b)-before).Seconds(), "virtual-s/cpu-s")
	b.ReportMetric(float64(operations)/seconds, "ops/virtual-s")
	b.ReportMetric(float64(effective)/float64(b.N), "faults/op")
}

// cpuTime is what the process has used of all processors, the garbage
// collector's share included.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
