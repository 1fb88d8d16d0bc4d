package isolation

import (
	"cmp"
	"slices"

	"simrun/sim/history"
)

// proof is proof that a version was committed: from ret on it, or a newer one, is
// what is newest.
type proof struct {
	ret    int64
	commit uint64 // of the version, or the lowest that it may be
	id     int    // of the operation that proves it
	read   bool   // by an answer, not by an acknowledgement
}

// proofs are those of one key.
type proofs struct {
	known  []proof // by ret
	passed int     // how many of known the sweep has passed
	recent []proof // of the reads judged so far, those not passed
	latest proof   // of all passed, the one with the highest commit timestamp
	terms  terms
}

// prepare collects what is known from others. The lists must be written out.
func (n *newest) prepare() {
	n.collectProofs(func(*key) bool { return true })
	for i := range n.reads {
		if r := &n.reads[i]; r.key != unnamed {
			n.floats[r.key].show(r.value, r.op)
		}
	}
}

// collectProofs collects what acknowledgements and snapshots prove of the keys that are
// read and wanted.
func (n *newest) collectProofs(wanted func(k *key) bool) {
	n.keys, n.held, n.floats = map[int32]*proofs{}, map[int32]*holdings{}, map[int32]*floatable{}
	for i := range n.reads {
		id := n.reads[i].key
		if id == unnamed || n.keys[id] != nil || !wanted(&n.ix.keys[id]) {
			continue
		}
		k, s := &n.ix.keys[id], &proofs{}
		if n.keys[id] = s; k.lists {
			n.floats[id] = n.ix.floatable(k)
		} else {
			n.held[id] = n.ix.newHoldings(k)
		}
		n.acknowledged(k, s)
		n.ix.sweep(int(id), func(r *read, of int) { n.shown(s, r, of) })
		s.sort()
	}
}

func (s *proofs) sort() {
	slices.SortFunc(s.known, func(a, b proof) int { return cmp.Or(cmp.Compare(a.ret, b.ret), cmp.Compare(a.id, b.id)) })
}

// acknowledged collects the versions of a key whose writers were told so.
func (n *newest) acknowledged(k *key, s *proofs) {
	for i := range k.versions {
		v := &k.versions[i]
		if v.txn == initial || n.ix.txns[v.txn].op.Outcome != history.OK {
			continue
		}
		t := &n.ix.txns[v.txn]
		s.known = append(s.known, proof{ret: t.op.Return, commit: t.lo, id: t.op.ID})
	}
}

// shown notes what a snapshot has shown of a key that has so many versions up to its
// timestamp: one of no lower timestamp than the oldest one that it may have been. That
// the key is absent is an answer too, of the deletion that came last. Who wrote something
// himself has been shown the snapshot no less than others; what he read of his own is
// not among the answers. It was there when the transaction returned at the latest.
func (n *newest) shown(s *proofs, r *read, of int) {
	k, op := &n.ix.keys[r.key], n.ix.txns[r.txn].op
	var oldest uint64
	switch v := &k.versions[of-1]; {
	case k.unsure && k.lists:
		n.floats[r.key].show(r.value, op)
	case k.unsure:
		oldest = n.held[r.key].oldest(r, of)
		n.snapshotSighted(s, r, of)
	case k.same(v, r):
		oldest = v.commit
	}
	if oldest > 0 {
		s.known = append(s.known, proof{ret: op.Return, commit: oldest, id: op.ID, read: true})
	}
}

// read notes that one of the reads of what is newest has returned a version of no lower
// timestamp than oldest.
func (s *proofs) read(r *newestRead, oldest uint64) {
	s.recent = append(s.recent, proof{ret: r.op.Return, commit: oldest, id: r.op.ID, read: true})
}

// at returns the newest version that is proved before an instant, in a sweep in
// which the instants never go down.
func (s *proofs) at(now int64) proof {
	pass := func(x proof) {
		if x.commit > s.latest.commit {
			s.latest = x
		}
	}
	for ; s.passed < len(s.known) && s.known[s.passed].ret < now; s.passed++ {
		pass(s.known[s.passed])
	}
	s.recent = slices.DeleteFunc(s.recent, func(x proof) bool {
		if x.ret < now {
			pass(x)
		}
		return x.ret < now
	})
	return s.latest
}
