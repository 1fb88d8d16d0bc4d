package client

import (
	"errors"
	"testing"

	"simrun/nodes/env"
)

// TestLockKeysOfAPessimisticTransaction: Commit takes the locks that LockKeys names, and
// fails if somebody was faster, though the transaction has written nothing.
func TestLockKeysOfAPessimisticTransaction(t *testing.T) {
	c := newCluster(t, 1, Config{}, false)
	c.run(func(task env.Task) {
		tx, err := c.client.BeginWith(task, TxnOptions{Pessimistic: true})
		if err != nil {
			t.Fatal(err)
		}
		tx.LockKeys([]byte("a"))
		c.set(task, "a", "1")
		if err := tx.Commit(task); !errors.Is(err, ErrWriteConflict) {
			t.Errorf("commit: %v", err)
		}
	})
}
