package placement

import (
	"errors"
	"fmt"

	"simrun/nodes/engine"
	"simrun/nodes/env"
)

// errNotLeader is the outcome of a Save on a member that leads no more.
var errNotLeader = errors.New("placement: not the leader")

// Storage keeps what a member must not forget.
type Storage interface {
	// Load yields all records whose key begins with prefix, in the order of their
	// keys, as they are when this member begins to lead.
	Load(prefix string, fn func(key string, value []byte) error) error
	// Save writes all records or none; a nil value deletes. done runs when they
	// are durable, or with an error if this member does not lead any more. Saves
	// are done in the order of the calls.
	Save(records []Record, done func(error))
	// Leader returns the name of the member that leads, "" if it is not known,
	// and whether it is this one, at this instant.
	Leader() (name string, self bool)
}

// Record is a key with its value.
type Record struct {
	Key   string
	Value []byte
}

// The keys of records.
const (
	keyCluster   = "cluster"   // metapb.Cluster
	keyTimestamp = "timestamp" // the bound of timestamps in ms, big endian
	keyID        = "id"        // the highest reserved id, big endian
	prefixStore  = "store/"    // + id, big endian: metapb.Store
	prefixRegion = "region/"   // + id, big endian: metapb.Region
)

// diskStorage is the Storage of a single member, which always leads.
type diskStorage struct {
	env *env.Env
	db  *engine.DB
}

// Load implements Storage.
func (s *diskStorage) Load(prefix string, fn func(key string, value []byte) error) error {
	it, err := s.db.NewIter(engine.Default, engine.IterOptions{Lower: []byte(prefix), Upper: prefixEnd(prefix)})
	if err != nil {
		return err
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		if err := fn(string(it.Key()), append([]byte(nil), it.Value()...)); err != nil {
			return fmt.Errorf("placement: record %q: %w", it.Key(), err)
		}
	}
	return it.Error()
}

// Save implements Storage.
func (s *diskStorage) Save(records []Record, done func(error)) {
	b := s.db.NewBatch()
	defer b.Close()
	for _, r := range records {
		if r.Value == nil {
			b.Delete(engine.Default, []byte(r.Key))
		} else {
			b.Put(engine.Default, []byte(r.Key), r.Value)
		}
	}
	if err := s.db.Write(b); err != nil {
		return // the process has ended
	}
	s.env.Disk.Barrier(func() { done(nil) })
}

// Leader implements Storage.
func (s *diskStorage) Leader() (string, bool) { return s.env.Name, true }

// prefixEnd returns the first key after all keys that begin with prefix, whose
// last byte is a letter or a slash.
func prefixEnd(prefix string) []byte {
	end := []byte(prefix)
	end[len(end)-1]++
	return end
}
