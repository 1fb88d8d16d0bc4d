package cluster_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"simrun/nodes/codec"
	"simrun/nodes/engine"
	"simrun/nodes/mvcc"
	"simrun/reports"
	"simrun/scenarios/cluster"
	"simrun/sim/disk"
	"simrun/sim/plan"
)

// overlapping returns a cluster of five stores with three regions: one on the
// stores 1 to 3, one on 2 to 4 and one on 3 to 5. Their ids are 6, 10 and 14.
func overlapping(t *testing.T) *cluster.Cluster {
	t.Helper()
	p := plan.Default()
	p.Scenario, p.Seed = "bank", 1
	p.Cluster.Stores = 5
	p.Cluster.SplitKeys = []string{"k1", "k2"}
	c, err := cluster.New(&p, cluster.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	c.World.StartAll()
	run(t, c, 3*time.Second)
	return c
}

func run(t *testing.T, c *cluster.Cluster, d time.Duration) {
	t.Helper()
	if err := c.World.RunFor(d); err != nil {
		t.Fatal(err)
	}
}

// waiting is a client that waits for single keys.
func waiting(keys ...string) cluster.Waiter {
	w := cluster.Waiter{Who: "client" + strings.Join(keys, ""), State: "waits"}
	for _, k := range keys {
		w.Spans = append(w.Spans, [2]string{k})
	}
	return w
}

// wipe empties the disks of stores at once, whatever is lost, and starts them.
func wipe(t *testing.T, c *cluster.Cluster, names ...string) {
	t.Helper()
	for _, name := range names {
		if !c.Wipe(name, true) {
			t.Fatalf("%s keeps its disk", name)
		}
		n := c.World.Node(name)
		n.Crash(disk.PowerLoss)
		n.Disk().Wipe()
		n.Start()
	}
}

// of returns what is said of somebody.
func of(t *testing.T, e cluster.Explanation, who string) reports.Wait {
	t.Helper()
	i := slices.IndexFunc(e.Waits, func(w reports.Wait) bool { return w.Who == who })
	if i < 0 {
		t.Fatalf("nothing is said of %s: %+v", who, e.Waits)
	}
	return e.Waits[i]
}

// says fails unless what is said of somebody contains all words.
func says(t *testing.T, e cluster.Explanation, who string, words ...string) {
	t.Helper()
	w := of(t, e, who)
	for _, word := range words {
		if !strings.Contains(w.State, word) {
			t.Errorf("%s %s; want %q", who, w.State, word)
		}
	}
}

// Whoever waits for a region that serves is shown just that.
func TestExplainHealthy(t *testing.T) {
	e := overlapping(t).Explain([]cluster.Waiter{waiting("k0")})
	if e.Lost != "" || len(e.Waits) != 2 || !slices.Equal(e.Waits[0].For, []string{"region 6"}) {
		t.Errorf("%+v", e)
	}
	says(t, e, "region 6", "is led by store", "has nothing to do")
}

// A region without its quorum is explained peer by peer, and nothing is excused
// as long as no disk is lost.
func TestExplainBlocked(t *testing.T) {
	c := overlapping(t)
	c.World.Node("store1").Crash(disk.PowerLoss)
	c.World.Node("store2").Pause()
	run(t, c, 3*time.Second)
	e := c.Explain([]cluster.Waiter{waiting("k0")})
	if e.Lost != "" || e.AnyLost {
		t.Errorf("something is lost: %s", e.Lost)
	}
	says(t, e, "region 6", "no leader; of 3 voters 2 are there with their data")
	says(t, e, "peer 7 of region 6", "on store1, which is down")
	says(t, e, "peer 8 of region 6", "on store2, which stands still")
	says(t, e, "peer 9 of region 6", "on store3, knows of no leader, term ", "log 6 to ")
}

// A majority of a region's disks is lost: that excuses who waits for it, and
// nobody who waits for another region, be it another one's blocked by anything
// else.
func TestExplainLost(t *testing.T) {
	c := overlapping(t)
	wipe(t, c, "store1", "store2")
	run(t, c, 5*time.Second)
	lost, other := waiting("k0"), waiting("k1")
	e := c.Explain([]cluster.Waiter{lost})
	if want := "region 6: peer 7 with the disk of store1 at 3s, peer 8 with the disk of store2 at 3s; of 3 voters 1 is left"; !strings.HasPrefix(e.Lost, want) {
		t.Errorf("lost is %q, want %q", e.Lost, want)
	}
	if !of(t, e, "region 6").Lost || !of(t, e, "peer 7 of region 6").Lost || of(t, e, "peer 9 of region 6").Lost {
		t.Errorf("%+v", e.Waits)
	}
	if e = c.Explain([]cluster.Waiter{other}); e.Lost != "" || e.AnyLost {
		t.Errorf("who waits for a region that has lost one disk of three is excused: %s", e.Lost)
	}
	if e = c.Explain([]cluster.Waiter{lost, other}); e.Lost != "" || !e.AnyLost {
		t.Errorf("one of two who wait is excused by the loss of what the other waits for: %s", e.Lost)
	}
	for _, name := range []string{"store4", "store5"} {
		c.World.Node(name).Crash(disk.PowerLoss)
	}
	run(t, c, 3*time.Second)
	if e = c.Explain([]cluster.Waiter{waiting("k0", "k2")}); e.Lost != "" || !e.AnyLost {
		t.Errorf("a region whose stores are down is excused by the loss of another one: %s", e.Lost)
	}
}

// A store that is down is as good as lost only if its disk is: here the two that
// are left would be a quorum.
func TestExplainLostMinority(t *testing.T) {
	c := overlapping(t)
	wipe(t, c, "store1")
	c.World.Node("store2").Crash(disk.PowerLoss)
	c.World.Node("store3").Crash(disk.PowerLoss)
	run(t, c, 3*time.Second)
	if e := c.Explain([]cluster.Waiter{waiting("k0")}); e.Lost != "" || e.AnyLost {
		t.Errorf("excused: %s", e.Lost)
	}
}

// A key in a region that serves is locked, and the fate of the lock's
// transaction is decided in one that is lost.
func TestExplainLock(t *testing.T) {
	c := overlapping(t)
	lock := &mvcc.Lock{Type: mvcc.LockPut, Primary: []byte("k0"), StartTS: 77, TTL: 3000, ShortValue: []byte("v")}
	for store := range 5 {
		if err := c.Edit(store, func(b *engine.Batch) { b.Put(engine.Lock, codec.EncodeBytes([]byte("k2")), lock.Marshal()) }); err != nil {
			t.Fatal(err)
		}
	}
	e := c.Explain([]cluster.Waiter{waiting("k2")})
	says(t, e, `lock on "k2"`, `Put of transaction 77, whose primary is "k0"`)
	if e.Lost != "" {
		t.Errorf("a lock that can be resolved is excused: %s", e.Lost)
	}
	wipe(t, c, "store1", "store2")
	run(t, c, 5*time.Second)
	e = c.Explain([]cluster.Waiter{waiting("k2")})
	if !slices.Equal(of(t, e, `lock on "k2"`).For, []string{"region 6"}) || !strings.HasPrefix(e.Lost, "region 6: ") {
		t.Errorf("%+v", e)
	}
}

// Without a leader of the placement driver nobody finds anything.
func TestExplainPlacement(t *testing.T) {
	c := overlapping(t)
	c.World.Node("pd1").Crash(disk.PowerLoss)
	e := c.Explain([]cluster.Waiter{waiting("k0")})
	says(t, e, "placement driver", "nobody leads it; 0 of 1 members are up")
	says(t, e, "pd1", "is down")
	if !slices.Contains(e.Waits[0].For, "placement driver") {
		t.Errorf("%+v", e.Waits)
	}
}

// One disk at a time is lost, unless the plan insists.
func TestWipeWaitsForRepair(t *testing.T) {
	c := overlapping(t)
	if !c.Wipe("store5", false) {
		t.Fatal("a store that nobody needs keeps its disk")
	}
	if c.Wipe("store4", false) {
		t.Error("a second disk is lost before the first loss is made good")
	}
	if !c.Wipe("store4", true) {
		t.Error("a disk is kept though it is to be lost regardless")
	}
}
