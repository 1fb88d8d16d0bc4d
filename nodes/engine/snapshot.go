package engine

import "github.com/cockroachdb/pebble/v2"

// Snapshot is the state of a database at the instant at which it was taken.
//
// Most snapshots are closed before the next write. Until then the database
// itself is the snapshot; only a write that comes earlier makes Pebble take
// one, for all that were taken since the write before it.
type Snapshot struct {
	db       *DB
	view     *view
	siblings links[*Snapshot]
	closed   bool
}

// view is what the snapshots taken between two writes share.
type view struct {
	p    *pebble.Snapshot // nil as long as nothing was written
	refs int
}

// NewSnapshot takes a snapshot. It must be closed: it keeps what it shows from
// being compacted away.
func (db *DB) NewSnapshot() *Snapshot {
	s := &Snapshot{db: db}
	if !db.usable() {
		s.closed = true
		return s
	}
	if db.current == nil {
		db.current = &view{}
	}
	s.view = db.current
	s.view.refs++
	db.floating++
	db.snapshots.add(s)
	return s
}

// settleSnapshots is called before a write, for the snapshots that must not
// see it.
func (db *DB) settleSnapshots() {
	db.current.p = db.p.NewSnapshot()
	db.current = nil
	db.floating = 0
}

func (s *Snapshot) links() *links[*Snapshot] { return &s.siblings }

// Get implements Reader.
func (s *Snapshot) Get(cf CF, key []byte) ([]byte, error) {
	if s.closed || !s.db.usable() {
		return nil, ErrClosed
	}
	if s.view.p == nil {
		return s.db.get(s.db.p, cf, key)
	}
	return s.db.get(s.view.p, cf, key)
}

// NewIter implements Reader. The iterator may outlive the snapshot.
func (s *Snapshot) NewIter(cf CF, opts IterOptions) (*Iterator, error) {
	if s.closed || !s.db.usable() {
		return nil, ErrClosed
	}
	if s.view.p == nil {
		return s.db.newIter(s.db.p, cf, opts)
	}
	return s.db.newIter(s.view.p, cf, opts)
}

// Close gives the snapshot up. Closing twice does nothing.
func (s *Snapshot) Close() {
	if s.closed || !s.db.usable() {
		return // the database closes it
	}
	if s.release() {
		s.db.armCompaction() // what the snapshot has kept can be compacted away
	}
}

// release reports whether Pebble has lost a snapshot.
func (s *Snapshot) release() bool {
	s.closed = true
	s.db.snapshots.remove(s)
	s.view.refs--
	if s.view.p == nil {
		s.db.floating--
		return false
	}
	if s.view.refs > 0 {
		return false
	}
	_ = s.view.p.Close() // never fails
	return true
}
