package sim

import (
	"errors"
	"math"
	"testing"
	"time"

	"simrun/nodes/env"
	"simrun/sim/stream"
)

// The loops in which a run spends its time allocate nothing once everything has
// reached its size: an event, a message's way, a task's sleep. A run is millions of
// them, and the garbage collector would be a large part of it. The method: events
// are run until all capacities are there, and then counted.
func TestHotLoopsDoNotAllocate(t *testing.T) {
	for _, c := range []struct {
		name  string
		start func(k *Kernel)
	}{
		{"callback", func(k *Kernel) {
			for i := range activities {
				k.Post(0, &beat{k, stream.New(1, "beat", uint64(i))})
			}
		}},
		{"request and response", func(k *Kernel) {
			for i := range activities {
				k.Post(0, &request{k: k, r: stream.New(1, "request", uint64(i))})
			}
		}},
		{"sleep", func(k *Kernel) {
			for i := range activities {
				r := stream.New(1, "sleeper", uint64(i))
				k.Go("sleeper", func(t env.Task) {
					for {
						t.Sleep(time.Duration(1 + r.Uint64()>>44))
					}
				})
			}
		}},
	} {
		for _, order := range []Order{Arrival, Seeded} {
			k := NewKernel(1, order)
			c.start(k)
			run := func(events uint64) {
				k.Limit(events)
				if err := k.Run(math.MaxInt64); !errors.Is(err, ErrBudget) {
					t.Fatal(err)
				}
			}
			run(200_000)
			const events = 10_000
			// A bucket of the queue may still grow once in a while, and the trace
			// keeps a checkpoint every so many events; an allocation for each event
			// would be ten thousand.
			if n := testing.AllocsPerRun(10, func() { run(events) }); n > events/1000 {
				t.Errorf("%s, order %d: %v allocations in %d events", c.name, order, n, events)
			}
			killAll(&k.tasks)
		}
	}
}
