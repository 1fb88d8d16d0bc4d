package network_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"simrun/network"
	"simrun/nodes/env"
)

const ms = time.Millisecond

// drawLink draws a configuration in which everything may go wrong.
func drawLink(t *rapid.T) network.LinkConfig {
	lowest := time.Duration(rapid.Int64Range(0, int64(5*ms)).Draw(t, "latencyMin"))
	return network.LinkConfig{
		LatencyMin: lowest,
		LatencyMax: lowest + time.Duration(rapid.Int64Range(0, int64(5*ms)).Draw(t, "spread")),
		Jitter:     time.Duration(rapid.Int64Range(0, int64(5*ms)).Draw(t, "jitter")),
		Loss:       rapid.IntRange(0, 500).Draw(t, "loss"),
		Duplicate:  rapid.IntRange(0, 1000).Draw(t, "duplicate"),
		Reorder:    rapid.IntRange(0, 1000).Draw(t, "reorder"),
		Detour:     time.Duration(rapid.Int64Range(0, int64(20*ms)).Draw(t, "detour")),
		Unordered:  rapid.Bool().Draw(t, "unordered"),
		Bandwidth:  rapid.SampledFrom([]int64{0, 1000, 1_000_000}).Draw(t, "bandwidth"),
		QueueMax:   rapid.SampledFrom([]time.Duration{0, ms}).Draw(t, "queueMax"),
	}
}

// Goal: no packet is counted twice or forgotten, whatever is done to the
// network, and after HealAll nothing stays in it.
// Method: random calls on three nodes; the balance is checked after each.
func TestEveryPacketIsAccountedFor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := newRig(discard{}, rapid.Uint64().Draw(t, "seed"), drawLink(t))
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			from := env.Addr(rapid.IntRange(1, 3).Draw(t, "from"))
			to := env.Addr(rapid.IntRange(1, 3).Draw(t, "to"))
			step(t, r, from, to)
			r.checkBalance(t)
		}
		r.HealAll()
		r.drain()
		r.checkBalance(t)
		if n := r.InFlight(); n != 0 {
			t.Fatalf("%d packets never arrive", n)
		}
	})
}

func step(t *rapid.T, r *rig, from, to env.Addr) {
	worse := network.Degradation{Loss: 300, Duplicate: 300, Reorder: 300, Latency: ms}
	switch rapid.SampledFrom([]string{
		"send", "send", "send", "run", "cut", "heal", "clog", "unclog",
		"degrade", "restore", "degrade all", "restore all", "heal all",
	}).Draw(t, "step") {
	case "send":
		r.send(from, to, "message")
	case "run":
		r.runUntil(r.now + rapid.Int64Range(0, int64(10*ms)).Draw(t, "for"))
	case "cut":
		r.Cut(from, to)
	case "heal":
		r.Heal(from, to)
	case "clog":
		r.Clog(from, to)
	case "unclog":
		r.Unclog(from, to)
	case "degrade":
		r.DegradeLink(from, to, worse)
	case "restore":
		r.RestoreLink(from, to, worse)
	case "degrade all":
		r.Degrade(worse)
	case "restore all":
		r.Restore(worse)
	case "heal all":
		r.HealAll()
	}
}

// discard is a testing.TB for rigs that cannot fail to be built.
type discard struct{ testing.TB }

func (discard) Helper()           {}
func (discard) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

// Goal: a link is first in, first out, through jitter, clogs and bandwidth,
// whatever order the loop gives to simultaneous events.
// Method: messages are numbered by link; no reordering is configured.
func TestLinksAreFirstInFirstOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		config := drawLink(t)
		config.Reorder, config.Duplicate, config.Unordered = 0, 0, false
		r := newRig(discard{}, rapid.Uint64().Draw(t, "seed"), config)
		for i := range rapid.IntRange(1, 80).Draw(t, "messages") {
			r.send(1, 2, fmt.Sprintf("%04d", i))
			switch rapid.IntRange(0, 5).Draw(t, "then") {
			case 0:
				r.runUntil(r.now + rapid.Int64Range(1, int64(10*ms)).Draw(t, "for"))
			case 1:
				r.Clog(1, 2)
			case 2:
				r.Unclog(1, 2)
			}
		}
		r.HealAll()
		r.drain()
		var got []string
		for _, d := range r.log {
			got = append(got, d.payload)
		}
		if !slices.IsSorted(got) {
			t.Fatalf("out of order: %v", got)
		}
		if r.Stats().Reordered != 0 {
			t.Fatalf("%d messages count as reordered", r.Stats().Reordered)
		}
	})
}

// Goal: what happens to a message does not depend on which other messages are
// sent, nor on the rates that do not concern it. Shrinking depends on it.
// Method: the same messages with and without one of them; on unordered links
// without bandwidth, so that a message does not physically wait for another.
func TestOneMessageLessShiftsNoOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		config := drawLink(t)
		config.Unordered, config.Bandwidth = true, 0
		seed := rapid.Uint64().Draw(t, "seed")
		count := rapid.IntRange(1, 30).Draw(t, "messages")
		without := rapid.IntRange(0, count-1).Draw(t, "without")
		rates := rapid.IntRange(0, 1000).Draw(t, "duplicate later")

		run := func(skip int, duplicate int) []string {
			changed := config
			changed.Duplicate = duplicate
			r := newRig(discard{}, seed, changed)
			for i := range count {
				r.runUntil(int64(i) * int64(ms))
				if i != skip {
					r.send(1, 2, fmt.Sprint(i))
				}
			}
			r.drain()
			var fate []string
			for _, d := range r.log {
				if d.payload != fmt.Sprint(without) {
					fate = append(fate, d.String())
				}
			}
			slices.Sort(fate) // simultaneous arrivals have no order
			return fate
		}
		all, less := run(-1, config.Duplicate), run(without, config.Duplicate)
		if !slices.Equal(all, less) {
			t.Fatalf("with message %d\n%s\nwithout\n%s", without, strings.Join(all, "\n"), strings.Join(less, "\n"))
		}
		none, some := run(-1, 0), run(-1, rates)
		for _, d := range none {
			if !slices.Contains(some, d) {
				t.Fatalf("duplication changed the fate of an original: %s", d)
			}
		}
	})
}

// Goal: the chances are what they say, to within four standard deviations.
func TestRates(t *testing.T) {
	const count = 20_000
	r := newRig(t, 1, network.LinkConfig{Loss: 50, Duplicate: 100, Reorder: 200, Detour: time.Second})
	for i := range count {
		r.runUntil(int64(i) * int64(ms))
		r.send(1, 2, "x")
	}
	r.drain()
	s := r.Stats()
	within := func(what string, got uint64, want, tolerance int) {
		if int(got) < want-tolerance || int(got) > want+tolerance {
			t.Errorf("%s: %d of %d, expected about %d", what, got, count, want)
		}
	}
	within("lost", s.Lost, count*50/1000, 125)
	within("duplicated", s.Duplicated, count*95/1000, 165) // of those that were not lost
	// A detour is long enough to be overtaken in most cases.
	if s.Reordered < count*100/1000 || s.Reordered > count*200/1000 {
		t.Errorf("reordered: %d", s.Reordered)
	}
}

func TestConfigIsValidated(t *testing.T) {
	for _, c := range []struct {
		config network.LinkConfig
		names  string
	}{
		{network.LinkConfig{LatencyMin: -1}, "LatencyMin"},
		{network.LinkConfig{LatencyMin: 2, LatencyMax: 1}, "LatencyMax"},
		{network.LinkConfig{Jitter: 25 * time.Hour}, "Jitter"},
		{network.LinkConfig{Loss: 1001}, "Loss"},
		{network.LinkConfig{Duplicate: -1}, "Duplicate"},
		{network.LinkConfig{Reorder: 1001}, "Reorder"},
		{network.LinkConfig{Bandwidth: 1}, "Bandwidth"},
	} {
		_, err := network.New(&loop{}, 1, nil, network.Config{Default: c.config})
		for _, err := range []error{err, newRig(t, 1, network.LinkConfig{}).SetLink(1, 2, c.config)} {
			if err == nil || !strings.Contains(err.Error(), c.names) {
				t.Errorf("%+v: got %v, expected an error that names %s", c.config, err, c.names)
			}
		}
	}
}

// Goal: no allocation for a message once the pools are warm.
func TestNoAllocationPerMessage(t *testing.T) {
	r := benchRig(t)
	payload := []byte("payload")
	if n := testing.AllocsPerRun(1000, func() { r.exchange(payload) }); n != 0 {
		t.Errorf("%v allocations per message", n)
	}
}
