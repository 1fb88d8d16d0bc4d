package raftstore

import (
	"testing"
	"time"

	"simrun/nodes/env"
)

// At whatever disk operation of a merge that is rolled back, because its target
// changes its members at the same moment, the leader of the source crashes, that of
// the target, or a follower of both, the source serves again afterwards, or is in
// the target after all; and once the target is as it was, it can be merged.
func TestMergeRollbackCrashPoints(t *testing.T) {
	check := allReached(t,
		"merge rolled back",
		"merge rolled back that an earlier process had in its log",
		"start with a region that is merging",
	)
	for victim := range 3 {
		rollbackCrashPoints(t, victim)
	}
	check()
}

func rollbackCrashPoints(t *testing.T, victim int) {
	t.Helper()
	var merge, change attempt
	crashPoints{
		begin: func() (*cluster, *testStore) {
			c := newCluster(t, clusterOptions{seed: 33, stores: 4, regions: testRegions(3, "m")})
			c.waitLeader("a")
			c.waitLeader("z")
			c.do(func(t env.Task) {
				c.put(t, "a", "old")
				c.put(t, "z", "old")
				c.moveLeader(t, "z", c.stores[0])
				c.moveLeader(t, "a", c.stores[1])
			})
			c.run(settleTime)
			return c, c.stores[victim]
		},
		step: func(c *cluster) {
			change.begin(c, func(t env.Task) (bool, error) {
				_, regionErr, err := c.tryChange(t, "a", learner(900, 4))
				return regionErr == nil, err
			})
			merge.begin(c, func(t env.Task) (bool, error) {
				regionErr, err := c.tryMerge(t, "z", "a")
				return regionErr == nil, err
			})
		},
		over: func(c *cluster) bool { return c.rollbacks == 3 },
		after: func(c *cluster) {
			merge.await(c)
			change.await(c)
			c.until("end of the merge", func() bool { return !c.merging() })
			c.agreed()
			c.do(func(t env.Task) {
				for _, key := range []string{"a", "z"} {
					if got := c.get(t, key); got != "old" {
						c.t.Errorf("%s = %q", key, got)
					}
					c.put(t, key, "new")
				}
				if _, p := c.member("a", 4); p != nil {
					c.change(t, "a", removal(900, 4))
				}
				c.merge(t, "z", "a")
				t.Sleep(time.Second)
			})
			c.agreed()
			for _, s := range c.stores[:3] {
				if infos := s.Regions(); len(infos) != 1 || len(infos[0].Region.StartKey)+len(infos[0].Region.EndKey) > 0 {
					c.t.Errorf("store %d: %v", s.id, infos)
				}
				if got, want := dumpData(c.t, s.eng), dumpData(c.t, c.stores[0].eng); got != want {
					c.t.Errorf("store %d holds\n%s\nstore 1 holds\n%s", s.id, got, want)
				}
			}
			if infos := c.stores[3].Regions(); len(infos) > 0 {
				c.t.Errorf("store 4: %v", infos)
			}
		},
	}.each(t)
}
