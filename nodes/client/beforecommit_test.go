package client

import (
	"errors"
	"slices"
	"testing"
	"time"

	"simrun/nodes/codec"
	"simrun/nodes/env"
	"simrun/nodes/rpc"
)

// TestBeforeCommit: the check is asked for every commit timestamp that is tried,
// also for that which follows when a reader has excluded the first; and what it
// refuses has no effect.
func TestBeforeCommit(t *testing.T) {
	refused := errors.New("refused")
	for _, c := range []struct {
		name    string
		pushed  bool
		refuses int // which call
		calls   int
	}{
		{"accepted", false, 0, 1},
		{"refused", false, 1, 1},
		{"accepted twice", true, 0, 2},
		{"refused the second time", true, 2, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			cl := newCluster(t, 1, Config{}, false)
			cl.run(func(task env.Task) {
				tx, err := cl.client.Begin(task)
				if err != nil {
					t.Fatal(err)
				}
				tx.Set([]byte("a"), []byte("1"))
				if c.pushed {
					cl.rules = []*rule{{method: rpc.KvCommit, times: 1, before: func(task env.Task) { readNow(task, cl, "a") }}}
				}
				var asked []uint64
				tx.BeforeCommit(func(_ env.Task, commitTS uint64) error {
					asked = append(asked, commitTS)
					if len(asked) == c.refuses {
						return refused
					}
					return nil
				}, 0)
				err = tx.Commit(task)
				if len(asked) != c.calls || !slices.IsSorted(asked) {
					t.Errorf("asked for %v", asked)
				}
				if c.refuses == 0 && (err != nil || tx.CommitTS() != asked[len(asked)-1]) {
					t.Errorf("committed at %d, asked for %v: %v", tx.CommitTS(), asked, err)
				}
				if c.refuses > 0 && (!errors.Is(err, refused) || !errors.Is(err, ErrFailed)) {
					t.Errorf("error %v", err)
				}
				cl.settle(task)
				if found := readNow(task, cl, "a"); found != (c.refuses == 0) {
					t.Errorf("found afterwards: %v", found)
				}
			})
		})
	}
}

// TestBeforeCommitUnasked: the stores commit without asking up to the timestamp that
// is given, and not beyond. What they decline is asked for at the timestamp at which
// it then commits, and what is refused there has no effect, whichever locks it has.
func TestBeforeCommitUnasked(t *testing.T) {
	const long = 2 * time.Second
	refused := errors.New("refused")
	for _, c := range []struct {
		name    string
		mode    CommitMode
		unasked time.Duration // from the start on
		wait    time.Duration // before the commit
		pass    bool          // before the prewrite of the second key somebody reads both, later than unasked
		refuse  bool
		asked   int
	}{
		{name: "async", mode: AsyncCommit, unasked: long},
		{name: "one-phase", mode: OnePhase, unasked: long},
		{name: "two-phase is always asked", mode: TwoPhase, unasked: long, asked: 1},
		{name: "never without asking", mode: AsyncCommit, asked: 1},
		{name: "async too late", mode: AsyncCommit, unasked: long, wait: long + time.Second, asked: 1},
		{name: "one-phase too late", mode: OnePhase, unasked: long, wait: long + time.Second, asked: 1},
		{name: "async too late, refused", mode: AsyncCommit, unasked: long, wait: long + time.Second, asked: 1, refuse: true},
		{name: "async declined", mode: AsyncCommit, unasked: long, pass: true, asked: 1},
		{name: "async declined, refused", mode: AsyncCommit, unasked: long, pass: true, asked: 1, refuse: true},
		{name: "one-phase declined", mode: OnePhase, unasked: long, pass: true, asked: 1},
		{name: "one-phase declined, refused", mode: OnePhase, unasked: long, pass: true, asked: 1, refuse: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var splits []string
			if c.mode == AsyncCommit {
				splits = []string{"h"} // so that one key is locked as it was to be, and the other is not
			}
			cl := newCluster(t, 1, Config{CommitWindow: 10 * long, RPCTimeout: 2 * long, PrimaryFirst: true}, false, splits...)
			cl.run(func(task env.Task) {
				tx, err := cl.client.BeginWith(task, TxnOptions{Commit: c.mode})
				if err != nil {
					t.Fatal(err)
				}
				tx.Set([]byte("a"), []byte("1"))
				tx.Set([]byte("i"), []byte("1"))
				unasked := codec.ComposeTS(codec.PhysicalTS(tx.StartTS())+uint64(c.unasked.Milliseconds()), 0)
				if c.unasked == 0 {
					unasked = 0
				}
				var asked []uint64
				tx.BeforeCommit(func(_ env.Task, commitTS uint64) error {
					if asked = append(asked, commitTS); c.refuse {
						return refused
					}
					return nil
				}, unasked)
				if c.pass {
					last := &rule{method: rpc.KvPrewrite, times: 1, skip: len(splits)}
					last.before = func(task env.Task) {
						task.Sleep(c.unasked + time.Second)
						readNow(task, cl, "x") // where the key to be locked lies
					}
					cl.rules = []*rule{last}
				}
				task.Sleep(c.wait)
				err = tx.Commit(task)
				if len(asked) != c.asked || c.refuse != errors.Is(err, refused) || c.refuse != (err != nil) {
					t.Errorf("asked for %v, and then: %v", asked, err)
				}
				switch {
				case c.refuse:
				case c.asked == 0 && (!tx.Chosen() || tx.CommitTS() > unasked):
					t.Errorf("committed at %d, up to %d without asking; by the stores: %v", tx.CommitTS(), unasked, tx.Chosen())
				case c.asked > 0 && (tx.Chosen() || tx.CommitTS() != asked[0]):
					t.Errorf("committed at %d, asked for %v; by the stores: %v", tx.CommitTS(), asked, tx.Chosen())
				}
				cl.settle(task)
				for _, key := range []string{"a", "i"} {
					if found := readNow(task, cl, key); found == c.refuse {
						t.Errorf("%s found afterwards: %v", key, found)
					}
				}
			})
		})
	}
}

// readNow reads a key at a timestamp of its own.
func readNow(task env.Task, c *cluster, key string) bool {
	tx, err := c.client.Begin(task)
	if err != nil {
		c.Fatal(err)
	}
	_, found, err := tx.Get(task, []byte(key))
	if err != nil {
		c.Fatal(err)
	}
	return found
}
