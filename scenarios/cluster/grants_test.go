package cluster

import (
	"errors"
	"testing"

	"simrun/nodes/invariant"
)

// Numbers are handed out once, in ascending order of terms and within a term; a
// leader that has lost its term, and does not know yet, may go on in its own
// range.
func TestGrants(t *testing.T) {
	type grant struct{ term, first, last uint64 }
	for _, c := range []struct {
		name   string
		grants []grant
		fails  bool
	}{
		{"ascending", []grant{{1, 1, 5}, {1, 6, 6}, {3, 10, 12}}, false},
		{"a deposed leader in its range", []grant{{1, 1, 5}, {3, 10, 12}, {1, 6, 9}, {3, 13, 13}}, false},
		{"twice in a term", []grant{{1, 1, 5}, {1, 5, 6}}, true},
		{"back in a term", []grant{{1, 5, 5}, {1, 1, 2}}, true},
		{"twice in two terms", []grant{{1, 1, 5}, {2, 5, 6}}, true},
		{"a later term below an earlier one", []grant{{1, 5, 6}, {2, 1, 2}}, true},
		{"an earlier term above a later one", []grant{{2, 5, 6}, {1, 7, 7}}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer func() {
				err, _ := recover().(error)
				if failed := errors.As(err, &invariant.Violation{}); failed != c.fails {
					t.Errorf("fails: %v", err)
				}
			}()
			g := &grants{}
			for _, n := range c.grants {
				g.IDs(n.term, n.first, n.last)
				g.Timestamps(n.term, n.first, n.last)
			}
		})
	}
}
