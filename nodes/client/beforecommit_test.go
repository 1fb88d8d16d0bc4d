package client

import (
	"errors"
	"slices"
	"testing"

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
				})
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
