// Package mvcc holds the records of Percolator transactions and reads them.
//
// A key of a user has up to three kinds of records, one in each column family.
// The lock family has at most one Lock: the intent of a transaction that has
// prewritten the key and is not yet known to be committed or rolled back. The
// write family has one Write per finished transaction, newest first: it says
// with which start timestamp the transaction had prewritten what it committed,
// or that it was rolled back. A value of more than ShortValueMax bytes lies in
// the default family under the start timestamp; a shorter one lies in the lock
// and then in the write record itself.
//
// To read at a timestamp, make a Reader over a snapshot and use Get for single
// keys or a Scanner for ranges:
//
//	key := codec.EncodeBytes(userKey)
//	r := mvcc.NewReader(snapshot, key, key)
//	defer r.Close()
//	value, err := r.Get(key, mvcc.ReadOptions{TS: ts})
//
// A read that meets a lock which may hide a version it must see fails with
// *LockedError. The transaction commands use the finer methods: LoadLock,
// SeekWrite and CommitRecord.
//
// All keys of this package are encoded user keys (codec.AppendBytes); only
// the results of reads (LockedError, Pair) and Lock.Primary are decoded ones.
// Encodings are those of TiKV, byte for byte, with one form per record: the
// decoders reject fields that are unknown, repeated, out of order or zero.
package mvcc

// ShortValueMax is the length of the longest value that is stored in the lock
// and write records instead of the default column family.
const ShortValueMax = 255

// IsShort reports whether value is stored in the records themselves.
func IsShort(value []byte) bool { return len(value) <= ShortValueMax }
