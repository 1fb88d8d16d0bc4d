package engine

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
)

//nolint:gochecknoglobals // marks register once
var markBeside = invariant.NewMark("engine: large batch put beside the memtable")

// ErrClosed is returned by every operation on a database that was closed or
// that has ended its process.
var ErrClosed = errors.New("engine: closed")

// Reader is a consistent view of the column families: a *DB or a *Snapshot.
type Reader interface {
	// Get returns the value of a key, nil if there is none. The caller may keep
	// and change it. The value of an existing key is never nil.
	Get(cf CF, key []byte) ([]byte, error)
	// NewIter returns an iterator over the keys within the bounds.
	NewIter(cf CF, opts IterOptions) (*Iterator, error)
}

// DB is one Pebble database. It belongs to one thread of control.
type DB struct {
	env    *env.Env
	name   string // of its directory
	opts   Options
	p      *pebble.DB
	caches *Caches
	own    bool // caches are not shared

	// Scratch space of one call.
	key, end []byte
	iterOpts pebble.IterOptions

	// What log runs, made once: apply writes pending, syncLog an empty record.
	apply, syncLog func()
	pending        *pebble.Batch
	logErr         error

	// Open iterators and snapshots, which Close closes.
	iters     list[*Iterator]
	snapshots list[*Snapshot]
	// floating are the open snapshots that have no view of their own yet, because
	// nothing was written since they were taken.
	floating int
	current  *view // shared by the snapshots taken since the last write

	background
	jobs  jobs
	stall stall
	failure
	closed bool
}

// OpenDB opens or creates the database in a directory of the node's disk.
func OpenDB(e *env.Env, dir string, opts Options) (*DB, error) {
	db, err := newDB(e, dir, opts)
	if err != nil {
		return nil, err
	}
	if err := db.open(); err != nil {
		return nil, err
	}
	return db, nil
}

// newDB returns a database that is to be opened.
func newDB(e *env.Env, dir string, opts Options) (*DB, error) {
	opts = opts.withDefaults()
	if err := opts.validate(); err != nil {
		return nil, err
	}
	db := &DB{env: e, name: dir, opts: opts, caches: opts.Caches}
	if db.caches == nil {
		caches, err := NewCaches(defaultCacheSize, defaultCacheTables)
		if err != nil {
			return nil, err
		}
		db.caches, db.own = caches, true
	}
	db.failure.init()
	db.background.init(db)
	db.apply = func() { db.logErr = db.p.Apply(db.pending, pebble.Sync) }
	db.syncLog = func() { db.logErr = db.p.LogData(nil, pebble.Sync) }
	return db, nil
}

// open opens the database, or closes it.
func (db *DB) open() error {
	opened := false
	defer func() { // also when the process ends inside
		if !opened {
			db.Close()
		}
	}()
	p, err := pebble.Open(db.name, db.pebbleOptions())
	if err != nil {
		return fmt.Errorf("engine: open %q: %w", db.name, err)
	}
	db.p = p
	if err := db.check(nil, "open"); err != nil {
		return err
	}
	db.opened()
	opened = true
	return nil
}

// Close frees everything that the database holds, open iterators and snapshots
// included. It may be called more than once. It is meant for a process that has
// ended: it does not flush.
func (db *DB) Close() {
	if db.closed {
		return
	}
	db.closed = true
	db.abandon()
	if db.p != nil {
		db.closeOpen()
		_ = db.p.Close() // an error is one of the file system, which is nobody's any more
	}
	if db.own {
		db.caches.Close()
	}
}

// closeOpen closes what was left open by tasks that were unwound.
func (db *DB) closeOpen() {
	for it := range db.iters.all() {
		it.release()
	}
	for s := range db.snapshots.all() {
		s.release()
	}
}

// usable reports whether the database may be used.
func (db *DB) usable() bool { return !db.closed && !db.failed() }

// Write applies the batch and syncs it. It is durable at the next barrier of
// the disk.
func (db *DB) Write(b *Batch) error { return db.write(b, true) }

// WriteUnsynced applies the batch. It survives the end of the process, but
// power loss only after the next Write or Sync.
func (db *DB) WriteUnsynced(b *Batch) error { return db.write(b, false) }

func (db *DB) write(b *Batch, synced bool) error {
	if !db.usable() {
		return ErrClosed
	}
	if b.Empty() {
		return nil
	}
	if err := db.makeRoom(b); err != nil {
		return err
	}
	rotations := db.rotations
	if b.bound() >= db.capacity/2 {
		// Pebble may put the batch beside the memtable. If it does, it closes the log
		// that the batch was written to, which syncs it: a sync of the batch's own
		// would race with that for the log's last bytes.
		if err := db.check(db.p.Apply(b.p, pebble.NoSync), "write"); err != nil {
			return err
		}
		if db.rotations != rotations {
			markBeside.Reached()
			return db.flushed()
		}
		db.log(synced, db.syncLog)
	} else {
		db.pending = b.p
		db.log(synced, db.apply)
		db.pending = nil
	}
	if err := db.check(db.logErr, "write"); err != nil {
		return err
	}
	invariant.Check(db.rotations == rotations, "engine: %s: memtable was full before its worst case", db.name)
	if db.used >= db.flushAt {
		db.armFlush()
	}
	db.charge(b.Len())
	return nil
}

// log runs fn, which syncs the log and leaves what came of it in logErr. Unless
// it shall be synced in truth, the log is handed to the disk all the same, and
// the disk knows what that is worth.
func (db *DB) log(synced bool, fn func()) {
	if synced {
		fn()
	} else {
		db.env.Disk.Unsynced(fn)
	}
}

// Sync makes all earlier unsynced writes durable at the next barrier.
func (db *DB) Sync() error {
	if !db.usable() {
		return ErrClosed
	}
	db.syncLog()
	return db.check(db.logErr, "sync")
}

// makeRoom flushes the memtable if the batch might not fit into it.
func (db *DB) makeRoom(b *Batch) error {
	if db.floating > 0 {
		db.settleSnapshots()
	}
	bound := b.bound()
	if db.used+bound > db.capacity {
		if err := db.Flush(); err != nil {
			return err
		}
	}
	db.used += bound
	return nil
}

// Get implements Reader.
func (db *DB) Get(cf CF, key []byte) ([]byte, error) {
	if !db.usable() {
		return nil, ErrClosed
	}
	return db.get(db.p, cf, key)
}

func (db *DB) get(r pebble.Reader, cf CF, key []byte) ([]byte, error) {
	db.key = cf.appendKey(db.key[:0], key)
	value, closer, err := r.Get(db.key)
	if err != nil {
		if errors.Is(err, pebble.ErrNotFound) {
			return nil, nil
		}
		return nil, db.check(err, "get")
	}
	kept := make([]byte, len(value))
	copy(kept, value)
	return kept, db.check(closer.Close(), "get")
}
