package isolation

import (
	"cmp"
	"fmt"
	"slices"

	"simrun/checker/verdict"
	"simrun/sim/history"
)

// writer is a committed transaction that wrote or locked a key.
type writer struct {
	txn    int32
	lock   bool
	commit uint64
}

// conflicts checks first committer wins: in the order of commit, each writer of
// a key must have started, or locked it, after the one before it had committed. A lock counts
// as a write, for that is what SELECT FOR UPDATE is for.
func (c *checker) conflicts() {
	var ws []writer
	for i := range c.ix.keys {
		k := &c.ix.keys[i]
		if len(k.versions)+len(k.locks) <= 2 {
			if len(k.locks) == 0 {
				continue // the initial version and one more
			}
		}
		ws = c.writers(k, ws[:0])
		for j := 1; j < len(ws); j++ {
			a, b := ws[j-1], ws[j]
			if c.ix.starts[b.txn] >= a.commit {
				continue // as nearly always, and then it need not be looked at
			}
			if a.txn != b.txn && c.ix.heldFrom(b.txn, k.name) < a.commit {
				c.conflict(int32(i), a, b) // fewer than 2^31 keys
			}
		}
	}
}

// heldFrom returns the timestamp from which on nobody else may have committed the
// key that a transaction writes. An optimistic one looks for that since it
// started. A pessimistic one takes care since it locked the key; of a key that it
// did not lock, since its last statement that locked any, whose locks stand for it:
// what a store compares at the prewrite of such a key is the greatest for_update_ts,
// and reads that lock nothing, as those under read committed, do not move that.
func (ix *index) heldFrom(n int32, key string) uint64 {
	t := ix.txns[n].rec
	if !t.Pessimistic {
		return t.StartTS
	}
	last := t.StartTS
	for i := range t.Ops {
		op := &t.Ops[i]
		switch {
		case op.Kind != history.TxnLock || op.TS == 0:
		case op.Key == key:
			return op.TS
		default:
			last = max(last, op.TS)
		}
	}
	return last
}

// writers returns who wrote the key, in the order of commit, appending to ws.
func (c *checker) writers(k *key, ws []writer) []writer {
	for i := range k.versions {
		if v := &k.versions[i]; v.txn != initial && c.ix.fateOf(v) == committed {
			ws = append(ws, writer{txn: v.txn, commit: v.commit})
		}
	}
	if len(k.locks) == 0 {
		return ws // in order already
	}
	for _, t := range k.locks {
		if tx := &c.ix.txns[t]; c.ix.fates[t] == committed && tx.known {
			ws = append(ws, writer{txn: t, lock: true, commit: tx.lo})
		}
	}
	slices.SortStableFunc(ws, func(a, b writer) int {
		return cmp.Compare(a.commit, b.commit)
	})
	return ws
}

func (c *checker) conflict(k int32, a, b writer) {
	name := c.ix.keys[k].name
	switch {
	case a.lock || b.lock:
		c.add(verdict.GSIa, b.txn, fmt.Sprintf("%s and %s overlap, and both wrote or locked %q", c.ix.name(b.txn), c.ix.name(a.txn), name), a.txn)
	case c.readFirst(b.txn, k):
		c.add(verdict.LostUpdate, b.txn, fmt.Sprintf("%s read %q, and then overwrote what %s had committed to it meanwhile",
			c.ix.name(b.txn), name, c.ix.name(a.txn)), a.txn)
	default:
		c.add(verdict.GSIa, b.txn, fmt.Sprintf("%s and %s overlap, and both wrote %q", c.ix.name(b.txn), c.ix.name(a.txn), name), a.txn)
	}
}

// readFirst says whether a transaction looked at the key before it wrote it.
func (c *checker) readFirst(n, k int32) bool {
	t := &c.ix.txns[n]
	name := c.ix.keys[k].name
	for j := range t.rec.Ops {
		op := &t.rec.Ops[j]
		switch {
		case op.Kind == history.TxnScan:
			if slices.ContainsFunc(op.Pairs, func(p history.Pair) bool { return p.Key == name }) {
				return true
			}
		case c.ix.keyOf(t, j) != k || op.Kind == history.TxnLock:
		case op.Kind == history.TxnRead || op.Kind == history.TxnAppend:
			return true
		default:
			return false
		}
	}
	return false
}
