package raftstore

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/raft_cmdpb"

	"simrun/nodes/env"
)

// reportCPU adds the processor time of an operation, which a busy machine
// changes less than the time on the wall.
func reportCPU(b *testing.B) {
	start := cpuTime(b)
	b.Cleanup(func() { b.ReportMetric(float64((cpuTime(b)-start).Nanoseconds())/float64(b.N), "cpu-ns/op") })
}

func cpuTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkProposal measures the whole cost of replicating one small command
// over three stores: all three replicas, their databases, disks and network.
func BenchmarkProposal(b *testing.B) {
	for _, tasks := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("tasks=%d", tasks), func(b *testing.B) {
			c := newCluster(b, clusterOptions{seed: 1, regions: testRegions(3, "k1", "k2", "k3", "k4", "k5", "k6", "k7")})
			leaders := make([]*testStore, 8)
			for i := range leaders {
				leaders[i] = c.waitLeader(fmt.Sprintf("k%d", i))
			}
			value := string(make([]byte, 100))
			b.ReportAllocs()
			b.ResetTimer()
			reportCPU(b)
			running, left := tasks, b.N
			for i := range tasks {
				key := fmt.Sprintf("k%d", i%8)
				s := leaders[i%8]
				c.w.Go("client", func(t env.Task) {
					for n := 0; left > 0; n++ {
						left--
						reqs := []*raft_cmdpb.Request{putRequest(fmt.Sprintf("%s-%d", key, n%1000), value)}
						regionErr, err := s.Propose(t, s.context(key), 0, reqs, 5*time.Second)
						if regionErr != nil || err != nil {
							b.Errorf("%v %v", regionErr, err)
							left = 0
						}
					}
					if running--; running == 0 {
						c.w.Stop()
					}
				})
			}
			c.run(1000 * time.Hour)
		})
	}
}

// BenchmarkRead measures a linearizable read.
func BenchmarkRead(b *testing.B) {
	c := newCluster(b, clusterOptions{seed: 1})
	s := c.waitLeader("")
	b.ReportAllocs()
	b.ResetTimer()
	reportCPU(b)
	c.do(func(t env.Task) {
		for range b.N {
			if _, regionErr := c.tryGet(t, s, "k"); regionErr != nil {
				b.Fatal(regionErr)
			}
		}
	})
}

// BenchmarkIdle measures a virtual second of a cluster of three stores in which
// nobody does anything.
func BenchmarkIdle(b *testing.B) {
	for _, regions := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("regions=%d", regions), func(b *testing.B) {
			var keys []string
			for i := 1; i < regions; i++ {
				keys = append(keys, fmt.Sprintf("k%02d", i))
			}
			c := newCluster(b, clusterOptions{seed: 1, regions: testRegions(3, keys...)})
			c.run(3 * time.Second)
			b.ReportAllocs()
			b.ResetTimer()
			reportCPU(b)
			for range b.N {
				c.run(time.Second)
			}
		})
	}
}
