package client

import (
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/codec"
	"simrun/nodes/env"
	"simrun/nodes/rpc"
)

// TestCollectorMeetsEveryKindOfLock leaves the locks of an async commit and of a
// statement behind, and has a leader tell of one in its memory. Before anything is
// collected each of them is resolved: the async commit, which stands, is committed
// on its second key, and the locks that say nothing go.
func TestCollectorMeetsEveryKindOfLock(t *testing.T) {
	c := newCluster(t, 1, Config{LockTTL: 200 * time.Millisecond}, false, "m")
	g := NewCollector(c.client, &keeper{cluster: c, held: map[string]uint64{}}, CollectorConfig{Interval: time.Second, Lifetime: time.Second})
	c.run(func(task env.Task) {
		c.rules = []*rule{ // the client dies
			{method: rpc.KvCommit, dropReq: true, times: 1000},
			{method: rpc.KvTxnHeartBeat, dropReq: true, times: 1000},
		}
		async, _ := c.client.BeginWith(task, TxnOptions{Commit: AsyncCommit})
		async.Set([]byte("a"), []byte("1"))
		async.Set([]byte("z"), []byte("1"))
		if err := async.Commit(task); err != nil {
			t.Fatal(err)
		}
		locker, _ := c.client.BeginWith(task, TxnOptions{Pessimistic: true})
		if err := locker.Lock(task, []byte("b")); err != nil {
			t.Fatal(err)
		}
		// Of a transaction that died before its lock was applied.
		lock := &kvrpcpb.LockInfo{PrimaryLock: []byte("c"), Key: []byte("c"), LockVersion: c.tick(), LockTtl: 1, UseAsyncCommit: true}
		task.Sleep(12 * time.Second)
		c.rules = []*rule{{method: rpc.KvScanLock, keyError: &kvrpcpb.KeyError{Locked: lock}, times: 1}}
		if err := g.Round(task); err != nil {
			t.Fatal(err)
		}
		locks := c.sched.ScanLock(task, &kvrpcpb.ScanLockRequest{Context: c.anywhere(), MaxVersion: codec.MaxTS})
		if len(locks.Locks) > 0 || locks.Error != nil {
			t.Errorf("locks are left: %v", locks)
		}
		if value, found, err := c.client.Snapshot(c.tick()).Get(task, []byte("z")); err != nil || string(value) != "1" {
			t.Errorf("the second key of the async commit is %q, %v, %v", value, found, err)
		}
	})
}

// TestCollectorAsksAgain: a round in which the first answer of every kind is lost is
// done all the same.
func TestCollectorAsksAgain(t *testing.T) {
	c := newCluster(t, 1, Config{RPCTimeout: 100 * time.Millisecond}, false)
	g := NewCollector(c.client, &keeper{cluster: c, held: map[string]uint64{}}, CollectorConfig{Interval: time.Second, Lifetime: time.Second})
	c.run(func(task env.Task) {
		for i := range 3 {
			c.set(task, "a", string(rune('0'+i)))
		}
		task.Sleep(3 * time.Second)
		methods := []rpc.Method{rpc.CloseSafePoint, rpc.KvScanLock, rpc.SettleSafePoint, rpc.KvGC}
		for _, m := range methods {
			c.rules = append(c.rules, &rule{method: m, dropResp: true, times: 1})
		}
		if err := g.Round(task); err != nil {
			t.Fatal(err)
		}
		if n := c.versions(); n != 1 {
			t.Errorf("%d versions are left", n)
		}
	})
}
