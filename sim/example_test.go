package sim_test

import (
	"fmt"
	"time"

	"simrun/network"
	"simrun/nodes/env"
	"simrun/sim"
	"simrun/sim/disk"
)

// Two nodes, of which one tells the other every second that it is there, until it is
// crashed.
func Example() {
	link := network.LinkConfig{LatencyMin: time.Millisecond, LatencyMax: 5 * time.Millisecond}
	w := sim.NewWorld(sim.Config{Seed: 7, Network: network.Config{Default: link}})
	defer w.Close()
	listener := w.AddNode(sim.NodeConfig{Name: "listener", Main: func(e *env.Env) func() {
		e.Net.Receive(func(_ env.Addr, payload []byte) {
			fmt.Printf("%v: %s\n", time.Duration(w.Now()).Truncate(time.Millisecond), payload)
		})
		return nil
	}})
	caller := w.AddNode(sim.NodeConfig{Name: "caller", Main: func(e *env.Env) func() {
		e.Sched.Go("client", func(t env.Task) {
			for {
				t.Sleep(time.Second)
				e.Net.Send(listener.Addr(), []byte("caller is there"))
			}
		})
		return nil
	}})
	w.StartAll()
	err := w.RunFor(2500 * time.Millisecond)
	caller.Crash(disk.ProcessKill)
	if err == nil {
		err = w.RunFor(10 * time.Second)
	}
	fmt.Printf("%v: %v\n", time.Duration(w.Now()), err)
	// Output:
	// 1.001s: caller is there
	// 2.001s: caller is there
	// 12.5s: <nil>
}
