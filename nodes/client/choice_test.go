package client

import (
	"testing"
	"time"

	"simrun/nodes/codec"
	"simrun/nodes/env"
)

// TestPrepare: which bounds a commit begins with. The locks of a pessimistic
// transaction are respected for as long as a store may still give one of its keys a
// lock by which the transaction counts as committed; and who wants to be asked
// before the commit leaves the stores no choice.
func TestPrepare(t *testing.T) {
	const window = 10 * time.Second
	for _, c := range []struct {
		name    string
		options TxnOptions
		asks    bool
		chosen  bool // by the stores
		covers  bool // the TTL covers the window
	}{
		{"pessimistic async", TxnOptions{Pessimistic: true, Commit: AsyncCommit}, false, true, true},
		{"pessimistic one-phase", TxnOptions{Pessimistic: true, Commit: OnePhase}, false, true, true},
		{"optimistic async", TxnOptions{Commit: AsyncCommit}, false, true, false},
		{"pessimistic two-phase", TxnOptions{Pessimistic: true}, false, false, false},
		{"async that asks", TxnOptions{Commit: AsyncCommit}, true, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			cl := newCluster(t, 1, Config{CommitWindow: window}, false)
			cl.run(func(task env.Task) {
				tx, err := cl.client.BeginWith(task, c.options)
				if err != nil {
					t.Fatal(err)
				}
				tx.Set([]byte("a"), []byte("1"))
				if c.asks {
					tx.BeforeCommit(func(env.Task, uint64) error { return nil })
				}
				x := newCommitter(tx)
				if err := x.prepare(task); err != nil {
					t.Fatal(err)
				}
				if x.choice.async != c.chosen {
					t.Errorf("the stores choose: %v", x.choice.async)
				}
				last := codec.PhysicalTS(tx.StartTS()) + uint64(window.Milliseconds())
				if c.chosen {
					last = codec.PhysicalTS(x.choice.max)
					if x.choice.floor <= tx.StartTS() {
						t.Errorf("the floor %d is not above the start %d", x.choice.floor, tx.StartTS())
					}
				}
				if end := codec.PhysicalTS(tx.StartTS()) + x.ttl(); (end > last) != c.covers {
					t.Errorf("locks are respected until %d ms, timestamps chosen up to %d ms", end, last)
				}
			})
		})
	}
}
