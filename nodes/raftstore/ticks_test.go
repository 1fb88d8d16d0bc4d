package raftstore

import (
	"fmt"
	"testing"
	"time"
)

// The same storms with lazy and with eager ticks have the same trace, which
// holds every event and every message with its content: each election begins at
// the same instant. Periods other than the default ones move the ticks at which
// something happens.
func TestLazyTicksChangeNothing(t *testing.T) {
	for seed := range uint64(max(steps(24), 6)) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			run := func(eager bool) uint64 {
				return runStormWith(t, seed, 4*time.Second, func(cfg *Config) {
					cfg.EagerTicks = eager
					cfg.TickInterval = []time.Duration{50, 20, 7}[seed%3] * time.Millisecond
					cfg.ElectionTick, cfg.HeartbeatTick = []int{10, 5, 17}[seed/3%3], []int{2, 1, 3}[seed%3]
					cfg.HibernateTimeout = []time.Duration{0, 60, 200, 0}[seed%4] * time.Millisecond
				})
			}
			if lazy, eager := run(false), run(true); lazy != eager {
				t.Errorf("trace %x with lazy ticks, %x with eager ones", lazy, eager)
			}
		})
	}
}

// What lazy ticks are for: a peer that follows is looked at once in an election
// timeout, however many heartbeats it gets.
func TestFollowersAreRarelyTicked(t *testing.T) {
	visits := func(eager bool) int {
		c := newCluster(t, clusterOptions{seed: 1, regions: testRegions(3, "k3", "k6"), raft: Config{EagerTicks: eager}})
		c.run(3 * time.Second)
		n, follower := 0, (*peer)(nil)
		for _, s := range c.stores {
			for _, p := range s.peers {
				if !p.isLeader() {
					follower = p
				}
			}
		}
		for last := follower.tick.done; follower.s.ticks < 200; {
			c.run(time.Millisecond)
			if follower.tick.due != last {
				n, last = n+1, follower.tick.due
			}
		}
		c.w.Close()
		return n
	}
	if lazy, eager := visits(false), visits(true); lazy*5 > eager {
		t.Errorf("looked at %d times, %d times with eager ticks", lazy, eager)
	}
}
