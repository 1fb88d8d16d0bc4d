package isolation

import (
	"cmp"
	"fmt"
	"slices"

	"simrun/checker/verdict"
	"simrun/sim/history"
)

// agreement asks whether answers can all be right at once of which each alone has an
// explanation. What makes that a question are writes without a commit timestamp: one
// answer puts them where it needs them, and so does the next one, elsewhere.
//
// Whoever wants to be certain has to try all timestamps. Here only what follows is
// concluded, one bound after another, from what is true whichever they are: where one
// assignment of timestamps explains all answers, it keeps every bound, and so bounds
// that cannot be kept are a violation. Not every contradiction is found that way, for
// where two versions explain an answer neither is tried.
//
//   - Of a list, each snapshot is the beginning of every later one (prefixes.go).
//   - A version that alone explains two answers was the newest from the one to the other,
//     and whatever else was written to the key was committed before it or after that
//     time (reigns.go).
//   - From both follows of some pairs of transactions which was committed first, and so
//     of whole chains of them, over several keys (precedence.go).
//
// All this is asked only if no answer is wrong alone, for a wrong one proves nothing.
type agreement struct {
	*checker

	keys  []contested
	of    map[int32]int // by key, its place in keys
	pairs precedence
	above map[int32]*read // by transaction, the answer that its lower bound follows from
	below map[int32]*read // likewise its upper bound; what resolve found out has none
	found bool            // a contradiction
}

// contested is a key, not of a list, and its answers for which it matters when something
// was committed of which that is not known.
type contested struct {
	key     int32
	answers []*read // by timestamp
	done    bool    // nothing was learnt since it was looked at
}

// agreementRounds bounds how often what one key tells is taken to the others.
const agreementRounds = 16

// agree looks for contradictions between answers.
func (c *checker) agree() {
	if c.wrongs > 0 {
		return
	}
	outside := c.ix.writtenOutside()
	c.contested = slices.DeleteFunc(c.contested, func(k contested) bool { return outside[k.key] })
	a := &agreement{
		checker: c, keys: c.contested, of: map[int32]int{},
		pairs: precedence{known: map[pair]struct{}{}}, above: map[int32]*read{}, below: map[int32]*read{},
	}
	for i := range a.keys {
		k := &a.keys[i]
		a.of[k.key] = i
		slices.SortStableFunc(k.answers, func(x, y *read) int { return cmp.Compare(x.ts, y.ts) })
	}
	for i := range c.ix.keys {
		if k := &c.ix.keys[i]; k.lists && !k.plain && (k.unsure || k.vague || k.free) && !outside[int32(i)] { // fewer than 2^31 keys
			a.list(int32(i)) // fewer than 2^31 keys
		}
	}
	for range agreementRounds {
		if a.found || !a.round() {
			return
		}
	}
}

// writtenOutside returns the keys that somebody may have written who has no timestamps at
// all. Of those nothing is concluded.
func (ix *index) writtenOutside() map[int32]bool {
	keys := map[int32]bool{}
	for i := range ix.h.Ops {
		op := &ix.h.Ops[i]
		if op.Txn == nil || op.Txn.StartTS != 0 || op.Outcome == history.Failed {
			continue
		}
		for j := range op.Txn.Ops {
			if k, named := ix.ids[op.Txn.Ops[j].Key]; named && op.Txn.Ops[j].Kind.Writes() {
				keys[k] = true
			}
		}
	}
	return keys
}

// round looks at the keys of which something was learnt, and says whether there were any.
func (a *agreement) round() (looked bool) {
	for i := range a.keys {
		if k := &a.keys[i]; !k.done {
			k.done, looked = true, true
			if reigns := a.reigns(k); !a.found {
				a.squeeze(k, reigns)
			}
		}
	}
	if !a.found {
		a.propagate()
	}
	return looked
}

// contests collects, while the answers about one key are judged, those for which it matters
// when something was committed of which that is not known. Those between two commits of known
// timestamps belong together: with any of them all are taken.
type contests struct {
	contested

	newest *version // the last commit of a known timestamp before the answers in waiting
	wait   []*read
	matter bool // those in waiting
}

func (s *contests) begin(key int32) {
	s.contested, s.newest = contested{key: key}, nil
}

// contest takes in an answer that has just been judged.
func (c *checker) contest(r *read, s *contests) {
	newest := c.candidates.newest
	if newest != s.newest {
		c.settleContest(s)
		s.newest = newest
	}
	if !c.ix.keys[r.key].anything(newest) {
		s.wait = append(s.wait, r)
		s.matter = s.matter || c.matters(r)
	}
}

// settleContest takes the answers in waiting, if they matter. An answer is passed over that
// is not what anybody would have got at its timestamp, because what its reader wrote itself
// may have been committed by then: that is no part of the answer.
func (c *checker) settleContest(s *contests) {
	for _, r := range s.wait {
		if s.matter && !c.maySeeItself(r) {
			s.answers = append(s.answers, r)
		}
	}
	s.wait, s.matter = s.wait[:0], false
}

// matters says whether something was surely committed whose timestamp is perhaps above the
// newest one that is known, or if the answer is one of two versions, one of them was.
func (c *checker) matters(r *read) bool {
	cand := &c.candidates
	if slices.ContainsFunc(cand.floating, func(v *version) bool { return c.ix.fates[v.txn] == committed }) {
		return true
	}
	if len(cand.floating) < 2 || cand.newest.is(r) {
		return false
	}
	n := 0
	for _, v := range cand.floating {
		if v.is(r) {
			n++
		}
	}
	return n > 1
}

// maySeeItself says whether the reader itself may have committed the key by the timestamp of
// its answer.
func (c *checker) maySeeItself(r *read) bool {
	t := &c.ix.txns[r.txn]
	if c.ix.fates[r.txn] == aborted || t.lo > r.ts {
		return false // as nearly always
	}
	for j := range t.rec.Ops {
		if kind := t.rec.Ops[j].Kind; kind.Writes() && kind != history.TxnLock && c.ix.keyOf(t, j) == r.key {
			return true
		}
	}
	return false
}

// raise concludes that a transaction was committed at ts or later, if it was committed at
// all. shown is the answer that it follows from.
func (a *agreement) raise(n int32, ts uint64, shown *read) {
	t := &a.ix.txns[n]
	if ts <= t.lo {
		return
	}
	if ts > t.hi {
		a.impossible(n, ts, t.hi, shown, a.below[n])
		return
	}
	t.lo, a.above[n] = ts, shown
	a.learnt(n)
}

// lower concludes that it was committed at ts or before.
func (a *agreement) lower(n int32, ts uint64, shown *read) {
	t := &a.ix.txns[n]
	if ts >= t.hi {
		if ts == t.hi && a.below[n] == nil {
			a.below[n] = shown // what resolve knew, and this is why
		}
		return
	}
	if ts < t.lo {
		a.impossible(n, t.lo, ts, a.above[n], shown)
		return
	}
	t.hi, a.below[n] = ts, shown
	a.learnt(n)
}

// learnt has all keys looked at again that a transaction wrote.
func (a *agreement) learnt(n int32) {
	t := &a.ix.txns[n]
	for j := range t.rec.Ops {
		if !t.rec.Ops[j].Kind.Writes() {
			continue
		}
		if i, ok := a.of[a.ix.keyOf(t, j)]; ok {
			a.keys[i].done = false
		}
	}
}

// impossible is told of bounds that contradict each other, and of the answers that they
// follow from, as far as that is known.
func (a *agreement) impossible(n int32, lo, hi uint64, above, below *read) {
	message := fmt.Sprintf("%s can have been committed at no timestamp: at %d or later", a.ix.name(n), lo)
	if above != nil {
		message += ", for " + a.got(above)
	}
	message += fmt.Sprintf(", and at %d or before", hi)
	if below != nil {
		message += ", for " + a.got(below)
	}
	a.contradiction(verdict.GSIb, message, []*read{above, below}, n)
}

// contradiction adds a finding about the last of some readers, nil for one that is not
// known. Of a single one it is that it sees somebody in part.
func (a *agreement) contradiction(several verdict.Anomaly, message string, readers []*read, writers ...int32) {
	a.found = true
	if a.wrongs++; a.wrongs > explainMax {
		return
	}
	var all []int32
	var last *read
	for _, r := range readers {
		if r != nil {
			all = append(all, r.txn)
			if last == nil || r.ts > last.ts {
				last = r
			}
		}
	}
	if last == nil {
		a.add(several, writers[0], message, writers...)
		return
	}
	if one := !slices.ContainsFunc(all, func(t int32) bool { return t != all[0] }); one && several != verdict.WriteOrder && several != verdict.G0 {
		several = verdict.GSingle
	}
	a.add(several, last.txn, message, append(all, writers...)...)
}
