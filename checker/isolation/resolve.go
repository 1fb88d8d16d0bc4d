package isolation

import (
	"cmp"
	"slices"
	"sort"

	"simrun/sim/history"
)

// resolve decides the fate of transactions of unknown outcome from what others
// read. Being seen weighs more than not being seen: if a broken system shows
// both, the transaction counts as committed, and the reads that lack it are the
// violations.
func (ix *index) resolve() {
	if !ix.anyOpen() {
		return
	}
	ix.resolveLists()
	r := newResolver(ix)
	for r.pass(&r.seen, r.concludeSeen) || r.pass(&r.unseen, r.concludeUnseen) || r.pass(&r.over, r.concludeOver) {
	}
}

func (ix *index) anyOpen() bool {
	for i := range ix.txns {
		if t, f := &ix.txns[i], ix.fates[i]; f == open || (f == committed && !t.known && t.rec.Writes()) {
			return true
		}
	}
	return false
}

// resolver applies three rules to the answers that reads got, until none of them
// decides anything. A rule is applied again to an answer only if a transaction
// was decided that might have given it.
type resolver struct {
	ix      *index
	answers []answer // by start timestamp
	shelves []shelf  // by key; of no key: nobody read it, or all its versions are sure

	seen, unseen, over worklist
	found              explanations
	decided            []decision // by the rule just applied
}

// answer is a read that may decide something.
type answer struct {
	read

	holders  *holders // of its shelf, those of what it says; nil: nobody has looked yet
	n        int32    // how many versions of the key were committed up to its timestamp
	newest   uint64   // the commit timestamp of the newest of them, when it was judged last
	by       int32    // of a single one, the transaction that explains it
	single   bool     // one version explained it at first, which was not surely committed
	denies   bool     // newer versions were there then, of open transactions
	doubtful bool     // two versions or more explain it
	over     bool     // one version explains it, whose commit timestamp is not known
}

// decision is a transaction of which something was learnt, and the bounds
// of its commit timestamp until then.
type decision struct {
	txn    int32
	lo, hi uint64
}

func newResolver(ix *index) *resolver {
	r := &resolver{ix: ix, shelves: make([]shelf, len(ix.keys))}
	var answers batches[answer]
	for i := range ix.keys {
		k := &ix.keys[i]
		if !k.unsure || k.lists {
			continue
		}
		s := &r.shelves[i]
		ix.sweep(i, func(rd *read, n int) {
			if s.k == nil {
				*s = ix.newShelf(k)
			}
			a := answer{read: *rd, n: int32(n)} // fewer than 2^31 versions
			if r.look(&a); r.tells(&a) {
				answers.add(a)
			}
		})
	}
	r.sort(&answers)
	r.list()
	return r
}

// tells says whether an answer may decide something, now or later, and notes what.
func (r *resolver) tells(a *answer) bool {
	n, sure := r.found.number(r.ix, a)
	a.single, a.doubtful = n == 1 && !sure, n > 1
	if a.single {
		a.by = r.found.only().txn
		a.over = r.found.floating != nil
	}
	if oldest, ok := r.found.oldest(a); ok {
		from, to := r.shelves[a.key].between(oldest+1, a.n)
		a.denies = from < to
	}
	return a.single || a.doubtful || a.denies
}

// list puts on each list the answers from which its rule may decide something. The
// doubtful ones come on them when other decisions leave them fewer explanations, and
// the last rule comes back to an answer when it has a newer version below it.
func (r *resolver) list() {
	var seen, unseen, over []int32
	for i := range r.answers {
		a, at := &r.answers[i], int32(i) // fewer than 2^31 answers
		if a.single {
			seen = append(seen, at)
		}
		if a.denies {
			unseen = append(unseen, at)
		}
		if a.over {
			over = append(over, at)
		}
		if a.doubtful || a.over {
			s := &r.shelves[a.key]
			s.doubtful = append(s.doubtful, doubt{a.ts, at})
		}
	}
	n := len(r.answers)
	r.seen, r.unseen, r.over = newWorklist(n, seen), newWorklist(n, unseen), newWorklist(n, over)
}

// sort puts the answers in the order of their timestamps. It moves each of them once.
func (r *resolver) sort(answers *batches[answer]) {
	type placed struct {
		ts        uint64
		order, at int32
	}
	all := make([]placed, answers.len())
	for i := range all {
		a := answers.at(i)
		all[i] = placed{a.ts, a.order, int32(i)} // fewer than 2^31 answers
	}
	slices.SortFunc(all, func(a, b placed) int {
		if c := cmp.Compare(a.ts, b.ts); c != 0 {
			return c
		}
		return cmp.Compare(a.order, b.order)
	})
	r.answers = make([]answer, len(all))
	for i := range all {
		r.answers[i] = *answers.at(int(all[i].at))
	}
}

// pass applies a rule to all answers on its list, in order, and says whether it
// decided anything.
func (r *resolver) pass(list *worklist, rule func(at int32)) bool {
	changed := false
	list.begin()
	for at, ok := list.next(); ok; at, ok = list.next() {
		rule(at)
		for _, d := range r.decided {
			r.spread(d)
			changed = true
		}
		r.decided = r.decided[:0]
	}
	list.end()
	return changed
}

// look looks for what explains an answer now.
func (r *resolver) look(a *answer) {
	r.found.search(r.ix, &r.shelves[a.key], a)
	a.newest = r.found.newest.commit
}

// spread makes a decision known to the keys that the transaction wrote, and
// puts the doubtful answers that it may have given on both lists.
func (r *resolver) spread(d decision) {
	t := &r.ix.txns[d.txn]
	for j := range t.rec.Ops {
		if kind := t.rec.Ops[j].Kind; !kind.Writes() || kind == history.TxnLock {
			continue
		}
		s := &r.shelves[r.ix.keyOf(t, j)]
		if s.k == nil {
			continue // nobody read it
		}
		if t.known && r.ix.fates[d.txn] == committed {
			s.commit(r.ix, d.txn)
		}
		from := sort.Search(len(s.doubtful), func(i int) bool { return s.doubtful[i].ts >= d.lo })
		for _, doubt := range s.doubtful[from:] {
			a := &r.answers[doubt.at]
			if a.newest >= max(d.hi, d.lo+1) {
				break // it and all later ones have a newer version
			}
			if a.doubtful {
				r.seen.add(doubt.at)
				r.unseen.add(doubt.at)
			}
			if a.over {
				r.over.add(doubt.at)
			}
		}
	}
}

// concludeSeen: if a single version explains the answer, it was committed.
//
// The versions that may explain an answer only become fewer. What one explains,
// or none, is judged once by either rule, and nothing decided later changes it;
// only the other answers are doubtful.
func (r *resolver) concludeSeen(at int32) {
	a, f := &r.answers[at], &r.found
	if a.single && !r.ix.news(a.by, a.ts) {
		return // another answer has told already
	}
	r.look(a)
	n, sure := f.number(r.ix, a)
	a.doubtful = n > 1
	if n != 1 || sure {
		return
	}
	if f.floating != nil && !a.over {
		a.over = true
		r.over.add(at)
	}
	only := f.only().txn
	if t := r.ix.txns[only]; r.ix.see(only, a.ts) {
		r.decided = append(r.decided, decision{only, t.lo, t.hi})
	}
}

// concludeUnseen: versions newer than every one that explains the answer were
// not committed.
func (r *resolver) concludeUnseen(at int32) {
	a := &r.answers[at]
	r.look(a)
	oldest, ok := r.found.oldest(a)
	if !ok {
		return
	}
	r.shelves[a.key].removeOpen(oldest+1, a.n, func(v *version) bool {
		if f := r.ix.fates[v.txn]; f != open || v.txn == a.txn {
			return f != open
		}
		t := &r.ix.txns[v.txn]
		r.ix.fates[v.txn] = aborted
		r.decided = append(r.decided, decision{v.txn, t.lo, t.hi})
		return true
	})
}

// concludeOver: if a version of which the commit timestamp is not known alone explains
// the answer, it has replaced the newest one that was surely committed by then.
func (r *resolver) concludeOver(at int32) {
	a, f := &r.answers[at], &r.found
	r.look(a)
	if n, sure := f.number(r.ix, a); n != 1 || sure || f.floating == nil {
		return
	}
	only := f.floating.txn
	if t := r.ix.txns[only]; r.ix.above(only, f.newest.commit) {
		r.decided = append(r.decided, decision{only, t.lo, t.hi})
	}
}
