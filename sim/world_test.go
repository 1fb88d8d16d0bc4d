package sim_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"simrun/faults"
	"simrun/network"
	"simrun/nodes/env"
	"simrun/sim"
	"simrun/sim/disk"
)

// pingers are nodes that write a counter to their disk and send it to the next
// node, over and over: enough to drive every port.
func pingers(w *sim.World, n int, log *strings.Builder) {
	for i := range n {
		cfg := disk.DefaultConfig()
		w.AddNode(sim.NodeConfig{Name: fmt.Sprintf("store%d", i+1), Disk: &cfg, Main: func(e *env.Env) func() {
			return pinger(e, n, log)
		}})
	}
}

func pinger(e *env.Env, n int, log *strings.Builder) func() {
	fs := e.Disk.FS()
	r := e.Streams.Stream("pinger")
	f, err := fs.Create(fmt.Sprintf("boot-%d", r.IntN(1000)), "test")
	if err != nil {
		panic(err)
	}
	e.Net.Receive(func(from env.Addr, payload []byte) {
		fmt.Fprintf(log, "%v %s got %s from %d\n", e.Clock.Monotonic(), e.Name, payload, from)
	})
	e.Sched.Go("ping", func(t env.Task) {
		for i := 0; ; i++ {
			t.Sleep(time.Duration(1+r.IntN(20)) * time.Millisecond)
			text := fmt.Sprintf("%d at %v", i, e.Clock.Wall().UnixNano())
			_, _ = f.Write([]byte(text))
			_ = f.Sync()
			e.Disk.Barrier(func() { e.Net.Send(1+env.Addr(r.IntN(n)), []byte(text)) })
		}
	})
	return func() { _ = f.Close() }
}

const schedule = `at 100ms partition store1 | store2 for 200ms
at 150ms clog store2 -> store3 for 100ms
at 200ms power-loss store2 for 300ms
at 250ms network loss 20% duplicate 10% reorder 10% latency 3ms for 400ms
at 300ms kill store3 at-op 7 within 1s for 100ms
at 350ms pause store1 for 150ms
at 600ms clock-drift store3 +20000ppm for 300ms
at 450ms clock-jump store1 -3s
at 500ms disk-stall store1 for 50ms
at 520ms disk-stall store1 for 150ms
at 600ms power-loss store1 for 30ms
at 550ms disk-slow store1 x20 for 200ms`

func runPingers(t *testing.T, seed uint64, order sim.Order) (hash, events uint64, log string, counts []faults.Count) {
	t.Helper()
	var b strings.Builder
	w := sim.NewWorld(sim.Config{
		Seed: seed, Order: order,
		Network: network.Config{Default: network.LinkConfig{LatencyMin: time.Millisecond, LatencyMax: 3 * time.Millisecond, Jitter: time.Millisecond, Unordered: true}},
	})
	defer w.Close()
	pingers(w, 3, &b)
	var list []faults.Fault
	for line := range strings.Lines(schedule) {
		f, err := faults.Parse(strings.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, f)
	}
	s := faults.NewScheduler(w.Kernel, sim.NewInjector(w, nil), list, func(e faults.Event) { w.Mark(sim.TraceFault, e.String()) })
	w.StartAll()
	s.Start()
	if err := w.RunFor(time.Second); err != nil {
		t.Fatal(err)
	}
	s.Calm()
	if err := w.RunFor(time.Second); err != nil {
		t.Fatal(err)
	}
	return w.Trace.Hash(), w.Trace.Events(), b.String(), s.Counts()
}

// The same seed gives the same trace, whatever the number of processors;
// another seed gives another. Every fault in the schedule takes effect.
func TestWorldIsDeterministic(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, order := range []sim.Order{sim.Arrival, sim.Seeded} {
		seen := map[uint64]bool{}
		for seed := range uint64(5) {
			hash, events, log, counts := runPingers(t, seed, order)
			for _, procs := range []int{1, 2, 8} {
				runtime.GOMAXPROCS(procs)
				h, n, l, _ := runPingers(t, seed, order)
				if h != hash || n != events || l != log {
					t.Fatalf("seed %d: hash %x and %x, %d and %d events", seed, hash, h, events, n)
				}
			}
			for _, c := range counts {
				if c.Effective == 0 {
					t.Errorf("seed %d: %v took no effect", seed, c.Kind)
				}
			}
			seen[hash] = true
		}
		if len(seen) != 5 {
			t.Errorf("5 seeds gave %d traces", len(seen))
		}
	}
}

// After its end a process has no effect: its tasks are unwound, its timers and
// its datagrams are void, its teardown runs once.
func TestCrashEndsTheProcess(t *testing.T) {
	before := runtime.NumGoroutine()
	w := sim.NewWorld(sim.Config{Seed: 1})
	var log []string
	boots := 0
	a := w.AddNode(sim.NodeConfig{Name: "a", Main: func(e *env.Env) func() {
		boots++
		boot := boots
		e.Sched.After(2*time.Second, func() { log = append(log, fmt.Sprintf("timer of boot %d", boot)) })
		e.Net.Receive(func(env.Addr, []byte) { log = append(log, fmt.Sprintf("datagram in boot %d", boot)) })
		e.Sched.Go("task", func(task env.Task) {
			defer func() { log = append(log, fmt.Sprintf("unwound boot %d", boot)) }()
			task.Sleep(time.Hour)
		})
		return func() { log = append(log, fmt.Sprintf("torn down boot %d", boot)) }
	}})
	w.AddNode(sim.NodeConfig{Name: "b", Main: func(e *env.Env) func() {
		e.Sched.After(1500*time.Millisecond, func() { e.Net.Send(1, []byte("hello")) })
		return nil
	}})
	w.StartAll()
	_ = w.RunFor(time.Second)
	if !a.Crash(disk.ProcessKill) || a.Crash(disk.ProcessKill) || a.Up() {
		t.Fatal("a crash must take effect once")
	}
	_ = w.RunFor(time.Second)
	a.Start()
	_ = w.RunFor(1500 * time.Millisecond)
	w.Close()
	want := "[unwound boot 1 torn down boot 1 unwound boot 2 torn down boot 2]"
	if got := fmt.Sprint(log); got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
	if after := runtime.NumGoroutine(); after > before {
		t.Fatalf("goroutines: %d before, %d after", before, after)
	}
}

// A process that exits is reported after the event in which it did so, and
// nothing that it does afterwards has an effect.
func TestExit(t *testing.T) {
	var reported string
	w := sim.NewWorld(sim.Config{Seed: 1, OnExit: func(n *sim.Node, reason string) { reported = n.Name() + ": " + reason }})
	defer w.Close()
	received := 0
	w.AddNode(sim.NodeConfig{Name: "a", Main: func(e *env.Env) func() {
		e.Sched.Go("task", func(t env.Task) {
			t.Sleep(time.Second)
			e.Exit("no more")
			e.Net.Send(2, []byte("after the end"))
			e.Sched.After(0, func() { panic("after the end") })
			t.Sleep(time.Second)
			panic("after the end")
		})
		return nil
	}})
	w.AddNode(sim.NodeConfig{Name: "b", Main: func(e *env.Env) func() {
		e.Net.Receive(func(env.Addr, []byte) { received++ })
		return nil
	}})
	w.StartAll()
	if err := w.RunFor(5 * time.Second); err != nil {
		t.Fatal(err)
	}
	if reported != "a: no more" || received != 0 {
		t.Fatalf("reported %q, received %d", reported, received)
	}
}

// What is due during a pause happens after it, in order, and the clocks go on.
func TestPauseDefers(t *testing.T) {
	w := sim.NewWorld(sim.Config{Seed: 1})
	defer w.Close()
	var log []string
	n := w.AddNode(sim.NodeConfig{Name: "a", Main: func(e *env.Env) func() {
		start := e.Clock.Monotonic()
		for i := range 3 {
			e.Sched.After(time.Duration(i+1)*time.Second, func() {
				log = append(log, fmt.Sprintf("timer %d at %v", i, e.Clock.Monotonic()-start))
			})
		}
		return nil
	}})
	w.StartAll()
	n.Pause()
	_ = w.RunFor(2500 * time.Millisecond)
	n.Resume()
	_ = w.RunFor(time.Second)
	want := "[timer 0 at 2.5s timer 1 at 2.5s timer 2 at 3s]"
	if got := fmt.Sprint(log); got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
}

// What the monotonic clock of one process shows means nothing to another one, on
// the same node either.
func TestMonotonicEpochs(t *testing.T) {
	w := sim.NewWorld(sim.Config{Seed: 1})
	defer w.Close()
	var starts []time.Duration
	main := func(e *env.Env) func() {
		starts = append(starts, e.Clock.Monotonic())
		return nil
	}
	a, b := w.AddNode(sim.NodeConfig{Name: "a", Main: main}), w.AddNode(sim.NodeConfig{Name: "b", Main: main})
	a.Start()
	b.Start()
	a.Crash(disk.ProcessKill)
	a.Start()
	if len(starts) != 3 || starts[0] == starts[1] || starts[0] == starts[2] || min(starts[0], starts[1], starts[2]) < 0 {
		t.Fatalf("the clocks start at %v", starts)
	}
}

// Two worlds of one process would draw from each other's randomness.
func TestOneWorldAtATime(t *testing.T) {
	w := sim.NewWorld(sim.Config{Seed: 1})
	func() {
		defer func() {
			if recover() == nil {
				t.Error("a second world was opened")
			}
		}()
		sim.NewWorld(sim.Config{Seed: 2})
	}()
	w.Close()
	sim.NewWorld(sim.Config{Seed: 2}).Close()
}

// What reaches a node from outside waits while it is paused, and is for the
// process that was up then.
func TestDo(t *testing.T) {
	w := sim.NewWorld(sim.Config{Seed: 1})
	defer w.Close()
	n := w.AddNode(sim.NodeConfig{Name: "a", Main: func(*env.Env) func() { return nil }})
	done := 0
	do := func() bool { return n.Do(func() { done++ }) }
	after := func(what string, want int) {
		t.Helper()
		_ = w.RunFor(time.Second)
		if done != want {
			t.Errorf("%s: done %d times, want %d", what, done, want)
		}
	}
	if do() {
		t.Error("a node that is down was reached")
	}
	n.Start()
	if !do() {
		t.Error("a node that is up was not reached")
	}
	if done != 0 {
		t.Error("it ran within another event")
	}
	after("up", 1)
	n.Pause()
	do()
	after("paused", 1)
	n.Resume()
	after("resumed", 2)
	do()
	n.Crash(disk.ProcessKill)
	n.Start()
	after("another process", 2)
}

// A timer that was set when the clock of its node ran fast is due when that much has
// passed on the clock, though it was slowed down since.
func TestTimersOfASlowedClock(t *testing.T) {
	w := sim.NewWorld(sim.Config{Seed: 1})
	defer w.Close()
	const wait = time.Second
	var began, fired, slept time.Duration
	n := w.AddNode(sim.NodeConfig{Name: "a", Main: func(e *env.Env) func() {
		began = e.Clock.Monotonic()
		e.Sched.After(wait, func() { fired = e.Clock.Monotonic() - began })
		e.Sched.Go("task", func(task env.Task) {
			task.Sleep(wait)
			slept = e.Clock.Monotonic() - began
		})
		return nil
	}})
	n.SetDrift(500_000)
	n.Start()
	for _, drift := range []int64{10_000, -500_000, 0, -3} {
		_ = w.RunFor(150*time.Millisecond + 7)
		n.SetDrift(drift)
	}
	_ = w.RunFor(3 * time.Second)
	for what, took := range map[string]time.Duration{"timer": fired, "sleep": slept} {
		if took < wait-time.Nanosecond || took > wait+time.Microsecond {
			t.Errorf("a %s of %v took %v on the clock", what, wait, took)
		}
	}
}
