package env

import (
	"errors"
	"time"
)

// ErrTimeout is returned when a wait has lasted longer than its limit.
var ErrTimeout = errors.New("timed out")

// Future is a value that arrives later. The zero Future is pending. It is
// resolved at most once; later resolutions are ignored, so that a reply that
// is late or duplicated does no harm.
type Future[T any] struct {
	value   T
	err     error
	done    bool
	first   Waker   // the common case: one task waits
	waiters []Waker // the others, in the order in which they came
}

// Done reports whether the future is resolved.
func (f *Future[T]) Done() bool { return f.done }

// Resolve sets the outcome and wakes all who wait. It reports false when the
// future was resolved before.
func (f *Future[T]) Resolve(value T, err error) bool {
	if f.done {
		return false
	}
	f.value, f.err, f.done = value, err, true
	f.first.Wake()
	for _, w := range f.waiters {
		w.Wake()
	}
	f.first, f.waiters = Waker{}, nil
	return true
}

// Await waits for the outcome, at most for limit (negative: for ever), and
// returns ErrTimeout when it does not come in time.
func (f *Future[T]) Await(t Task, limit time.Duration) (T, error) {
	if !f.done {
		w := t.Waker()
		if f.first == (Waker{}) {
			f.first = w
		} else {
			f.waiters = append(f.waiters, w)
		}
		t.Park(limit)
		if !f.done {
			var none T
			return none, ErrTimeout
		}
	}
	return f.value, f.err
}

// WaitQueue is a line of tasks that wait for something to change. The zero
// value is empty.
type WaitQueue struct {
	waiters []Waker
}

// Wait parks t until it is woken (true) or limit has passed (false); a
// negative limit waits for ever.
func (q *WaitQueue) Wait(t Task, limit time.Duration) bool {
	q.waiters = append(q.waiters, t.Waker())
	return t.Park(limit)
}

// WakeAll wakes every task in the line, first come first woken.
func (q *WaitQueue) WakeAll() {
	waiters := q.waiters
	q.waiters = nil
	for _, w := range waiters {
		w.Wake()
	}
}
