package client

import (
	"simrun/nodes/codec"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
)

//nolint:gochecknoglobals // marks register once
var markNewestPassed = invariant.NewMark("client: read of the newest version went past the lock of a transaction that had not committed")

// GetNewest reads the newest committed value of one key, and is linearizable: it
// returns what was newest at some instant between call and return. It draws no
// timestamp, which saves a round to placement; TiDB reads single rows so where a
// statement is a transaction of its own. The value is nil and found false if the
// key is absent.
//
// It reads at codec.MaxTS. What that shows of several keys would not be of one
// instant, so there is no such scan or batch, and Snapshot does not take it.
func (c *Client) GetNewest(t env.Task, key []byte) (value []byte, found bool, err error) {
	b := c.newBackoff(c.cfg.OpTimeout)
	// No lock says that its transaction commits above codec.MaxTS. What is passed,
	// beside what was rolled back, had not committed when its primary was asked
	// (locks.go): then it was not to be seen, and as long as its lock stands nobody
	// else changes the key. A lock of async commit is waited for, or its
	// transaction decided.
	s := Snapshot{client: c, ts: codec.MaxTS}
	value, found, err = s.get(t, &b, key)
	markNewestPassed.Sometimes(err == nil && len(s.bypass) > 0)
	return value, found, failed("get newest", err)
}
