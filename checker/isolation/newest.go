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
// return, so that whatever begins then has to see it. And what was replaced does not return
// (newest_terms.go), nor does a list lose elements or change their order (newest_lists.go).
type newest struct {
	ix     *index
	reads  []newestRead         // by invocation
	keys   map[int32]*proofs    // of the keys that they read
	held   map[int32]*holdings  // of those that are registers
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

// content returns what the answer says.
func (r *newestRead) content() content {
	if !r.found {
		return content{absent: true}
	}
	return content{value: r.value}
}

// shows says whether the answer is a version that is not one of a list.
func (r *newestRead) shows(v *version) bool { return r.found != v.absent && r.value == v.value }

// start is a timestamp at which a transaction or one of its statements sees the database,
// and from lowest the least one of those that were asked for no earlier.
type start struct {
	invoke int64
	lowest uint64
}

// newNewest collects these reads, without what resolve and settle find out.
func newNewest(ix *index) *newest {
	n := &newest{ix: ix}
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
			}
			if r.key != unnamed && ix.strange(r.key, r.content()) {
				ix.strangely(r.key)
				continue
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

// collectStarts collects the timestamps that the oracle has given out for reads: to
// transactions, and to statements that have their own, each of which was promised what
// was committed when it was invoked.
func (n *newest) collectStarts() {
	for i := range n.ix.txns {
		t := &n.ix.txns[i]
		if !t.rec.AsOf {
			n.starts = append(n.starts, start{t.op.Invoke, t.rec.StartTS})
		}
		for _, s := range t.rec.Statements {
			n.starts = append(n.starts, start{s.Invoke, s.TS})
		}
	}
	slices.SortFunc(n.starts, func(a, b start) int { return cmp.Compare(a.invoke, b.invoke) })
	for i := len(n.starts) - 2; i >= 0; i-- {
		n.starts[i].lowest = min(n.starts[i].lowest, n.starts[i+1].lowest)
	}
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

// window returns where a version may stand that the read has returned, when one of no
// lower timestamp than floor is there already.
func (n *newest) window(r *newestRead, floor uint64) window {
	return window{floor: floor, bound: n.bound(r.op.Return), ret: r.op.Return}
}

// see notes that transactions of unknown outcome were committed, if one of these
// reads shows what only they wrote: before its return, and above what had been
// acknowledged, or returned to anybody, before its invocation.
//
// What nobody knows yet takes nothing from that: fates that are decided later make some
// versions impossible, and the lowest timestamp that a version may have only rises. So
// what is a proof now will be one then, and what alone explains an answer now is what it
// was.
func (n *newest) see() {
	if len(n.reads) == 0 || !n.ix.anyOpen() {
		return
	}
	owners := n.ix.openElements()
	n.collectProofs(func(k *key) bool { return k.unsure && !k.lists })
	for i := range n.reads {
		r := &n.reads[i]
		if r.key == unnamed || !n.ix.keys[r.key].unsure {
			continue
		}
		if elements, lists := owners[r.key]; lists || n.ix.keys[r.key].lists {
			for e := range strings.FieldsSeq(r.value) {
				if t, ok := elements[e]; ok {
					n.ix.see(t, n.bound(r.op.Return))
				}
			}
			continue
		}
		n.seeRegister(r)
	}
}

// seeRegister notes who was committed because a read of a register shows what he wrote,
// and nobody else. Versions that were overtaken before the invocation explain nothing, the
// initial one among them, or one deletion of unknown outcome would be hidden by the
// absence of the key at any time before.
//
// The version was newest at an instant after the invocation, so it is no older than
// the floor. It has replaced the version at the floor if that is another one: not if the
// floor is only the lowest timestamp that somebody's version may have, for that may be
// this one.
func (n *newest) seeRegister(r *newestRead) {
	s, held := n.keys[r.key], n.held[r.key]
	w := n.window(r, s.at(r.op.Invoke).commit)
	if v := held.only(r.content(), w); v != nil && v.txn != initial {
		n.ix.see(v.txn, w.bound)
		if over := held.least(w.floor); over > 0 {
			n.ix.above(v.txn, over-1)
		}
	}
	if oldest, ok := held.lowest(r.content(), w); ok {
		s.read(r, oldest)
	}
}
