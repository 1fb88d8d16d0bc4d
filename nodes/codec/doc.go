// Package codec encodes keys so that the order of the encoded bytes is the
// order of what they mean.
//
// A user key is stored in memcomparable form (AppendBytes): any byte string,
// and no encoded key is a prefix of another one, so that a fixed-size suffix
// such as a version never disturbs the order of the keys themselves. A version
// (AppendTS) is the timestamp with all bits inverted, so that the newest
// version of a key sorts first:
//
//	lock    column family: enc(key)
//	default column family: enc(key) + version(start_ts)
//	write   column family: enc(key) + version(commit_ts)
//
// The encodings are those of TiKV, byte for byte.
//
// Above it, the keys of tables are those of TiDB: RowKey, IndexPrefix, and
// AppendDatum for the values of columns, each behind a flag of its type.
//
// An encoder whose name begins with Append appends to a buffer of the caller; the
// others return a key in memory of its own. Every decoder rejects what no encoder
// produces, so that decoding followed by encoding gives back the same bytes.
package codec

import "errors"

// ErrMalformed is wrapped by every error of a decoder: the bytes were not
// written by the matching encoder.
var ErrMalformed = errors.New("malformed encoding")
