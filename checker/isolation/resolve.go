package isolation

import (
	"slices"
	"strings"
)

// resolve decides the fate of transactions of unknown outcome from what others
// read. Being seen weighs more than not being seen: if a broken system shows
// both, the transaction counts as committed, and the reads that lack it are the
// violations.
func (ix *index) resolve() {
	if !ix.anyOpen() {
		return
	}
	ix.resolveLists()
	unsure := ix.unsureReads()
	for {
		switch {
		case ix.conclude(&unsure, (*index).concludeSeen):
		case ix.conclude(&unsure, (*index).concludeUnseen):
		default:
			return
		}
	}
}

func (ix *index) anyOpen() bool {
	for i := range ix.txns {
		if t := &ix.txns[i]; t.fate == open || (t.fate == committed && !t.known() && t.rec.Writes()) {
			return true
		}
	}
	return false
}

// unsureReads returns the reads that may tell something: those of a key with a
// version that may or may not be there.
func (ix *index) unsureReads() []read {
	var reads []read
	w := walker{ix: ix, seen: visitor{snapshot: func(r read) {
		if k := &ix.keys[r.key]; k.unsure && !k.lists {
			reads = append(reads, r)
		}
	}}}
	for _, t := range ix.byStart {
		w.walk(t)
	}
	return reads
}

// conclude applies a rule to all reads and says whether it decided anything. It
// drops the reads that cannot tell anything any more.
func (ix *index) conclude(reads *[]read, rule func(*index, *read, *candidates) bool) bool {
	changed := false
	var c candidates
	*reads = slices.DeleteFunc(*reads, func(r read) bool {
		c.collect(ix, &r)
		if len(c.open)+len(c.floating) == 0 {
			return true
		}
		changed = rule(ix, &r, &c) || changed
		return false
	})
	return changed
}

// candidates are the versions that a read may have returned.
type candidates struct {
	newest   *version   // the newest one that is surely committed
	open     []*version // newer ones that may be committed, the newest first
	floating []*version // ones that may be committed, at some time before the read
}

func (c *candidates) collect(ix *index, r *read) {
	c.open, c.floating = c.open[:0], c.floating[:0]
	k, ts := &ix.keys[r.key], r.start(ix)
	for i := ix.upTo(k, ts) - 1; i >= 0; i-- {
		v := &k.versions[i]
		f := ix.fateOf(v)
		if f == committed {
			c.newest = v
			break
		}
		if f == open && v.txn != r.txn {
			c.open = append(c.open, v)
		}
	}
	newest := ix.commitOf(c.newest)
	for i := range k.floating {
		v := &k.floating[i]
		t := &ix.txns[v.txn]
		if t.fate != aborted && v.txn != r.txn && t.lo <= ts && t.hi > newest {
			c.floating = append(c.floating, v)
		}
	}
}

func (v *version) is(r *read) bool { return r.found != v.absent && r.value == v.value }

// concludeSeen: if a single version explains the answer, it was committed.
func (ix *index) concludeSeen(r *read, c *candidates) bool {
	if c.newest.is(r) || (c.newest.txn == initial && ix.h.InitialUnknown) {
		return false
	}
	var only *version
	for _, list := range [][]*version{c.open, c.floating} {
		for _, v := range list {
			if !v.is(r) {
				continue
			}
			if only != nil {
				return false
			}
			only = v
		}
	}
	if only == nil {
		return false
	}
	before := ix.txns[only.txn]
	ix.see(only.txn, r.start(ix))
	return ix.txns[only.txn] != before
}

// concludeUnseen: versions newer than every one that explains the answer were
// not committed.
func (ix *index) concludeUnseen(r *read, c *candidates) bool {
	for _, v := range c.floating {
		if v.is(r) {
			return false // it may be newer than all others
		}
	}
	explained := c.newest.is(r)
	for _, v := range c.open {
		explained = explained || v.is(r)
	}
	if !explained {
		return false // the answer is wrong anyway
	}
	changed := false
	for _, v := range c.open {
		if v.is(r) {
			break
		}
		ix.txns[v.txn].fate = aborted
		changed = true
	}
	return changed
}

// resolveLists decides open transactions by the elements that they appended: a
// read of a list shows all that was appended before.
func (ix *index) resolveLists() {
	owners := ix.openElements()
	if len(owners) == 0 {
		return
	}
	missed := map[int32]struct{}{}
	w := walker{ix: ix, seen: visitor{snapshot: func(r read) {
		elements, ok := owners[r.key]
		if !ok {
			return
		}
		present := map[int32]struct{}{}
		for e := range strings.FieldsSeq(r.value) {
			if t, ok := elements[e]; ok {
				present[t] = struct{}{}
				ix.see(t, r.start(ix))
			}
		}
		if ix.keys[r.key].plain {
			return // a plain write may have taken elements away
		}
		for _, t := range elements {
			if _, ok := present[t]; !ok && ix.txns[t].known() && ix.txns[t].lo <= r.start(ix) && t != r.txn {
				missed[t] = struct{}{}
			}
		}
	}}}
	for _, t := range ix.byStart {
		w.walk(t)
	}
	for t := range missed {
		if ix.txns[t].fate == open {
			ix.txns[t].fate = aborted
		}
	}
}

// see records that a transaction's write was read at ts.
func (ix *index) see(n int32, ts uint64) {
	t := &ix.txns[n]
	t.fate = committed
	// The bounds of a timestamp that is not known never meet: lo == hi says
	// that it is known.
	if !t.known() && t.hi > ts {
		t.hi = max(ts, t.lo+1)
	}
}

// openElements returns, for each list key, the elements that belong to one open
// transaction and to nobody else.
func (ix *index) openElements() map[int32]map[string]int32 {
	owners := map[int32]map[string]int32{}
	const shared = -1
	for i := range ix.keys {
		k := &ix.keys[i]
		if !k.lists || !k.unsure {
			continue
		}
		elements := map[string]int32{}
		for _, versions := range [][]version{k.versions, k.floating} {
			for j := range versions {
				v := &versions[j]
				for e := range strings.FieldsSeq(v.value) {
					switch _, dup := elements[e]; {
					case dup, v.txn == initial, !v.list:
						elements[e] = shared
					default:
						elements[e] = v.txn
					}
				}
			}
		}
		for e, t := range elements {
			k.vague = k.vague || t == shared
			if t == shared || (ix.txns[t].fate != open && ix.txns[t].known()) {
				delete(elements, e)
			}
		}
		if len(elements) > 0 {
			owners[int32(i)] = elements //nolint:gosec // fewer than 2^31 keys
		}
	}
	return owners
}
