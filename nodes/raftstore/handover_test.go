package raftstore

import (
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/pdpb"

	"simrun/nodes/env"
)

// Goal: by order of the placement driver a leader goes on serving until the peer that is
// to take over has said that it hears, and hands over then; also if both sleep.
func TestOrderedHandOver(t *testing.T) {
	silent, answered := reached("peer that is to take over has not answered, and is asked again"), reached("peer that is to take over says that it is there")
	c := hibernating(t, clusterOptions{seed: 14})
	leader := c.leaderOf("k")
	heir := c.others(leader)[0]
	_, peer := c.member("k", heir.id)
	order := func() {
		c.ordered("k", &pdpb.RegionHeartbeatResponse{TransferLeader: &pdpb.TransferLeader{Peer: peer}})
	}

	heal := c.oneWay(heir, c.others(heir)...)
	for range 3 {
		order()
		began := c.w.Now()
		c.do(func(t env.Task) { c.put(t, "k", "v") })
		if took := time.Duration(c.w.Now() - began); took > leader.cfg.TickInterval {
			t.Errorf("a write took %v while the heir heard nobody", took)
		}
	}
	if silent() != 2 || answered() != 0 || c.leaderOf("k") != leader {
		t.Errorf("asked again %d times, answered %d times", silent(), answered())
	}
	heal()
	c.dozed()
	leader = c.leaderOf("k")
	if leader == heir {
		t.Fatal("it leads already")
	}
	order()
	c.until("the transfer", func() bool { return c.leaderOf("k") == heir })
	if answered() != 1 {
		t.Errorf("answered %d times", answered())
	}
	c.dozed()
	c.converged()
}
