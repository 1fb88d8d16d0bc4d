package isolation

import (
	"fmt"
	"slices"
	"strings"

	"simrun/checker/verdict"
)

// explainList names what is wrong with a list, element by element.
func (c *checker) explainList(r *read, should *version) {
	k := &c.ix.keys[r.key]
	if k.plain {
		c.explainPlainList(r, should)
		return
	}
	l := newListWalk(c, r)
	elements := strings.Fields(r.value)
	for _, e := range elements {
		if !l.element(e) {
			return
		}
	}
	l.missing(should)
}

// explainPlainList is for a list that was also written as a whole: only whole
// values can be compared.
func (c *checker) explainPlainList(r *read, should *version) {
	k := &c.ix.keys[r.key]
	for i := range k.versions {
		v := &k.versions[i]
		switch {
		case !k.same(v, r):
		case v.commit > r.ts:
			c.interference(r, v.txn)
			return
		default:
			c.missed(r, should)
			return
		}
	}
	c.add(verdict.GarbageRead, r.txn, fmt.Sprintf("%s, which nobody wrote; it should be %s", c.got(r), show(should.value, !should.absent)), should.txn)
}

// listWalk compares the elements that were read with those appended.
type listWalk struct {
	c       *checker
	r       *read
	all     *appends
	turns   map[string]int // by element of several owners, how often it was read
	initial []string       // elements that were there at first and are not read yet
	present map[int32]int  // by transaction, how many of its elements were read
	order   uint64         // the commit timestamp of the latest element read is not below
	latest  int32          // the transaction that appended it
}

// appends is what was appended to one list, committed or not.
type appends struct {
	owners map[string][]int32 // by element, who appended it
	number map[int32]int      // by transaction, how many elements
}

// appendsTo returns what was appended to a key. It is kept, since a list in which
// something floats is looked at for every answer.
func (l *lookup) appendsTo(key int32) *appends {
	if a := l.lists[key]; a != nil {
		return a
	}
	a := &appends{owners: map[string][]int32{}, number: map[int32]int{}}
	for _, w := range l.writes[key] {
		for e := range strings.FieldsSeq(w.value) {
			a.owners[e] = append(a.owners[e], w.txn)
			a.number[w.txn]++
		}
	}
	l.lists[key] = a
	return a
}

func newListWalk(c *checker, r *read) *listWalk {
	k := &c.ix.keys[r.key]
	l := &listWalk{c: c, r: r, all: c.lookup.appendsTo(r.key), turns: map[string]int{}, present: map[int32]int{}, latest: initial}
	l.initial = strings.Fields(k.versions[0].value)
	return l
}

// element takes the next element read, and says whether nothing is wrong yet.
func (l *listWalk) element(e string) bool {
	if len(l.initial) > 0 && l.initial[0] == e {
		l.initial = l.initial[1:]
		return true
	}
	c, r := l.c, l.r
	owners := l.all.owners[e]
	if len(owners) == 0 && c.ix.keys[r.key].free {
		return true // it may have been there at first
	}
	if len(owners) == 0 {
		c.add(verdict.GarbageRead, r.txn, fmt.Sprintf("%s: nobody appended %q", c.got(r), e))
		return false
	}
	owner := owners[0]
	if len(owners) > 1 { // its owners take turns
		owner = owners[l.turns[e]%len(owners)]
		l.turns[e]++
	}
	l.present[owner]++
	if l.present[owner] > l.appended(owner) {
		c.add(verdict.DuplicateWrite, r.txn, fmt.Sprintf("%s: %q was appended once, by %s, and is there twice", c.got(r), e, c.ix.name(owner)), owner)
		return false
	}
	t := &c.ix.txns[owner]
	switch {
	case c.ix.fates[owner] == aborted:
		c.add(verdict.G1a, r.txn, fmt.Sprintf("%s: %q was appended by %s, which was not committed", c.got(r), e, c.ix.name(owner)), owner)
		return false
	case t.lo > r.ts:
		c.interference(r, owner)
		return false
	case t.hi < l.order:
		c.add(verdict.WriteOrder, r.txn, fmt.Sprintf("%s: %q of %s stands after what %s appended", c.got(r), e, c.ix.name(owner), c.ix.name(l.latest)),
			owner, l.latest)
		return false
	}
	if t.lo >= l.order {
		l.order, l.latest = t.lo, owner
	}
	return true
}

// appended returns how many elements a transaction appended to the key.
func (l *listWalk) appended(owner int32) int { return l.all.number[owner] }

// missing names what should be there and is not: one that was overtaken was
// overwritten by somebody who had not seen it; a missing end was not seen yet.
func (l *listWalk) missing(should *version) {
	c, r := l.c, l.r
	k := &c.ix.keys[r.key]
	n := c.ix.upTo(k, r.ts)
	for i := 1; i < n; i++ {
		v := &k.versions[i]
		got, want := l.present[v.txn], l.appended(v.txn)
		switch {
		case v.txn == initial || got == want:
		case got > 0:
			c.add(verdict.G1b, r.txn, fmt.Sprintf("%s, which has only a part of what %s appended", c.got(r), c.ix.name(v.txn)), v.txn)
			return
		case v.commit < l.order:
			by := l.overwriter(v)
			c.add(verdict.LostUpdate, r.txn, fmt.Sprintf("%s lacks what %s appended, which %s overwrote", c.got(r), c.ix.name(v.txn), c.ix.name(by)),
				v.txn, by)
			return
		default:
			c.missed(r, v)
			return
		}
	}
	if l.forgotten() {
		return
	}
	if len(l.initial) > 0 {
		c.add(verdict.GSIb, r.txn, fmt.Sprintf("%s lacks %q of the initial state", c.got(r), l.initial[0]))
		return
	}
	if k.unsure || r.value == should.value {
		return // what floats may stand anywhere
	}
	c.add(verdict.WriteOrder, r.txn, fmt.Sprintf("%s should be %s", c.got(r), show(should.value, !should.absent)), should.txn)
}

// forgotten looks for what floats, was seen at some timestamp, and is not there for
// this reader, whose snapshot is no older.
func (l *listWalk) forgotten() bool {
	c, r := l.c, l.r
	k := &c.ix.keys[r.key]
	for i := range k.floating {
		v := &k.floating[i]
		t := &c.ix.txns[v.txn]
		if c.ix.fates[v.txn] == committed && t.hi <= r.ts && v.txn != r.txn && l.present[v.txn] < l.appended(v.txn) {
			c.missed(r, v)
			return true
		}
	}
	return false
}

// overwriter returns the first transaction after the version whose elements are
// there.
func (l *listWalk) overwriter(v *version) int32 {
	k := &l.c.ix.keys[l.r.key]
	at := slices.IndexFunc(k.versions, func(o version) bool { return o.txn == v.txn })
	for i := at + 1; i < len(k.versions); i++ {
		if l.present[k.versions[i].txn] > 0 {
			return k.versions[i].txn
		}
	}
	return l.latest
}
