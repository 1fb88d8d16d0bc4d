package raftstore

import (
	"testing"
	"time"

	"simrun/nodes/env"
)

// At whatever disk operation of a split its leader or a follower crashes, it is
// done afterwards or not, on all stores, and done if somebody was told so. If it is
// not, it can be done again.
func TestSplitCrashPoints(t *testing.T) {
	check := allReached(t,
		"split applied that an earlier process had in its log",
		"start with a region of a split that has written no log",
		"start with unapplied committed entries",
	)
	for _, follower := range []uint64{0, 1} {
		splitCrashPoints(t, follower)
	}
	check()
}

// splitCrashPoints crashes the leader, or a store that comes after it.
func splitCrashPoints(t *testing.T, after uint64) {
	t.Helper()
	var split attempt
	crashPoints{
		begin: func() (*cluster, *testStore) {
			c := newCluster(t, clusterOptions{seed: 5})
			leader := c.waitLeader("")
			c.do(func(t env.Task) {
				c.put(t, "a", "old")
				c.put(t, "z", "old")
			})
			c.run(settleTime)
			return c, c.stores[(leader.id-1+after)%3]
		},
		step: func(c *cluster) {
			s := c.leaderOf("")
			split.begin(c, func(t env.Task) (bool, error) {
				_, regionErr, err := s.SplitRegion(t, s.context("m"), [][]byte{[]byte("m")}, time.Second)
				return regionErr == nil, err
			})
		},
		over: func(c *cluster) bool { return c.regions() == 2 && c.leaderOf("z") != nil },
		after: func(c *cluster) {
			split.await(c)
			c.converged()
			done := c.regions() == 2
			split.check(c, done)
			c.recovered(c.regions())
			c.do(func(t env.Task) {
				for _, key := range []string{"a", "z"} {
					if got := c.get(t, key); got != "old" {
						c.t.Errorf("%s = %q", key, got)
					}
				}
				if !done {
					c.split(t, "m")
				}
				c.put(t, "a", "new")
				c.put(t, "z", "new")
			})
			c.converged()
			c.recovered(2)
			for _, p := range c.stores[0].ranges {
				if v := p.region.GetRegionEpoch().GetVersion(); v != 2 {
					c.t.Errorf("split once, but it is version %d of %v", v, p.region)
				}
			}
		},
	}.each(t)
}

// attempt is an attempt at a step by a client, and what it was told.
type attempt struct {
	ended, ok, unknown bool
}

// begin begins the attempt in a task of its own. The step reports whether it was
// done, or an error if that is not known.
func (a *attempt) begin(c *cluster, step func(t env.Task) (bool, error)) {
	*a = attempt{}
	c.w.Go("attempt", func(t env.Task) {
		ok, err := step(t)
		a.ok, a.unknown, a.ended = ok && err == nil, err != nil, true
	})
}

// await waits for the end of the attempt, without which the step might come later.
func (a *attempt) await(c *cluster) {
	c.t.Helper()
	c.until("end of the attempt", func() bool { return a.ended })
}

// check checks that the client was told the truth.
func (a *attempt) check(c *cluster, done bool) {
	c.t.Helper()
	if !a.unknown && a.ok != done {
		c.t.Errorf("the client was told %v, but done is %v", a.ok, done)
	}
}
