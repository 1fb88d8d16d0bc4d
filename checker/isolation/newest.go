package isolation

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"simrun/sim/history"
)

// A read of the newest version of a key has no timestamp, so real time judges it:
// what it returned must have been newest at some instant between its invocation
// and its return. The order of the versions is that of their commit timestamps,
// because whoever writes a key has seen the version before. So it is enough that
//
//   - nothing newer was acknowledged, or returned to anybody, before the invocation,
//   - and the version was not committed after the return.
//
// The latter is certain if its transaction was invoked later, or if the commit
// timestamp is above one that the oracle gave out later. The other way round, a version
// whose commit timestamp is not known is below every one that was given out after the
// return, so that whatever begins then has to see it.
type newest struct {
	ix     *index
	reads  []newestRead         // by invocation
	keys   map[int32]*proofs    // of the keys that they read
	starts []start              // given out by the oracle, by invocation
	floats map[int32]*floatable // of lists, what may stand anywhere
}

// newestRead is the answer to one of them.
type newestRead struct {
	op    *history.Op
	name  string
	key   int32 // unnamed if nobody else names the key
	value string
	found bool
}

// unnamed stands for a key that no transaction of the index names.
const unnamed = -1

// start is a start timestamp, and from lowest the least one of those that were
// given to transactions invoked no earlier.
type start struct {
	invoke int64
	lowest uint64
}

// proof is proof that a version was committed: from ret on it, or a newer one, is
// what is newest.
type proof struct {
	ret    int64
	commit uint64 // of the version, or the lowest that it may be
	id     int    // of the operation that proves it
	read   bool   // by an answer, not by an acknowledgement
}

// proofs are those of one key.
type proofs struct {
	known  []proof // by ret
	passed int     // how many of known the sweep has passed
	recent []proof // of the reads judged so far, those not passed
	latest proof   // of all passed, the one with the highest commit timestamp
}

// newNewest collects these reads, without what resolve and settle find out.
func newNewest(ix *index) *newest {
	n := &newest{ix: ix, keys: map[int32]*proofs{}, floats: map[int32]*floatable{}}
	for i := range ix.h.Ops {
		op := &ix.h.Ops[i]
		if op.Kind != history.Txn || op.Txn == nil || !op.Txn.Newest {
			continue
		}
		for j := range op.Txn.Ops {
			o := &op.Txn.Ops[j]
			r := newestRead{op: op, name: o.Key, key: unnamed, found: o.Value != nil}
			if o.Value != nil {
				r.value = *o.Value
			}
			if k, ok := ix.ids[o.Key]; ok {
				r.key = k
				n.keys[k] = &proofs{}
			}
			n.reads = append(n.reads, r)
		}
	}
	slices.SortStableFunc(n.reads, func(a, b newestRead) int {
		return cmp.Or(cmp.Compare(a.op.Invoke, b.op.Invoke), cmp.Compare(a.op.ID, b.op.ID))
	})
	if len(n.reads) > 0 {
		n.collectStarts()
	}
	return n
}

// collectStarts collects the timestamps that the oracle has given out.
func (n *newest) collectStarts() {
	for i := range n.ix.txns {
		if t := &n.ix.txns[i]; !t.rec.AsOf {
			n.starts = append(n.starts, start{t.op.Invoke, t.rec.StartTS})
		}
	}
	slices.SortFunc(n.starts, func(a, b start) int { return cmp.Compare(a.invoke, b.invoke) })
	for i := len(n.starts) - 2; i >= 0; i-- {
		n.starts[i].lowest = min(n.starts[i].lowest, n.starts[i+1].lowest)
	}
}

// see notes that transactions of unknown outcome were committed, if one of these
// reads shows what only they wrote: before its return, and above what had been
// acknowledged before its invocation.
func (n *newest) see() {
	if len(n.reads) == 0 || !n.ix.anyOpen() {
		return
	}
	owners := n.ix.openElements()
	acknowledged := map[int32]*proofs{}
	for i := range n.reads {
		r := &n.reads[i]
		if r.key == unnamed || !n.ix.keys[r.key].unsure {
			continue
		}
		bound := n.bound(r.op.Return)
		if elements, lists := owners[r.key]; lists || n.ix.keys[r.key].lists {
			for e := range strings.FieldsSeq(r.value) {
				if t, ok := elements[e]; ok {
					n.ix.see(t, bound)
				}
			}
			continue
		}
		s := acknowledged[r.key]
		if s == nil {
			s = &proofs{}
			n.acknowledged(r.key, s)
			s.sort()
			acknowledged[r.key] = s
		}
		floor := s.at(r.op.Invoke).commit
		if t, ok := n.only(r); ok {
			n.ix.see(t, bound)
			n.ix.above(t, floor)
		}
	}
}

// only returns the transaction that alone explains the answer, if there is one.
func (n *newest) only(r *newestRead) (t int32, ok bool) {
	k := &n.ix.keys[r.key]
	for _, versions := range [][]version{k.versions, k.floating} {
		for i := range versions {
			v := &versions[i]
			if !r.shows(v) && !k.anything(v) {
				continue
			}
			if ok {
				return initial, false
			}
			t, ok = v.txn, true
		}
	}
	return t, ok && t != initial
}

// shows says whether the answer is a version that is not one of a list.
func (r *newestRead) shows(v *version) bool { return r.found != v.absent && r.value == v.value }

// prepare collects what is known from others. The lists must be written out.
func (n *newest) prepare() {
	for k, s := range n.keys {
		n.acknowledged(k, s)
		n.floats[k] = n.ix.floatable(&n.ix.keys[k])
	}
	for i := range n.reads {
		if r := &n.reads[i]; r.key != unnamed {
			n.floats[r.key].show(r.value, r.op)
		}
	}
	for t := range n.ix.txns {
		if !n.ix.txns[t].rec.Writes() { // what the others read may be their own
			n.answered(int32(t)) // fewer than 2^31 transactions
		}
	}
	for _, s := range n.keys {
		s.sort()
	}
}

func (s *proofs) sort() {
	slices.SortFunc(s.known, func(a, b proof) int { return cmp.Or(cmp.Compare(a.ret, b.ret), cmp.Compare(a.id, b.id)) })
}

// acknowledged collects the versions of a key whose writers were told so.
func (n *newest) acknowledged(k int32, s *proofs) {
	for _, v := range n.ix.keys[k].versions {
		if v.txn == initial || n.ix.txns[v.txn].op.Outcome != history.OK {
			continue
		}
		t := &n.ix.txns[v.txn]
		s.known = append(s.known, proof{ret: t.op.Return, commit: t.lo, id: t.op.ID})
	}
}

// answered collects the versions that snapshots have shown.
func (n *newest) answered(number int32) {
	t := &n.ix.txns[number]
	for j := range t.rec.Ops {
		op := &t.rec.Ops[j]
		r := read{txn: number, ts: cmp.Or(op.TS, t.rec.StartTS), found: true}
		if op.Kind == history.TxnRead && op.Value != nil {
			r.value = *op.Value
			n.shown(r, op.Key)
		}
		for p := range op.Pairs {
			r.value = op.Pairs[p].Value
			n.shown(r, op.Pairs[p].Key)
		}
	}
}

// shown notes what a snapshot has shown of a key: a version of no lower timestamp than
// the oldest one that it may have been.
func (n *newest) shown(r read, name string) {
	id, ok := n.ix.ids[name]
	if !ok || n.keys[id] == nil {
		return
	}
	k, op := &n.ix.keys[id], n.ix.txns[r.txn].op
	r.key = id
	oldest := k.versions[n.ix.upTo(k, r.ts)-1]
	switch {
	case k.unsure && k.lists:
		n.floats[id].show(r.value, op)
		return
	case k.unsure:
		oldest.commit = n.oldest(&r)
	case oldest.absent || oldest.value != r.value:
		return
	}
	if oldest.commit > 0 {
		n.keys[id].known = append(n.keys[id].known, proof{ret: op.Return, commit: oldest.commit, id: op.ID, read: true})
	}
}

// oldest returns the lowest timestamp that the version may have which a snapshot has
// shown, 0 if nothing explains the answer or it is what was there at first.
func (n *newest) oldest(r *read) uint64 {
	k := &n.ix.keys[r.key]
	var cand candidates
	cand.collect(n.ix, r, n.ix.upTo(k, r.ts))
	lowest := uint64(math.MaxUint64)
	for _, v := range append(cand.open, cand.newest) {
		if v.is(r) || k.anything(v) {
			lowest = min(lowest, v.commit)
		}
	}
	for _, v := range cand.floating {
		if v.is(r) {
			lowest = min(lowest, max(n.ix.txns[v.txn].lo, cand.newest.commit+1))
		}
	}
	if lowest == math.MaxUint64 {
		return 0
	}
	return lowest
}

// at returns the newest version that is proved before an instant, in a sweep in
// which the instants never go down.
func (s *proofs) at(now int64) proof {
	pass := func(x proof) {
		if x.commit > s.latest.commit {
			s.latest = x
		}
	}
	for ; s.passed < len(s.known) && s.known[s.passed].ret < now; s.passed++ {
		pass(s.known[s.passed])
	}
	s.recent = slices.DeleteFunc(s.recent, func(x proof) bool {
		if x.ret < now {
			pass(x)
		}
		return x.ret < now
	})
	return s.latest
}

// bound returns the greatest timestamp of what may have been committed at an
// instant.
func (n *newest) bound(at int64) uint64 {
	i, _ := slices.BinarySearchFunc(n.starts, at, func(s start, at int64) int {
		if s.invoke <= at {
			return -1
		}
		return 1
	})
	if i == len(n.starts) {
		return math.MaxUint64
	}
	return n.starts[i].lowest
}

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
