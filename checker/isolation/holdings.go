package isolation

import (
	"cmp"
	"slices"
	"sort"
)

// holdings are the versions of a register by what they hold, so that those which explain
// an answer are found without looking at the others.
type holdings struct {
	ix *index
	k  *key
	// committed are the places in k.versions, rising, of those that were surely
	// committed when this was made. More may have been since: they are taken for open,
	// and so an answer is explained by one version more, or an older one.
	committed []int32
	of        map[content]*holding
}

// holding are the versions of one content.
type holding struct {
	known    []int32 // places in k.versions, rising
	floating []int32 // places in k.floating, by the lowest timestamp that the record allows
}

// window is where a version may stand that a read of what is newest has returned.
type window struct {
	floor uint64 // a version of no lower timestamp was there before the read was invoked
	bound uint64 // what was committed before its return has no higher timestamp
	ret   int64  // when it returned
}

func (ix *index) newHoldings(k *key) *holdings {
	h := &holdings{ix: ix, k: k, of: map[content]*holding{}}
	for i := range k.versions {
		v, at := &k.versions[i], int32(i) // fewer than 2^31 versions
		if ix.fateOf(v) == committed {
			h.committed = append(h.committed, at)
		}
		to := h.holding(v.content())
		to.known = append(to.known, at)
	}
	commits := make([]uint64, len(k.floating))
	for i := range k.floating {
		commits[i] = k.floating[i].commit
	}
	for _, at := range rising(commits) {
		to := h.holding(k.floating[at].content())
		to.floating = append(to.floating, at)
	}
	return h
}

// holding returns the versions of a content, to be added to.
func (h *holdings) holding(c content) *holding {
	x := h.of[c]
	if x == nil {
		x = &holding{}
		h.of[c] = x
	}
	return x
}

// least returns the lowest timestamp of a version without a known one that has replaced
// whatever stands at the floor. Two versions of a key never have one timestamp.
func (h *holdings) least(floor uint64) uint64 {
	at, _ := sort.Find(len(h.committed), func(i int) int { return cmp.Compare(floor, h.k.versions[h.committed[i]].commit) })
	if at < len(h.committed) && h.k.versions[h.committed[at]].commit == floor {
		return floor + 1
	}
	return floor
}

// within visits the versions in a window that hold something, each with the lowest
// timestamp that it may have: first those of known timestamps in their order, of which
// two are enough for whoever asks, then the others, until visit returns false. Of a key the
// floors must never go down: a version that was surely below one of them is forgotten.
func (h *holdings) within(c content, w window, visit func(v *version, lowest uint64) bool) {
	k := h.k
	if free := &k.versions[0]; k.anything(free) && free.commit >= w.floor && !visit(free, free.commit) {
		return
	}
	of := h.of[c]
	if of == nil {
		return
	}
	from := sort.Search(len(of.known), func(i int) bool { return k.versions[of.known[i]].commit >= w.floor })
	visited := 0
	for _, at := range of.known[from:] {
		v := &k.versions[at]
		if v.commit > w.bound || visited == 2 {
			break
		}
		if !h.begunBy(v, w.ret) || k.anything(v) {
			continue
		}
		if visited++; !visit(v, v.commit) {
			return
		}
	}
	h.withinFloating(of, w, visit)
}

// withinFloating is within for the versions whose timestamps are not known.
func (h *holdings) withinFloating(of *holding, w window, visit func(v *version, lowest uint64) bool) {
	least, kept, going := h.least(w.floor), 0, true
	for i, at := range of.floating {
		v := &h.k.floating[at]
		t := &h.ix.txns[v.txn]
		if !going || v.commit > w.bound {
			kept += copy(of.floating[kept:], of.floating[i:])
			break
		}
		if t.hi < least {
			continue
		}
		of.floating[kept] = at
		kept++
		if h.begunBy(v, w.ret) && t.lo <= w.bound {
			going = visit(v, max(t.lo, least))
		}
	}
	of.floating = of.floating[:kept]
}

// begunBy says whether the transaction that wrote a version had been invoked by an
// instant.
func (h *holdings) begunBy(v *version, instant int64) bool {
	return v.txn == initial || h.ix.txns[v.txn].op.Invoke <= instant
}

// only returns the version in the window that alone holds something, nil if there is
// none or another one.
func (h *holdings) only(c content, w window) (only *version) {
	count := 0
	h.within(c, w, func(v *version, _ uint64) bool {
		count++
		only = v
		return count < 2
	})
	if count > 1 {
		return nil
	}
	return only
}

// lowest returns the lowest timestamp that a version in the window may have which
// holds something; ok is false if there is none.
func (h *holdings) lowest(c content, w window) (lowest uint64, ok bool) {
	h.within(c, w, func(_ *version, ts uint64) bool {
		if !ok || ts < lowest {
			lowest, ok = ts, true
		}
		return lowest > w.floor
	})
	return lowest, ok
}

// newestOf returns the place of the newest of so many versions that was surely committed,
// not by the reader itself.
func (h *holdings) newestOf(r *read, of int) int32 {
	i, _ := slices.BinarySearch(h.committed, int32(of)) // fewer than 2^31 versions
	for i--; h.k.versions[h.committed[i]].txn == r.txn; i-- {
	}
	return h.committed[i]
}

// onlyShown returns the version that alone explains what a snapshot has shown, nil if there
// is none or another one. Of versions are there up to its timestamp.
func (h *holdings) onlyShown(r *read, of int) (only *version) {
	k, at := h.k, h.newestOf(r, of)
	newest := &k.versions[at]
	x := h.of[r.content()]
	if x == nil || k.anything(newest) {
		return nil
	}
	from, _ := slices.BinarySearch(x.known, at)
	for _, place := range x.known[from:] {
		if int(place) >= of {
			break
		}
		if v := &k.versions[place]; v.txn != r.txn && h.ix.fateOf(v) != aborted {
			if only != nil {
				return nil
			}
			only = v
		}
	}
	for _, place := range x.floating {
		v := &k.floating[place]
		if v.commit > r.ts {
			break
		}
		if h.ix.mayShow(v, r, newest.commit) {
			if only != nil {
				return nil
			}
			only = v
		}
	}
	return only
}

// oldest returns the lowest timestamp that the version may have which a snapshot has
// shown, 0 if nothing explains the answer or it is what was there at first. Of versions
// are there up to its timestamp. It has not shown what is older than the newest one that
// was surely committed.
func (h *holdings) oldest(r *read, of int) uint64 {
	k, at := h.k, h.newestOf(r, of)
	newest := &k.versions[at]
	if newest.is(r) || k.anything(newest) {
		return newest.commit
	}
	x := h.of[r.content()]
	if x == nil {
		return 0
	}
	lowest := uint64(0)
	from, _ := slices.BinarySearch(x.known, at)
	for _, place := range x.known[from:] {
		if int(place) >= of {
			break
		}
		if v := &k.versions[place]; v.txn != r.txn && h.ix.fateOf(v) != aborted {
			lowest = v.commit
			break
		}
	}
	for _, place := range x.floating {
		v := &k.floating[place]
		if v.commit > r.ts || lowest > 0 && v.commit >= lowest {
			break
		}
		if ts := max(h.ix.txns[v.txn].lo, newest.commit+1); h.ix.mayShow(v, r, newest.commit) && (lowest == 0 || ts < lowest) {
			lowest = ts
		}
	}
	return lowest
}
