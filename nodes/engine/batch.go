package engine

import (
	"github.com/cockroachdb/pebble/v2"

	"simrun/nodes/invariant"
)

// entryOverhead bounds from above what an entry takes in a memtable beside the
// bytes that it takes in a batch: a skiplist node with a tower of full height
// (184 bytes), the trailer of its key and padding.
const entryOverhead = 208

// Batch is a set of writes that happens as a whole or not at all. After Write
// it can be filled again once it is Reset.
type Batch struct {
	p *pebble.Batch
}

// NewBatch returns an empty batch. Close it, or leave it to the garbage
// collector.
func (db *DB) NewBatch() *Batch { return &Batch{db.p.NewBatch()} }

// Put sets a key. Key and value are copied.
func (b *Batch) Put(cf CF, key, value []byte) {
	op := b.p.SetDeferred(len(key)+1, len(value))
	op.Key[0] = cf.prefix()
	copy(op.Key[1:], key)
	copy(op.Value, value)
	mustFinish(op)
}

// Delete removes a key. There is no SingleDelete, which would be cheaper: it is
// wrong for a key that was put more than once since it was removed last, and
// there is no column of which that can be ruled out. Locks, which come and go the
// most, are put again when their life is extended, when their least commit
// timestamp moves, and when a pessimistic lock becomes that of a prewrite.
func (b *Batch) Delete(cf CF, key []byte) {
	op := b.p.DeleteDeferred(len(key) + 1)
	op.Key[0] = cf.prefix()
	copy(op.Key[1:], key)
	mustFinish(op)
}

// DeleteRange removes all keys of the column family in [start, end). A nil end
// is the end of the column family.
func (b *Batch) DeleteRange(cf CF, start, end []byte) {
	prefix := cf.prefix()
	if end == nil {
		prefix++
	}
	op := b.p.DeleteRangeDeferred(len(start)+1, len(end)+1)
	op.Key[0] = cf.prefix()
	copy(op.Key[1:], start)
	op.Value[0] = prefix
	copy(op.Value[1:], end)
	mustFinish(op)
}

// Len returns the size of the batch in bytes.
func (b *Batch) Len() int { return b.p.Len() }

// From returns the encoding of what was added after the batch had a length. It is
// valid until the batch is changed.
func (b *Batch) From(length int) []byte { return b.p.Repr()[min(length, b.p.Len()):] }

// Empty reports whether there is nothing to write.
func (b *Batch) Empty() bool { return b.p.Empty() }

// Reset empties the batch.
func (b *Batch) Reset() { b.p.Reset() }

// Close gives the batch's memory back. It must not be used any more.
func (b *Batch) Close() { _ = b.p.Close() }

// bound is the most that the batch can take in a memtable.
func (b *Batch) bound() int { return b.p.Len() + int(b.p.Count())*entryOverhead }

func mustFinish(op *pebble.DeferredBatchOp) {
	err := op.Finish() // fails only for an indexed batch
	invariant.Check(err == nil, "engine: batch: %v", err)
}
