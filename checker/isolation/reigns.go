package isolation

import (
	"fmt"
	"sort"
	"strings"

	"simrun/checker/verdict"
)

// reign is a time during which one version was the newest of its key: it alone explains
// an answer at the first timestamp and one at the last. What is committed to the key
// stays below all that is committed to it later, so that the version was the newest at
// every timestamp between, too; and whatever else was written to the key was committed
// before that version, or after the last answer.
type reign struct {
	v           *version
	first, last *read
	at          int // the place of the last answer among those about the key
}

// reigns returns when which version reigned, in order. They do not overlap, or that is a
// contradiction.
func (a *agreement) reigns(k *contested) (all []reign) {
	of := map[int32]int{} // by transaction, its place in all
	run := 0              // where the answers begin that are all like this one
	for i, r := range k.answers {
		if i > 0 && (r.found != k.answers[i-1].found || r.value != k.answers[i-1].value) {
			if run = i; r.ts == k.answers[i-1].ts {
				a.contradiction(verdict.GSIb, fmt.Sprintf("%s, and at the same timestamp %s", a.got(r), a.got(k.answers[i-1])), []*read{k.answers[i-1], r})
			}
		}
		v, n := a.explaining(r)
		switch {
		case n == 0:
			a.inexplicable(r)
			continue
		case n > 1:
			continue
		}
		a.reigned(v, r)
		at, ok := of[v.txn]
		if !ok {
			of[v.txn] = len(all)
			all = append(all, reign{v, r, r, i})
			continue
		}
		if g := &all[at]; run-1 > g.at {
			a.returned(g, k.answers[run-1], r)
		} else {
			g.last, g.at = r, i
		}
	}
	return all
}

// returned is told of a version that is read again after another one.
func (a *agreement) returned(g *reign, between, r *read) {
	writers := []int32{g.v.txn}
	if v, n := a.explaining(between); n == 1 {
		writers = append(writers, v.txn)
	}
	a.contradiction(verdict.GSIb, fmt.Sprintf("%s, as had been there before another version: %s, and then %s",
		a.got(r), a.got(g.last), a.got(between)), []*read{g.last, between, r}, writers...)
}

// inexplicable is told of an answer that nothing explains any more, and tells where those
// were committed who wrote what it says, or who had surely replaced that.
func (a *agreement) inexplicable(r *read) {
	var parts []string
	var writers []int32
	readers, floating := []*read{r}, a.ix.keys[r.key].floating
	for i := range floating {
		v := &floating[i]
		t := &a.ix.txns[v.txn]
		if v.txn == r.txn || a.ix.fates[v.txn] != committed || !v.is(r) && t.hi > r.ts {
			continue
		}
		parts = append(parts, fmt.Sprintf("%s was committed from %d to %d", a.ix.name(v.txn), t.lo, t.hi))
		writers, readers = append(writers, v.txn), append(readers, a.above[v.txn], a.below[v.txn])
	}
	a.contradiction(verdict.GSIb, fmt.Sprintf("%s, which by what others read nobody can have left there: %s", a.got(r), strings.Join(parts, ", ")), readers, writers...)
}

// reigned concludes from an answer that one version alone explains that it was committed,
// and above what was surely there before.
func (a *agreement) reigned(v *version, r *read) {
	if v.txn == initial {
		return
	}
	if a.ix.fates[v.txn] == open {
		a.ix.fates[v.txn] = committed
		a.learnt(v.txn)
	}
	if t := &a.ix.txns[v.txn]; !t.known {
		newest := a.candidates.newest.commit
		a.lower(v.txn, r.ts, r)
		a.raise(v.txn, newest+1, r)
	}
}

// explaining returns how many versions explain an answer, and one of them. None does that
// was surely replaced before the answer's timestamp.
func (a *agreement) explaining(r *read) (by *version, n int) {
	k, cand := &a.ix.keys[r.key], &a.candidates
	cand.collect(a.ix, r, a.ix.upTo(k, r.ts))
	latest, replacing := uint64(0), int32(initial) // of those surely there
	for _, v := range cand.floating {
		if t := &a.ix.txns[v.txn]; a.ix.fates[v.txn] == committed && t.hi <= r.ts && t.lo > latest {
			latest, replacing = t.lo, v.txn
		}
	}
	take := func(v *version, hi uint64) {
		if v.is(r) && (hi >= latest || v.txn == replacing) {
			by = v
			n++
		}
	}
	take(cand.newest, cand.newest.commit)
	for _, v := range cand.open {
		take(v, v.commit)
	}
	for _, v := range cand.floating {
		take(v, a.ix.txns[v.txn].hi)
	}
	return by, n
}

// squeeze concludes from the reigns over a key when the others were committed that wrote it.
//
// Who reigned at some time was committed after the reign before. Anybody else who was
// committed after somebody who reigned was committed after the whole reign; and whose
// commit was before its end was committed before whoever reigned then.
func (a *agreement) squeeze(k *contested, reigns []reign) {
	of := map[int32]bool{}
	for i, g := range reigns {
		if of[g.v.txn] = true; i > 0 && a.floats(g.v) {
			a.raise(g.v.txn, reigns[i-1].last.ts+1, reigns[i-1].last)
		}
	}
	floating := a.ix.keys[k.key].floating
	for i := range floating {
		t := floating[i].txn
		if of[t] || a.ix.fates[t] != committed {
			continue
		}
		bounds := &a.ix.txns[t]
		if j := sort.Search(len(reigns), func(j int) bool { return a.latest(reigns[j].v) > bounds.lo }) - 1; j >= 0 {
			a.raise(t, reigns[j].last.ts+1, reigns[j].last)
		}
		if j := sort.Search(len(reigns), func(j int) bool { return reigns[j].last.ts >= bounds.hi }); j < len(reigns) {
			a.precede(t, reigns[j].v.txn, reigns[j].last, false)
		}
	}
}

// floats says whether the commit timestamp of a version is not known.
func (a *agreement) floats(v *version) bool { return v.txn != initial && !a.ix.txns[v.txn].known }

// latest returns the greatest commit timestamp that a version may have.
func (a *agreement) latest(v *version) uint64 {
	if a.floats(v) {
		return a.ix.txns[v.txn].hi
	}
	return v.commit
}
