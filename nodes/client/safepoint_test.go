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

// TestSettledUnderReader: a read far above the safe point meets the lock of a dead
// transaction, and while it asks what became of that one, garbage collection resolves the
// lock and settles. Nobody can tell the fate any more, but the lock is gone, and the read
// goes on. Each of the ways to ask, and to remove what is known to be decided.
func TestSettledUnderReader(t *testing.T) {
	for _, asked := range []rpc.Method{rpc.KvCheckTxnStatus, rpc.KvCleanup, rpc.KvCheckSecondaryLocks, rpc.KvResolveLock} {
		t.Run(asked.String(), func(t *testing.T) {
			c := newCluster(t, 1, Config{Cleanup: asked == rpc.KvCleanup}, false)
			c.run(func(task env.Task) {
				c.set(task, "b", "0")
				start := c.tick()
				prewrite := &kvrpcpb.PrewriteRequest{
					Context: c.anywhere(), StartVersion: start, PrimaryLock: []byte("b"), LockTtl: 1,
					Mutations: []*kvrpcpb.Mutation{{Op: kvrpcpb.Op_Put, Key: []byte("b"), Value: []byte("x")}},
				}
				if asked == rpc.KvCheckSecondaryLocks {
					prewrite.UseAsyncCommit, prewrite.Secondaries = true, [][]byte{[]byte("c")}
				}
				resp := c.sched.Prewrite(task, prewrite)
				for ; resp.RegionError.GetMaxTimestampNotSynced() != nil; resp = c.sched.Prewrite(task, prewrite) {
					task.Sleep(time.Millisecond)
				}
				if len(resp.Errors) > 0 || resp.RegionError != nil {
					t.Fatal(resp)
				}
				task.Sleep(time.Second)
				safe := c.tick()
				task.Sleep(time.Millisecond)
				read := c.tick()
				if asked == rpc.KvResolveLock { // the transaction turns out to be committed
					c.client.statuses.add(start, start+1)
				}
				settled := false
				c.rules = []*rule{{method: asked, times: 1, before: func(task env.Task) {
					settled = true
					c.sched.MoveSafePoints(task, txn.SafePoints{Closed: safe})
					commit := uint64(0)
					if asked == rpc.KvResolveLock {
						commit = start + 1
					}
					resp := c.sched.ResolveLock(task, &kvrpcpb.ResolveLockRequest{
						Context: c.anywhere(), StartVersion: start, CommitVersion: commit, Keys: [][]byte{[]byte("b")},
					})
					if resp.Error != nil {
						t.Fatal(resp)
					}
					c.sched.MoveSafePoints(task, txn.SafePoints{Closed: safe, Settled: safe})
				}}}
				want := "0"
				if asked == rpc.KvResolveLock {
					want = "x"
				}
				if v, _, err := c.client.Snapshot(read).Get(task, []byte("b")); err != nil || string(v) != want || !settled {
					t.Errorf("read %q, %v; want %q; settled meanwhile: %v", v, err, want, settled)
				}
			})
		})
	}
}

// TestCleanupDecidesOnALeftLock: a statement fails and leaves a lock on b that names
// another primary, for its release is lost. Then the transaction writes b and z, of which b
// is the primary. Its prewrite of b is late; another one rolls it back by a cleanup of b and
// removes the lock of z, and a third one is rolled back on b. The late prewrite fails.
func TestCleanupDecidesOnALeftLock(t *testing.T) {
	c := newCluster(t, 1, Config{LockTTL: 50 * time.Millisecond, Cleanup: true}, false, "h", "p")
	c.run(func(task env.Task) {
		begin := func() *Txn {
			tx, err := c.client.BeginWith(task, TxnOptions{Pessimistic: true})
			if err != nil {
				t.Fatal(err)
			}
			return tx
		}
		if err := begin().Lock(task, []byte("q")); err != nil {
			t.Fatal(err)
		}
		p := begin()
		c.rules = []*rule{{method: rpc.KVPessimisticRollback, dropReq: true, times: 1000}}
		err := p.Statement(task, NoWait, func(uint64) ([][]byte, error) {
			return [][]byte{[]byte("a"), []byte("b"), []byte("q")}, nil
		})
		if !errors.Is(err, ErrLockWait) {
			t.Fatal(err)
		}
		p.Set([]byte("b"), []byte("p"))
		p.Set([]byte("z"), []byte("p"))
		c.rules = append(c.rules, &rule{method: rpc.KvPrewrite, delay: 400 * time.Millisecond, times: 1}) // of b
		c.env.Sched.Go("others", func(task env.Task) {
			task.Sleep(120 * time.Millisecond)
			if _, found, err := c.client.Snapshot(c.tick()).Get(task, []byte("z")); found || err != nil {
				t.Errorf("z: %v, %v", found, err)
			}
			y, err := c.client.Begin(task)
			if err != nil {
				t.Fatal(err)
			}
			c.set(task, "y", "1")
			y.Set([]byte("b"), []byte("y"))
			y.Set([]byte("y"), []byte("y"))
			if err := y.Commit(task); !errors.Is(err, ErrWriteConflict) {
				t.Errorf("the third transaction: %v", err)
			}
		})
		if err := p.Commit(task); !errors.Is(err, ErrFailed) {
			t.Errorf("the transaction: %v", err)
		}
		c.settle(task)
	})
}
