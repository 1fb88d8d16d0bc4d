package isolation

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"simrun/checker/verdict"
	"simrun/sim/history"
)

// newestReads judges them in the order of invocation, so that each of them binds
// those that come after its return.
func (c *checker) newestReads(n *newest) {
	if len(n.reads) == 0 {
		return
	}
	n.prepare()
	first := map[string]*newestRead{} // of the keys that nobody else names
	for i := range n.reads {
		r := &n.reads[i]
		switch {
		case r.key == unnamed:
			c.unnamedRead(first, r)
			continue
		case n.ix.keys[r.key].unjudged(), n.ix.keys[r.key].lists && n.ix.keys[r.key].free:
			c.passed[r.key] = true
			if e, of := c.nobodys(r.key, r.value); of {
				c.addNewest(verdict.GarbageRead, r, fmt.Sprintf("of which nobody wrote %q", e))
			}
			continue
		}
		s := n.keys[r.key]
		floor := s.at(r.op.Invoke)
		if lost := n.lost(r); lost != nil {
			c.lostNewest(r, lost)
		} else if oldest, ok := n.possible(r, floor.commit); ok {
			s.read(r, oldest)
			n.sighted(r, floor.commit)
		} else {
			c.explainNewest(n, r, floor)
		}
	}
	if c.wrongs == 0 { // for a wrong answer proves nothing
		c.newestTerms(n)
		c.newestLists(n)
	}
}

// unnamedRead judges a read of a key that nobody else names: it holds nothing, or if it is
// not known what it held at first, what the first such read says.
func (c *checker) unnamedRead(first map[string]*newestRead, r *newestRead) {
	before := first[r.name]
	switch {
	case !c.ix.h.InitialUnknown && r.found:
		c.addNewest(verdict.GarbageRead, r, "which nobody wrote")
	case before == nil:
		first[r.name] = r
	case c.ix.h.InitialUnknown && (r.found != before.found || r.value != before.value) && !c.changed(r.name):
		c.addNewest(verdict.GarbageRead, r, fmt.Sprintf("and id %d read %s, which nobody changed", before.op.ID, show(before.value, before.found)), before.op.ID)
	}
}

// changed says whether anybody wrote a key, with timestamps or without.
func (c *checker) changed(key string) bool {
	if c.written == nil {
		c.written = map[string]struct{}{}
		for i := range c.ix.h.Ops {
			if x := c.ix.h.Ops[i].Txn; x != nil {
				for j := range x.Ops {
					if o := &x.Ops[j]; o.Kind.Writes() {
						c.written[o.Key] = struct{}{}
					}
				}
			}
		}
	}
	_, ok := c.written[key]
	return ok
}

// possible returns the lowest commit timestamp that the version may have which the read
// has returned, when one of no lower timestamp than floor is there already.
func (n *newest) possible(r *newestRead, floor uint64) (oldest uint64, ok bool) {
	k, w := &n.ix.keys[r.key], n.window(r, floor)
	if !k.lists {
		return n.held[r.key].lowest(r.content(), w)
	}
	rest, early := n.floats[r.key].strip(r.value, r.op.Return)
	if early {
		return 0, false
	}
	from, to := sort.Search(len(k.versions), func(i int) bool { return k.versions[i].commit >= floor }), n.ix.upTo(k, w.bound)
	for i := from; i < to; i++ {
		v := &k.versions[i]
		if v.value == rest && (v.txn == initial || n.ix.txns[v.txn].op.Invoke <= r.op.Return) {
			return v.commit, true
		}
	}
	return 0, false
}

// lost returns what a list lacks although it was there before; nil if it lacks nothing. A
// list that is also written as a whole may lose elements.
func (n *newest) lost(r *newestRead) *float {
	if k := &n.ix.keys[r.key]; !k.lists || k.plain {
		return nil
	}
	return n.floats[r.key].lost(r.value, r.op.Invoke)
}

func (c *checker) lostNewest(r *newestRead, lost *float) {
	if c.wrongs++; c.wrongs > explainMax {
		return
	}
	c.addNewest(verdict.StaleRead, r, fmt.Sprintf("without what %s appended, which had been read by id %d before the read was invoked",
		c.ix.name(lost.txn), lost.shown.ID), lost.shown.ID, c.ix.txns[lost.txn].op.ID)
}

// explainNewest names what is wrong with an answer.
func (c *checker) explainNewest(n *newest, r *newestRead, floor proof) {
	if c.wrongs++; c.wrongs > explainMax {
		return
	}
	if c.lookup == nil {
		c.lookup = newLookup(c.ix)
	}
	k := &c.ix.keys[r.key]
	rest, early := n.floats[r.key].strip(r.value, r.op.Return)
	if early {
		c.addNewest(verdict.RealTimeOrder, r, "with what somebody appended who began after the read had returned")
		return
	}
	for _, v := range slices.Concat(k.versions, k.floating) {
		if k.lists && v.value != rest || !k.lists && !r.shows(&v) {
			continue
		}
		if v.txn != initial && (v.commit > n.bound(r.op.Return) || c.ix.txns[v.txn].op.Invoke > r.op.Return) {
			c.addNewest(verdict.RealTimeOrder, r, fmt.Sprintf("which %s committed after the read had returned", c.ix.name(v.txn)), c.ix.txns[v.txn].op.ID)
		} else {
			c.missedNewest(r, &v, floor)
		}
		return
	}
	if k.lists {
		c.explainNewestList(r, floor)
		return
	}
	for _, w := range c.lookup.writes[r.key] {
		if w.found != r.found || w.value != r.value {
			continue
		}
		c.wrote(r, w)
		return
	}
	c.addNewest(verdict.GarbageRead, r, "which nobody wrote")
}

// missedNewest: the answer is a version that was newest once, too early.
func (c *checker) missedNewest(r *newestRead, v *version, floor proof) {
	how := "acknowledged"
	if floor.read {
		how = "read"
	}
	evidence := []int{floor.id}
	if v.txn != initial {
		evidence = append(evidence, c.ix.txns[v.txn].op.ID)
	}
	versions := c.ix.keys[r.key].versions
	which := fmt.Sprintf("the version of timestamp %d", floor.commit)
	if !slices.ContainsFunc(versions, func(v version) bool { return v.commit == floor.commit }) {
		which = fmt.Sprintf("one that was committed at %d or later", floor.commit)
	}
	c.addNewest(verdict.StaleRead, r, fmt.Sprintf("of %s, though %s had been %s by id %d before the read was invoked",
		c.ix.name(v.txn), which, how, floor.id), evidence...)
}

// wrote: the answer was written, but never committed.
func (c *checker) wrote(r *newestRead, w write) {
	t := &c.ix.txns[w.txn]
	if c.ix.fates[w.txn] == aborted {
		c.addNewest(verdict.G1a, r, fmt.Sprintf("written by %s, which was not committed", c.ix.name(w.txn)), t.op.ID)
		return
	}
	c.addNewest(verdict.G1b, r, fmt.Sprintf("which %s overwrote before it committed", c.ix.name(w.txn)), t.op.ID)
}

// explainNewestList names what is wrong with a list that was never there.
func (c *checker) explainNewestList(r *newestRead, floor proof) {
	k := &c.ix.keys[r.key]
	present := map[int32]int{}
	first := strings.Fields(k.versions[0].value)
	for e := range strings.FieldsSeq(r.value) {
		if slices.Contains(first, e) {
			continue
		}
		i := slices.IndexFunc(c.lookup.writes[r.key], func(w write) bool { return slices.Contains(strings.Fields(w.value), e) })
		if i < 0 {
			c.addNewest(verdict.GarbageRead, r, fmt.Sprintf("of which nobody wrote %q", e))
			return
		}
		w := c.lookup.writes[r.key][i]
		if c.ix.fates[w.txn] == aborted {
			c.wrote(r, w)
			return
		}
		present[w.txn]++
	}
	for _, w := range c.lookup.writes[r.key] {
		if got := present[w.txn]; got > 0 && got < c.ix.appended(w.txn, r.name) {
			c.addNewest(verdict.G1b, r, fmt.Sprintf("which has only a part of what %s appended", c.ix.name(w.txn)), c.ix.txns[w.txn].op.ID)
			return
		}
	}
	c.addNewest(verdict.WriteOrder, r, fmt.Sprintf("which the list never was; the version of timestamp %d had been there before", floor.commit))
}

// appended returns how many elements a transaction appended to a key.
func (ix *index) appended(t int32, key string) (n int) {
	for i := range ix.txns[t].rec.Ops {
		if op := &ix.txns[t].rec.Ops[i]; op.Kind == history.TxnAppend && op.Key == key {
			n++
		}
	}
	return n
}

// addNewest adds a finding about such a read. Each of them has one.
func (c *checker) addNewest(a verdict.Anomaly, r *newestRead, why string, others ...int) {
	c.findings = append(c.findings, verdict.Finding{
		Anomaly: a, Evidence: append([]int{r.op.ID}, others...),
		Message: fmt.Sprintf("id %d of client %d read the newest version of %q = %s, %s", r.op.ID, r.op.Client, r.name, show(r.value, r.found), why),
	})
}
