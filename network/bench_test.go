package network_test

import (
	"testing"
	"time"

	"simrun/network"
	"simrun/nodes/env"
)

// ring is a loop whose cost is nearly nothing: it holds what is posted in
// order of posting, which is not the order of time.
type ring struct {
	now    int64
	events [64]interface{ Fire() }
	head   int
	tail   int
}

func (r *ring) Now() int64 { return r.now }

func (r *ring) Post(_ int64, e interface{ Fire() }) {
	r.events[r.tail%len(r.events)] = e
	r.tail++
}

type bench struct {
	ring
	*network.Network
	delivered int
}

func benchRig(t testing.TB) *bench {
	t.Helper()
	b := &bench{}
	link := network.LinkConfig{
		LatencyMin: time.Millisecond, LatencyMax: 2 * time.Millisecond, Jitter: time.Millisecond,
		Loss: 10, Duplicate: 10, Reorder: 10,
	}
	n, err := network.New(&b.ring, 1, func(_, _ env.Addr, _ []byte) { b.delivered++ }, network.Config{Default: link})
	if err != nil {
		t.Fatal(err)
	}
	b.Network = n
	for range 1000 {
		b.exchange(nil)
	}
	return b
}

// exchange sends a message on one of 20 links and runs what is posted.
func (b *bench) exchange(payload []byte) {
	b.now += 1000
	b.Send(env.Addr(1+b.now/1000%5), env.Addr(6+b.now/1000%4), payload)
	for b.head < b.tail {
		e := b.events[b.head%len(b.events)]
		b.head++
		e.Fire()
	}
}

// BenchmarkMessage is a message from Send to deliver, without the loop.
func BenchmarkMessage(b *testing.B) {
	r := benchRig(b)
	payload := make([]byte, 100)
	b.ReportAllocs()
	for b.Loop() {
		r.exchange(payload)
	}
}
