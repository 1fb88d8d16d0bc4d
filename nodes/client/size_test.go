package client

import (
	"errors"
	"testing"

	"simrun/nodes/env"
)

// TestTooLarge: bounds are on keys and values, of the whole and of each key; what is
// beyond leaves nothing behind.
func TestTooLarge(t *testing.T) {
	c := newCluster(t, 1, Config{TxnBytes: 20, EntryBytes: 12}, false)
	c.run(func(task env.Task) {
		for _, tc := range []struct {
			name  string
			write func(tx *Txn)
			want  error
		}{
			{"both bounds met", func(tx *Txn) {
				tx.Set([]byte("ab"), make([]byte, 10))
				tx.Set([]byte("c"), make([]byte, 7))
			}, nil},
			{"an entry too large", func(tx *Txn) { tx.Set([]byte("ab"), make([]byte, 11)) }, ErrTooLarge},
			{"all together too large", func(tx *Txn) {
				tx.Set([]byte("ab"), make([]byte, 10))
				tx.Delete([]byte("123456789"))
			}, ErrTooLarge},
			{"what was written over does not count", func(tx *Txn) {
				tx.Set([]byte("a"), make([]byte, 300))
				tx.Set([]byte("a"), nil)
				tx.Set([]byte("b"), make([]byte, 300))
				tx.Delete([]byte("b"))
			}, nil},
		} {
			tx, err := c.client.Begin(task)
			if err != nil {
				t.Fatal(err)
			}
			tc.write(tx)
			if err = tx.Commit(task); !errors.Is(err, tc.want) || err != nil && !errors.Is(err, ErrFailed) {
				t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
			}
			if locks := c.lockedKeys(); err != nil && locks != "" {
				t.Errorf("%s: locks %s", tc.name, locks)
			}
		}
	})
}
