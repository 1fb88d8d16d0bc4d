package state

import (
	"fmt"
	"sort"

	"simrun/checker/verdict"
	"simrun/sim/history"
)

// left reports the lock of a committed transaction that a reader must have
// removed. Locks are resolved by whoever meets them, so a lock that nobody met
// may stay for ever. One that stands in the way of a read may not: a transaction
// takes its commit timestamp when all its locks stand, so a read at or after
// that timestamp finds the lock or the commit record in its place, and has to
// turn the one into the other before it can answer.
//
// Allowed is what a read may pass by:
//   - the lock of a transaction that committed after the reader's timestamp (its
//     min_commit_ts was pushed, perhaps): nothing of it is visible;
//   - locks without data: SELECT FOR UPDATE and pessimistic locks block no read;
//   - the lock of a transaction that was rolled back: a prewrite that was long
//     under way may have set it after the last reader had passed, for only the
//     primary remembers the rollback.
func (m *scan) left(key string, l *lock, commit uint64) {
	if m.opts.Reads == nil || (l.kind != 'P' && l.kind != 'D') {
		return
	}
	if m.readers == nil {
		m.readers = newReaders(m.opts.Reads)
	}
	reader := m.readers.of(key, commit)
	if reader == nil {
		return
	}
	m.r.Add(verdict.Finding{
		Anomaly: verdict.LockLeft, Evidence: []int{reader.ID},
		Message: fmt.Sprintf("key %q: the lock of transaction %d, which committed at %d, is left although id %d read the key at %d",
			key, l.start, commit, reader.ID, reader.Txn.StartTS),
	})
}

// readers finds who has read a key from the stores. Those that wrote are passed over, for
// their reads may have been answered from what they wrote; so are scans with a limit, which
// may have ended before the key.
type readers struct {
	h      *history.History
	keys   map[string]*readings
	ranges []*rangeReadings // each range once: clients scan the same ones again and again
}

// rangeReadings are those of the keys from start to end, end excluded; an empty end is no
// bound.
type rangeReadings struct {
	start, end string
	readings
}

// readings are the places of operations in the history, without those that are of no
// higher timestamp than one before.
type readings []int

func (r *readers) add(to *readings, place int) {
	if n := len(*to); n == 0 || r.ts((*to)[n-1]) < r.ts(place) {
		*to = append(*to, place)
	}
}

func (r *readers) ts(place int) uint64 { return r.h.Ops[place].Txn.StartTS }

func newReaders(h *history.History) *readers {
	r := &readers{h: h, keys: map[string]*readings{}}
	ranges := map[[2]string]*rangeReadings{}
	for i := range h.Ops {
		op := &h.Ops[i]
		if op.Kind != history.Txn || op.Txn == nil || op.Outcome != history.OK || op.Txn.Writes() {
			continue
		}
		for j := range op.Txn.Ops {
			switch o := &op.Txn.Ops[j]; o.Kind {
			case history.TxnRead:
				if r.keys[o.Key] == nil {
					r.keys[o.Key] = &readings{}
				}
				r.add(r.keys[o.Key], i)
			case history.TxnScan:
				if o.Limit > 0 {
					continue
				}
				bounds := [2]string{o.Key, o.EndKey}
				if ranges[bounds] == nil {
					ranges[bounds] = &rangeReadings{start: o.Key, end: o.EndKey}
					r.ranges = append(r.ranges, ranges[bounds])
				}
				r.add(&ranges[bounds].readings, i)
			case history.TxnWrite, history.TxnAppend, history.TxnDelete, history.TxnLock:
			}
		}
	}
	return r
}

// of returns the first transaction that read key from the stores at or after ts, nil if
// there is none.
func (r *readers) of(key string, ts uint64) *history.Op {
	key = r.h.Text(key)
	first := len(r.h.Ops)
	take := func(from readings) {
		if i := sort.Search(len(from), func(i int) bool { return r.ts(from[i]) >= ts }); i < len(from) {
			first = min(first, from[i])
		}
	}
	if at := r.keys[key]; at != nil {
		take(*at)
	}
	for _, x := range r.ranges {
		if x.start <= key && (x.end == "" || key < x.end) {
			take(x.readings)
		}
	}
	if first == len(r.h.Ops) {
		return nil
	}
	return &r.h.Ops[first]
}
