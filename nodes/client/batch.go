package client

import (
	"bytes"
	"slices"

	"simrun/nodes/codec"
	"simrun/nodes/env"
)

// span is the keys lo to hi-1 of a sorted list.
type span struct{ lo, hi int }

// partition cuts n sorted keys, given as region bounds are, into the parts that
// lie in different regions.
func (c *Client) partition(t env.Task, b *backoff, n int, boundAt func(int) []byte) ([]span, error) {
	var parts []span
	for lo := 0; lo < n; {
		r, err := c.locate(t, b, boundAt(lo))
		if err != nil {
			return nil, err
		}
		hi := lo + 1
		for hi < n && r.endsAfter(boundAt(hi)) {
			hi++
		}
		parts = append(parts, span{lo, hi})
		lo = hi
	}
	return parts, nil
}

// batchItem is one key of a batch read.
type batchItem struct {
	key   []byte // as in requests
	bound []byte // as in region bounds
	value []byte
	found bool
}

// rawBounds and txnBounds turn a key of a request into the form of region bounds.
func rawBounds(key []byte) []byte { return key }
func txnBounds(key []byte) []byte { return codec.EncodeBytes(key) }

// newBatch returns the distinct keys in their order.
func newBatch(keys [][]byte, bounds func([]byte) []byte) []batchItem {
	items := make([]batchItem, len(keys))
	for i, key := range keys {
		items[i].key = key
	}
	slices.SortFunc(items, func(x, y batchItem) int { return bytes.Compare(x.key, y.key) })
	items = slices.CompactFunc(items, func(x, y batchItem) bool { return bytes.Equal(x.key, y.key) })
	for i := range items {
		items[i].bound = bounds(items[i].key)
	}
	return items
}

// lookup returns the place of key among items.
func lookup(items []batchItem, key []byte) (int, bool) {
	return slices.BinarySearchFunc(items, key, func(it batchItem, key []byte) int { return bytes.Compare(it.key, key) })
}

// keep notes the value of a key that was read. Keys that were not asked for
// are ignored.
func keep(items []batchItem, key, value []byte) {
	if i, ok := lookup(items, key); ok {
		items[i].value, items[i].found = valueOf(value, false), true
	}
}

// foundPairs returns the pairs that exist, in the order of keys.
func foundPairs(items []batchItem, keys [][]byte) []Pair {
	pairs := make([]Pair, 0, len(keys))
	for _, key := range keys {
		if i, ok := lookup(items, key); ok && items[i].found {
			pairs = append(pairs, Pair{key, items[i].value})
		}
	}
	return pairs
}

// within returns how many of the items, of which the first is in r, are in r.
func within(r *region, items []batchItem) int {
	n := 1
	for n < len(items) && r.endsAfter(items[n].bound) {
		n++
	}
	return n
}

func keysOf(items []batchItem) [][]byte {
	keys := make([][]byte, len(items))
	for i := range items {
		keys[i] = items[i].key
	}
	return keys
}

// readBatch reads all items, those of different regions at the same time. read
// reads the first region's part of the items that it is given, and returns how
// many those were.
func (c *Client) readBatch(
	t env.Task, b *backoff, items []batchItem,
	read func(t env.Task, b *backoff, part []batchItem) (int, error),
) error {
	if len(items) == 0 {
		return nil
	}
	parts, err := c.partition(t, b, len(items), func(i int) []byte { return items[i].bound })
	if err != nil {
		return err
	}
	var first error
	c.inParallel(t, "batch read", len(parts), func(t env.Task, i int) {
		b := b.fork()
		for part := items[parts[i].lo:parts[i].hi]; len(part) > 0 && first == nil; {
			n, err := read(t, &b, part)
			if err != nil {
				if first == nil {
					first = err
				}
				return
			}
			part = part[n:]
		}
	})
	return first
}
