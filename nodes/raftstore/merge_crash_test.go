package raftstore

import (
	"testing"

	"simrun/nodes/env"
)

// At whatever disk operation of a merge the leader of the source crashes, that of
// the target, or a follower of both, the merge is done afterwards or not, on all
// stores; it is done if the source was told to have ended its work. If it is not,
// it can be done again.
func TestMergeCrashPoints(t *testing.T) {
	check := allReached(t,
		"start with a region that is merging",
		"merge prepared that an earlier process had in its log",
		"merge committed that an earlier process had in its log",
		"target waited for its source to catch up",
	)
	for victim := range 3 {
		mergeCrashPoints(t, victim)
	}
	check()
}

func mergeCrashPoints(t *testing.T, victim int) {
	t.Helper()
	var merge attempt
	crashPoints{
		begin: func() (*cluster, *testStore) {
			c := twoRegions(t, 21, Config{})
			c.do(func(t env.Task) {
				c.moveLeader(t, "z", c.stores[0])
				c.moveLeader(t, "a", c.stores[1])
			})
			c.run(settleTime)
			return c, c.stores[victim]
		},
		step: func(c *cluster) {
			merge.begin(c, func(t env.Task) (bool, error) {
				regionErr, err := c.tryMerge(t, "z", "a")
				return regionErr == nil, err
			})
		},
		over: func(c *cluster) bool { return c.regions() == 1 },
		after: func(c *cluster) {
			merge.await(c)
			c.until("end of the merge", func() bool { return c.regions() > 0 && !c.merging() })
			done := c.regions() == 1
			merge.check(c, done)
			c.recovered(c.regions())
			if c.rollbacks > 0 {
				c.t.Errorf("%d rolled back, though nothing came between", c.rollbacks)
			}
			c.do(func(t env.Task) {
				if !done {
					c.merge(t, "z", "a")
				}
			})
			c.checkMerged(map[string]string{"a": "old", "b": "old", "n": "old", "z": "old"})
			c.recovered(1)
		},
	}.each(t)
}

// merging reports whether a region is merging on any store.
func (c *cluster) merging() bool {
	for _, s := range c.stores {
		for _, r := range s.Regions() {
			if r.Merging {
				return true
			}
		}
	}
	return false
}

// The same for a store that has missed the merge and comes to it by the log of
// the target: it gives its source what that lacks, and begins again after a crash.
func TestMergeCatchUpCrashPoints(t *testing.T) {
	check := allReached(t,
		"target waits for its source again after a start",
		"source caught up again after a start",
		"merge prepared that an earlier process had in its log",
		"merge committed that an earlier process had in its log",
	)
	var heal func()
	crashPoints{
		begin: func() (c *cluster, late *testStore) {
			c, late, heal = lateStore(t, 41, Config{})
			c.run(settleTime)
			return c, late
		},
		step: func(*cluster) { heal() },
		over: func(c *cluster) bool { return c.regions() == 1 },
		after: func(c *cluster) {
			c.checkMerged(map[string]string{"a": "old", "p0": "late", "p1": "late", "n": "old"})
			c.recovered(1)
		},
	}.each(t)
	check()
}
