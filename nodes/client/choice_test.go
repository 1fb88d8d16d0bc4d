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
// before the commit leaves the stores no choice but for as long as it need not be.
func TestPrepare(t *testing.T) {
	const window = 10 * time.Second
	for _, c := range []struct {
		name    string
		options TxnOptions
		asks    bool
		unasked time.Duration // how long who asks need not be asked
		chosen  bool          // by the stores
		covers  bool          // the TTL covers the window
	}{
		{"pessimistic async", TxnOptions{Pessimistic: true, Commit: AsyncCommit}, false, 0, true, true},
		{"pessimistic one-phase", TxnOptions{Pessimistic: true, Commit: OnePhase}, false, 0, true, true},
		{"optimistic async", TxnOptions{Commit: AsyncCommit}, false, 0, true, false},
		{"pessimistic two-phase", TxnOptions{Pessimistic: true}, false, 0, false, false},
		{"async that asks", TxnOptions{Commit: AsyncCommit}, true, 0, false, false},
		{"async that asks after a while", TxnOptions{Commit: AsyncCommit}, true, window / 2, true, false},
		{"async that asks later than it may commit", TxnOptions{Commit: AsyncCommit}, true, 2 * window, true, false},
		{"pessimistic async that asks after a while", TxnOptions{Pessimistic: true, Commit: AsyncCommit}, true, window / 2, true, true},
		{"async that asks after less than a round", TxnOptions{Commit: AsyncCommit}, true, time.Nanosecond, false, false},
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
					var unasked uint64
					if c.unasked > 0 {
						unasked = codec.ComposeTS(codec.PhysicalTS(tx.StartTS())+uint64(c.unasked.Milliseconds()), 0)
					}
					tx.BeforeCommit(func(env.Task, uint64) error { return nil }, unasked)
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
					if end := codec.PhysicalTS(tx.StartTS()) + uint64(c.unasked.Milliseconds()); c.asks && last > end {
						t.Errorf("timestamps are chosen up to %d ms, without asking up to %d ms", last, end)
					}
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
