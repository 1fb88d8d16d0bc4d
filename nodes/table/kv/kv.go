// Package kv is what tables lie on: transactions on keys, as those of package
// client are. It stands apart so that there can be another store than a client,
// such as the one in memory.
package kv

import (
	"simrun/nodes/client"
	"simrun/nodes/env"
)

// Mode says whether a transaction locks what it is to write before it writes it.
type Mode uint8

// The modes. Nobody reads under read committed: rows and index entries of a statement
// have to be of one timestamp.
const (
	Default     Mode = iota // as the store's own options say
	Optimistic              // its commit finds out whether others came first
	Pessimistic             // its statements read what is newest, and lock it
)

// Of returns options with this mode.
func (m Mode) Of(options client.TxnOptions) client.TxnOptions {
	if m != Default {
		options.Pessimistic = m == Pessimistic
	}
	options.ReadCommitted = false
	return options
}

// Store is where tables lie: a client of the database, or what stands between.
type Store interface {
	// Begin starts a transaction.
	Begin(t env.Task, mode Mode) (Txn, error)
	// GetAt reads one key at a timestamp that was handed out before.
	GetAt(t env.Task, ts uint64, key []byte) (value []byte, found bool, err error)
}

// Reader reads keys. Its methods are those of client.Snapshot and client.Txn.
type Reader interface {
	Get(t env.Task, key []byte) (value []byte, found bool, err error)
	BatchGet(t env.Task, keys [][]byte) ([]client.Pair, error)
	Scan(t env.Task, start, end []byte, limit int) ([]client.Pair, error)
	ReverseScan(t env.Task, start, end []byte, limit int) ([]client.Pair, error)
}

// Txn is a transaction on keys. Its methods are those of client.Txn.
type Txn interface {
	Reader
	StartTS() uint64
	Set(key, value []byte)
	Delete(key []byte)
	LockKeys(keys ...[]byte)
	BeforeCommit(check func(t env.Task, commitTS uint64) error, unasked uint64)
	Commit(t env.Task) error
	CommitTS() uint64
	Rollback(t env.Task)

	// Pessimistic reports the transaction's mode. The methods that follow are for
	// pessimistic ones.
	Pessimistic() bool
	// Statement runs a statement that reads what is newest and locks keys.
	Statement(t env.Task, wait client.LockWait, body func(ts uint64) (lock [][]byte, err error)) error
	// Held reports whether everything that was locked has been locked ever since; the
	// error is that this cannot be found out.
	Held(t env.Task) (bool, error)
	// SetDerived and DeleteDerived write a key whose every writer locks another one.
	SetDerived(key, value []byte)
	DeleteDerived(key []byte)
	// Unwritten reads the transaction's snapshot without its own writes.
	Unwritten() Reader
}

// NewStore returns the store that c is a client of.
func NewStore(c *client.Client) Store { return clientStore{c} }

type clientStore struct{ client *client.Client }

func (s clientStore) Begin(t env.Task, mode Mode) (Txn, error) {
	tx, err := s.client.BeginWith(t, mode.Of(s.client.TxnOptions()))
	if err != nil {
		return nil, err
	}
	return ClientTxn{tx}, nil
}

func (s clientStore) GetAt(t env.Task, ts uint64, key []byte) (value []byte, found bool, err error) {
	return s.client.Snapshot(ts).Get(t, key)
}

// ClientTxn is a transaction of a client.
type ClientTxn struct{ *client.Txn }

var _ Txn = ClientTxn{}

// Unwritten implements Txn.
func (x ClientTxn) Unwritten() Reader { return x.Snapshot() }
