// Package kv is what tables lie on: transactions on keys, as those of package
// client are. It stands apart so that there can be another store than a client,
// such as the one in memory.
package kv

import (
	"simrun/nodes/client"
	"simrun/nodes/env"
)

// Store is where tables lie: a client of the database, or what stands between.
type Store interface {
	// Begin starts a transaction.
	Begin(t env.Task) (Txn, error)
	// GetAt reads one key at a timestamp that was handed out before.
	GetAt(t env.Task, ts uint64, key []byte) (value []byte, found bool, err error)
}

// Txn is a transaction on keys. Its methods are those of client.Txn.
type Txn interface {
	StartTS() uint64
	Get(t env.Task, key []byte) (value []byte, found bool, err error)
	BatchGet(t env.Task, keys [][]byte) ([]client.Pair, error)
	Scan(t env.Task, start, end []byte, limit int) ([]client.Pair, error)
	ReverseScan(t env.Task, start, end []byte, limit int) ([]client.Pair, error)
	Set(key, value []byte)
	Delete(key []byte)
	LockKeys(keys ...[]byte)
	BeforeCommit(check func(t env.Task, commitTS uint64) error, unasked uint64)
	Commit(t env.Task) error
	CommitTS() uint64
	Rollback(t env.Task)
}

var _ Txn = (*client.Txn)(nil)

// NewStore returns the store that c is a client of.
func NewStore(c *client.Client) Store { return clientStore{c} }

type clientStore struct{ client *client.Client }

func (s clientStore) Begin(t env.Task) (Txn, error) {
	tx, err := s.client.Begin(t)
	if err != nil {
		return nil, err
	}
	return tx, nil
}

func (s clientStore) GetAt(t env.Task, ts uint64, key []byte) (value []byte, found bool, err error) {
	return s.client.Snapshot(ts).Get(t, key)
}
