package mvcc

import (
	"bytes"

	"simrun/nodes/codec"
	"simrun/nodes/invariant"
)

// Fate is what the write records of a key say about one transaction.
type Fate uint8

// The fates of a transaction on a key.
const (
	FateUnknown Fate = iota // no record
	FateCommitted
	FateRolledBack
)

// String returns the fate's name.
func (f Fate) String() string {
	switch f {
	case FateUnknown:
		return "unknown"
	case FateCommitted:
		return "committed"
	case FateRolledBack:
		return "rolled back"
	default:
		return "Fate(?)"
	}
}

// Record is what the write family of a key knows of one transaction.
type Record struct {
	Fate Fate
	// CommitTS is set if the transaction is committed.
	CommitTS uint64
	// Overlapped is set if the fate is unknown and another transaction is
	// committed on the key at exactly the start timestamp of this one: a
	// Rollback has to be noted in that record. It owns its memory.
	Overlapped *Write
}

// CommitRecord returns the fate of the transaction startTS on key. The order of
// commits is not that of starts, so that it looks at all versions from the
// newest down to startTS.
func (r *Reader) CommitRecord(key []byte, startTS uint64) (Record, error) {
	var rec Record
	for v, ok, err := r.SeekWrite(key, codec.MaxTS); ; v, ok, err = r.NextWrite(key) {
		if err != nil {
			return Record{}, err
		}
		if !ok || v.CommitTS < startTS {
			return rec, nil
		}
		if fate := v.fateOf(startTS); fate != FateUnknown {
			invariant.Check(rec.Fate == FateUnknown,
				"mvcc: transaction %d is %v and %v on key %x", startTS, rec.Fate, fate, key)
			rec.Fate = fate
			if fate == FateCommitted {
				invariant.Check(v.CommitTS > startTS,
					"mvcc: transaction %d committed at %d on key %x", startTS, v.CommitTS, key)
				rec.CommitTS = v.CommitTS
			}
		} else if v.CommitTS == startTS && rec.Fate == FateUnknown {
			w := v.Write
			w.ShortValue = bytes.Clone(w.ShortValue)
			rec.Overlapped = &w
		}
	}
}

// fateOf returns what this one record says about the transaction startTS.
func (v *Version) fateOf(startTS uint64) Fate {
	switch {
	case v.StartTS == startTS && v.Type == WriteRollback:
		return FateRolledBack
	case v.StartTS == startTS:
		return FateCommitted
	case v.CommitTS == startTS && v.OverlappedRollback:
		return FateRolledBack
	default:
		return FateUnknown
	}
}
