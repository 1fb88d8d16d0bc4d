package sim

import "math/bits"

// Event is anything that can be scheduled. Use pointer types, so that the
// conversion does not allocate. It is an alias, so that packages which do not
// import this one can spell it out.
type Event = interface{ Fire() }

// entry is an event and the instant at which it is due.
type entry struct {
	at    int64
	event Event
}

// queue is a monotone radix heap (Ahuja, Mehlhorn, Orlin, Tarjan 1990): what is
// pushed is never earlier than what was popped last. Events of equal times
// leave it in the order in which they came. In the steady state it allocates
// nothing: buckets keep their capacity.
//
// Bucket 0 holds the events due at last; bucket k > 0 those whose time differs
// from last first in bit k-1. An entry moves down at most 63 times.
type queue struct {
	last    int64
	filled  uint64 // bit k-1: bucket k > 0 is not empty
	head    int    // how much of bucket 0 has been popped
	buckets [65][]entry
}

func (q *queue) push(at int64, e Event) {
	if at < q.last {
		panic("sim: event scheduled in the past")
	}
	k := bits.Len64(uint64(at ^ q.last))
	q.buckets[k] = append(q.buckets[k], entry{at, e})
	if k > 0 {
		q.filled |= 1 << (k - 1)
	}
}

// ready reports whether an event is due by until, and if so moves the earliest
// ones into bucket 0. If not it leaves the queue as it is, so that anything
// from the last popped time on may still be pushed.
func (q *queue) ready(until int64) bool {
	if q.head < len(q.buckets[0]) {
		return q.last <= until
	}
	if q.filled == 0 {
		return false
	}
	k := bits.TrailingZeros64(q.filled) + 1
	bucket := q.buckets[k]
	first := earliest(bucket)
	if first > until {
		return false
	}
	q.last = first
	q.filled &^= 1 << (k - 1)
	for _, e := range bucket {
		j := bits.Len64(uint64(e.at ^ first))
		q.buckets[j] = append(q.buckets[j], e)
		if j > 0 {
			q.filled |= 1 << (j - 1)
		}
	}
	clear(bucket)
	q.buckets[k] = bucket[:0]
	return true
}

// pop removes the first of the events that ready has found.
func (q *queue) pop() entry {
	due := q.buckets[0]
	e := due[q.head]
	due[q.head] = entry{}
	q.head++
	if q.head == len(due) { // or bucket 0 would grow while time stands still
		q.buckets[0] = due[:0]
		q.head = 0
	}
	return e
}

// simultaneous returns how many events ready has found, and their time.
func (q *queue) simultaneous() (n int, at int64) { return len(q.buckets[0]) - q.head, q.last }

// prefer moves the i-th of the simultaneous events to the front.
func (q *queue) prefer(i int) {
	due := q.buckets[0][q.head:]
	due[0], due[i] = due[i], due[0]
}

func earliest(bucket []entry) int64 {
	at := bucket[0].at
	for _, e := range bucket[1:] {
		at = min(at, e.at)
	}
	return at
}
