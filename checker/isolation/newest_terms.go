package isolation

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sort"

	"simrun/checker/verdict"
	"simrun/sim/history"
)

// term is the time during which one version was the newest of its key, as far as answers
// tell it that the version alone explains: it had begun when the first of them had returned,
// and had not ended when the last of them was invoked. A version that was replaced does not
// return, so its term is in one piece, and those of two versions do not overlap.
//
// What begins of reign to reign in the order of timestamps (reigns.go) is here in the order
// of real time. It matters where neither of two versions has a commit timestamp that is known:
// otherwise what had been read before is a bound of the other one's.
type term struct {
	txn   int32
	begun sighting // the first to have returned
	lasts sighting // the last to have been invoked; of none, if snapshots of the past alone show the version
}

// sighting is an answer that shows a version, and its return or invocation.
type sighting struct {
	at int64
	op *history.Op
}

// terms are those of one key.
type terms struct {
	all []term
	of  map[int32]int // by transaction, the place in all
}

// sighted notes that an operation was answered with what a transaction had written. One that
// reads the past says only that it was there by then.
func (s *terms) sighted(txn int32, op *history.Op) {
	i, ok := s.of[txn]
	if !ok {
		if s.of == nil {
			s.of = map[int32]int{}
		}
		i = len(s.all)
		s.of[txn] = i
		s.all = append(s.all, term{txn: txn, begun: sighting{op.Return, op}, lasts: sighting{at: -1}})
	}
	t := &s.all[i]
	if op.Return < t.begun.at {
		t.begun = sighting{op.Return, op}
	}
	if !op.Txn.AsOf && op.Invoke > t.lasts.at {
		t.lasts = sighting{op.Invoke, op}
	}
}

// sighted notes what a read of what is newest shows, when one of no lower timestamp than
// floor is there already.
func (n *newest) sighted(r *newestRead, floor uint64) {
	k := &n.ix.keys[r.key]
	if k.lists || len(k.floating) == 0 {
		return
	}
	if v := n.held[r.key].only(r.content(), n.window(r, floor)); v != nil && v.txn != initial {
		n.keys[r.key].terms.sighted(v.txn, r.op)
	}
}

// snapshotSighted notes what a snapshot shows of a register that has so many versions up to
// its timestamp. Whatever replaced that was committed above the timestamp, and took effect
// after it was drawn; or it is of the reader itself, who had not ended yet.
func (n *newest) snapshotSighted(s *proofs, r *read, of int) {
	if len(n.ix.keys[r.key].floating) == 0 {
		return
	}
	if v := n.held[r.key].onlyShown(r, of); v != nil && v.txn != initial {
		s.terms.sighted(v.txn, n.ix.txns[r.txn].op)
	}
}

// overlap returns two terms of which each had begun before the other one was over; nil if
// there are none.
func (s *terms) overlap() (a, b *term) {
	var long, short []*term // those of a time that is told, and of an instant within one
	for i := range s.all {
		if t := &s.all[i]; t.begun.at < t.lasts.at {
			long = append(long, t)
		} else {
			short = append(short, t)
		}
	}
	slices.SortStableFunc(long, func(x, y *term) int { return cmp.Compare(x.begun.at, y.begun.at) })
	for i := 1; i < len(long); i++ {
		if long[i].begun.at < long[i-1].lasts.at {
			return long[i-1], long[i]
		}
	}
	for _, t := range short {
		i := sort.Search(len(long), func(i int) bool { return long[i].begun.at >= t.lasts.at }) - 1
		if i >= 0 && t.begun.at < long[i].lasts.at {
			return long[i], t
		}
	}
	return nil, nil
}

// newestTerms looks for terms that overlap.
func (c *checker) newestTerms(n *newest) {
	for _, key := range slices.Sorted(maps.Keys(n.keys)) {
		if a, b := n.keys[key].terms.overlap(); a != nil {
			c.overlapped(key, a, b)
		}
	}
}

// overlapped is told of two terms that overlap. It accuses the answer that was asked for
// last.
func (c *checker) overlapped(key int32, a, b *term) {
	if c.wrongs++; c.wrongs > explainMax {
		return
	}
	if a.lasts.at < b.lasts.at {
		a, b = b, a
	}
	f := verdict.Finding{Anomaly: verdict.StaleRead, Message: fmt.Sprintf(
		"id %d read %q as %s wrote it, though id %d had read before that what %s wrote to it; that had replaced the other, which id %d had read before id %d was invoked",
		a.lasts.op.ID, c.ix.keys[key].name, c.ix.name(a.txn), b.begun.op.ID, c.ix.name(b.txn), a.begun.op.ID, b.lasts.op.ID)}
	for _, op := range []*history.Op{a.lasts.op, b.begun.op, b.lasts.op, a.begun.op, c.ix.txns[a.txn].op, c.ix.txns[b.txn].op} {
		if !slices.Contains(f.Evidence, op.ID) {
			f.Evidence = append(f.Evidence, op.ID)
		}
	}
	c.findings = append(c.findings, f)
}
