package sim_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"simrun/nodes/env"
	"simrun/sim"
)

// A panic is told with the function that raised it and its line, in a callback and in a task.
func TestFailureFunction(t *testing.T) {
	var none []int
	for name, begin := range map[string]func(e *env.Env){
		"a callback": func(e *env.Env) { e.Sched.After(time.Second, func() { reach(none, 3) }) },
		"a task":     func(e *env.Env) { e.Sched.Go("work", func(env.Task) { reach(none, 3) }) },
	} {
		w := sim.NewWorld(sim.Config{Seed: 1})
		w.AddNode(sim.NodeConfig{Name: "a", Main: func(e *env.Env) func() { begin(e); return nil }})
		err := w.Do(w.StartAll)
		if err == nil {
			err = w.RunFor(time.Minute)
		}
		var f *sim.Failure
		if !errors.As(err, &f) || f.Function() != "simrun/sim_test.reach" {
			t.Errorf("%s: %v in %q\n%s", name, err, f.Function(), f.Stack)
		}
		calls := regexp.MustCompile(`^simrun/sim_test\.reach \(failure_test\.go:\d+\), simrun/sim_test\.TestFailureFunction\S+ \(failure_test\.go:\d+\)$`)
		if got := strings.Join(f.Calls(), ", "); !calls.MatchString(got) {
			t.Errorf("%s: the calls are %s\n%s", name, got, f.Stack)
		}
		told := regexp.MustCompile(`^panic at 1?0?s in (callback|task work), failure_test\.go:\d+: runtime error: index out of range \[3\] with length 0$`)
		if !told.MatchString(f.Error()) {
			t.Errorf("%s: it says %q", name, f)
		}
		w.Close()
	}
}

// The function is that of whoever wrote the code that panicked, in whatever module it is: not of
// the standard library, and not the simulator that called it. The method: stacks as the runtime
// writes them.
func TestFailureFunctionOfOtherModules(t *testing.T) {
	const (
		top    = "goroutine 7 [running]:\nruntime/debug.Stack()\n\t/go/src/runtime/debug/stack.go:26 +0x5e\npanic({0x1?, 0x2?})\n\t/go/src/runtime/panic.go:783 +0x132\n"
		below  = "simrun/sim.(*process).arrive(0xc0, 0x1)\n\t/own/simrun/sim/process.go:120 +0x1a\nsimrun/sim.(*World).RunFor(0xc0)\n\t/own/simrun/sim/world.go:80 +0x1a\n"
		nilMap = "internal/runtime/maps.(*Map).PutSlotSmall(...)\n\t/go/src/internal/runtime/maps/map.go:500\nruntime.mapassign_faststr(0x1)\n\t/go/src/runtime/map.go:263 +0x1e\n"
		sorts  = "slices.insertionSortCmpFunc[...]({0x1, 0x2}, 0x3)\n\t/go/src/slices/zsortanyfunc.go:12 +0x1a\n"
	)
	for _, c := range []struct{ frames, want, place string }{
		{nilMap + "example.com/own.(*server).put(0xc0)\n\t/own/server.go:31 +0x2\n" + below, "example.com/own.(*server).put", "server.go:31"},
		{"own.replica.func1(0xc0)\n\t/own/server.go:31 +0x2\n" + below, "own.replica.func1", "server.go:31"},
		{sorts + "example.com/own/list.order(0xc0)\n\t/own/list/order.go:31 +0x2\n" + below, "example.com/own/list.order", "order.go:31"},
		{"time.Duration.String(0x1)\n\t/go/src/time/time.go:31 +0x2\n" + below, "time.Duration.String", "time.go:31"},
		{below, "simrun/sim.(*process).arrive", "process.go:120"},
	} {
		f := &sim.Failure{Stack: []byte(top + c.frames)}
		if got := f.Function(); got != c.want {
			t.Errorf("got %q, want %q in %q", got, c.want, f.Calls())
		}
		if !strings.Contains(f.Error(), "in callback, "+c.place+": ") {
			t.Errorf("the place is not %s in %q", c.place, f)
		}
	}
}

//go:noinline
func reach(list []int, at int) { list[at]++ }
