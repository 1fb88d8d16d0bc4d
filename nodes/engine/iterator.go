package engine

import (
	"bytes"

	"github.com/cockroachdb/pebble/v2"

	"simrun/nodes/invariant"
)

// IterOptions bounds an iterator. A nil bound is the end of the column family.
type IterOptions struct {
	// Lower is the first key that may be seen, Upper the first that may not.
	Lower, Upper []byte
}

// Iterator walks over the keys of a column family in both directions. A new
// one is at no key. It sees the database as it was when it was made.
type Iterator struct {
	db       *DB
	p        *pebble.Iterator
	cf       CF
	siblings links[*Iterator]
	err      error
	closed   bool
}

// NewIter implements Reader.
func (db *DB) NewIter(cf CF, opts IterOptions) (*Iterator, error) {
	if !db.usable() {
		return nil, ErrClosed
	}
	return db.newIter(db.p, cf, opts)
}

func (db *DB) newIter(r pebble.Reader, cf CF, opts IterOptions) (*Iterator, error) {
	db.setBounds(cf, opts)
	p, err := r.NewIter(&db.iterOpts)
	if err != nil {
		return nil, db.check(err, "iterate")
	}
	it := &Iterator{db: db, p: p, cf: cf}
	db.iters.add(it)
	return it, nil
}

// setBounds translates bounds into those of Pebble, which copies them.
func (db *DB) setBounds(cf CF, opts IterOptions) {
	db.key = cf.appendKey(db.key[:0], opts.Lower)
	if opts.Upper == nil {
		db.end = append(db.end[:0], cf.prefix()+1)
	} else {
		db.end = cf.appendKey(db.end[:0], opts.Upper)
		if bytes.Compare(db.end, db.key) < 0 {
			db.end = append(db.end[:0], db.key...) // nothing, rather than an error
		}
	}
	db.iterOpts.LowerBound, db.iterOpts.UpperBound = db.key, db.end
}

func (it *Iterator) links() *links[*Iterator] { return &it.siblings }

// usable reports whether the iterator may be moved, and notes why not.
func (it *Iterator) usable() bool {
	if it.closed || !it.db.usable() {
		it.err = ErrClosed
		return false
	}
	return it.err == nil
}

// moved passes on the outcome of a move.
func (it *Iterator) moved(valid bool) bool {
	if !valid {
		if err := it.p.Error(); err != nil {
			it.err = it.db.check(err, "iterate")
		}
	}
	return valid
}

// SetBounds changes the bounds and leaves the iterator at no key. It is cheaper
// than a new iterator, and sees the same state of the database.
func (it *Iterator) SetBounds(opts IterOptions) {
	if it.usable() {
		it.db.setBounds(it.cf, opts)
		it.p.SetBounds(it.db.key, it.db.end)
	}
}

// First moves to the first key and reports whether there is one.
func (it *Iterator) First() bool { return it.usable() && it.moved(it.p.First()) }

// Last moves to the last key.
func (it *Iterator) Last() bool { return it.usable() && it.moved(it.p.Last()) }

// Next moves to the next key.
func (it *Iterator) Next() bool { return it.usable() && it.moved(it.p.Next()) }

// Prev moves to the key before.
func (it *Iterator) Prev() bool { return it.usable() && it.moved(it.p.Prev()) }

// SeekGE moves to the first key that is not less than key.
func (it *Iterator) SeekGE(key []byte) bool {
	if !it.usable() {
		return false
	}
	it.db.key = it.cf.appendKey(it.db.key[:0], key)
	return it.moved(it.p.SeekGE(it.db.key))
}

// SeekVersion moves to the first key that is not less than key and a version of
// the same user key, as the write family has them: Next goes on within these, and
// Prev must not be called. It passes by tables that have none of them, which
// SeekGE cannot know. In the other families it finds the key itself or nothing.
func (it *Iterator) SeekVersion(key []byte) bool {
	if !it.usable() {
		return false
	}
	it.db.key = it.cf.appendKey(it.db.key[:0], key)
	return it.moved(it.p.SeekPrefixGE(it.db.key))
}

// SeekLT moves to the last key that is less than key.
func (it *Iterator) SeekLT(key []byte) bool {
	if !it.usable() {
		return false
	}
	it.db.key = it.cf.appendKey(it.db.key[:0], key)
	return it.moved(it.p.SeekLT(it.db.key))
}

// Valid reports whether the iterator is at a key.
func (it *Iterator) Valid() bool { return it.usable() && it.p.Valid() }

// Key returns the key, until the next move.
func (it *Iterator) Key() []byte {
	key := it.p.Key()
	invariant.Check(len(key) > 0 && key[0] == it.cf.prefix(), "engine: key %x outside column family %s", key, it.cf)
	return key[1:]
}

// Value returns the value, until the next move. If it cannot be read, the value
// is nil and Error tells why.
func (it *Iterator) Value() []byte {
	value, err := it.p.ValueAndErr()
	if err != nil {
		it.err = it.db.check(err, "iterate")
		return nil
	}
	return value
}

// Error returns the error that has ended the iteration, nil at an end of the
// keys.
func (it *Iterator) Error() error { return it.err }

// Close gives the iterator up. Closing twice does nothing.
func (it *Iterator) Close() {
	if it.closed || !it.db.usable() {
		return // the database closes it
	}
	it.release()
}

func (it *Iterator) release() {
	it.closed = true
	it.db.iters.remove(it)
	_ = it.p.Close() // repeats the error that Error has returned
}
