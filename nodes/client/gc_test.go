package client

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/pdpb"

	"simrun/nodes/codec"
	"simrun/nodes/engine"
	"simrun/nodes/env"
	"simrun/nodes/rpc"
	"simrun/nodes/txn"
)

// moveSafePoints is what a store does about its safe points. All stores of the
// cluster are one.
func (c *cluster) moveSafePoints(t env.Task, m rpc.Method, body []byte) rpc.Message {
	if m == rpc.CloseSafePoint {
		req := &pdpb.UpdateServiceGCSafePointRequest{}
		if err := req.Unmarshal(body); err != nil {
			panic(err)
		}
		c.sched.MoveSafePoints(t, txn.SafePoints{Closed: req.SafePoint})
		p, _ := c.sched.SafePoints()
		return &pdpb.UpdateServiceGCSafePointResponse{MinSafePoint: p.Closed}
	}
	req := &pdpb.UpdateGCSafePointRequest{}
	if err := req.Unmarshal(body); err != nil {
		panic(err)
	}
	c.sched.MoveSafePoints(t, txn.SafePoints{Closed: req.SafePoint, Settled: req.SafePoint})
	p, _ := c.sched.SafePoints()
	return &pdpb.UpdateGCSafePointResponse{NewSafePoint: p.Settled}
}

// keeper is the placement driver's part of garbage collection.
type keeper struct {
	*cluster
	wanted, settled uint64
	held            map[string]uint64
}

func (k *keeper) least() uint64 {
	least := k.wanted
	for _, ts := range k.held {
		least = min(least, ts)
	}
	return least
}

func (k *keeper) UpdateServiceGCSafePoint(_ env.Task, service string, ts uint64, ttl time.Duration) (uint64, error) {
	switch {
	case ttl == 0:
		delete(k.held, service)
	case ts >= k.least():
		k.held[service] = ts
	}
	return k.least(), nil
}

func (k *keeper) SafePoints(t env.Task) (closed, settled uint64, err error) {
	return k.least(), k.settled, k.ask(t, rpc.PdGetGCSafePoint)
}

func (k *keeper) AdvanceSafePoint(_ env.Task, ts uint64) (uint64, error) {
	k.wanted = max(k.wanted, ts)
	return k.least(), nil
}

func (k *keeper) UpdateGCSafePoint(_ env.Task, ts uint64) (uint64, error) {
	k.settled = max(k.settled, ts)
	return k.settled, nil
}

func (k *keeper) GetAllStores(env.Task) (stores []*metapb.Store, err error) {
	for i := range k.stores {
		stores = append(stores, &metapb.Store{Id: uint64(i + 1), Address: fmt.Sprintf("store%d", i+1)})
	}
	return stores, nil
}

// versions counts the versions that are stored.
func (c *cluster) versions() (n int) {
	it, err := c.db.NewIter(engine.Write, engine.IterOptions{})
	if err != nil {
		c.Fatal(err)
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		n++
	}
	return n
}

func (c *cluster) set(t env.Task, key, value string) {
	tx, err := c.client.Begin(t)
	if err == nil {
		tx.Set([]byte(key), []byte(value))
		err = tx.Commit(t)
	}
	if err != nil {
		c.Fatal(err)
	}
}

// TestCollector writes a key again and again, over two regions, leaves locks
// behind, and collects: what is older than the lifetime goes, except for what a
// transaction reads that has asked to keep it; when that has ended its snapshot
// is refused.
func TestCollector(t *testing.T) {
	c := newCluster(t, 1, Config{LockTTL: 200 * time.Millisecond}, false, "m")
	k := &keeper{cluster: c, held: map[string]uint64{}}
	g := NewCollector(c.client, k, CollectorConfig{Interval: time.Second, Lifetime: 2 * time.Second})
	round := func(task env.Task) {
		if err := g.Round(task); err != nil {
			t.Fatal(err)
		}
	}
	c.run(func(task env.Task) {
		c.client.HoldSnapshots(k, 1500*time.Millisecond)
		task.Sleep(3 * time.Second)
		c.set(task, "a", "first")
		c.set(task, "z", "first")
		reader, err := c.client.Begin(task)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 10 {
			c.set(task, "a", fmt.Sprint(i))
			c.set(task, "z", fmt.Sprint(i))
		}
		// Clients that die between the two phases leave locks, two of them in one region.
		for _, key := range []string{"n", "o"} {
			start := c.tick()
			resp := c.sched.Prewrite(task, &kvrpcpb.PrewriteRequest{
				Context: c.anywhere(), StartVersion: start, LockTtl: 200, MinCommitTs: start + 1, PrimaryLock: []byte(key),
				Mutations: []*kvrpcpb.Mutation{{Key: []byte(key), Value: []byte("lost")}},
			})
			if resp.RegionError != nil || len(resp.Errors) > 0 {
				t.Fatal(resp)
			}
		}
		task.Sleep(4 * time.Second)
		all := c.versions()
		round(task)
		if value, _, err := reader.Get(task, []byte("a")); err != nil || string(value) != "first" {
			t.Errorf("the open transaction reads %q, %v", value, err)
		}
		if n := c.versions(); n != all {
			t.Errorf("%d of %d versions are left though a transaction reads them", n, all)
		}
		reader.Rollback(task)
		task.Sleep(time.Second)
		round(task)
		// The newest of a and z stay, and of the locks nothing.
		if n, locks := c.versions(), c.lockedKeys(); n != 2 || locks != "" {
			t.Errorf("%d versions are left, and locks [%s]", n, locks)
		}
		if _, _, err := c.client.Snapshot(reader.StartTS()).Get(task, []byte("a")); !errors.Is(err, ErrFailed) {
			t.Errorf("read below the safe point: %v", err)
		}
		if value, _, err := c.client.Snapshot(c.tick()).Get(task, []byte("z")); err != nil || string(value) != "9" {
			t.Errorf("z is %q, %v", value, err)
		}
		if g.Rounds != 1 && g.Rounds != 2 {
			t.Errorf("%d rounds", g.Rounds)
		}
		round(task) // too early: nothing to do
	})
	if k.settled == 0 || codec.PhysicalTS(k.settled) == 0 {
		t.Error("nothing was settled")
	}
}

// TestCollectorGivesUp: without placement or without a store a round fails, and
// the collector goes on; a transaction that is reported too late is refused.
func TestCollectorGivesUp(t *testing.T) {
	c := newCluster(t, 2, Config{BackgroundTimeout: time.Second, LockTTL: time.Minute}, false)
	k := &keeper{cluster: c, held: map[string]uint64{}}
	c.run(func(task env.Task) {
		g := NewCollector(c.client, k, CollectorConfig{Interval: 500 * time.Millisecond, Lifetime: time.Second})
		task.Sleep(2 * time.Second)
		c.rules = append(c.rules, &rule{method: rpc.PdGetGCSafePoint, times: 1})
		if err := g.Round(task); !errors.Is(err, errNoAnswer) {
			t.Errorf("round without placement: %v", err)
		}
		c.rules = []*rule{{method: rpc.CloseSafePoint, dropReq: true, times: 1000}}
		if err := g.Round(task); !errors.Is(err, ErrDeadline) {
			t.Errorf("round without stores: %v", err)
		}
		c.rules = nil

		// A living transaction holds its lock for longer than the round lasts.
		c.rules = []*rule{{method: rpc.KvCommit, dropReq: true, times: 1000}}
		tx, _ := c.client.Begin(task)
		tx.Set([]byte("a"), []byte("v"))
		c.client.env.Sched.Go("long", func(task env.Task) { _ = tx.Commit(task) })
		task.Sleep(2 * time.Second)
		if err := g.Round(task); !errors.Is(err, ErrDeadline) {
			t.Errorf("round beside a lock that lives: %v", err)
		}
		c.rules = nil

		late, _ := c.client.Begin(task)
		task.Sleep(2 * time.Second)
		k.wanted = c.tick()
		c.client.HoldSnapshots(k, 300*time.Millisecond)
		task.Sleep(time.Second)
		late.Rollback(task)
		g.Start()
		task.Sleep(5 * time.Second)
		c.rules = []*rule{{method: rpc.PdGetGCSafePoint, times: 1000}}
		task.Sleep(2 * time.Second)
		if g.Rounds == 0 {
			t.Error("no round was done")
		}
	})
}
