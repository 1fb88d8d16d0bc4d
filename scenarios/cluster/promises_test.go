package cluster

import (
	"errors"
	"testing"
	"time"

	"simrun/checker/consensus"
	"simrun/checker/verdict"
	"simrun/nodes/raftstore"
	"simrun/sim/plan"
)

// Goal: what the stores tell of raft reaches the ledger, whose checks are tested
// by themselves. Method: a sound cluster keeps all promises, and is told to have
// broken one of each sort that only several stores together can break.
func TestBrokenPromisesAreFound(t *testing.T) {
	p := plan.Default()
	c, err := New(&p, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.World.StartAll()
	if err := c.World.RunFor(3 * time.Second); err != nil {
		t.Fatal(err)
	}
	counts := c.regionPromises.ledger.Counts()
	if counts.Groups == 0 || counts.Elections == 0 || counts.Commits == 0 || counts.Entries < 3*counts.Elections {
		t.Fatalf("hardly anything was seen: %+v", counts)
	}
	if n := c.placementPromises.ledger.Counts(); n.Groups != 1 || n.Elections == 0 || n.Commits == 0 {
		t.Fatalf("of the placement driver: %+v", n)
	}
	leader, status := c.leader("k")
	follower := c.stores[leader.id%3]
	var other raftstore.RegionInfo
	for _, r := range follower.server.Regions() {
		if r.Region.Id == status.Region.Id {
			other = r
		}
	}
	a := &auditor{promises: c.regionPromises, node: follower.node.Name()}
	id := status.Region.Id
	last := raftstore.HardState{Term: other.Term, Commit: other.Commit}
	broken := func(fn func()) (anomaly verdict.Anomaly) {
		defer func() {
			var b consensus.Breach
			if err, _ := recover().(error); errors.As(err, &b) {
				anomaly = b.Anomaly
			}
		}()
		fn()
		return ""
	}
	for _, check := range []struct {
		want verdict.Anomaly
		does func()
	}{
		{verdict.StaleRead, func() { a.ReadServed(id, other.Peer, a.ReadBegan(id), other.Applied-1) }},
		{verdict.ConfigConflict, func() {
			r := *other.Region
			r.EndKey = []byte("other")
			a.RegionChanged(&r, other.Peer, other.Applied)
		}},
		{verdict.NotDurable, func() { a.PeerStarted(other.Region, other.Peer, raftstore.PeerStart{}) }},
		{verdict.Resurrected, func() {
			a.PeerEnded(id, other.Peer)
			a.PeerStarted(other.Region, other.Peer, raftstore.PeerStart{Hard: last, Written: last})
		}},
		{verdict.ElectionSafety, func() {
			a.PeerAdvanced(id, status.Peer, raftstore.Advance{HardState: raftstore.HardState{Term: status.Term, Vote: status.Peer, Commit: status.Commit}, Elected: true})
		}},
	} {
		if got := broken(check.does); got != check.want {
			t.Errorf("found %q, want %q", got, check.want)
		}
	}
}
