package isolation

import (
	"simrun/checker/verdict"
	"simrun/sim/history"
)

// Edge is an edge of the serialization graph, for tests.
type Edge struct {
	From, To  int // the ids of the operations
	Key, Kind string
}

// Graph returns the edges of the serialization graph of a history that is snapshot
// isolated, which transactions are in it, and of how many answers it is not certain what
// they depend on.
func Graph(h *history.History) (edges []Edge, in map[int]bool, vague int, ok bool) {
	ix := newIndex(h)
	n := newNewest(ix)
	n.see()
	ix.resolve()
	ix.settle()
	g := newGraph(ix)
	in = map[int]bool{}
	for t := range ix.txns {
		if ix.fates[t] == committed {
			in[ix.txns[t].op.ID] = true
		}
		for _, e := range g.edges[t] {
			edges = append(edges, Edge{ix.txns[t].op.ID, ix.txns[e.to].op.ID, ix.keys[e.key].name, e.kind.String()})
		}
	}
	return edges, in, g.vague, Check(h).Verdict == verdict.OK
}
