package isolation

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"simrun/checker/verdict"
	"simrun/sim/history"
)

// dependency is the kind of an edge of Adya's direct serialization graph.
type dependency uint8

const (
	ww dependency = iota // overwrites
	wr                   // reads from
	rw                   // is overwritten after having read: an anti-dependency
	rt                   // has ended before the other one began, in real time
)

func (d dependency) String() string { return [...]string{"ww", "wr", "rw", "rt"}[d] }

type edge struct {
	to  int32
	key int32
	// order puts the edges of a transaction in a row: one more than the place of the
	// answer that tells of it, and 0 for what the versions tell.
	order int32
	kind  dependency
	// phantom: of an anti-dependency, that the reader found the key absent from a
	// range that it scanned.
	phantom bool
}

// skewExamples bounds the cycles that are printed.
const skewExamples = 5

// findSkew looks for cycles in the serialization graph of a history that is
// snapshot isolated. Each of them has two anti-dependencies in a row
// (Fekete et al.), which is write skew; a cycle that has not is not allowed.
func findSkew(ix *index, isolated verdict.Verdict) verdict.Result {
	r := verdict.Result{Checker: SkewName}
	if isolated != verdict.OK {
		r.Undecided("without snapshot isolation the order of the versions is not certain")
		return r
	}
	g := newGraph(ix)
	if ix.h.Consistency == history.StrictSerializable {
		g.addRealTime()
	}
	r.Checked = ix.committed()
	components := g.components()
	for i, component := range components {
		if i == skewExamples {
			break
		}
		g.report(&r, component, len(components))
	}
	switch {
	case r.Verdict != verdict.OK:
	case r.Checked == 0:
		r.NotJudged("no transaction was committed")
	case g.vague > 0:
		r.NotJudged(fmt.Sprintf("of %d answers it is not certain which of the writes they saw whose commit timestamps are not known, as of one about %q: not all of what depends on that is in the graph",
			g.vague, ix.keys[g.example].name))
	}
	return r
}

// committed counts the transactions that were committed.
func (ix *index) committed() int {
	n := 0
	for _, f := range ix.fates {
		if f == committed {
			n++
		}
	}
	return n
}

// graph is the direct serialization graph over committed transactions. Of those of
// unknown outcome they are the ones that somebody saw.
//
// A read of the newest version of a key is a transaction of its own, and is left out,
// since it closes no cycle that is not there without it: it depends on the writer of
// the version that it returned, the writer of the next one overwrites that, and these
// two are joined already by a write dependency, which is shorter. What binds such a
// read is real time (newest.go), which is an edge of this graph only for the others, and
// only under strict serializability.
type graph struct {
	ix    *index
	edges [][]edge
	// vague counts the answers that may or may not depend on a committed transaction;
	// example is the key of one.
	vague   int
	example int
}

// newGraph draws the edges twice: first only to count them, so that each
// transaction's have their room in one array that holds them all.
func newGraph(ix *index) *graph {
	g := &graph{ix: ix, edges: make([][]edge, len(ix.txns))}
	counts, all := make([]int32, len(ix.txns)), 0
	g.draw(func(from int32, _ edge) {
		counts[from]++
		all++
	})
	room := make([]edge, all)
	for t, n := range counts {
		g.edges[t], room = room[:0:n], room[n:]
	}
	g.draw(func(from int32, e edge) { g.edges[from] = append(g.edges[from], e) })
	for _, edges := range g.edges {
		slices.SortStableFunc(edges, func(a, b edge) int { return cmp.Compare(a.order, b.order) })
	}
	return g
}

// linker is told of an edge.
type linker func(from, to int32, kind dependency, order int32, phantom bool)

// draw adds all edges, key by key.
func (g *graph) draw(add func(from int32, e edge)) {
	g.vague = 0
	for i := range g.ix.keys {
		k, number := &g.ix.keys[i], int32(i) // fewer than 2^31 keys
		link := func(from, to int32, kind dependency, order int32, phantom bool) {
			if from != initial && from != to {
				add(from, edge{to: to, key: number, order: order, kind: kind, phantom: phantom})
			}
		}
		if k.unsure {
			g.drawUnsure(i, link)
			continue
		}
		for j := 2; j < len(k.versions); j++ {
			link(k.versions[j-1].txn, k.versions[j].txn, ww, 0, false)
		}
		g.ix.sweep(i, func(r *read, n int) {
			if g.ix.fates[r.txn] != committed {
				return
			}
			order := r.order + 1 // 0 is for the versions
			link(k.versions[n-1].txn, r.txn, wr, order, false)
			if n < len(k.versions) {
				link(r.txn, k.versions[n].txn, rw, order, r.scan && !r.found)
			}
		})
	}
}

// drawUnsure adds the edges of a key of which some versions are of unknown outcome, or
// of an unknown commit timestamp. Such a version may stand unseen between two others
// that an edge joins: then it is a path that joins them, of the same kind.
func (g *graph) drawUnsure(i int, link linker) {
	s := g.ix.sequence(&g.ix.keys[i])
	before := int32(initial)
	for j := range s.all {
		if v := &s.all[j]; v.sure && v.txn != initial {
			link(before, v.txn, ww, 0, false)
			before = v.txn
		}
	}
	g.ix.sweep(i, func(r *read, _ int) {
		if g.ix.fates[r.txn] != committed {
			return
		}
		order := r.order + 1
		of, next, certain := s.around(r)
		if !certain {
			g.vague++
			g.example = i
		}
		link(s.all[of].txn, r.txn, wr, order, false)
		if next < len(s.all) {
			link(r.txn, s.all[next].txn, rw, order, r.scan && !r.found)
		}
	})
}

// addRealTime adds a node for each instant at which a committed transaction returned:
// from it to the next one and to those that were invoked before that. So there are
// as many edges as transactions, and not as pairs of them.
func (g *graph) addRealTime() {
	ix := g.ix
	var ended []int32
	for t := range ix.txns {
		if ix.fates[t] == committed && ix.txns[t].op.Outcome == history.OK {
			ended = append(ended, int32(t)) // fewer than 2^31 transactions
		}
	}
	slices.SortStableFunc(ended, func(a, b int32) int { return cmp.Compare(ix.txns[a].op.Return, ix.txns[b].op.Return) })
	first := int32(len(g.edges))
	g.edges = append(g.edges, make([][]edge, len(ended))...)
	for i, t := range ended {
		instant := first + int32(i)
		g.edges[t] = append(g.edges[t], edge{to: instant, kind: rt})
		if i+1 < len(ended) {
			g.edges[instant] = append(g.edges[instant], edge{to: instant + 1, kind: rt})
		}
	}
	for t := range ix.txns {
		if ix.fates[t] != committed || ix.txns[t].rec.AsOf {
			continue
		}
		before, _ := slices.BinarySearchFunc(ended, ix.txns[t].op.Invoke, func(e int32, invoke int64) int { return cmp.Compare(ix.txns[e].op.Return, invoke) })
		if before > 0 {
			instant := first + int32(before-1)
			g.edges[instant] = append(g.edges[instant], edge{to: int32(t), kind: rt})
		}
	}
}

// components returns the strongly connected components of more than one
// transaction, each sorted, in the order of their first. (Tarjan's algorithm,
// with the stack made explicit.)
func (g *graph) components() [][]int32 {
	s := tarjan{g: g, index: make([]int32, len(g.edges)), low: make([]int32, len(g.edges)), on: make([]bool, len(g.edges))}
	for v := range g.edges {
		if s.index[v] == 0 {
			s.visit(int32(v)) // fewer than 2^31 transactions
		}
	}
	slices.SortFunc(s.found, func(a, b []int32) int { return int(a[0]) - int(b[0]) })
	return s.found
}

type tarjan struct {
	g          *graph
	index, low []int32 // index 0: not visited
	on         []bool
	stack      []int32
	count      int32
	found      [][]int32
}

type frame struct {
	v    int32
	next int
}

func (s *tarjan) visit(root int32) {
	frames := []frame{s.enter(root)}
	for len(frames) > 0 {
		f := &frames[len(frames)-1]
		if f.next < len(s.g.edges[f.v]) {
			to := s.g.edges[f.v][f.next].to
			f.next++
			if s.index[to] == 0 {
				frames = append(frames, s.enter(to))
			} else if s.on[to] {
				s.low[f.v] = min(s.low[f.v], s.index[to])
			}
			continue
		}
		v := f.v
		frames = frames[:len(frames)-1]
		if len(frames) > 0 {
			p := frames[len(frames)-1].v
			s.low[p] = min(s.low[p], s.low[v])
		}
		if s.low[v] == s.index[v] {
			s.pop(v)
		}
	}
}

func (s *tarjan) enter(v int32) frame {
	s.count++
	s.index[v], s.low[v] = s.count, s.count
	s.stack = append(s.stack, v)
	s.on[v] = true
	return frame{v: v}
}

func (s *tarjan) pop(v int32) {
	at := len(s.stack) - 1
	for s.stack[at] != v {
		at--
	}
	component := slices.Clone(s.stack[at:])
	s.stack = s.stack[:at]
	for _, u := range component {
		s.on[u] = false
	}
	if len(component) > 1 {
		slices.Sort(component)
		s.found = append(s.found, component)
	}
}

// step is one transaction of a cycle, and the edge by which it is left.
type step struct {
	txn  int32
	edge edge
}

// shortestCycle returns a shortest cycle through the first of some transactions of
// a component; nil if there is none, which cannot be if they are all of it.
func (g *graph) shortestCycle(component []int32) []step {
	start := component[0]
	in := make(map[int32]struct{}, len(component))
	for _, v := range component {
		in[v] = struct{}{}
	}
	via := map[int32]step{} // by transaction, how it was first reached
	queue := []int32{start}
	for len(queue) > 0 {
		v := queue[0]
		queue = queue[1:]
		for _, e := range g.edges[v] {
			if _, ok := in[e.to]; !ok {
				continue
			}
			if _, seen := via[e.to]; seen {
				continue
			}
			via[e.to] = step{txn: v, edge: e}
			if e.to == start {
				return unwind(via, start)
			}
			queue = append(queue, e.to)
		}
	}
	return nil
}

func unwind(via map[int32]step, start int32) []step {
	var cycle []step
	for at := start; ; {
		s := via[at]
		cycle = append(cycle, s)
		at = s.txn
		if at == start {
			slices.Reverse(cycle)
			return cycle
		}
	}
}

func (g *graph) report(r *verdict.Result, component []int32, components int) {
	cycle := g.shortestCycle(component)
	var parts []string
	f := verdict.Finding{}
	for _, s := range cycle {
		switch {
		case int(s.txn) >= len(g.ix.txns):
			continue // an instant
		case s.edge.kind == rt:
			parts = append(parts, g.ix.name(s.txn)+" -rt->")
		default:
			parts = append(parts, fmt.Sprintf("%s -%s %q->", g.ix.name(s.txn), s.edge.kind, g.ix.keys[s.edge.key].name))
		}
		f.Evidence = append(f.Evidence, g.ix.txns[s.txn].op.ID)
	}
	path := strings.Join(parts, " ") + " the first"
	promise := "serializability"
	if g.ix.h.Consistency == history.StrictSerializable {
		promise = "strict serializability"
	}
	var allowed bool
	f.Anomaly, allowed = classify(cycle)
	switch {
	case g.ix.h.Consistency != history.SnapshotIsolation:
		f.Message = fmt.Sprintf("a cycle that %s does not allow: %s", promise, path)
		r.Add(f)
		return
	case !allowed && !g.ix.readsTwice(cycle):
		f.Message = "a cycle that snapshot isolation does not allow: " + path
		r.Add(f)
		return
	}
	f.Message = fmt.Sprintf("%s, which snapshot isolation allows and serializability does not: %s", f.Anomaly.Describe(), path)
	if len(component) > len(cycle) {
		f.Message += fmt.Sprintf("; %d transactions are entangled with it", len(component)-len(cycle))
	}
	if components > skewExamples {
		f.Message += fmt.Sprintf("; one of %d such groups", components)
	}
	r.Observe(f)
}

// readsTwice says whether a transaction of the cycle has read at more than one
// timestamp.
func (ix *index) readsTwice(cycle []step) bool {
	return slices.ContainsFunc(cycle, func(s step) bool { return readsTwice(ix.txns[s.txn].rec) })
}

// readsTwice says whether a transaction has read at more than one timestamp: its
// snapshot and, for update, what was newest; or under read committed. What it saw
// is of no single instant, and that is what it asked for.
func readsTwice(t *history.TxnRecord) bool {
	var first uint64
	for i := range t.Ops {
		op := &t.Ops[i]
		if op.Kind != history.TxnRead && op.Kind != history.TxnScan {
			continue
		}
		ts := cmp.Or(op.TS, t.StartTS)
		if first = cmp.Or(first, ts); ts != first {
			return true
		}
	}
	return false
}

// classify names a cycle by its anti-dependencies. One is by predicate if its
// reader scanned a range to which the other one then added a key (Adya, section
// 3.2).
func classify(cycle []step) (a verdict.Anomaly, allowed bool) {
	anti, adjacent, onlyWW, predicate := 0, false, true, false
	for i, s := range cycle {
		if s.edge.kind == rt {
			return verdict.RealTimeOrder, false
		}
		onlyWW = onlyWW && s.edge.kind == ww
		predicate = predicate || s.edge.phantom
		if s.edge.kind == rw {
			anti++
			adjacent = adjacent || cycle[(i+1)%len(cycle)].edge.kind == rw
		}
	}
	switch {
	case onlyWW:
		return verdict.G0, false
	case anti == 0:
		return verdict.G1c, false
	case anti == 1:
		return verdict.GSingle, false
	case !adjacent && forked(cycle):
		return verdict.LongFork, false
	case !adjacent:
		return verdict.GNonadjacent, false
	case predicate:
		return verdict.G2, true
	}
	return verdict.G2Item, true
}

// forked says whether a cycle is that of the long fork: each of two readers saw
// what one writer wrote and not what the other one did.
func forked(cycle []step) bool {
	if len(cycle) != 4 {
		return false
	}
	for i, s := range cycle {
		after := cycle[(i+1)%len(cycle)].edge.kind
		if (s.edge.kind != wr || after != rw) && (s.edge.kind != rw || after != wr) {
			return false
		}
	}
	return true
}
