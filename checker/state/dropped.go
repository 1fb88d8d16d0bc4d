package state

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"simrun/checker/verdict"
	"simrun/sim/history"
)

// A table or an index that was dropped leaves a range of keys, which garbage
// collection removes as a whole. So what was acknowledged there may be missing, and
// that must not be believed of more than what was dropped. A range counts as
// dropped if two agree on it: the store has the record of it, and the history has
// the transaction that wrote the record and in doing so took the table or the index
// out of the schema.

// The maps of the schema that have the records: of ranges that are to be removed,
// and of those that were.
const (
	droppedMap = "GCDeleteRange"
	removedMap = "GCDeleteRangeDone"
)

// drop is a range that was dropped.
type drop struct {
	dropped           // what it was
	field      string // of the maps
	start, end string
	// lo and hi bound the commit timestamp of the drop. They are equal unless it was
	// of unknown outcome.
	lo, hi uint64
	// done: the record says that the range was removed, at safePoint. It was committed
	// at removed, which is 0 if nothing tells it.
	done               bool
	safePoint, removed uint64
}

func (d *drop) holds(key string) bool { return d.start <= key && key < d.end }

// drops returns the ranges that were dropped, in the order of their jobs, and what is
// wrong with others that the store has records of.
func drops(h *history.History, data map[string]stamped) (list []drop, problems []string) {
	var writers map[string][]*history.Op
	for _, key := range slices.Sorted(maps.Keys(data)) {
		name, field, ok := splitMetaKey(key)
		if !ok || name != droppedMap && name != removedMap {
			continue
		}
		if writers == nil {
			writers = droppers(h)
		}
		d, err := newDrop(field, data[key], name == removedMap)
		if err == nil {
			err = d.confirm(h, writers[field], data[key])
		}
		if err != nil {
			problems = append(problems, fmt.Sprintf("record %s of a dropped range, %s: %v", field, data[key].value, err))
			continue
		}
		list = append(list, d)
	}
	return list, problems
}

// newDrop reads the record of a range, which has to be that of one table or index.
func newDrop(field string, p stamped, removed bool) (d drop, err error) {
	var record struct {
		Start, End string
		SafePoint  uint64 `json:"safe_point"`
	}
	if err = json.Unmarshal(p.value, &record); err != nil {
		return d, err
	}
	start, err := hex.DecodeString(record.Start)
	end, err2 := hex.DecodeString(record.End)
	if err = cmp.Or(err, err2); err != nil {
		return d, err
	}
	d = drop{field: field, start: string(start), end: string(end)}
	if d.dropped, err = splitPrefix(d.start); err != nil {
		return d, err
	}
	if after := d.start[:len(start)-1] + string([]byte{start[len(start)-1] + 1}); start[len(start)-1] == 0xff || d.end != after {
		return d, errForeign
	}
	if removed {
		d.done, d.safePoint, d.removed = true, record.SafePoint, p.commit
	}
	return d, nil
}

// splitPrefix takes the first keys of a table, or of an index, apart.
func splitPrefix(prefix string) (d dropped, err error) {
	rest, ok := strings.CutPrefix(prefix, "t")
	if !ok {
		return d, errForeign
	}
	if d.table, rest, err = takeInt(rest); err != nil || rest == "" {
		return d, err
	}
	if rest, ok = strings.CutPrefix(rest, "_i"); !ok {
		return d, errForeign
	}
	d.index, rest, err = takeInt(rest)
	if err == nil && (rest != "" || d.index == 0) {
		err = errForeign
	}
	return d, err
}

// droppers returns the transactions that have, or may have, written the record of a
// range, by its field.
func droppers(h *history.History) map[string][]*history.Op {
	writers := map[string][]*history.Op{}
	for i := range h.Ops {
		op := &h.Ops[i]
		if !wrote(op) || op.Outcome == history.Failed {
			continue
		}
		for j := range op.Txn.Ops {
			if o := &op.Txn.Ops[j]; o.Kind == history.TxnWrite {
				if name, field, ok := splitMetaKey(h.Bytes(o.Key)); ok && name == droppedMap {
					writers[field] = append(writers[field], op)
				}
			}
		}
	}
	return writers
}

// confirm looks for the transaction that dropped the range: it wrote this very
// record, and took the table or the index out of the schema. Of several that may
// have it is the one that is known to have committed; p tells who has written the
// record, and when, as long as the record is as it was written first.
func (d *drop) confirm(h *history.History, writers []*history.Op, p stamped) error {
	known := func(op *history.Op) bool { return op.Outcome == history.OK || !d.done && op.Txn.StartTS == p.start }
	if i := slices.IndexFunc(writers, known); i >= 0 {
		writers = writers[i : i+1]
	}
	for _, op := range writers {
		if !d.takenOut(h, op.Txn) {
			return fmt.Errorf("id %d, which wrote it, did not take that out of the schema", op.ID)
		}
		lo, hi := op.Txn.CommitTS, op.Txn.CommitTS
		switch {
		case hi != 0:
		case d.done:
			lo, hi = op.Txn.StartTS+1, d.safePoint // somebody has read the record there
		case p.commit != 0:
			lo, hi = p.commit, p.commit
		default: // committed by its locks, which nobody has met
			lo, hi = op.Txn.StartTS+1, math.MaxUint64
		}
		if d.hi = max(d.hi, hi); d.lo == 0 || lo < d.lo {
			d.lo = lo
		}
	}
	if len(writers) == 0 {
		return errors.New("no client has dropped it")
	}
	return nil
}

// takenOut says whether a transaction wrote the record of this range, and the
// descriptor of its table without the index, or none of the table.
func (d *drop) takenOut(h *history.History, t *history.TxnRecord) bool {
	recorded, gone := false, false
	for _, w := range wants(&h.Header, t) {
		name, field, ok := splitMetaKey(w.key)
		switch {
		case !ok:
		case name == droppedMap && field == d.field:
			same, err := newDrop(field, stamped{value: []byte(w.value)}, false)
			recorded = err == nil && same.start == d.start
		case name != tablesMap || field != tableField(d.table):
		case d.index == 0:
			gone = w.kind == 'D'
		case w.kind == 'P':
			var t storedTable
			err := json.Unmarshal([]byte(w.value), &t)
			gone = err == nil && t.index(d.index) == nil
		}
	}
	return recorded && gone
}

// ranges checks what became of the ranges that were dropped.
func (x *indexCheck) ranges(m *scan, rows Rows, s *storedSchema, list []drop, at SafePoints) {
	if len(list) == 0 {
		return
	}
	keys := storedKeys(m, rows)
	for i := range list {
		d := &list[i]
		if t := s.tables[d.table]; t != nil && (d.index == 0 || t.index(d.index) != nil) {
			x.add(verdict.RecordConflict, "%s was dropped, and is in the schema", d)
		}
		from, _ := slices.BinarySearch(keys, d.start)
		to, _ := slices.BinarySearch(keys, d.end)
		if held := keys[from:to]; d.done {
			x.removed(d, held, at)
		} else {
			x.waiting(m, d, held, at)
		}
	}
}

// storedKeys returns the user keys of all records, in their order.
func storedKeys(m *scan, rows Rows) []string {
	keys := slices.Collect(maps.Keys(m.keys))
	for _, row := range rows.Default {
		if user, _, err := decodeVersion(row.Key); err == nil {
			keys = append(keys, string(user))
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

func (d *drop) String() string {
	what := fmt.Sprintf("table %d", d.table)
	if d.index != 0 {
		what = fmt.Sprintf("index %d of table %d", d.index, d.table)
	}
	return fmt.Sprintf("the range of %s", what)
}

// removed checks a range that was removed: not before it was dropped below a safe
// point that was settled, and for good. Nobody writes there any more, so not even
// the record of a deletion is left.
func (x *indexCheck) removed(d *drop, held []string, at SafePoints) {
	if d.safePoint < d.lo || d.safePoint > at.Settled {
		x.add(verdict.RangeEarly, "%s, dropped at %d, was removed at the safe point %d, and %d is settled", d, d.lo, d.safePoint, at.Settled)
	}
	if len(held) > 0 {
		x.add(verdict.RangeLeft, "%s was removed at the safe point %d, and holds key %x and %d more", d, d.safePoint, held[0], len(held)-1)
	}
}

// waiting checks a range that is to be removed: who began after the drop has not
// written there, who began before has written nothing but deletions since; and if a
// round of collection was done at the safe point that is in force, somebody must
// have had a reason to leave the range for a later one.
func (x *indexCheck) waiting(m *scan, d *drop, held []string, at SafePoints) {
	inUse := false
	for _, key := range held {
		k := m.keys[key]
		if k == nil {
			continue // a long value alone, which is another check's matter
		}
		if k.lock != nil {
			inUse = true
			if k.lock.start > d.hi {
				x.add(verdict.RangeWritten, "%s was dropped at %d, and transaction %d holds a lock on %x", d, d.hi, k.lock.start, key)
			}
		}
		for _, w := range k.writes {
			inUse = inUse || w.commit >= at.Settled
			if w.start > d.hi || w.kind == 'P' && w.commit > d.hi {
				x.add(verdict.RangeWritten, "%s was dropped at %d, and transaction %d has written %x at %d", d, d.hi, w.start, key, w.commit)
			}
		}
	}
	if at.Settled == at.Collected && d.hi <= at.Settled && !inUse {
		x.add(verdict.RangeLeft, "%s was dropped at %d, garbage was collected up to %d, and %d of its keys are left", d, d.hi, at.Settled, len(held))
	}
}

// gone reports whether garbage collection up to a safe point may have removed the
// record of a write with a range that was dropped, or the record of such a range
// when it was removed itself.
func gone(list []drop, key string, commitTS, safePoint uint64) bool {
	return slices.ContainsFunc(list, func(d drop) bool {
		if d.holds(key) {
			return d.hi <= safePoint
		}
		name, field, ok := splitMetaKey(key)
		return ok && name == droppedMap && field == d.field && commitTS < d.removed && d.removed <= safePoint
	})
}

// tableField is the field of a table's descriptor.
func tableField(id int64) string { return fmt.Sprintf("Table:%016x", id) }
