package cluster

import (
	"bytes"

	"github.com/pingcap/kvproto/pkg/metapb"
)

// The keys of a region go from its first one up to its end, which is none of them; a
// region without an end holds all keys from the first one.

// contains reports whether a key lies in a region.
func contains(r *metapb.Region, key []byte) bool {
	return bytes.Compare(r.StartKey, key) <= 0 && (len(r.EndKey) == 0 || bytes.Compare(key, r.EndKey) < 0)
}

// overlap reports whether two regions have a key in common.
func overlap(a, b *metapb.Region) bool {
	return (len(a.EndKey) == 0 || bytes.Compare(b.StartKey, a.EndKey) < 0) &&
		(len(b.EndKey) == 0 || bytes.Compare(a.StartKey, b.EndKey) < 0)
}

// inside reports whether a lies in b.
func inside(a, b *metapb.Region) bool {
	return bytes.Compare(b.StartKey, a.StartKey) <= 0 &&
		(len(b.EndKey) == 0 || len(a.EndKey) > 0 && bytes.Compare(a.EndKey, b.EndKey) <= 0)
}

// precedes reports whether a ends where b begins.
func precedes(a, b *metapb.Region) bool {
	return len(a.EndKey) > 0 && bytes.Equal(a.EndKey, b.StartKey)
}
