package isolation

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"simrun/checker/verdict"
	"simrun/sim/history"
)

// floatable are the elements of a list that belong to transactions whose commit
// timestamps are not known.
type floatable struct {
	elements map[string]*float
	shown    []string // those that a read showed, in order
}

// float is one of them.
type float struct {
	txn    int32
	invoke int64       // when its transaction was invoked
	shown  *history.Op // of the reads that showed it, the one that returned first
}

// floatable returns those of a key, nil if there are none.
func (ix *index) floatable(k *key) *floatable {
	if !k.lists || len(k.floating) == 0 {
		return nil
	}
	f := &floatable{elements: map[string]*float{}}
	for i := range k.floating {
		t := k.floating[i].txn
		for e := range strings.FieldsSeq(k.floating[i].value) {
			f.elements[e] = &float{txn: t, invoke: ix.txns[t].op.Invoke}
		}
	}
	return f
}

// show notes what an answer shows of them.
func (f *floatable) show(list string, op *history.Op) {
	if f == nil {
		return
	}
	for e := range strings.FieldsSeq(list) {
		switch x := f.elements[e]; {
		case x == nil:
		case x.shown == nil:
			i, _ := slices.BinarySearch(f.shown, e)
			f.shown = slices.Insert(f.shown, i, e)
			x.shown = op
		case op.Return < x.shown.Return:
			x.shown = op
		}
	}
}

// lost returns one that an answer lacks although somebody had been shown it before the
// answer was asked for; nil if there is none.
func (f *floatable) lost(list string, invoke int64) *float {
	if f == nil {
		return nil
	}
	var present map[string]struct{}
	for _, e := range f.shown {
		x := f.elements[e]
		if x.shown.Return >= invoke {
			continue
		}
		if present == nil {
			present = map[string]struct{}{}
			for p := range strings.FieldsSeq(list) {
				present[p] = struct{}{}
			}
		}
		if _, ok := present[e]; !ok {
			return x
		}
	}
	return nil
}

// strip takes out of a list what may stand anywhere, and says whether some of that
// is of a transaction that was invoked after the list was returned.
func (f *floatable) strip(list string, ret int64) (rest string, early bool) {
	if f == nil {
		return list, false
	}
	for e := range strings.FieldsSeq(list) {
		if x := f.elements[e]; x != nil {
			early = early || x.invoke > ret
		} else {
			rest = join(rest, e)
		}
	}
	return rest, early
}

// newestLists judges the answers about each list against one another, as agreement does those
// of snapshots (prefixes.go): where elements are only added, of any two answers one is the
// beginning of the other, and what is read later is no shorter. So it matters neither who
// appended what, nor when. Of a list about which everything is known each answer is judged
// alone.
func (c *checker) newestLists(n *newest) {
	of := map[int32][]*newestRead{} // by invocation
	for i := range n.reads {
		r := &n.reads[i]
		if r.key == unnamed {
			continue
		}
		if k := &n.ix.keys[r.key]; k.lists && !k.plain && (len(k.floating) > 0 || k.vague || k.free) {
			of[r.key] = append(of[r.key], r)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(of)) {
		if !c.shrunk(of[key]) {
			c.forked(of[key])
		}
	}
}

// shrunk says whether one of the answers is shorter than one that was there before it was
// asked for.
func (c *checker) shrunk(reads []*newestRead) bool {
	returned := slices.Clone(reads)
	slices.SortStableFunc(returned, func(a, b *newestRead) int { return cmp.Compare(a.op.Return, b.op.Return) })
	var longest *newestRead
	for _, r := range reads {
		for ; returned[0].op.Return < r.op.Invoke; returned = returned[1:] {
			if longest == nil || len(returned[0].value) > len(longest.value) {
				longest = returned[0]
			}
		}
		if longest != nil && len(r.value) < len(longest.value) {
			c.wrongs++
			c.addNewest(verdict.StaleRead, r, fmt.Sprintf("less than id %d had read before: %s", longest.op.ID, show(longest.value, true)), longest.op.ID)
			return true
		}
	}
	return false
}

// forked looks for two answers of which neither is the beginning of the other one.
func (c *checker) forked(reads []*newestRead) {
	slices.SortStableFunc(reads, func(a, b *newestRead) int { return cmp.Compare(len(a.value), len(b.value)) })
	for i := 1; i < len(reads); i++ {
		if a, b := reads[i-1], reads[i]; !begins(b.value, a.value) {
			c.wrongs++
			c.addNewest(verdict.WriteOrder, b, fmt.Sprintf("which does not begin with what id %d read: %s", a.op.ID, show(a.value, a.found)), a.op.ID)
			return
		}
	}
}
