package runner_test

import (
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	"simrun/checker"
	"simrun/scenarios/runner"
	"simrun/sim/plan"
)

// bankPlan is the bank on 3 stores and 8 regions: 8 clients, about 100
// transactions a virtual second, no faults. A client pauses between transactions
// and does not make up for the time that one takes, so the rate is above 100.
func bankPlan(seed uint64, storm time.Duration) *plan.Plan {
	p := plan.Default()
	p.Scenario, p.Seed = "bank", seed
	p.Workload.Clients, p.Workload.Rate, p.Workload.Keys = 8, 118, 64
	for i := 1; i < 8; i++ {
		p.Cluster.SplitKeys = append(p.Cluster.SplitKeys, fmt.Sprintf("acct/%04d", i*8))
	}
	p.Phases.Storm = plan.Duration(storm)
	return &p
}

// BenchmarkBank runs 60 virtual seconds of the bank, checkers included.
func BenchmarkBank(b *testing.B) {
	const storm = 60 * time.Second
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var cpu time.Duration
	var events, txns uint64
	for i := range b.N {
		before := cpuTime(b)
		o, err := runner.Run(bankPlan(uint64(i), storm), runner.Options{})
		if err != nil || o.Result.Verdict != checker.OK {
			b.Fatal(err, o.Result.Findings())
		}
		cpu += cpuTime(b) - before
		events += o.Result.Stats.Events
		txns += uint64(len(o.History.Ops))
	}
	n := float64(b.N)
	b.ReportMetric(cpu.Seconds()/n, "CPU-s/run")
	b.ReportMetric(float64(events)/cpu.Seconds(), "events/CPU-s")
	b.ReportMetric(float64(txns)/n/storm.Seconds(), "txns/virtual-s")
	b.ReportMetric(peakMemory(b), "peak-MB")
}

func usage(b *testing.B) (u syscall.Rusage) {
	b.Helper()
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u
}

func cpuTime(b *testing.B) time.Duration {
	u := usage(b)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peakMemory is the largest resident size of the process so far.
func peakMemory(b *testing.B) float64 { return float64(usage(b).Maxrss) / 1024 }
