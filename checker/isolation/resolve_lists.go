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
				ix.txns[t].see(r.start(ix))
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

// see records that the transaction's write was read at ts.
func (t *txn) see(ts uint64) {
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
