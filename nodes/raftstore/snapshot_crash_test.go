package raftstore

import (
	"fmt"
	"testing"
	"time"
)

// At whatever disk operation of the reception and application of a snapshot the
// power fails, or the process is killed, the next process takes up what is
// there: half a file, a whole one, an application that was begun, a log that was
// not reset. Nothing stays behind.
func TestSnapshotReceiverCrash(t *testing.T) {
	found := []func() uint64{
		reached("half a received snapshot found at start"),
		reached("received snapshot that raft has not got found at start"),
		reached("application of a snapshot completed after a crash"),
		reached("log reset completed after a crash"),
		reached("useless snapshot file found at start"),
	}
	crashPoints{
		begin: func() (*cluster, *testStore) {
			c := newCluster(t, clusterOptions{seed: 4, raft: slowSnapshots()})
			lag(c, 2)
			c.stores[2].node.Start()
			c.soon("first chunk", func() bool { return c.coming(2) != nil })
			return c, c.stores[2]
		},
		step:  func(*cluster) {}, // is under way
		over:  func(c *cluster) bool { return c.snapshots > 0 },
		after: func(c *cluster) { c.converged(); c.tidy() },
	}.each(t)
	if testing.Short() {
		return
	}
	for i, n := range found {
		if n() == 0 {
			t.Errorf("state %d was never found at a start", i)
		}
	}
}

// The same for the sender: a file that is being made, one that is being sent.
func TestSnapshotSenderCrash(t *testing.T) {
	offered, leftover := reached("snapshot of an earlier process offered again"), reached("useless snapshot file found at start")
	crashPoints{
		begin: func() (*cluster, *testStore) {
			c := newCluster(t, clusterOptions{seed: 4, raft: slowSnapshots()})
			lag(c, 2)
			return c, c.waitLeader("")
		},
		step:  func(c *cluster) { c.stores[2].node.Start() },
		over:  func(c *cluster) bool { return c.snapshots > 0 },
		after: func(c *cluster) { c.converged(); c.tidy() },
	}.each(t)
	if !testing.Short() && (offered() == 0 || leftover() == 0) {
		t.Errorf("%d files offered again, %d left over", offered(), leftover())
	}
}

// A receiver does not wait for ever for the rest of a snapshot: it makes room for
// others soon, and deletes the file after a while.
func TestSnapshotExpires(t *testing.T) {
	expired := reached("half a snapshot not heard of any more")
	c := newCluster(t, clusterOptions{seed: 5, raft: slowSnapshots()})
	lag(c, 2)
	c.stores[2].node.Start()
	in := c.half(2)
	heal := c.isolate(c.stores[2])
	c.run(5 * time.Second)
	if expired() != 1 || in.live || in.discarded {
		t.Errorf("%d expired, live %v, discarded %v", expired(), in.live, in.discarded)
	}
	c.run(20 * time.Second)
	if !in.discarded {
		t.Error("the file is still there")
	}
	heal()
	c.converged()
	c.tidy()
}

// A peer that is removed while it receives or applies a snapshot leaves nothing.
func TestSnapshotOfRemovedPeer(t *testing.T) {
	dropped := reached("peer destroyed while it applied a snapshot")
	for _, applying := range []bool{false, true} {
		t.Run(fmt.Sprintf("applying=%v", applying), func(t *testing.T) {
			c := newCluster(t, clusterOptions{seed: 5, raft: slowSnapshots()})
			lag(c, 2)
			s := c.stores[2]
			s.node.Start()
			c.half(2)
			if applying {
				c.soon("application", func() bool { return s.byRegion[1].restored != nil })
			}
			p := s.byRegion[1]
			epoch := *p.region.GetRegionEpoch()
			epoch.ConfVer += 10
			s.destroy(p, grave{epoch: &epoch})
			c.run(time.Second)
			files, err := SnapshotFiles(s.node.Disk().FS())
			if err != nil || len(files) > 0 || s.byRegion[1] != nil {
				t.Errorf("left: %v, peer %v (%v)", files, s.byRegion[1], err)
			}
		})
	}
	if dropped() != 1 {
		t.Errorf("%d dropped", dropped())
	}
}
