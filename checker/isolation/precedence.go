package isolation

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"simrun/checker/verdict"
)

// precedence has the transactions without commit timestamps in the order in which they
// were committed, as far as answers tell it.
type precedence struct {
	all   []precedes
	known map[pair]struct{} // which are among them
}

type pair struct{ first, second int32 }

// precedes says that the first transaction was committed before the second one, and which
// answer tells.
type precedes struct {
	pair

	shown *read
	list  bool // an answer that shows the writes of both in their order
}

// precede concludes that one transaction was committed before another one that wrote the
// same key.
func (a *agreement) precede(first, second int32, shown *read, list bool) {
	switch {
	case second == initial:
		a.lower(first, 0, shown)
	case a.ix.txns[first].known && a.ix.txns[second].known:
	case a.ix.txns[first].known:
		a.raise(second, a.ix.txns[first].lo+1, shown)
	case a.ix.txns[second].known:
		a.lower(first, a.ix.txns[second].lo-1, shown)
	default:
		p := pair{first, second}
		if _, ok := a.pairs.known[p]; !ok {
			a.pairs.known[p] = struct{}{}
			a.pairs.all = append(a.pairs.all, precedes{p, shown, list})
		}
	}
}

// propagate takes the bounds of every transaction to those that were committed before it
// and after it, along whole chains. That two which write one key are never committed at
// the same timestamp moves each of them by one. If a chain ends where it begins there is
// no order of them at all.
func (a *agreement) propagate() {
	sorted, circle := a.pairs.sort()
	if circle != nil {
		a.circle(circle)
		return
	}
	for _, p := range sorted {
		a.raise(p.second, a.ix.txns[p.first].lo+1, p.shown)
	}
	for _, p := range slices.Backward(sorted) {
		a.lower(p.first, a.ix.txns[p.second].hi-1, p.shown)
	}
}

// sort returns the pairs so that those that a transaction is the second of come before
// those that it is the first of; or if that cannot be, a circle of them.
func (p *precedence) sort() (sorted, circle []precedes) {
	after := map[int32][]int{} // by transaction, the pairs that it is the first of
	waits := map[int32]int{}   // how many pairs it is the second of that are not sorted yet
	for i, x := range p.all {
		after[x.first] = append(after[x.first], i)
		waits[x.second]++
	}
	var ready []int32
	for _, t := range slices.Sorted(maps.Keys(after)) {
		if waits[t] == 0 {
			ready = append(ready, t)
		}
	}
	for len(ready) > 0 {
		t := ready[0]
		ready = ready[1:]
		for _, i := range after[t] {
			next := p.all[i].second
			sorted = append(sorted, p.all[i])
			if waits[next]--; waits[next] == 0 {
				ready = append(ready, next)
			}
		}
	}
	if len(sorted) == len(p.all) {
		return sorted, nil
	}
	return nil, p.circle(waits)
}

// circle returns one of the circles among the pairs that could not be sorted: whoever waits
// has somebody before it who waits, too.
func (p *precedence) circle(waits map[int32]int) (circle []precedes) {
	before := map[int32]precedes{} // by transaction, one of the pairs that it waits for
	for _, x := range p.all {
		if _, ok := before[x.second]; !ok && waits[x.first] > 0 {
			before[x.second] = x
		}
	}
	met := map[int32]bool{}
	t := slices.Min(slices.Collect(maps.Keys(before)))
	for ; !met[t]; t = before[t].first {
		met[t] = true
	}
	for begin := t; len(circle) == 0 || t != begin; t = before[t].first {
		circle = append(circle, before[t])
	}
	slices.Reverse(circle)
	return circle
}

// circle is told of transactions of which each was committed before the next one, and the
// last before the first. If lists show it, their writes are a cycle; otherwise, somebody
// saw one without the other, and somebody the other without the one.
func (a *agreement) circle(circle []precedes) {
	name, lists := verdict.LongFork, true
	if len(circle) > 2 {
		name = verdict.GNonadjacent
	}
	var parts []string
	var readers []*read
	var writers []int32
	for _, p := range circle {
		parts = append(parts, fmt.Sprintf("%s before %s, for %s", a.ix.name(p.first), a.ix.name(p.second), a.got(p.shown)))
		readers, writers, lists = append(readers, p.shown), append(writers, p.first), lists && p.list
	}
	if lists {
		name = verdict.G0
	}
	a.contradiction(name, "no order of these commits explains what was read: "+strings.Join(parts, "; "), readers, writers...)
}
