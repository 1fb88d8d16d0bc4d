package isolation

import (
	"fmt"
	"slices"
	"strings"

	"simrun/checker/verdict"
	"simrun/sim/history"
)

// ForkName is the name in results of the check for snapshots that contradict one
// another.
const ForkName = "fork"

// Forks judges transactions whose keys are written once by what they read, as
// Jepsen's long-fork test does. It takes no word of the database for anything: it
// needs no timestamps, and looks at none.
//
// A key that was written once has two versions, so whoever read it tells on which
// side of the write its snapshot lies: it depends on the writer, or the writer
// anti-depends on it. A history is snapshot isolated only if each cycle of these
// has two anti-dependencies in a row (Fekete et al., and Cerone and Gotsman, 2016,
// who prove the converse). The cycle of two writers, whom two readers saw in
// opposite orders, is the long fork.
//
// Transactions that asked for several snapshots - under read committed, or for
// update - have none that could be judged.
func Forks(h *history.History) verdict.Result {
	r := verdict.Result{Checker: ForkName}
	f := newForks(h)
	if r.Checked = f.reads; r.Checked == 0 {
		r.Undecided("nobody read a key that was written once")
		return r
	}
	for i, component := range f.g.components() {
		if i >= verdict.FindingsMax {
			r.More++
			continue
		}
		r.Add(f.finding(component))
	}
	return r
}

// forks is the graph of dependencies between snapshots. Every transaction is two
// nodes of it: who has come to the second did so by an anti-dependency, and it has
// no other one, so that cycles in which two follow one another are no cycles here.
type forks struct {
	ix    *index
	g     *graph
	once  []*version // by key, what it was written; nil if that was not once
	reads int        // answers that tell of a write
}

func newForks(h *history.History) *forks {
	ix := arrange(h, func(*history.TxnRecord) bool { return true })
	f := &forks{ix: ix, g: &graph{ix: ix, edges: make([][]edge, 2*len(ix.txns))}, once: make([]*version, len(ix.keys))}
	for i := range ix.keys {
		f.once[i] = ix.keys[i].writtenOnce()
	}
	w := walker{ix: ix, seen: visitor{snapshot: f.read}}
	for t := range ix.txns {
		if !readsTwice(ix.txns[t].rec) {
			w.walk(int32(t)) //nolint:gosec // fewer than 2^31 transactions
		}
	}
	return f
}

// writtenOnce returns the version that one transaction wrote to the key and no
// other did, as far as is known.
func (k *key) writtenOnce() *version {
	if k.lists || len(k.versions)+len(k.floating) != 2 {
		return nil // the initial version is one of them
	}
	v := k.versions[len(k.versions)-1]
	if len(k.floating) > 0 {
		v = k.floating[0]
	}
	if first := &k.versions[0]; v.absent == first.absent && v.value == first.value {
		return nil // cannot be told from what was there before
	}
	return &v
}

// read adds what an answer tells of the key's writer. An answer that is neither of
// the two versions is wrong, but not about an order.
func (f *forks) read(r read) {
	v := f.once[r.key]
	if v == nil || v.txn == r.txn {
		return
	}
	switch k := &f.ix.keys[r.key]; {
	case v.is(&r):
		f.reads++
		f.g.edges[free(v.txn)] = append(f.g.edges[free(v.txn)], edge{to: free(r.txn), kind: wr, key: r.key})
		f.g.edges[bound(v.txn)] = append(f.g.edges[bound(v.txn)], edge{to: free(r.txn), kind: wr, key: r.key})
	case k.versions[0].is(&r) && !f.ix.h.InitialUnknown:
		f.reads++
		f.g.edges[free(r.txn)] = append(f.g.edges[free(r.txn)], edge{to: bound(v.txn), kind: rw, key: r.key, phantom: r.scan && !r.found})
	}
}

// free is the node of a transaction, bound the one to which anti-dependencies
// lead.
func free(t int32) int32  { return 2 * t }
func bound(t int32) int32 { return 2*t + 1 }

// finding tells of the shortest cycle of those that begin at one of the first
// transactions of a component.
func (f *forks) finding(component []int32) verdict.Finding {
	var cycle []step
	for i := range min(len(component), forkStarts) {
		if c := f.g.shortestCycle(component[i:]); len(c) > 0 && (cycle == nil || len(c) < len(cycle)) {
			cycle = c
		}
	}
	var found verdict.Finding
	found.Anomaly, _ = classify(cycle)
	var parts []string
	for _, s := range cycle {
		t := s.txn / 2
		parts = append(parts, fmt.Sprintf("id %d -%s %q->", f.ix.txns[t].op.ID, s.edge.kind, f.ix.keys[s.edge.key].name))
		if id := f.ix.txns[t].op.ID; !slices.Contains(found.Evidence, id) {
			found.Evidence = append(found.Evidence, id)
		}
	}
	found.Message = fmt.Sprintf("%s, by the values alone: %s the first", found.Anomaly.Describe(), strings.Join(parts, " "))
	return found
}

// forkStarts bounds the search for the shortest cycle of a component.
const forkStarts = 100
