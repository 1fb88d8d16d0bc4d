package cluster_test

import (
	"strings"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/metapb"

	"simrun/nodes/placement"
	"simrun/scenarios/cluster"
	"simrun/sim/disk"
	"simrun/sim/plan"
)

// changing returns a cluster of four stores, and a fifth that is held back, whose
// placement driver keeps regions replicated and balanced.
func changing(t *testing.T) (c *cluster.Cluster, run func(d time.Duration)) {
	t.Helper()
	p := plan.Default()
	p.Scenario, p.Seed = "bank", 1
	p.Cluster.Stores, p.Cluster.Joining = 5, 1
	p.Cluster.SplitKeys = []string{"acct/0004", "acct/0008", "acct/0012"}
	p.Knobs.StoreHeartbeat, p.Knobs.RegionHeartbeat = plan.Duration(100*time.Millisecond), plan.Duration(100*time.Millisecond)
	s := &p.Scheduling
	s.Interval, s.MaxStoreDownTime = plan.Duration(50*time.Millisecond), plan.Duration(time.Second)
	s.ReplicaCheck, s.BalanceLeaders, s.BalanceRegions = true, true, true
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	c, err := cluster.New(&p, cluster.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	c.World.StartAll()
	run = func(d time.Duration) {
		t.Helper()
		if err := c.World.RunFor(d); err != nil {
			t.Fatal(err)
		}
	}
	run(2 * time.Second)
	return c, run
}

// Goal: a store that is held back holds nothing until it joins, and then its share;
// one that is drained is emptied, ends and does not come back; one that is destroyed
// is replaced; and none may go if too few would be left.
func TestStoresComeAndGo(t *testing.T) {
	c, run := changing(t)
	peers := func(id uint64) (n int) {
		for _, r := range c.Placement().Regions() {
			for _, p := range r.Region.Peers {
				if p.StoreId == id {
					n++
				}
			}
		}
		return n
	}
	quiet := func() {
		t.Helper()
		for range 200 {
			if c.Quiet() {
				return
			}
			run(50 * time.Millisecond)
		}
		t.Fatal(c.Unrest())
	}
	quiet()
	if peers(5) != 0 || c.Join("store1") || c.Join("client1") {
		t.Errorf("before it joins, store5 has %d peers", peers(5))
	}
	if !c.Join("store5") || c.Join("store5") {
		t.Error("store5 joins once")
	}
	quiet()
	if n := peers(5); n < 2 {
		t.Errorf("store5 has %d peers of 12", n)
	}
	drained := false
	if !c.Drain("store1", func() { drained = true }) || c.Drain("store1", nil) {
		t.Error("store1 is drained once")
	}
	quiet()
	if !drained || peers(1) != 0 || c.Server(0) != nil {
		t.Errorf("drained %v, %d peers left, serving %v", drained, peers(1), c.Server(0) != nil)
	}
	c.World.Node("store1").Crash(disk.PowerLoss)
	c.World.StartAll()
	run(time.Second)
	if c.Server(0) != nil {
		t.Error("a tombstone serves again")
	}
	if !c.Destroy("store2") || !c.World.Node("store2").Crash(disk.PowerLoss) {
		t.Error("store2 cannot be destroyed")
	}
	c.World.StartAll()
	run(3 * time.Second)
	quiet()
	if peers(2) != 0 || c.Server(1) != nil {
		t.Errorf("%d peers left on a store that is destroyed", peers(2))
	}
	if c.Destroy("store3") || c.Drain("store3", nil) || !strings.HasPrefix(c.Unrest()+"quiet", "quiet") {
		t.Errorf("a store may go, though three are needed; %s", c.Unrest())
	}
	for _, s := range c.Placement().Stores() {
		want := placement.StoreUp
		switch s.Meta.Id {
		case 1:
			want = placement.StoreTombstone
		case 2:
			want = placement.StoreDown
		}
		if s.Health != want {
			t.Errorf("store %d is %v, want %v", s.Meta.Id, s.Health, want)
		}
	}
}

// Goal: a placement driver whose map goes back within a leadership is found at
// once; a later leadership may begin with an older map.
func TestDirectoryNeverGoesBack(t *testing.T) {
	region := func(id uint64, start, end string, version, confVer uint64) *metapb.Region {
		return &metapb.Region{
			Id: id, StartKey: []byte(start), EndKey: []byte(end), RegionEpoch: &metapb.RegionEpoch{Version: version, ConfVer: confVer},
		}
	}
	for _, c := range []struct {
		name string
		term uint64
		then *metapb.Region
		back bool
	}{
		{"the same again", 2, region(1, "", "m", 2, 1), false},
		{"a region is split", 2, region(3, "c", "m", 3, 1), false},
		{"the region before the split", 2, region(1, "", "", 1, 1), true},
		{"earlier members", 2, region(2, "m", "", 2, 1), true},
		{"a region beside it is older", 2, region(3, "z", "", 1, 1), true},
		{"another leader begins", 3, region(1, "", "", 1, 1), false},
		{"the leader before goes on", 1, region(1, "", "", 1, 1), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			watch := cluster.Directory()
			watch(2, region(1, "", "", 1, 1))
			watch(2, region(2, "m", "", 2, 1))
			watch(2, region(1, "", "m", 2, 1))
			watch(2, region(2, "m", "", 2, 2))
			defer func() {
				if failed := recover() != nil; failed != c.back {
					t.Errorf("found %v, want %v", failed, c.back)
				}
			}()
			watch(c.term, c.then)
		})
	}
}
