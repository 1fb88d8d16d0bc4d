package engine

import (
	"github.com/cockroachdb/pebble/v2"
)

// Parts of an encoded key; see codec.EncodeBytes: groups of eight bytes, each
// with a marker behind it, which is the greatest byte in all groups but the last.
const (
	groupLen   = 9
	markerMore = 0xff
)

// split returns the length of the part of a stored key by which the filters of
// tables know it. In the write family that is the user's key without the
// timestamp: a read looks for the newest of its versions, and wants to pass by
// the tables that have none. In the other families it is the whole key: nobody
// reads a value or a lock without knowing its key entirely.
//
// Pebble needs keys to be in the order of their prefixes first. They are: of two
// encoded keys none begins with the other, and what is no encoded key, such as a
// bound or a separator between two blocks, is a prefix of its own.
func split(key []byte) int {
	if len(key) == 0 || key[0] != Write.prefix() {
		return len(key)
	}
	for end := 1 + groupLen; end <= len(key); end += groupLen {
		if key[end-1] != markerMore {
			return end
		}
	}
	return len(key)
}

// comparer orders keys by their bytes.
//
//nolint:gochecknoglobals // a constant of a type that Go has no constants of
var comparer = newComparer()

func newComparer() *pebble.Comparer {
	c := *pebble.DefaultComparer
	c.Name = "simrun.families"
	c.Split = split
	// The next prefix after an encoded key is the next greater last marker: all that
	// only appends bytes is a version of the same key.
	c.ImmediateSuccessor = func(dst, prefix []byte) []byte {
		if len(prefix) > groupLen && prefix[0] == Write.prefix() && (len(prefix)-1)%groupLen == 0 && prefix[len(prefix)-1] != markerMore {
			dst = append(dst, prefix...)
			dst[len(dst)-1]++
			return dst
		}
		return append(append(dst, prefix...), 0)
	}
	return &c
}
