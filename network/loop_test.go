package network_test

import (
	"container/heap"
	"fmt"
	"strings"
	"testing"
	"time"

	"simrun/network"
	"simrun/nodes/env"
	"simrun/sim/stream"
)

// loop is an event loop for tests. Events of the same instant happen in an
// order that depends on seed, so that nothing can rely on one.
type loop struct {
	now    int64
	seed   uint64
	posted uint64
	queue  queue
}

type entry struct {
	at       int64
	priority uint64
	event    interface{ Fire() }
}

func (l *loop) Now() int64 { return l.now }

func (l *loop) Post(at int64, e interface{ Fire() }) {
	if at < l.now {
		panic("posted into the past")
	}
	l.posted++
	heap.Push(&l.queue, entry{at, stream.At(l.seed, l.posted), e})
}

// runUntil runs every event up to that instant.
func (l *loop) runUntil(at int64) {
	for len(l.queue) > 0 && l.queue[0].at <= at {
		e := heap.Pop(&l.queue).(entry)
		l.now = e.at
		e.event.Fire()
	}
	l.now = max(l.now, at)
}

// drain runs until nothing is posted.
func (l *loop) drain() {
	for len(l.queue) > 0 {
		l.runUntil(l.queue[0].at)
	}
}

type queue []entry

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].priority < q[j].priority
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(entry)) }
func (q *queue) Pop() any {
	last := len(*q) - 1
	x := (*q)[last]
	*q = (*q)[:last]
	return x
}

// rig is a network with a log of what it delivered.
type rig struct {
	loop
	*network.Network
	log []delivery
}

type delivery struct {
	at       int64
	from, to env.Addr
	payload  string
}

func (d delivery) String() string {
	return fmt.Sprintf("%v %d->%d %s", time.Duration(d.at), d.from, d.to, d.payload)
}

func newRig(t testing.TB, seed uint64, link network.LinkConfig) *rig {
	t.Helper()
	r := &rig{loop: loop{seed: seed}}
	n, err := network.New(&r.loop, seed, r.deliver, network.Config{Default: link, Kind: firstLetter})
	if err != nil {
		t.Fatal(err)
	}
	r.Network = n
	return r
}

func (r *rig) deliver(from, to env.Addr, payload []byte) {
	r.log = append(r.log, delivery{r.now, from, to, string(payload)})
}

func (r *rig) send(from, to env.Addr, payload string) { r.Send(from, to, []byte(payload)) }

// takeLog returns the deliveries since the last call as text.
func (r *rig) takeLog() string {
	var b strings.Builder
	for _, d := range r.log {
		fmt.Fprintln(&b, d)
	}
	r.log = nil
	return b.String()
}

// checkBalance checks that every packet is accounted for.
func (r *rig) checkBalance(t interface{ Fatalf(string, ...any) }) {
	s := r.Stats()
	in := s.Sent + s.Duplicated
	out := s.Delivered + s.Lost + s.Cut + s.Overflowed + r.InFlight()
	if in != out {
		t.Fatalf("%d packets went in and %d came out or are in flight: %+v", in, out, s)
	}
}

// firstLetter is the kind of a message.
func firstLetter(payload []byte) string { return string(payload[:1]) }
