package isolation

import "strings"

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
				ix.see(t, r.ts)
			}
		}
		if ix.keys[r.key].plain {
			return // a plain write may have taken elements away
		}
		for _, t := range elements {
			if _, ok := present[t]; !ok && ix.txns[t].known && ix.txns[t].lo <= r.ts && t != r.txn {
				missed[t] = struct{}{}
			}
		}
	}}}
	for _, t := range ix.byStart {
		w.walk(t)
	}
	for t := range missed {
		if ix.fates[t] == open {
			ix.fates[t] = aborted
		}
	}
}

// see records that what a transaction wrote was read at ts, and says whether that
// is news.
func (ix *index) see(n int32, ts uint64) bool {
	if !ix.news(n, ts) {
		return false
	}
	ix.fates[n] = committed
	if t := &ix.txns[n]; !t.known {
		t.hi = t.hiIfSeen(ts)
	}
	return true
}

// news says whether see would learn something.
func (ix *index) news(n int32, ts uint64) bool {
	t := &ix.txns[n]
	return ix.fates[n] != committed || !t.known && t.hiIfSeen(ts) != t.hi
}

// hiIfSeen returns the bound of a commit timestamp that is not known, of something that
// was read at ts.
func (t *txn) hiIfSeen(ts uint64) uint64 { return min(t.hi, max(ts, t.lo)) }

// above records that what a transaction wrote has replaced a version that was committed
// at ts, and says whether that is news. It is not if it contradicts what was learnt before:
// then some answer is wrong, whatever is concluded.
func (ix *index) above(n int32, ts uint64) bool {
	t := &ix.txns[n]
	if t.known || ts < t.lo || ts >= t.hi {
		return false
	}
	t.lo = ts + 1
	return true
}

// openElements returns, for each list key, the elements that belong to one open
// transaction and to nobody else.
func (ix *index) openElements() map[int32]map[string]int32 {
	owners := map[int32]map[string]int32{}
	const shared = -1
	for i := range ix.keys {
		k := &ix.keys[i]
		if !k.lists || !k.unsure || k.free {
			continue // of a free one nobody knows which elements were there at first
		}
		elements := map[string]int32{}
		unsure := map[string]struct{}{} // elements of transactions of which something is not known
		for _, versions := range [][]version{k.versions, k.floating} {
			for j := range versions {
				v := &versions[j]
				for e := range strings.FieldsSeq(v.value) {
					_, dup := elements[e]
					_, doubt := unsure[e]
					mine := v.txn != initial && (ix.fates[v.txn] == open || !ix.txns[v.txn].known)
					k.vague = k.vague || dup && (doubt || mine)
					if mine {
						unsure[e] = struct{}{}
					}
					if dup || v.txn == initial || !v.list {
						elements[e] = shared
					} else {
						elements[e] = v.txn
					}
				}
			}
		}
		for e, t := range elements {
			if t == shared || (ix.fates[t] != open && ix.txns[t].known) {
				delete(elements, e)
			}
		}
		if len(elements) > 0 {
			owners[int32(i)] = elements // fewer than 2^31 keys
		}
	}
	return owners
}
