// Package memory is a store for tables in memory: snapshot isolation in its
// plainest form, over a map of versions, and pessimistic locks over another map. It
// serves tests of what lies on transactions, and rehearsals of SQL scripts, and needs
// no simulated world.
package memory

import (
	"bytes"
	"maps"
	"slices"
	"time"

	"simrun/nodes/client"
	"simrun/nodes/codec"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/nodes/table/kv"
)

// Idle is a task for code that does not really wait.
type Idle struct{}

// Sleep implements env.Task.
func (Idle) Sleep(time.Duration) {}

// Waker implements env.Task.
func (Idle) Waker() env.Waker { return env.Waker{} }

// Park implements env.Task.
func (Idle) Park(time.Duration) bool { return false }

// Store is a store in memory.
type Store struct {
	// Commit, if set, is asked before a transaction commits; an error is why it
	// fails.
	Commit func() error
	// Unasked makes transactions commit without asking those who want to be asked
	// before, where they admit it: as if stores chose the timestamp.
	Unasked bool
	// Pessimistic is the mode of transactions that are begun in none.
	Pessimistic bool
	// Locking, if set, is called when a statement has read and before it locks; an
	// error is why it cannot.
	Locking func() error
	// Holding, if set, is called when a transaction asks whether it holds its locks; an
	// error is why nobody tells.
	Holding func() error

	ts       uint64
	versions map[string][]version // the oldest first
	holders  map[string]*txn      // of pessimistic locks
}

type version struct {
	ts    uint64
	value []byte // nil: deleted
	lock  bool   // nothing but a lock
}

// tick is what lies between a timestamp and the next one: a second, as if the
// oracle were asked once a second. So time passes without anybody who waits.
const tick = 1000 << codec.LogicalBits

// New returns an empty store.
func New() *Store { return &Store{versions: map[string][]version{}, holders: map[string]*txn{}} }

// Keys returns the keys that have a value, in their order.
func (m *Store) Keys() (keys []string) {
	for _, key := range slices.Sorted(maps.Keys(m.versions)) {
		if _, found, _ := m.GetAt(Idle{}, m.ts, []byte(key)); found {
			keys = append(keys, key)
		}
	}
	return keys
}

// DeleteRange removes all versions of the keys from start to end, end excluded. As a
// store of the database does, it refuses if one of them is at ts or after it, and
// returns false.
func (m *Store) DeleteRange(start, end []byte, ts uint64) bool {
	var keys []string
	for _, key := range slices.Sorted(maps.Keys(m.versions)) {
		if key < string(start) || key >= string(end) {
			continue
		}
		if versions := m.versions[key]; versions[len(versions)-1].ts >= ts {
			return false
		}
		keys = append(keys, key)
	}
	for _, key := range keys {
		delete(m.versions, key)
	}
	return true
}

// Begin implements kv.Store.
func (m *Store) Begin(_ env.Task, mode kv.Mode) (kv.Txn, error) {
	m.ts += tick
	x := &txn{store: m, start: m.ts, reads: m.ts, writes: map[string]version{}}
	x.pessimistic = mode.Of(client.TxnOptions{Pessimistic: m.Pessimistic}).Pessimistic
	return x, nil
}

// GetAt implements kv.Store.
func (m *Store) GetAt(_ env.Task, ts uint64, key []byte) (value []byte, found bool, err error) {
	versions := m.versions[string(key)]
	for i := len(versions) - 1; i >= 0; i-- {
		if v := versions[i]; !v.lock && v.ts <= ts {
			return v.value, v.value != nil, nil
		}
	}
	return nil, false, nil
}

// txn is a transaction of a Store.
type txn struct {
	store  *Store
	start  uint64
	commit uint64 // 0: not committed
	reads  uint64 // the timestamp of its reads: start, or that of a statement under way
	writes map[string]version
	ended  bool

	pessimistic bool
	locked      map[string]bool // keys that it holds
	derived     map[string]bool // keys that it writes under the locks of others

	check   func(t env.Task, commitTS uint64) error
	unasked uint64
}

// StartTS implements kv.Txn.
func (x *txn) StartTS() uint64 { return x.start }

// Get implements kv.Txn.
func (x *txn) Get(t env.Task, key []byte) ([]byte, bool, error) {
	if w, ok := x.writes[string(key)]; ok && !w.lock {
		return w.value, w.value != nil, nil
	}
	return x.store.GetAt(t, x.reads, key)
}

// BatchGet implements kv.Txn.
func (x *txn) BatchGet(t env.Task, keys [][]byte) (pairs []client.Pair, err error) {
	for _, key := range keys {
		if value, found, _ := x.Get(t, key); found {
			pairs = append(pairs, client.Pair{Key: key, Value: value})
		}
	}
	return pairs, nil
}

func (x *txn) scan(t env.Task, start, end []byte, limit int, reverse bool) (pairs []client.Pair) {
	names := slices.Concat(slices.Sorted(maps.Keys(x.store.versions)), slices.Sorted(maps.Keys(x.writes)))
	slices.Sort(names)
	names = slices.Compact(names)
	if reverse {
		slices.Reverse(names)
	}
	for _, name := range names {
		key := []byte(name)
		if bytes.Compare(key, start) < 0 || len(end) > 0 && bytes.Compare(key, end) >= 0 {
			continue
		}
		if value, found, _ := x.Get(t, key); found {
			if pairs = append(pairs, client.Pair{Key: key, Value: value}); len(pairs) == limit {
				break
			}
		}
	}
	return pairs
}

// Scan implements kv.Txn.
func (x *txn) Scan(t env.Task, start, end []byte, limit int) ([]client.Pair, error) {
	return x.scan(t, start, end, limit, false), nil
}

// ReverseScan implements kv.Txn.
func (x *txn) ReverseScan(t env.Task, start, end []byte, limit int) ([]client.Pair, error) {
	return x.scan(t, start, end, limit, true), nil
}

// Set implements kv.Txn.
func (x *txn) Set(key, value []byte) {
	x.writes[string(key)] = version{value: bytes.Clone(value)}
}

// Delete implements kv.Txn.
func (x *txn) Delete(key []byte) { x.writes[string(key)] = version{} }

// LockKeys implements kv.Txn.
func (x *txn) LockKeys(keys ...[]byte) {
	for _, key := range keys {
		if _, ok := x.writes[string(key)]; !ok {
			x.writes[string(key)] = version{lock: true}
		}
	}
}

// BeforeCommit implements kv.Txn.
func (x *txn) BeforeCommit(check func(t env.Task, commitTS uint64) error, unasked uint64) {
	x.check, x.unasked = check, unasked
}

// CommitTS implements kv.Txn.
func (x *txn) CommitTS() uint64 { return x.commit }

// Commit implements kv.Txn.
func (x *txn) Commit(t env.Task) error {
	invariant.Check(!x.ended, "memory: a transaction ended twice")
	x.ended = true
	defer x.release()
	if len(x.writes) == 0 {
		return nil
	}
	x.store.ts += tick
	commit := x.store.ts
	if x.store.Commit != nil {
		if err := x.store.Commit(); err != nil {
			return err
		}
	}
	for _, key := range slices.Sorted(maps.Keys(x.writes)) {
		if err := x.conflict(key); err != nil {
			return &client.Error{Op: "commit", Err: err}
		}
	}
	if x.check != nil && (!x.store.Unasked || commit > x.unasked) {
		if err := x.check(t, commit); err != nil {
			return &client.Error{Op: "commit", Err: err}
		}
	}
	x.commit = commit
	for _, key := range slices.Sorted(maps.Keys(x.writes)) {
		w := x.writes[key]
		w.ts = commit
		x.store.versions[key] = append(x.store.versions[key], w)
	}
	return nil
}

// conflict returns why the transaction cannot write a key.
func (x *txn) conflict(key string) error {
	if holder := x.store.holders[key]; holder != nil && holder != x {
		return &client.WriteConflictError{Key: []byte(key), StartTS: x.start, ConflictStartTS: holder.start}
	}
	if x.locked[key] || x.derived[key] {
		return nil
	}
	return x.store.newer(key, x.start, x.start)
}

// newer returns an error if there is a version of a key after ts.
func (m *Store) newer(key string, startTS, ts uint64) error {
	versions := m.versions[key]
	if n := len(versions); n > 0 && versions[n-1].ts > ts {
		return &client.WriteConflictError{Key: []byte(key), StartTS: startTS, ConflictCommitTS: versions[n-1].ts}
	}
	return nil
}

// Rollback implements kv.Txn.
func (x *txn) Rollback(env.Task) {
	x.ended = true
	x.release()
}
