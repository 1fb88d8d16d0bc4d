package sim

import (
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"simrun/nodes/env"
)

const second = int64(time.Second)

// Tasks wait for time and for each other; what they saw comes in the order of
// virtual time.
func TestTasksSleepAndWake(t *testing.T) {
	k := NewKernel(1, Arrival)
	var log []string
	var f env.Future[string]
	k.Go("waiter", func(task env.Task) {
		v, err := f.Await(task, time.Minute)
		log = append(log, "waiter "+v)
		if err != nil {
			t.Error(err)
		}
	})
	k.Go("late", func(task env.Task) {
		_, err := f.Await(task, time.Second)
		if !errors.Is(err, env.ErrTimeout) {
			t.Errorf("got %v, want a timeout", err)
		}
		log = append(log, "late")
	})
	k.Go("resolver", func(task env.Task) {
		task.Sleep(2 * time.Second)
		log = append(log, "resolver")
		f.Resolve("value", nil)
		if f.Resolve("again", nil) {
			t.Error("resolved twice")
		}
	})
	if err := k.Run(10 * second); err != nil {
		t.Fatal(err)
	}
	if want := []string{"late", "resolver", "waiter value"}; !slices.Equal(log, want) {
		t.Fatalf("got %q, want %q", log, want)
	}
}

// A wake-up for a wait that has ended must not end a later one, not even when
// the coroutine works for another task by then.
func TestStaleWakeIsIgnored(t *testing.T) {
	k := NewKernel(1, Arrival)
	var stale env.Waker
	k.Go("first", func(task env.Task) {
		stale = task.Waker()
		task.Park(time.Second)
	})
	k.Go("starter", func(task env.Task) {
		task.Sleep(2 * time.Second)
		k.Go("second", func(task env.Task) { // reuses the coroutine of first
			task.Waker()
			if task.Park(3 * time.Second) {
				t.Error("woken by a stale waker")
			}
		})
		task.Sleep(time.Second)
		stale.Wake()
	})
	if err := k.Run(10 * second); err != nil {
		t.Fatal(err)
	}
}

// A wake-up between Waker and Park is not lost.
func TestWakeBeforePark(t *testing.T) {
	k := NewKernel(1, Arrival)
	done := false
	k.Go("task", func(task env.Task) {
		task.Waker().Wake()
		done = task.Park(-1)
	})
	if err := k.Run(second); err != nil || !done {
		t.Fatalf("err %v, done %v", err, done)
	}
}

// Killing runs deferred calls, even nested ones that try to recover or to
// wait, and leaves no goroutine behind.
func TestKillUnwinds(t *testing.T) {
	before := runtime.NumGoroutine()
	k := NewKernel(1, Arrival)
	var log []string
	for range 100 {
		k.Go("victim", func(task env.Task) {
			defer func() { log = append(log, "outer") }()
			defer task.Sleep(time.Second) // a wait in a deferred call ends at once
			func() {
				defer func() {
					if r := recover(); r != nil {
						t.Errorf("recovered the kill: %v", r)
					}
				}()
				task.Sleep(time.Hour)
				t.Error("woke up")
			}()
		})
	}
	if err := k.Run(second); err != nil {
		t.Fatal(err)
	}
	killAll(&k.tasks)
	if len(log) != 100 {
		t.Fatalf("%d deferred calls ran, want 100", len(log))
	}
	if after := runtime.NumGoroutine(); after > before {
		t.Fatalf("goroutines: %d before, %d after", before, after)
	}
}

//go:noinline
func explode() { panic("boom") }

// A panic in a task ends the run and keeps the stack of the task.
func TestPanicKeepsItsStack(t *testing.T) {
	k := NewKernel(1, Arrival)
	k.Go("bomb", func(task env.Task) {
		task.Sleep(time.Second)
		explode()
	})
	err := k.Run(10 * second)
	var f *Failure
	if !errors.As(err, &f) {
		t.Fatalf("got %v, want a Failure", err)
	}
	if f.Task != "bomb" || f.At != time.Second || !strings.Contains(string(f.Stack), "explode") {
		t.Fatalf("task %q at %v, stack:\n%s", f.Task, f.At, f.Stack)
	}
}

// A panic says on which node it was: that of the task, or that of the callback; an
// event of the harness is on none, whatever ran before.
func TestPanicNamesItsNode(t *testing.T) {
	for _, c := range []struct {
		name string
		main func(w *World, e *env.Env)
		want env.Addr
	}{
		{"task", func(_ *World, e *env.Env) {
			e.Sched.Go("bomb", func(task env.Task) { task.Sleep(time.Second); explode() })
		}, 2},
		{"timer", func(_ *World, e *env.Env) { e.Sched.After(time.Second, explode) }, 2},
		{"after a mark", func(w *World, e *env.Env) {
			e.Sched.After(time.Second, func() { w.Mark(TraceMark, "x"); explode() })
		}, 2},
		{"harness", func(w *World, _ *env.Env) {
			w.Go("bomb", func(task env.Task) { task.Sleep(time.Second); explode() })
		}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := NewWorld(Config{Seed: 1})
			defer w.Close()
			w.AddNode(NodeConfig{Name: "first", Main: func(e *env.Env) func() {
				e.Sched.After(time.Second, func() {})
				return nil
			}})
			w.AddNode(NodeConfig{Name: "second", Main: func(e *env.Env) func() {
				c.main(w, e)
				return nil
			}})
			w.StartAll()
			var f *Failure
			if err := w.RunFor(2 * time.Second); !errors.As(err, &f) || f.Node != c.want || f.At != time.Second {
				t.Errorf("got %+v, want node %d", f, c.want)
			}
		})
	}
}

func TestBudget(t *testing.T) {
	k := NewKernel(1, Arrival)
	k.Go("loop", func(task env.Task) {
		for {
			task.Sleep(time.Millisecond)
		}
	})
	k.Limit(100)
	if err := k.Run(10 * second); !errors.Is(err, ErrBudget) {
		t.Fatalf("got %v, want ErrBudget", err)
	}
	if k.Fired() != 100 {
		t.Fatalf("fired %d events, want 100", k.Fired())
	}
	killAll(&k.tasks)
}

// The seeded order explores schedules: simultaneous events come in different
// orders under different seeds, in the same one under the same seed.
func TestSeededOrder(t *testing.T) {
	run := func(seed uint64, order Order) string {
		k := NewKernel(seed, order)
		var log strings.Builder
		for i := range 6 {
			k.Go("t", func(task env.Task) {
				task.Sleep(time.Second)
				log.WriteByte(byte('a' + i))
			})
		}
		if err := k.Run(2 * second); err != nil {
			t.Fatal(err)
		}
		return log.String()
	}
	if got := run(1, Arrival); got != "abcdef" {
		t.Fatalf("in order of arrival: %s", got)
	}
	seen := map[string]bool{}
	for seed := range uint64(50) {
		a, b := run(seed, Seeded), run(seed, Seeded)
		if a != b {
			t.Fatalf("seed %d: %s and %s", seed, a, b)
		}
		seen[a] = true
	}
	if len(seen) < 25 {
		t.Fatalf("50 seeds gave only %d orders", len(seen))
	}
}
