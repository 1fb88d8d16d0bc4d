package table

import (
	"encoding/hex"

	"simrun/nodes/client"
	"simrun/nodes/codec"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/nodes/table/kv"
)

// droppedRange is the record of the keys of a table or an index that was dropped,
// the end excluded (TiDB's mysql.gc_delete_range). It is written by the very
// transaction that takes it out of the schema, so that neither is without the other.
type droppedRange struct {
	Job   int64  `json:"job"` // that dropped it
	Start string `json:"start"`
	End   string `json:"end"` // both in hexadecimal
	// SafePoint is the one at which the keys were removed; 0 if they are still there.
	SafePoint uint64 `json:"safe_point,omitempty"`
}

func (d *droppedRange) encode() []byte { return encodeRecord(d) }

func decodeDropped(text []byte) (*droppedRange, error) {
	return decodeRecord[droppedRange]("dropped range", text)
}

// keys returns the range itself.
func (d *droppedRange) keys() (client.DroppedRange, error) {
	start, err := hex.DecodeString(d.Start)
	end, err2 := hex.DecodeString(d.End)
	if err != nil || err2 != nil || len(start) == 0 || string(start) >= string(end) {
		return client.DroppedRange{}, inconsistent("dropped range of job %d: from %q to %q", d.Job, d.Start, d.End)
	}
	return client.DroppedRange{ID: d.Job, Start: start, End: end}, nil
}

// leave leaves the keys with a prefix, which belong to nothing from this version of
// the schema on, to garbage collection.
func (tx *Tx) leave(j *Job, prefix []byte) {
	d := &droppedRange{Job: j.ID, Start: hex.EncodeToString(prefix), End: hex.EncodeToString(codec.PrefixEnd(prefix))}
	tx.kv.Set(droppedKey(j.ID), d.encode())
}

// Dropped tells garbage collection which ranges of keys were dropped with their
// tables and indexes. It keeps what client.DroppedRanges promises:
//
//   - The record of a range is visible at the safe point exactly if the transaction
//     that took the table or the index out of the schema has committed there or
//     before.
//   - Who begins after that transaction reads a schema without it.
//   - Who began before it may still commit, if the schema is one version ahead by
//     then. A table was in no statement's sight for a version already (DeleteOnly),
//     so that it is not written any more. Of an index that was DeleteOnly, entries
//     may be removed yet, at a later timestamp: that is what the stores look for.
//   - The backfill of an index that could not be added is a step of the job that
//     removes it, and so is over.
//   - Ids of tables and indexes are not given twice (newID, Table.LastIndex).
type Dropped struct{ store kv.Store }

var _ client.DroppedRanges = Dropped{}

// NewDropped returns what was dropped in the tables of a store.
func NewDropped(store kv.Store) Dropped { return Dropped{store} }

//nolint:gochecknoglobals // marks register once
var (
	markDroppedLater = invariant.NewMark("table: dropped range left alone, it was dropped after the safe point")
	markRemovedTwice = invariant.NewMark("table: record of a dropped range removed by somebody else")
)

// Dropped implements client.DroppedRanges. Of the records that are there now it
// returns those that were there at the safe point: what has been removed since is
// not removed again in each round until the safe point has passed that too.
func (d Dropped) Dropped(t env.Task, safePoint uint64) ([]client.DroppedRange, error) {
	x, err := d.store.Begin(t, kv.Optimistic)
	if err != nil {
		return nil, err
	}
	defer x.Rollback(t)
	pairs, err := scanMap(t, x, droppedMap)
	if err != nil {
		return nil, err
	}
	var ranges []client.DroppedRange
	for _, p := range pairs {
		_, found, err := d.store.GetAt(t, safePoint, p.Key)
		if err != nil {
			return nil, err
		}
		if markDroppedLater.Sometimes(!found) {
			continue
		}
		record, err := decodeDropped(p.Value)
		if err != nil {
			return nil, err
		}
		r, err := record.keys()
		if err != nil {
			return nil, err
		}
		ranges = append(ranges, r)
	}
	return ranges, nil
}

// Done implements client.DroppedRanges. The record goes to those of the ranges that
// were removed, which tell later what became of the keys.
func (d Dropped) Done(t env.Task, r client.DroppedRange, safePoint uint64) error {
	x, err := d.store.Begin(t, kv.Optimistic)
	if err != nil {
		return err
	}
	key := droppedKey(r.ID)
	text, found, err := x.Get(t, key)
	if markRemovedTwice.Sometimes(err == nil && !found) || err != nil {
		x.Rollback(t)
		return err
	}
	record, err := decodeDropped(text)
	if err != nil {
		x.Rollback(t)
		return err
	}
	record.SafePoint = safePoint
	x.Delete(key)
	x.Set(removedKey(r.ID), record.encode())
	return x.Commit(t)
}
