package cluster

import (
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	"simrun/nodes/client"
	"simrun/nodes/env"
	"simrun/sim/plan"
)

// load is a cluster of five stores with a number of regions, some of which are
// written to. Its purpose is to measure what a virtual second costs.
type load struct {
	regions int
	// writes a virtual second, spread over the first loaded regions.
	writes, loaded int
	hibernate      time.Duration
	// scheduled: the placement driver keeps replicas and leaders where they should be.
	scheduled bool
}

// start builds the cluster and lets it come to rest.
func (l load) start(b testing.TB) (c *Cluster, done *int) {
	b.Helper()
	p := plan.Default()
	p.Cluster.API, p.Cluster.Stores, p.Cluster.Placement = plan.Raw, 5, 3
	p.Workload.Name, p.Workload.Clients, p.Workload.Keys = "register", 1, l.regions
	p.Knobs.Hibernate = plan.Duration(l.hibernate)
	if l.scheduled {
		p.Scheduling = plan.Scheduling{
			Interval: plan.Duration(100 * time.Millisecond), MaxStoreDownTime: plan.Duration(10 * time.Second),
			OperatorTimeout: plan.Duration(10 * time.Second), OperatorLimit: 16, StoreLimit: 4,
			ReplicaCheck: true, BalanceLeaders: true, BalanceRegions: true,
		}
	}
	for i := 1; i < l.regions; i++ {
		p.Cluster.SplitKeys = append(p.Cluster.SplitKeys, loadKey(i))
	}
	if err := p.Validate(); err != nil {
		b.Fatal(err)
	}
	done = new(int)
	c, err := New(&p, Options{Client: func(n int, e *env.Env, db *client.Client) {
		if n == 1 {
			l.write(e, db, done)
		}
	}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	c.World.StartAll()
	run(b, c, 5*time.Second)
	return c, done
}

func loadKey(region int) string { return fmt.Sprintf("reg/%04d", region) }

// write starts writers of ten writes a second each.
func (l load) write(e *env.Env, db *client.Client, done *int) {
	const rate = 10
	value := make([]byte, 100)
	for i := range l.writes / rate {
		e.Sched.Go("writer", func(t env.Task) {
			t.Sleep(time.Duration(i) * time.Second / rate / time.Duration(l.writes/rate))
			for n := 0; ; n++ {
				begun := e.Clock.Monotonic()
				key := fmt.Sprintf("%s/%d", loadKey((i+n*l.writes/rate)%l.loaded), n%100)
				if db.RawPut(t, []byte(key), value) == nil {
					*done++
				}
				t.Sleep(max(0, begun+time.Second/rate-e.Clock.Monotonic()))
			}
		})
	}
}

func run(b testing.TB, c *Cluster, d time.Duration) {
	b.Helper()
	if err := c.World.RunFor(d); err != nil {
		b.Fatal(err)
	}
}

// measure reports what a virtual second costs.
func (l load) measure(b *testing.B) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	c, done := l.start(b)
	*done = 0
	sent := c.World.Network.Stats().Sent
	b.ResetTimer()
	before := cpuTime(b)
	for range b.N {
		run(b, c, time.Second)
	}
	n := float64(b.N)
	b.ReportMetric((cpuTime(b)-before).Seconds()*1000/n, "CPU-ms/virtual-s")
	b.ReportMetric(float64(*done)/n, "writes/virtual-s")
	b.ReportMetric(float64(c.World.Network.Stats().Sent-sent)/n, "messages/virtual-s")
}

// BenchmarkWrites is 1,000 raw writes a virtual second to five stores, over all
// of their regions.
func BenchmarkWrites(b *testing.B) {
	for _, regions := range []int{10, 100, 300} {
		b.Run(fmt.Sprintf("regions=%d", regions), load{regions: regions, writes: 1000, loaded: regions}.measure)
	}
}

// BenchmarkIdle is five stores whose regions nobody uses, awake and hibernating.
func BenchmarkIdle(b *testing.B) {
	for _, regions := range []int{100, 1000} {
		b.Run(fmt.Sprintf("awake/regions=%d", regions), load{regions: regions}.measure)
		b.Run(fmt.Sprintf("hibernating/regions=%d", regions), load{regions: regions, hibernate: time.Second}.measure)
		b.Run(fmt.Sprintf("scheduled/regions=%d", regions),
			load{regions: regions, hibernate: time.Second, scheduled: true}.measure)
	}
}

// BenchmarkBoot is the start of a cluster, until every region has a leader.
func BenchmarkBoot(b *testing.B) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	before := cpuTime(b)
	for range b.N {
		c, _ := load{regions: 1000, hibernate: time.Second}.start(b)
		c.World.Close()
	}
	b.ReportMetric((cpuTime(b)-before).Seconds()*1000/float64(b.N), "CPU-ms/boot")
}

func cpuTime(b testing.TB) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
