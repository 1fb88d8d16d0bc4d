package placement

import (
	"errors"
	"fmt"

	"simrun/nodes/engine"
)

// errNotLeader is the outcome of what a leadership had under way when it ended.
// A Save that ends so may yet be, or become, part of the state from which the
// next leadership begins.
var errNotLeader = errors.New("placement: not the leader")

// Storage keeps what a leadership must not forget.
type Storage interface {
	// Save replicates all records or none; a nil value deletes. done runs when
	// they are applied, by a majority's decision, in the term of the leadership,
	// or with an error when the leadership ends. Saves are done in the order of
	// the calls.
	Save(records []Record, done func(error))
	// Leads reports whether the leadership has not ended, as far as this member
	// knows at this instant.
	Leads() bool
}

// Image is the applied state with which a leadership begins.
type Image interface {
	// Load yields all records whose key begins with prefix, in the order of their
	// keys.
	Load(prefix string, fn func(key string, value []byte) error) error
}

// Record is a key with its value.
type Record struct {
	Key   string
	Value []byte
}

// size is what a record adds to a proposal, about.
func (r Record) size() int { return len(r.Key) + len(r.Value) + recordOverhead }

const recordOverhead = 16

// The keys of records.
const (
	keyLeader    = "leader"    // the name of the member that leads
	keyCluster   = "cluster"   // metapb.Cluster
	keyTimestamp = "timestamp" // the bound of timestamps in ms, big endian
	keyID        = "id"        // the highest reserved id, big endian
	keySafePoint = "safepoint" // of garbage collection, big endian
	prefixStore  = "store/"    // + id, big endian: metapb.Store
	prefixRegion = "region/"   // + id, big endian: metapb.Region

	// prefixService + name: a service's safe point and when it expires, both big endian.
	prefixService = "service/"
)

// image is the Image of a view of the applied state.
type image struct{ engine.Reader }

// Load implements Image.
func (i image) Load(prefix string, fn func(key string, value []byte) error) error {
	it, err := i.NewIter(engine.Default, engine.IterOptions{Lower: []byte(prefix), Upper: prefixEnd(prefix)})
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

// prefixEnd returns the first key after all keys that begin with prefix, whose
// last byte is a letter or a slash.
func prefixEnd(prefix string) []byte {
	end := []byte(prefix)
	end[len(end)-1]++
	return end
}
