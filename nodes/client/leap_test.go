package client

import (
	"errors"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/env"
	"simrun/nodes/rpc"
	"simrun/nodes/txn"
)

// TestHeartbeatsWhenTimestampsRunAhead: a transaction that lives keeps its locks, though
// the timestamps leap, as they do when placement gets another leader, or run as fast as
// the oracle lets them.
func TestHeartbeatsWhenTimestampsRunAhead(t *testing.T) {
	for name, ahead := range map[string]struct {
		leap, pace float64 // seconds; a second's
	}{"as fast as time": {0, 1}, "leap": {1.5, 1}, "faster": {0, 1.5}} {
		t.Run(name, func(t *testing.T) {
			const ttl = time.Second
			c := newCluster(t, 1, Config{LockTTL: ttl, RPCTimeout: 100 * time.Millisecond, OpTimeout: 500 * time.Millisecond}, false)
			c.pace = ahead.pace
			c.run(func(task env.Task) {
				tx, err := c.client.BeginWith(task, TxnOptions{Pessimistic: true})
				if err != nil {
					t.Fatal(err)
				}
				if err = tx.Lock(task, []byte("a")); err != nil {
					t.Fatal(err)
				}
				task.Sleep(ttl / 4)
				c.leap = time.Duration(ahead.leap * float64(time.Second))
				task.Sleep(5 * ttl)
				for range 20 { // at any instant between two heartbeats
					task.Sleep(ttl / 20)
					if held, heldErr := tx.Held(task); heldErr != nil || !held {
						t.Fatalf("held: %v, %v", held, heldErr)
					}
				}
				other, err := c.client.BeginWith(task, TxnOptions{Pessimistic: true})
				if err != nil {
					t.Fatal(err)
				}
				if err = other.Lock(task, []byte("a")); err == nil {
					t.Error("another transaction took the lock of one that lives")
				}
				tx.Set([]byte("a"), []byte("1"))
				if err = tx.Commit(task); err != nil {
					t.Errorf("commit of the one that lives: %v", err)
				}
			})
		})
	}
}

// TestCommitOfTheSettled: a client stands still between prewrite and commit until what is
// older than its transaction is settled. It learns at once that the commit has failed.
func TestCommitOfTheSettled(t *testing.T) {
	c := newCluster(t, 1, Config{}, false)
	c.run(func(task env.Task) {
		tx, err := c.client.Begin(task)
		if err != nil {
			t.Fatal(err)
		}
		tx.Set([]byte("b"), []byte("1"))
		c.rules = []*rule{{method: rpc.KvCommit, times: 1, before: func(task env.Task) {
			safe := c.tick()
			c.sched.MoveSafePoints(task, txn.SafePoints{Closed: safe})
			resp := c.sched.ResolveLock(task, &kvrpcpb.ResolveLockRequest{
				Context: c.anywhere(), StartVersion: tx.StartTS(), Keys: [][]byte{[]byte("b")},
			})
			if resp.Error != nil {
				t.Fatal(resp)
			}
			c.sched.MoveSafePoints(task, txn.SafePoints{Closed: safe, Settled: safe})
		}}}
		err = tx.Commit(task)
		if !errors.Is(err, ErrFailed) || errors.Is(err, ErrUndetermined) {
			t.Errorf("commit: %v", err)
		}
	})
}
