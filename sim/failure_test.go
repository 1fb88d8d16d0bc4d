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

// A panic is told with the function that raised it, in a callback and in a task.
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
		w.Close()
	}
}

//go:noinline
func reach(list []int, at int) { list[at]++ }
