package engine

import (
	"fmt"

	"simrun/nodes/env"
)

// Engines are the two databases of a store. They are separate because their
// rhythms differ: the raft log is synced before every answer, the data only
// before the log that could restore it is deleted.
type Engines struct {
	// KV holds the data and the apply states of all regions.
	KV *DB
	// RaftLog holds the log entries and hard states of all regions.
	RaftLog *DB

	caches *Caches // own ones, nil if they are shared
}

// Open opens or creates the databases of a store in the directories "kv" and
// "raft" of the node's disk.
func Open(e *env.Env, opts Options) (*Engines, error) {
	es := &Engines{}
	opened := false
	defer func() { // also when the process ends inside
		if !opened {
			es.Close()
		}
	}()
	if opts.Caches == nil {
		caches, err := NewCaches(defaultCacheSize, defaultCacheTables)
		if err != nil {
			return nil, err
		}
		es.caches, opts.Caches = caches, caches
	}
	var err error
	if es.RaftLog, err = OpenDB(e, "raft", opts); err != nil {
		return nil, fmt.Errorf("raft log: %w", err)
	}
	if es.KV, err = OpenDB(e, "kv", opts); err != nil {
		return nil, fmt.Errorf("key-value data: %w", err)
	}
	opened = true
	return es, nil
}

// Close closes both databases; see DB.Close.
func (es *Engines) Close() {
	if es.KV != nil {
		es.KV.Close()
	}
	if es.RaftLog != nil {
		es.RaftLog.Close()
	}
	if es.caches != nil {
		es.caches.Close()
		es.caches = nil
	}
}
