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
// timestamp is above one that the oracle gave out later.
type newest struct {
	ix     *index
	reads  []newestRead        // by invocation
	keys   map[int32]*proofs   // of the keys that they read
	starts []start             // given out by the oracle, by invocation
	floats map[int32]floatable // of lists, what may stand anywhere
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
	commit uint64
	id     int  // of the operation that proves it
	read   bool // by an answer, not by an acknowledgement
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
	n := &newest{ix: ix, keys: map[int32]*proofs{}, floats: map[int32]floatable{}}
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
	return n
}

// see notes that transactions of unknown outcome were committed, if one of these
// reads shows what only they wrote.
func (n *newest) see() {
	if len(n.reads) == 0 || !n.ix.anyOpen() {
		return
	}
	owners := n.ix.openElements()
	for i := range n.reads {
		r := &n.reads[i]
		if r.key == unnamed || !n.ix.keys[r.key].unsure {
			continue
		}
		if elements, lists := owners[r.key]; lists || n.ix.keys[r.key].lists {
			for e := range strings.FieldsSeq(r.value) {
				if t, ok := elements[e]; ok {
					n.ix.see(t, math.MaxUint64)
				}
			}
		} else if t, ok := n.only(r); ok && n.ix.fates[t] == open {
			n.ix.see(t, math.MaxUint64)
		}
	}
}

// only returns the transaction that alone explains the answer, if there is one.
func (n *newest) only(r *newestRead) (t int32, ok bool) {
	k := &n.ix.keys[r.key]
	for _, versions := range [][]version{k.versions, k.floating} {
		for i := range versions {
			v := &versions[i]
			if !r.shows(v) {
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
	for i := range n.ix.txns {
		t := &n.ix.txns[i]
		if !t.rec.AsOf {
			n.starts = append(n.starts, start{t.op.Invoke, t.rec.StartTS})
		}
		if !t.rec.Writes() { // what the others read may be their own
			n.answered(t)
		}
	}
	slices.SortFunc(n.starts, func(a, b start) int { return cmp.Compare(a.invoke, b.invoke) })
	for i := len(n.starts) - 2; i >= 0; i-- {
		n.starts[i].lowest = min(n.starts[i].lowest, n.starts[i+1].lowest)
	}
	for _, s := range n.keys {
		slices.SortFunc(s.known, func(a, b proof) int { return cmp.Or(cmp.Compare(a.ret, b.ret), cmp.Compare(a.id, b.id)) })
	}
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
func (n *newest) answered(t *txn) {
	for j := range t.rec.Ops {
		op := &t.rec.Ops[j]
		ts := cmp.Or(op.TS, t.rec.StartTS)
		if op.Kind == history.TxnRead {
			n.shown(t, op.Key, ts, op.Value)
		}
		for p := range op.Pairs {
			n.shown(t, op.Pairs[p].Key, ts, &op.Pairs[p].Value)
		}
	}
}

// shown notes what a snapshot has shown of a key, if it is certain which version
// that was.
func (n *newest) shown(t *txn, name string, ts uint64, value *string) {
	id, ok := n.ix.ids[name]
	if !ok || n.keys[id] == nil || n.ix.keys[id].unsure {
		return
	}
	k := &n.ix.keys[id]
	v := &k.versions[n.ix.upTo(k, ts)-1]
	if v.txn == initial || value == nil || v.absent || v.value != *value {
		return
	}
	n.keys[id].known = append(n.keys[id].known, proof{ret: t.op.Return, commit: v.commit, id: t.op.ID, read: true})
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
// timestamps are not known, and when these were invoked.
type floatable map[string]int64

func (ix *index) floatable(k *key) floatable {
	if !k.lists || len(k.floating) == 0 {
		return nil
	}
	f := floatable{}
	for i := range k.floating {
		for e := range strings.FieldsSeq(k.floating[i].value) {
			f[e] = ix.txns[k.floating[i].txn].op.Invoke
		}
	}
	return f
}

// strip takes out of a list what may stand anywhere, and says whether some of that
// is of a transaction that was invoked after the list was returned.
func (f floatable) strip(list string, ret int64) (rest string, early bool) {
	if len(f) == 0 {
		return list, false
	}
	for e := range strings.FieldsSeq(list) {
		if invoke, floats := f[e]; floats {
			early = early || invoke > ret
		} else {
			rest = join(rest, e)
		}
	}
	return rest, early
}
