package raftstore

import (
	"go.etcd.io/raft/v3/raftpb"

	"simrun/nodes/invariant"
)

// entryCache holds the newest entries of a log that were handed to the log
// database, so that followers which keep up and the apply path never read it.
type entryCache struct {
	// entries are contiguous; the last one is the last of the log. They may be
	// fewer than the bounds allow, even none.
	entries []*raftpb.Entry
	bytes   int // sum of the lengths of their data

	countMax, bytesMax int
}

// first returns the index of the first cached entry; ok is false if there is
// none.
func (c *entryCache) first() (index uint64, ok bool) {
	if len(c.entries) == 0 {
		return 0, false
	}
	return c.entries[0].GetIndex(), true
}

// get returns the entry at index, nil if it is not cached.
func (c *entryCache) get(index uint64) *raftpb.Entry {
	first, ok := c.first()
	if !ok || index < first || index >= first+uint64(len(c.entries)) {
		return nil
	}
	return c.entries[index-first]
}

// append adds entries behind, or in the place of, what is cached.
func (c *entryCache) append(entries []*raftpb.Entry) {
	if len(entries) == 0 {
		return
	}
	next := entries[0].GetIndex()
	if first, ok := c.first(); ok {
		last := first + uint64(len(c.entries)) - 1
		if next > last+1 {
			invariant.Fail("raftstore: entry cache ends at %d, appending %d", last, next)
		}
		c.truncate(next)
	}
	c.entries = append(c.entries, entries...)
	for _, e := range entries {
		c.bytes += len(e.GetData())
	}
	c.evict()
}

// truncate drops the entries from index on.
func (c *entryCache) truncate(index uint64) {
	for n := len(c.entries); n > 0 && c.entries[n-1].GetIndex() >= index; n-- {
		c.bytes -= len(c.entries[n-1].GetData())
		c.entries[n-1] = nil
		c.entries = c.entries[:n-1]
	}
}

// compact drops the entries up to and including index.
func (c *entryCache) compact(index uint64) {
	n := 0
	for n < len(c.entries) && c.entries[n].GetIndex() <= index {
		n++
	}
	c.drop(n)
}

func (c *entryCache) evict() {
	n, bytes := 0, c.bytes
	for n < len(c.entries) && (len(c.entries)-n > c.countMax || bytes > c.bytesMax) {
		bytes -= len(c.entries[n].GetData())
		n++
	}
	c.drop(n)
}

// drop drops the first n entries. The array moves along with its slice: append
// copies what is left when it has come to the array's end.
func (c *entryCache) drop(n int) {
	for i := range n {
		c.bytes -= len(c.entries[i].GetData())
		c.entries[i] = nil
	}
	c.entries = c.entries[n:]
}

func (c *entryCache) reset() { c.entries, c.bytes = nil, 0 }
