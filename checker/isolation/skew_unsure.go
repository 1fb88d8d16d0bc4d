package isolation

import (
	"cmp"
	"slices"
	"sort"
	"strings"
)

// sequence is all versions of a key of which some belong to open transactions, or
// float, in the order that they have if they were committed: first committer wins. Of
// two transactions that wrote one key, the later one cared for the key only since the
// earlier one had committed, so what floats comes after everything that was committed
// when its transaction began to care, and before everything else (heldFrom).
type sequence struct {
	ix  *index
	k   *key
	all []placed
	// values says that an answer tells of which versions it may be.
	values bool
}

// placed is a version in a sequence.
type placed struct {
	version
	place  uint64 // the commit timestamp or, of one that floats, from when on nobody else committed the key
	sure   bool   // it was committed
	floats bool
}

func (ix *index) sequence(k *key) *sequence {
	s := &sequence{ix: ix, k: k, values: !k.lists || !k.vague && !k.plain}
	for i := range k.versions {
		v := &k.versions[i]
		s.all = append(s.all, placed{version: *v, place: v.commit, sure: ix.fateOf(v) == committed})
	}
	for i := range k.floating {
		v := &k.floating[i]
		s.all = append(s.all, placed{version: *v, place: ix.heldFrom(v.txn, k.name), sure: ix.fateOf(v) == committed, floats: true})
	}
	slices.SortStableFunc(s.all, func(a, b placed) int { return cmp.Compare(a.place, b.place) })
	return s
}

// around returns the places of two surely committed versions: the answer is of the first
// one or of a later one, and of an earlier one than the second, which is len(s.all) if
// there is none. There is none between them either, if it is certain which of the
// surely committed ones were there when the answer was given.
func (s *sequence) around(r *read) (of, next int, certain bool) {
	from, to := s.visible(r)
	first, last := to, from
	for j := from; j < to; j++ {
		if s.mayBe(j, r) {
			first, last = min(first, j), j
		}
	}
	if first > last {
		first, last = from, to-1 // nothing explains the answer
	}
	for !s.all[first].sure {
		first--
	}
	next = last + 1
	for next < len(s.all) && !s.all[next].sure {
		next++
	}
	certain = !slices.ContainsFunc(s.all[first+1:next], func(v placed) bool { return v.sure })
	return first, next, certain
}

// visible returns what the timestamps tell: the answer is of the version at from, or a
// later one before to.
func (s *sequence) visible(r *read) (from, to int) {
	to = sort.Search(len(s.all), func(j int) bool { return s.all[j].place > r.ts })
	from = to - 1
	for v := &s.all[from]; !v.sure || v.floats && s.ix.txns[v.txn].hi > r.ts; v = &s.all[from] {
		from--
	}
	return from, to
}

// mayBe says whether the answer may be of the version at j.
func (s *sequence) mayBe(j int, r *read) bool {
	v := &s.all[j]
	switch {
	case v.txn == r.txn:
		return false // nobody's snapshot has his own write
	case !s.values, s.k.anything(&v.version):
		return true
	case s.k.lists: // what floats is in no other version
		return lastElement(v.value) == lastElement(r.value)
	}
	return v.is(r)
}

func lastElement(list string) string { return list[strings.LastIndexByte(list, ' ')+1:] }
