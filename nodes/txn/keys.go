package txn

import (
	"bytes"
	"slices"

	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/metapb"

	"simrun/nodes/codec"
	"simrun/nodes/invariant"
)

// encodeKeys returns the memcomparable forms of keys, in the same order. They
// share one buffer.
func encodeKeys(keys [][]byte) [][]byte {
	size := 0
	for _, key := range keys {
		size += codec.EncodedLen(len(key))
	}
	buf := make([]byte, 0, size)
	encoded := make([][]byte, len(keys))
	for i, key := range keys {
		from := len(buf)
		buf = codec.AppendBytes(buf, key)
		encoded[i] = buf[from:len(buf):len(buf)]
	}
	return encoded
}

// decoded returns the user key of a key that this store has encoded.
func decoded(key []byte) []byte {
	raw, err := codec.DecodeKey(key)
	invariant.Check(err == nil, "txn: key %x: %v", key, err)
	return raw
}

// bounds returns the smallest and the greatest of keys, which must not be empty.
func bounds(keys [][]byte) (first, last []byte) {
	first, last = keys[0], keys[0]
	for _, key := range keys[1:] {
		if bytes.Compare(key, first) < 0 {
			first = key
		}
		if bytes.Compare(key, last) > 0 {
			last = key
		}
	}
	return first, last
}

// nextKey returns the smallest key above key.
func nextKey(key []byte) []byte { return append(bytes.Clone(key), 0) }

// hasDuplicates reports whether a key occurs twice.
func hasDuplicates(keys [][]byte) bool {
	sorted := slices.Clone(keys)
	slices.SortFunc(sorted, bytes.Compare)
	for i := 1; i < len(sorted); i++ {
		if bytes.Equal(sorted[i-1], sorted[i]) {
			return true
		}
	}
	return false
}

// checkInRegion returns an error unless the region holds all keys from first to
// last. A client whose request carries the region's epoch knows its range, so
// that this is the second of two checks.
func checkInRegion(region *metapb.Region, first, last []byte) *errorpb.Error {
	switch {
	case bytes.Compare(first, region.StartKey) < 0:
		return keyNotInRegion(region, first)
	case len(region.EndKey) > 0 && bytes.Compare(last, region.EndKey) >= 0:
		return keyNotInRegion(region, last)
	default:
		return nil
	}
}

func keyNotInRegion(region *metapb.Region, key []byte) *errorpb.Error {
	return &errorpb.Error{
		Message: "key not in region",
		KeyNotInRegion: &errorpb.KeyNotInRegion{
			Key: key, RegionId: region.Id, StartKey: region.StartKey, EndKey: region.EndKey,
		},
	}
}

// scanRange returns the part of a scan that lies in the region. The end at
// which the scan begins has to be in the region, or keys would be left out; the
// other end is cut off, for the client goes on in the next region. Keys are
// bounds as the region's own are; an empty upper bound is none.
func scanRange(region *metapb.Region, lower, upper []byte, reverse bool) ([]byte, []byte, *errorpb.Error) {
	if reverse {
		if beyondEnd(upper, region.EndKey) || len(upper) > 0 && bytes.Compare(upper, region.StartKey) <= 0 {
			return nil, nil, keyNotInRegion(region, upper)
		}
		if bytes.Compare(lower, region.StartKey) < 0 {
			lower = region.StartKey
		}
	} else {
		if err := checkInRegion(region, lower, lower); err != nil {
			return nil, nil, err
		}
		if beyondEnd(upper, region.EndKey) {
			upper = region.EndKey
		}
	}
	if len(upper) == 0 {
		upper = nil
	}
	if len(lower) == 0 {
		lower = nil
	}
	return lower, upper, nil
}

// beyondEnd reports whether the exclusive bound a is above the exclusive bound
// b, where empty is infinity.
func beyondEnd(a, b []byte) bool {
	if len(a) == 0 || len(b) == 0 {
		return len(a) == 0 && len(b) != 0
	}
	return bytes.Compare(a, b) > 0
}
