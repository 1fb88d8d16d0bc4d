package table

import (
	"bytes"
	"maps"
	"slices"
	"testing"
	"time"

	"simrun/nodes/client"
	"simrun/nodes/env"
)

// idle is a task for code that does not really wait.
type idle struct{}

func (idle) Sleep(time.Duration)     {}
func (idle) Waker() env.Waker        { return env.Waker{} }
func (idle) Park(time.Duration) bool { return false }

// memStore is the transactions of package client in their plainest form:
// snapshot isolation over a map of versions.
type memStore struct {
	testing.TB
	ts       uint64
	versions map[string][]memVersion // the oldest first
	// commit, if set, is asked before a transaction commits; an error is why it
	// fails.
	commit func(tx *memTxn) error
}

type memVersion struct {
	ts    uint64
	value []byte // nil: deleted
	lock  bool   // nothing but a lock
}

func newMemStore(tb testing.TB) *memStore {
	return &memStore{TB: tb, versions: map[string][]memVersion{}}
}

func (m *memStore) Begin(env.Task) (KV, error) {
	m.ts++
	return &memTxn{store: m, start: m.ts, writes: map[string]memVersion{}}, nil
}

func (m *memStore) GetAt(_ env.Task, ts uint64, key []byte) (value []byte, found bool, err error) {
	versions := m.versions[string(key)]
	for i := len(versions) - 1; i >= 0; i-- {
		if v := versions[i]; !v.lock && v.ts <= ts {
			return v.value, v.value != nil, nil
		}
	}
	return nil, false, nil
}

// memTxn is a transaction of a memStore.
type memTxn struct {
	store  *memStore
	start  uint64
	writes map[string]memVersion
	check  func(t env.Task, commitTS uint64) error
	ended  bool
}

func (x *memTxn) StartTS() uint64 { return x.start }

func (x *memTxn) Get(t env.Task, key []byte) ([]byte, bool, error) {
	if w, ok := x.writes[string(key)]; ok && !w.lock {
		return w.value, w.value != nil, nil
	}
	return x.store.GetAt(t, x.start, key)
}

func (x *memTxn) BatchGet(t env.Task, keys [][]byte) (pairs []client.Pair, err error) {
	for _, key := range keys {
		if value, found, _ := x.Get(t, key); found {
			pairs = append(pairs, client.Pair{Key: key, Value: value})
		}
	}
	return pairs, nil
}

func (x *memTxn) scan(t env.Task, start, end []byte, limit int, reverse bool) (pairs []client.Pair, err error) {
	names := slices.Collect(maps.Keys(x.store.versions))
	names = slices.AppendSeq(names, maps.Keys(x.writes))
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
	return pairs, nil
}

func (x *memTxn) Scan(t env.Task, start, end []byte, limit int) ([]client.Pair, error) {
	return x.scan(t, start, end, limit, false)
}

func (x *memTxn) ReverseScan(t env.Task, start, end []byte, limit int) ([]client.Pair, error) {
	return x.scan(t, start, end, limit, true)
}

func (x *memTxn) Set(key, value []byte) {
	x.writes[string(key)] = memVersion{value: bytes.Clone(value)}
}
func (x *memTxn) Delete(key []byte) { x.writes[string(key)] = memVersion{} }

func (x *memTxn) LockKeys(keys ...[]byte) {
	for _, key := range keys {
		if _, ok := x.writes[string(key)]; !ok {
			x.writes[string(key)] = memVersion{lock: true}
		}
	}
}

func (x *memTxn) BeforeCommit(check func(t env.Task, commitTS uint64) error) { x.check = check }

func (x *memTxn) Commit(t env.Task) error {
	if x.ended {
		x.store.Fatal("a transaction ended twice")
	}
	x.ended = true
	if len(x.writes) == 0 {
		return nil
	}
	x.store.ts++
	commit := x.store.ts
	if x.store.commit != nil {
		if err := x.store.commit(x); err != nil {
			return err
		}
	}
	for key := range x.writes {
		versions := x.store.versions[key]
		if n := len(versions); n > 0 && versions[n-1].ts > x.start {
			return &client.Error{Op: "commit", Err: &client.WriteConflictError{Key: []byte(key)}}
		}
	}
	if x.check != nil {
		if err := x.check(t, commit); err != nil {
			return failure("commit", err)
		}
	}
	for key, w := range x.writes {
		w.ts = commit
		x.store.versions[key] = append(x.store.versions[key], w)
	}
	return nil
}

func (x *memTxn) Rollback(env.Task) { x.ended = true }
