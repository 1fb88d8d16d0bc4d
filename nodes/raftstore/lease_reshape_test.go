package raftstore

import (
	"testing"
	"time"

	"simrun/nodes/env"
)

// While a region is split, and in another way while it is merged, its leader has
// no use of its lease: the keys may be another region's elsewhere. A read asks the
// others meanwhile, or is refused. Afterwards the lease is there again.
func TestLeaseWhileReshaping(t *testing.T) {
	split, merge, givenUp := reached("lease not used during a split"), reached("lease not used during a merge"), reached("lease given up for a merge")
	c := twoRegions(t, 12, Config{LeaderLease: true})
	s := c.stores[0]
	c.do(func(t env.Task) {
		c.moveLeader(t, "a", s)
		c.moveLeader(t, "z", s)
	})
	c.run(time.Second)
	read := func(leased bool) {
		t.Helper()
		before := c.reads[ReadByLease]
		c.do(func(t env.Task) { _, _ = c.tryGet(t, s, "z") })
		if now := c.reads[ReadByLease]; (now > before) != leased {
			t.Errorf("%d reads under the lease, which was to be used: %v", now-before, leased)
		}
	}
	c.do(func(t env.Task) { c.put(t, "z", "new") })
	read(true)
	p := s.byRegion[5]
	c.w.Go("split", func(t env.Task) { c.split(t, "p") })
	c.soon("split", func() bool { return p.reshaping() })
	read(false)
	if split() == 0 || merge() > 0 || givenUp() > 0 {
		t.Errorf("%d times not used during a split, %d times during a merge, %d times given up", split(), merge(), givenUp())
	}
	c.soon("end of the split", func() bool { return c.splits == 3 && c.leaderOf("z") == s })
	c.do(func(t env.Task) {
		c.put(t, "z", "newer")
		c.put(t, "n", "newer")
	})
	read(true)
	before := split()
	c.w.Go("merge", func(t env.Task) { c.merge(t, "n", "a") })
	c.soon("merge", func() bool { return p.reshaping() })
	if _, leased := s.Leased(5); leased || givenUp() == 0 {
		t.Errorf("leased %v, given up %d times", leased, givenUp())
	}
	c.until("end of the merge", func() bool { return c.merges == 3 })
	if merge() == 0 || split() != before {
		t.Errorf("%d times not used during a merge, %d times more during a split", merge(), split()-before)
	}
}
