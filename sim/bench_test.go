package sim

import (
	"math"
	"testing"
	"time"

	"simrun/nodes/env"
	"simrun/sim/stream"
)

// The benchmarks report events per second of one core; docs/benchmarks.md holds
// the figures. Each keeps 100 activities going, about what a run of the
// database has, so that the queue holds a realistic number of events.
const activities = 100

// beat is a callback that schedules itself again after a random delay.
type beat struct {
	k *Kernel
	r *stream.Stream
}

func (b *beat) Fire() {
	b.k.Trace.record(b.k.now, TraceTimer, 1, 0, "")
	b.k.Post(b.k.now+1+int64(b.r.Uint64()>>44), b)
}

func BenchmarkCallback(b *testing.B) {
	k := NewKernel(1, Arrival)
	for i := range activities {
		k.Post(0, &beat{k, stream.New(1, "beat", uint64(i))})
	}
	runEvents(b, k, b.N)
}

// request bounces between a client and a server: an event for each direction.
type request struct {
	k        *Kernel
	r        *stream.Stream
	response bool
	served   uint64
}

func (q *request) Fire() {
	q.response = !q.response
	if q.response {
		q.served++
	}
	q.k.Trace.record(q.k.now, TraceMessage, 1, q.served, "")
	q.k.Post(q.k.now+500_000+int64(q.r.Uint64()>>44), q)
}

func BenchmarkRequestResponse(b *testing.B) {
	k := NewKernel(1, Arrival)
	for i := range activities {
		k.Post(0, &request{k: k, r: stream.New(1, "request", uint64(i))})
	}
	runEvents(b, k, b.N)
}

// BenchmarkTimerSwitch measures a task that sleeps: a timer and a switch into
// its coroutine and back.
func BenchmarkTimerSwitch(b *testing.B) {
	k := NewKernel(1, Arrival)
	for i := range activities {
		r := stream.New(1, "sleeper", uint64(i))
		k.Go("sleeper", func(t env.Task) {
			for {
				t.Sleep(time.Duration(1 + r.Uint64()>>44))
			}
		})
	}
	runEvents(b, k, b.N)
	killAll(&k.tasks)
}

// BenchmarkTaskStart measures a task from its start to its end, on a coroutine
// from the pool.
func BenchmarkTaskStart(b *testing.B) {
	k := NewKernel(1, Arrival)
	var next func(env.Task)
	next = func(env.Task) { k.Go("next", next) }
	k.Go("next", next)
	runEvents(b, k, b.N)
	killAll(&k.tasks)
}

func BenchmarkTraceFold(b *testing.B) {
	var t Trace
	for i := range b.N {
		t.fold(int64(i), TraceTimer, 1, uint64(i))
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// runEvents runs n events, after enough others for all capacities to be there.
func runEvents(b *testing.B, k *Kernel, n int) {
	b.Helper()
	b.ReportAllocs()
	k.Limit(100_000)
	_ = k.Run(math.MaxInt64)
	k.Limit(uint64(n))
	b.ResetTimer()
	if err := k.Run(math.MaxInt64); err != ErrBudget { //nolint:errorlint // the kernel returns it bare
		b.Fatal(err)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
}
