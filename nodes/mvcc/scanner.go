package mvcc

import (
	"bytes"

	"simrun/nodes/codec"
	"simrun/nodes/engine"
)

// stepsBeforeSeek is how many records a scan steps over before it seeks: the
// next record is usually near, and a step is much cheaper than a seek.
const stepsBeforeSeek = 8

// ScanOptions says what a scan covers.
type ScanOptions struct {
	ReadOptions
	// Lower (included) and Upper (excluded) are encoded keys. Nil is no bound
	// but that of the snapshot.
	Lower, Upper []byte
	// Reverse scans from Upper down to Lower.
	Reverse bool
}

// Pair is one result of a scan: a value, or a lock that hides it.
type Pair struct {
	Key []byte // decoded
	Value
	// Lock is the lock that is in the way; the value is not known then.
	Lock *Lock
}

// Scanner reads the keys of a range in order, as of one timestamp. It walks the
// lock and the write family side by side.
type Scanner struct {
	opts     ScanOptions
	snapshot engine.Reader
	locks    *engine.Iterator
	writes   *engine.Iterator
	// current is the encoded key at which the scan stands, seek scratch.
	current, seek []byte
}

// NewScanner opens a scan; the first Next returns its first pair.
func NewScanner(snapshot engine.Reader, opts ScanOptions) (*Scanner, error) {
	s := &Scanner{opts: opts, snapshot: snapshot}
	bounds := engine.IterOptions{Lower: opts.Lower, Upper: opts.Upper}
	var err error
	if s.locks, err = snapshot.NewIter(engine.Lock, bounds); err != nil {
		return nil, err
	}
	if s.writes, err = snapshot.NewIter(engine.Write, bounds); err != nil {
		s.locks.Close()
		return nil, err
	}
	if opts.Reverse {
		s.locks.Last()
		s.writes.Last()
	} else {
		s.locks.First()
		s.writes.First()
	}
	return s, nil
}

// Close releases the iterators.
func (s *Scanner) Close() {
	s.locks.Close()
	s.writes.Close()
}

// Next returns the next key that has a value or a lock in its way; ok is false
// at the end.
func (s *Scanner) Next() (p Pair, ok bool, err error) {
	for {
		locked, written, err := s.findNext()
		if err != nil || !locked && !written {
			return Pair{}, false, err
		}
		var found bool
		if locked {
			p.Lock, err = s.blockingLock()
			found = p.Lock != nil
			s.moveLocks()
		}
		if err == nil && written && !found {
			p.Value, found, err = s.visible()
		}
		if err == nil && written {
			s.leaveKey()
		}
		if err != nil {
			return Pair{}, false, err
		}
		if found {
			p.Key, err = codec.DecodeKey(s.current)
			return p, err == nil, err
		}
	}
}

// findNext sets current to the key that comes next in the direction of the
// scan, and says which of the families have it.
func (s *Scanner) findNext() (locked, written bool, err error) {
	locked, written = s.locks.Valid(), s.writes.Valid()
	if !locked {
		if err = s.locks.Error(); err != nil {
			return false, false, err
		}
	}
	if !written {
		if err = s.writes.Error(); err != nil {
			return false, false, err
		}
	}
	var lockKey, writeKey []byte
	if locked {
		lockKey = s.locks.Key()
	}
	if written {
		if writeKey, _, err = codec.SplitTS(s.writes.Key()); err != nil {
			return false, false, err
		}
	}
	if locked && written {
		order := bytes.Compare(lockKey, writeKey)
		if s.opts.Reverse {
			order = -order
		}
		locked, written = order <= 0, order >= 0
	}
	if locked {
		s.current = append(s.current[:0], lockKey...)
	} else {
		s.current = append(s.current[:0], writeKey...)
	}
	return locked, written, nil
}

// blockingLock returns the lock on the current key if it blocks this read.
func (s *Scanner) blockingLock() (*Lock, error) {
	lock, err := lockAt(s.locks)
	if err != nil || !lock.Blocks(s.current, s.opts.ReadOptions) {
		return nil, err
	}
	return lock, nil
}

func (s *Scanner) moveLocks() {
	if s.opts.Reverse {
		s.locks.Prev()
	} else {
		s.locks.Next()
	}
}

// visible returns what the read sees of the current key. The write iterator
// stands on one of its versions: the newest one in a forward scan, the oldest
// one in a reverse scan.
func (s *Scanner) visible() (value Value, found bool, err error) {
	v, ok, err := s.seekVersion()
	for ; err == nil && ok; v, ok, err = s.nextVersion() {
		switch v.Type {
		case WritePut:
			value.CommitTS = v.CommitTS
			value.Data, err = loadValue(s.snapshot, s.current, v.Write)
			return value, err == nil, err
		case WriteDelete:
			return Value{}, false, nil
		case WriteLock, WriteRollback: // do not change the key
		}
	}
	return Value{}, false, err
}

// seekVersion moves to the newest version of the current key that is not newer
// than the read.
func (s *Scanner) seekVersion() (Version, bool, error) {
	if !s.opts.Reverse {
		for range stepsBeforeSeek {
			v, ok, err := versionOf(s.writes, s.current)
			if err != nil || !ok || v.CommitTS <= s.opts.TS {
				return v, ok, err
			}
			s.writes.Next()
		}
	}
	s.seek = codec.AppendTS(append(s.seek[:0], s.current...), s.opts.TS)
	s.writes.SeekGE(s.seek)
	return versionOf(s.writes, s.current)
}

func (s *Scanner) nextVersion() (Version, bool, error) {
	s.writes.Next()
	return versionOf(s.writes, s.current)
}

// leaveKey moves the write iterator from wherever visible left it to the next
// key in the direction of the scan.
func (s *Scanner) leaveKey() {
	if s.opts.Reverse {
		// The versions of a key follow the key itself, so that the record before
		// it is the oldest version of the key before.
		s.writes.SeekLT(s.current)
		return
	}
	for range stepsBeforeSeek {
		if !s.writes.Valid() || !bytes.HasPrefix(s.writes.Key(), s.current) {
			return
		}
		s.writes.Next()
	}
	s.seek = codec.AppendVersionsEnd(s.seek[:0], s.current)
	s.writes.SeekGE(s.seek)
}
