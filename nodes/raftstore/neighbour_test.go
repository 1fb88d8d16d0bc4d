package raftstore

import (
	"fmt"
	"testing"
	"time"
)

// keysOf returns keys of regions that a store leads, one of each.
func (c *cluster) keysOf(s *testStore, keys []string) (led []string) {
	for _, key := range keys {
		if c.leaderOf(key) == s {
			led = append(led, key)
		}
	}
	return led
}

// oneWay cuts the links from some stores to another one.
func (c *cluster) oneWay(to *testStore, from ...*testStore) (heal func()) {
	for _, s := range from {
		c.w.Network.Cut(s.node.Addr(), to.node.Addr())
	}
	return func() {
		for _, s := range from {
			c.w.Network.Heal(s.node.Addr(), to.node.Addr())
		}
	}
}

// others are the stores but one.
func (c *cluster) others(s *testStore) (others []*testStore) {
	for _, other := range c.stores {
		if other != s {
			others = append(others, other)
		}
	}
	return others
}

// A store whose leaders sleep and which hears nobody any more, while everybody hears
// it, leads nothing after a while, though nobody has asked for anything. One that
// nobody hears does not either.
func TestOneDirectionIsLost(t *testing.T) {
	var inner []string
	for i := 1; i < 9; i++ {
		inner = append(inner, fmt.Sprintf("k%d", i))
	}
	for name, cut := range map[string]func(c *cluster, victim *testStore) (heal func()){
		"deaf": func(c *cluster, victim *testStore) func() { return c.oneWay(victim, c.others(victim)...) },
		"mute": func(c *cluster, victim *testStore) func() {
			var heals []func()
			for _, other := range c.others(victim) {
				heals = append(heals, c.oneWay(other, victim))
			}
			return func() {
				for _, heal := range heals {
					heal()
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			unbacked := reached("leader woken, no quorum of its members' stores is heard of")
			c := hibernating(t, clusterOptions{seed: 10, regions: testRegions(3, inner...)})
			victim := c.leaderOf("k")
			led := c.keysOf(victim, append([]string{"k"}, inner...))
			heal := cut(c, victim)
			at := c.w.Now()
			c.until("other leaders", func() bool { return len(c.keysOf(victim, led)) == 0 })
			// Missed, deposed, and elected anew.
			if took, bound := time.Duration(c.w.Now()-at), 10*10*victim.cfg.TickInterval; took > bound {
				t.Errorf("other leaders after %v, the bound is %v", took, bound)
			}
			if (unbacked() > 0) != (name == "deaf") {
				t.Errorf("%d leaders woken for want of a quorum", unbacked())
			}
			heal()
			c.dozed()
			c.converged()
		})
	}
}

// A leader whose store hears of a quorum sleeps on, and so do its followers.
func TestQuorumIsHeard(t *testing.T) {
	missed := reached("followers woken, the store of their leader is silent")
	c := hibernating(t, clusterOptions{seed: 11})
	leader := c.leaderOf("")
	elections := c.elections
	defer c.oneWay(leader, c.others(leader)[0])()
	c.run(3 * time.Duration(leader.cfg.silenceTicks()) * leader.cfg.TickInterval)
	if n := c.awake(); n != 0 || c.elections != elections || missed() != 0 {
		t.Errorf("%d peers are awake, %d elections, %d times a store was missed", n, c.elections-elections, missed())
	}
}

// A leader is backed by a quorum of the voters' stores: learners do not count.
func TestBacked(t *testing.T) {
	c := hibernating(t, clusterOptions{seed: 12, stores: 5, regions: testRegions(5)})
	s := c.leaderOf("")
	p := s.byRegion[1]
	for silent := range len(c.stores) {
		for i, other := range c.others(s) {
			s.neighbour(other.id).heard = s.ticks
			if i < silent {
				s.neighbour(other.id).heard -= s.cfg.silenceTicks()
			}
		}
		if p.backed() != (silent <= 2) {
			t.Errorf("%d of 4 other stores are silent: backed %v", silent, p.backed())
		}
	}
}
