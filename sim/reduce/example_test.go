package reduce_test

import (
	"fmt"
	"slices"
	"time"

	"simrun/faults"
	"simrun/sim/reduce"
)

// request is a plan of an imaginary system: how many servers, and faults in a storm.
type request struct {
	servers int
	storm   faults.Duration
	faults  []faults.Fault
}

func (r *request) String() string {
	text := fmt.Sprintf("%d servers, a storm of %v", r.servers, r.storm)
	for _, f := range r.faults {
		text += "\n" + f.String()
	}
	return text
}

func Example() {
	kind := reduce.Kind[*request]{
		Clone: func(r *request) *request {
			return &request{r.servers, r.storm, slices.Clone(r.faults)}
		},
		Text:   (*request).String,
		Valid:  func(*request) error { return nil },
		Faults: func(r *request) *[]faults.Fault { return &r.faults },
		Storm:  func(r *request) *faults.Duration { return &r.storm },
	}
	kind.Steps = append(kind.Schedule(), kind.SimplerFaults(), reduce.Number[*request]{
		Least: 1,
		Get:   func(r *request) int64 { return int64(r.servers) },
		Set:   func(r *request, n int64) { r.servers = int(n) },
	})

	plan := &request{servers: 9, storm: faults.Duration(10 * time.Second)}
	plan.faults = faults.Storm(7, faults.StormConfig{
		Length: plan.storm, Kinds: []faults.Kind{faults.Kill, faults.Pause, faults.ClockJump}, KindChance: 1000,
		Stores: []string{"server1", "server2"}, Clients: []string{"client1"},
	})
	// It fails with two kills and three servers, say.
	fails := func(r *request) (bool, error) {
		kills := 0
		for _, f := range r.faults {
			if f.Kind == faults.Kill {
				kills++
			}
		}
		return kills >= 2 && r.servers >= 3, nil
	}
	result, err := kind.Reduce(plan, reduce.Options[*request]{First: reduce.OneByOne(fails)})
	fmt.Println(len(plan.faults), "faults before")
	fmt.Println(result.Plan)
	fmt.Println("smallest:", result.Smallest, err)
	// Output:
	// 15 faults before
	// 3 servers, a storm of 552.1ms
	// at 0s kill client1 for 1ms
	// at 543ms kill server1 for 1ms
	// smallest: true <nil>
}
