// Package sim is a deterministic simulator for distributed systems: one seed,
// one thread, one trace.
//
// A Kernel owns virtual time. It pops the earliest event, runs it to
// completion, and folds it into a running hash. A World puts nodes on top: a
// node is a function that receives an env.Env - clocks, timers, tasks, a
// network, a disk - and lives until it is crashed, by a fault or by itself.
//
//	w := sim.NewWorld(sim.Config{Seed: 7})
//	w.AddNode(sim.NodeConfig{Name: "a", Main: func(e *env.Env) func() {
//		e.Net.Receive(func(from env.Addr, payload []byte) { ... })
//		e.Sched.Go("client", func(t env.Task) { t.Sleep(time.Second) ... })
//		return nil
//	}})
//	w.StartAll()
//	err := w.RunFor(10 * time.Second)
//
// Everything that happens is a function of the seed and of what the nodes do.
// In code that runs under the loop there is no goroutine, no select, no wall
// clock, no global randomness and no iteration over a map; floating point
// decides nothing.
package sim
