package sim

import (
	"errors"
	"runtime/debug"
	"time"

	"simrun/nodes/env"
	"simrun/sim/stream"
)

// Order says in which order simultaneous events happen.
type Order uint8

const (
	// Arrival runs them in the order in which they were scheduled.
	Arrival Order = iota
	// Seeded runs them in an order drawn from the seed, so that schedules are
	// explored too.
	Seeded
)

// ErrBudget is returned when a run has used up its number of events.
var ErrBudget = errors.New("event budget used up")

// Kernel is the event loop. It belongs to one goroutine.
type Kernel struct {
	Trace Trace

	now      int64
	queue    queue
	budget   uint64 // events still allowed
	fired    uint64 // events popped
	order    Order
	orderKey uint64
	tasks    []*task // of the harness
	idle     []*task // coroutines without a task, for reuse
	wakes    []*wake // free list
	timers   []*timer
	failure  error  // ends the run after the current event
	stopped  bool   // ends the current Run after the current event
	drawn    uint64 // draws of choose so far
	// afterEvent, if set, runs after each event.
	afterEvent func()
	// each runs after every eachEvents-th event; see Every.
	each       func()
	eachEvents uint64
}

// NewKernel returns a kernel at virtual time zero.
func NewKernel(seed uint64, order Order) *Kernel {
	return &Kernel{budget: 1<<64 - 1, order: order, orderKey: stream.Key(seed, "order")}
}

// Now returns the virtual time in nanoseconds since the start.
func (k *Kernel) Now() int64 { return k.now }

// Fired returns the number of events that the loop has run.
func (k *Kernel) Fired() uint64 { return k.fired }

// Post schedules e at the virtual time at, which must not be in the past.
func (k *Kernel) Post(at int64, e Event) { k.queue.push(at, e) }

// Limit sets the number of events that the kernel may still run.
func (k *Kernel) Limit(events uint64) { k.budget = events }

// Fail ends the run after the current event with err, unless it has failed
// before.
func (k *Kernel) Fail(err error) {
	if k.failure == nil {
		k.failure = err
	}
}

// Every calls fn after every n-th event, for a harness that watches the run. fn
// may end the run but must not influence it otherwise.
func (k *Kernel) Every(n uint64, fn func()) { k.eachEvents, k.each = n, fn }

// Stop makes the current Run return after the current event, so that a caller
// can wait for a condition instead of an instant.
func (k *Kernel) Stop() { k.stopped = true }

// Run runs all events up to and including the virtual time until. It returns a
// *Failure if simulated code panicked, ErrBudget if the number of events is
// used up, or what Fail was given. It returns early, with nil, after Stop.
func (k *Kernel) Run(until int64) error {
	k.stopped = false
	for k.failure == nil && !k.stopped && k.queue.ready(until) {
		if k.budget == 0 {
			return ErrBudget
		}
		k.burst(until)
	}
	if k.failure == nil && !k.stopped {
		k.now = max(k.now, until)
	}
	return k.failure
}

// Do runs fn between two events, with the loop's protection: a panic in it ends
// the run as one in an event does. It returns why the run has ended, if it has.
func (k *Kernel) Do(fn func()) error {
	if k.failure != nil {
		return k.failure
	}
	k.Trace.node = 0
	func() {
		defer func() {
			if r := recover(); r != nil {
				k.Fail(k.asFailure(r))
			}
		}()
		fn()
		if k.afterEvent != nil {
			k.afterEvent()
		}
	}()
	return k.failure
}

// burst runs events until one panics, the time is over or the run has failed.
// The recover is set up once per burst, not once per event.
func (k *Kernel) burst(until int64) {
	defer func() {
		if r := recover(); r != nil {
			k.Fail(k.asFailure(r))
		}
	}()
	for k.failure == nil && !k.stopped && k.budget > 0 && k.queue.ready(until) {
		if k.order == Seeded {
			k.choose()
		}
		e := k.queue.pop()
		k.now = e.at
		k.fired++
		k.budget--
		k.Trace.node = 0
		e.event.Fire()
		if k.afterEvent != nil {
			k.afterEvent()
		}
		if k.eachEvents > 0 && k.fired%k.eachEvents == 0 {
			k.each()
		}
	}
}

// choose draws which of several simultaneous events comes first.
func (k *Kernel) choose() {
	n, at := k.queue.simultaneous()
	if n > 1 {
		k.drawn++
		k.queue.prefer(int(stream.At(k.orderKey^uint64(at), k.drawn) % uint64(n)))
	}
}

// asFailure wraps the value of a panic; a task's panic has been wrapped by the
// task already, with the task's own stack.
func (k *Kernel) asFailure(r any) *Failure {
	if f, ok := r.(*Failure); ok {
		return f
	}
	return &Failure{Value: r, At: time.Duration(k.now), Node: env.Addr(k.Trace.node), Stack: debug.Stack()}
}
