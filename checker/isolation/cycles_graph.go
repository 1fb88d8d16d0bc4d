package isolation

import (
	"fmt"
	"slices"
	"strings"

	"simrun/checker/verdict"
	"simrun/sim/history"
)

// Under snapshot isolation every transaction is two nodes of the graph: who has come
// to the second did so by an anti-dependency, and it has no other one, so that
// cycles in which two follow one another are no cycles here.
func free(t int32) int32  { return 2 * t }
func bound(t int32) int32 { return 2*t + 1 }

// report adds what is wrong, and the cycles that the level forbids or, for whoever
// asks, allows.
func (c *cycles) report(r *verdict.Result) {
	for _, f := range c.findings {
		r.Add(f)
	}
	if c.serial {
		c.reportCycles(r.Add, &r.More, c.plainGraph(), func(node int32) int32 { return node })
		return
	}
	c.reportCycles(r.Add, &r.More, c.snapshotGraph(), func(node int32) int32 { return node / 2 })
	if c.alone && r.Verdict == verdict.OK {
		c.reportCycles(r.Observe, new(int), c.plainGraph(), func(node int32) int32 { return node })
	}
}

func (c *cycles) reportCycles(add func(verdict.Finding), more *int, g *graph, txn func(node int32) int32) {
	for i, component := range g.components() {
		if i >= verdict.FindingsMax {
			*more++
			continue
		}
		add(c.finding(g.shortOf(component), txn))
	}
}

// snapshotGraph has the cycles that snapshot isolation forbids.
func (c *cycles) snapshotGraph() *graph {
	g := &graph{ix: c.ix, edges: make([][]edge, 2*len(c.ix.txns))}
	add := func(from, to int32, e edge) {
		e.to = to
		g.edges[from] = append(g.edges[from], e)
	}
	for _, d := range c.deps {
		if d.edge.kind == rw {
			add(free(d.from), bound(d.edge.to), d.edge)
			continue
		}
		add(free(d.from), free(d.edge.to), d.edge)
		add(bound(d.from), free(d.edge.to), d.edge)
	}
	return g
}

// plainGraph has all cycles, and those with real time if that counts.
func (c *cycles) plainGraph() *graph {
	g := &graph{ix: c.ix, edges: make([][]edge, len(c.ix.txns))}
	for _, d := range c.deps {
		g.edges[d.from] = append(g.edges[d.from], d.edge)
	}
	if c.ix.h.Consistency == history.StrictSerializable {
		g.addRealTime()
	}
	return g
}

// shortOf returns the shortest cycle of those that begin at one of the first nodes of
// a component.
func (g *graph) shortOf(component []int32) []step {
	var cycle []step
	for i := range min(len(component), cycleStarts) {
		if c := g.shortestCycle(component[i:]); len(c) > 0 && (cycle == nil || len(c) < len(cycle)) {
			cycle = c
		}
	}
	return cycle
}

// cycleStarts bounds the search for the shortest cycle of a component.
const cycleStarts = 100

// finding tells of a cycle. Instants are nodes, too, and are passed over.
func (c *cycles) finding(cycle []step, txn func(node int32) int32) verdict.Finding {
	var f verdict.Finding
	f.Anomaly, _ = classify(cycle)
	var parts []string
	for _, s := range cycle {
		t := int(txn(s.txn))
		if t >= len(c.ix.txns) {
			continue
		}
		id, over := c.ix.txns[t].op.ID, ""
		if s.edge.kind != rt {
			over = fmt.Sprintf(" %q", c.ix.keys[s.edge.key].name)
		}
		parts = append(parts, fmt.Sprintf("id %d -%s%s->", id, s.edge.kind, over))
		if !slices.Contains(f.Evidence, id) {
			f.Evidence = append(f.Evidence, id)
		}
	}
	f.Message = fmt.Sprintf("%s, by the values alone: %s the first", f.Anomaly.Describe(), strings.Join(parts, " "))
	return f
}
