package client

import (
	"errors"
	"testing"
	"time"

	"simrun/nodes/env"
	"simrun/nodes/rpc"
)

// TestHeld: a transaction holds its locks as long as its heartbeats arrive; without them
// it does not from the end of the TTL on, whether others have met the locks or not.
// Where nobody answers it does not know.
func TestHeld(t *testing.T) {
	const ttl = time.Second
	c := newCluster(t, 1, Config{LockTTL: ttl, RPCTimeout: 100 * time.Millisecond, OpTimeout: 500 * time.Millisecond}, false)
	silent := func(times int) []*rule { return []*rule{{method: rpc.KvTxnHeartBeat, dropReq: true, times: times}} }
	c.run(func(task env.Task) {
		tx, err := c.client.BeginWith(task, TxnOptions{Pessimistic: true})
		if err != nil {
			t.Fatal(err)
		}
		is := func(when string, want bool) {
			t.Helper()
			if held, failure := tx.Held(task); held != want || failure != nil {
				t.Errorf("%s: %v, %v", when, held, failure)
			}
		}
		is("nothing is locked", true)
		if err = tx.Lock(task, []byte("a"), []byte("b")); err != nil {
			t.Fatal(err)
		}
		is("just locked", true)
		task.Sleep(3 * ttl)
		is("three times the TTL later", true)
		c.rules = silent(1000)
		if _, err = tx.Held(task); !errors.Is(err, ErrDeadline) || !errors.Is(err, ErrFailed) {
			t.Errorf("nobody answers: %v", err)
		}
		task.Sleep(2 * ttl)
		c.rules = nil
		is("beyond the TTL", false)

		c.rules = silent(1000)
		task.Sleep(2 * ttl)
		other, err := c.client.BeginWith(task, TxnOptions{Pessimistic: true})
		if err != nil {
			t.Fatal(err)
		}
		if err = other.Lock(task, []byte("a"), []byte("b")); err != nil {
			t.Fatal(err)
		}
		c.rules = nil
		is("locked by another one", false)
		other.Set([]byte("a"), []byte("other"))
		if err = other.Commit(task); err != nil {
			t.Fatal(err)
		}
		is("written by another one", false)
		tx.Set([]byte("a"), []byte("1"))
		if err = tx.Commit(task); !errors.Is(err, ErrFailed) {
			t.Errorf("commit: %v", err)
		}
	})
}
