package faults

import (
	"fmt"
	"time"
)

// Loop is the part of the event loop that a Scheduler needs.
type Loop interface {
	// Now is the virtual time in nanoseconds since the start.
	Now() int64
	// Post runs e.Fire at that instant, which is not before Now.
	Post(at int64, e interface{ Fire() })
}

// Scheduler applies a schedule to a world, undoes each fault at its end and
// everything at the calm, and keeps count.
type Scheduler struct {
	loop    Loop
	inj     Injector
	observe func(Event)
	runs    []*run // one for each fault, in the order of the schedule
	calm    bool   // from then on nothing is applied
}

// NewScheduler prepares a schedule, of faults that are valid. observe, which may be nil,
// gets every step of every fault as it happens.
func NewScheduler(loop Loop, inj Injector, schedule []Fault, observe func(Event)) *Scheduler {
	if observe == nil {
		observe = func(Event) {}
	}
	s := &Scheduler{loop: loop, inj: inj, observe: observe}
	for i, f := range schedule {
		if !f.Kind.valid() {
			panic(fmt.Sprintf("faults: fault %d of a schedule is of no kind: %v", i, f.Kind))
		}
		s.runs = append(s.runs, &run{s: s, index: i, fault: f})
	}
	return s
}

// Start begins the schedule: its instants count from now.
func (s *Scheduler) Start() {
	for _, r := range s.runs {
		s.after(r.fault.At, r.begin)
	}
}

// Calm undoes what is in force, latest first, drops what has not begun, and
// lets the world heal the rest. Nothing is applied afterwards.
func (s *Scheduler) Calm() {
	if s.calm {
		return
	}
	s.calm = true
	for i := len(s.runs) - 1; i >= 0; i-- {
		s.runs[i].calm()
	}
	s.inj.HealAll()
}

// Counts returns the counts of every kind that stands in the schedule, in the
// order of the kinds.
func (s *Scheduler) Counts() []Count {
	var byKind [kindEnd]Count
	for _, r := range s.runs {
		c := &byKind[r.fault.Kind]
		c.Kind = r.fault.Kind
		c.Scheduled++
		if r.begun {
			c.Armed++
		}
		if r.hasHit() {
			c.Effective++
		}
	}
	var counts []Count
	for _, c := range byKind {
		if c.Scheduled > 0 {
			counts = append(counts, c)
		}
	}
	return counts
}

// Effective returns how many faults took effect. A run in which none did has
// tested nothing of what it was meant to.
func (s *Scheduler) Effective() int {
	n := 0
	for _, c := range s.Counts() {
		n += c.Effective
	}
	return n
}

// call is a function as an event of the loop.
type call func()

// Fire runs the function.
func (c call) Fire() { c() }

// after runs fn in d, unless the calm has come by then.
func (s *Scheduler) after(d time.Duration, fn func()) {
	s.loop.Post(s.loop.Now()+int64(d), call(func() {
		if !s.calm {
			fn()
		}
	}))
}
