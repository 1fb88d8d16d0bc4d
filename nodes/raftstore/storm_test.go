package raftstore

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_cmdpb"

	"simrun/network"
	"simrun/nodes/env"
	"simrun/sim"
	"simrun/sim/disk"
)

// register is a key that one task writes and reads. Its value is a number that
// grows with each write, so the rules of a linearizable register are two
// comparisons.
type register struct {
	key string
	// written is the last value that was proposed, acked the last one of which it
	// is known that it was applied.
	written, acked int
}

func (r *register) run(c *cluster, t env.Task, rng *rand.Rand, stop *bool) {
	for !*stop {
		t.Sleep(time.Duration(rng.IntN(20)) * time.Millisecond)
		s := c.leaderOf(r.key)
		if rng.IntN(2) == 0 {
			s = c.stores[rng.IntN(len(c.stores))] // perhaps one that was leader
		}
		if s == nil || !s.node.Up() {
			continue
		}
		if rng.IntN(3) == 0 {
			r.read(c, t, s, rng.IntN(2) == 0)
		} else {
			r.write(c, t, s, time.Duration(20+rng.IntN(300))*time.Millisecond)
		}
	}
}

// write writes the next value. A write that was refused must never be seen, so
// its number is used up.
func (r *register) write(c *cluster, t env.Task, s *testStore, limit time.Duration) {
	r.written++
	regionErr, err := s.Propose(t, s.context(r.key), 0, []*raft_cmdpb.Request{putRequest(r.key, strconv.Itoa(r.written))}, limit)
	switch {
	case err != nil:
		// It may be applied later, after the next one. Wait until it cannot: when
		// another write through the same log is acknowledged, it comes before or never.
		r.settle(c, t, limit)
	case regionErr == nil:
		r.acked = r.written
	}
}

// settle writes until a write of the current leader is acknowledged.
func (r *register) settle(c *cluster, t env.Task, limit time.Duration) {
	for {
		t.Sleep(limit / 10)
		r.written++
		regionErr, err := c.tryPut(t, r.key, strconv.Itoa(r.written), limit)
		if regionErr == nil && err == nil {
			r.acked = r.written
			return
		}
	}
}

func (r *register) read(c *cluster, t env.Task, s *testStore, replica bool) {
	ctx := s.context(r.key)
	ctx.ReplicaRead = replica
	text, regionErr := c.tryGetWith(t, s, ctx, r.key)
	if regionErr != nil {
		return
	}
	value, _ := strconv.Atoi(text)
	if value != r.acked {
		c.t.Errorf("%s reads %d on store %d; acknowledged %d, written %d", r.key, value, s.id, r.acked, r.written)
	}
}

// storm does something unpleasant every now and then.
func storm(c *cluster, t env.Task, rng *rand.Rand, stop *bool) {
	for !*stop {
		t.Sleep(time.Duration(20+rng.IntN(200)) * time.Millisecond)
		s := c.stores[rng.IntN(len(c.stores))]
		if leader := c.leaderOf(fmt.Sprintf("k%d", rng.IntN(10))); leader != nil && rng.IntN(2) == 0 {
			s = leader
		}
		pause := time.Duration(50+rng.IntN(1500)) * time.Millisecond
		switch rng.IntN(11) {
		case 0:
			heal := c.isolate(s)
			t.Sleep(pause)
			heal()
		case 1, 2:
			kind := disk.PowerLoss
			if rng.IntN(2) == 0 {
				kind = disk.ProcessKill
			}
			s.node.Crash(kind)
			t.Sleep(pause)
			s.node.Start()
		case 3:
			for _, other := range c.stores {
				other.node.Crash(disk.PowerLoss)
			}
			t.Sleep(pause / 4)
			c.w.StartAll()
		case 4:
			s.node.Pause()
			t.Sleep(pause)
			s.node.Resume()
		case 5:
			bad := network.Degradation{Loss: rng.IntN(200), Duplicate: rng.IntN(200), Reorder: rng.IntN(300)}
			c.w.Network.Degrade(bad)
			t.Sleep(pause)
			c.w.Network.Restore(bad)
		case 6:
			key := fmt.Sprintf("k%d", rng.IntN(10))
			if leader := c.leaderOf(key); leader != nil {
				region, _ := leader.RegionOf([]byte(key))
				leader.TransferLeader(region.GetId(), region.Peers[rng.IntN(len(region.Peers))].GetId())
			}
		case 7:
			key := fmt.Sprintf("k%d%d", rng.IntN(10), rng.IntN(10))
			if leader := c.leaderOf(key); leader != nil && len(leader.ranges) < 12 {
				_, _, _ = leader.SplitRegion(t, leader.context(key), [][]byte{[]byte(key)}, time.Second)
			}
		case 8:
			s.node.SetDrift(int64(rng.IntN(2*stormDrift+1) - stormDrift))
		case 9, 10:
			mergeSomewhere(c, t, rng)
		}
	}
}

// mergeSomewhere asks for the merge of a region into one of its neighbours.
func mergeSomewhere(c *cluster, t env.Task, rng *rand.Rand) {
	key := fmt.Sprintf("k%d%d", rng.IntN(10), rng.IntN(10))
	leader := c.leaderOf(key)
	if leader == nil {
		return
	}
	source, _ := leader.RegionOf([]byte(key))
	var neighbours []*metapb.Region
	for _, p := range leader.ranges {
		if siblings(p.region, source) {
			neighbours = append(neighbours, p.region)
		}
	}
	if len(neighbours) > 0 {
		_, _ = leader.MergeRegion(t, leader.context(key), neighbours[rng.IntN(len(neighbours))], time.Second)
	}
}

// stormDrift is by how many parts per million clocks run fast or slow at most.
const stormDrift = 50_000

// A storm of faults leaves nothing behind: reads are linearizable throughout,
// and afterwards all replicas agree.
func TestStorm(t *testing.T) {
	seeds := uint64(steps(10))
	if text := os.Getenv("RAFTSTORE_SEEDS"); text != "" {
		seeds, _ = strconv.ParseUint(text, 10, 64)
	}
	first := uint64(0)
	if text := os.Getenv("RAFTSTORE_SEED"); text != "" {
		first, _ = strconv.ParseUint(text, 10, 64)
		seeds = 1
	}
	for seed := first; seed < first+seeds; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { runStorm(t, seed) })
	}
}

// A storm is a function of its seed, whatever the number of processors.
func TestStormIsDeterministic(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for seed := range uint64(max(steps(2), 1)) {
		want := runStorm(t, seed)
		for _, procs := range []int{1, 2, 8} {
			runtime.GOMAXPROCS(procs)
			if got := runStorm(t, seed); got != want {
				t.Errorf("seed %d with %d processors: trace %x, was %x", seed, procs, got, want)
			}
		}
	}
}

func runStorm(t *testing.T, seed uint64) (hash uint64) {
	return runStormWith(t, seed, stormLength, func(*Config) {})
}

// stormLength is how long a storm lasts.
const stormLength = 10 * time.Second

func runStormWith(t *testing.T, seed uint64, length time.Duration, change func(cfg *Config)) (hash uint64) {
	rng := rand.New(rand.NewPCG(seed, 0))
	order := sim.Arrival
	if seed%2 == 1 {
		order = sim.Seeded
	}
	stores := 3
	if seed%4 == 3 {
		stores = 5
	}
	cfg := Config{
		LogGCThreshold: 8 + uint64(rng.IntN(64)), SnapshotChunkSize: 256, EntryCacheCount: 1 + rng.IntN(64),
		LeaderLease: seed%3 != 0, ClockDriftBound: stormDrift, HibernateTimeout: []time.Duration{0, 100, 300, 0}[seed%4] * time.Millisecond,
	}
	change(&cfg)
	c := newCluster(t, clusterOptions{
		seed: seed, order: order, stores: stores, regions: testRegions(stores, "k3", "k6"), raft: cfg,
	})
	stop := false
	running := 0
	registers := make([]*register, 10)
	for i := range registers {
		registers[i] = &register{key: fmt.Sprintf("k%d%d", i, rng.IntN(10))}
		r, rng := registers[i], rand.New(rand.NewPCG(seed, uint64(i+1)))
		running++
		c.w.Go("register", func(t env.Task) {
			r.run(c, t, rng, &stop)
			running--
		})
	}
	for i := range 2 {
		rng := rand.New(rand.NewPCG(seed, uint64(100+i)))
		running++
		c.w.Go("storm", func(t env.Task) {
			storm(c, t, rng, &stop)
			running--
		})
	}
	c.run(length)
	stop = true
	c.until("end of the storm", func() bool { return running == 0 })
	c.w.StartAll()
	c.w.Network.HealAll()
	acked := 0
	c.do(func(t env.Task) {
		for _, r := range registers {
			if got := c.get(t, r.key); got != strconv.Itoa(r.acked) && r.acked > 0 {
				c.t.Errorf("seed %d: %s = %s at last; acknowledged %d, written %d", seed, r.key, got, r.acked, r.written)
			}
			acked += r.acked
		}
	})
	c.converged()
	t.Logf("seed %d: %d acknowledged, %d elections, %d splits, %d merges, %d rollbacks, %d snapshots, %d events",
		seed, acked, c.elections, c.splits, c.merges, c.rollbacks, c.snapshots, c.w.Fired())
	hash = c.w.Trace.Hash()
	c.w.Close()
	return hash
}
