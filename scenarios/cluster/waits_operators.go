package cluster

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"simrun/nodes/placement"
	"simrun/reports"
)

// await notes that somebody waits for the stores to be at rest from now on, so that
// it can be told what has been done meanwhile.
func (c *Cluster) await() {
	if c.awaited == 0 {
		c.awaited, c.before = c.World.Now(), c.Operators()
	}
}

// progress tells which operators have ended since somebody began to wait for rest;
// "" if there are none, or nobody waits.
func (c *Cluster) progress() string {
	if c.awaited == 0 {
		return ""
	}
	var texts []string
	tell := func(kind, outcome string, before, now uint64) {
		if now > before {
			texts = append(texts, fmt.Sprintf("%d %s %s", now-before, kind, outcome))
		}
	}
	for _, n := range c.Operators() {
		var b OperatorCount
		if i := slices.IndexFunc(c.before, func(b OperatorCount) bool { return b.Kind == n.Kind }); i >= 0 {
			b = c.before[i]
		}
		tell(n.Kind, "finished", b.Finished, n.Finished)
		tell(n.Kind, "timed out", b.TimedOut, n.TimedOut)
		tell(n.Kind, "cancelled", b.Cancelled, n.Cancelled)
		tell(n.Kind, "abandoned", b.Abandoned, n.Abandoned)
	}
	if len(texts) == 0 {
		return ""
	}
	return fmt.Sprintf("; in the last %v: %s", time.Duration(c.World.Now()-c.awaited), strings.Join(texts, ", "))
}

// underway returns what the leader of the placement driver has under way.
func (c *Cluster) underway() []placement.OperatorProgress {
	if m := c.placementLeader(); m != nil {
		return m.server.Server().Progress()
	}
	return nil
}

// scheduling adds the placement driver to what somebody waits for who waits for
// rest, if it has something under way, or has had: each operator is what it waits
// for itself.
func (g *waitGraph) scheduling(at int) {
	ops, progress := g.c.underway(), g.c.progress()
	if len(ops) == 0 && progress == "" {
		return
	}
	pd, _ := g.add(reports.Wait{Who: placementName, State: fmt.Sprintf("is led by %s and has %d operators under way%s",
		g.c.placementLeader().node.Name(), len(ops), progress)})
	g.link(at, placementName)
	for _, op := range ops {
		g.link(pd, g.operator(op))
	}
}

// operatorOn returns the name of the operator that holds a region, "" if there is
// none.
func (g *waitGraph) operatorOn(region uint64) string {
	for _, op := range g.c.underway() {
		if slices.Contains(op.Regions, region) {
			return g.operator(op)
		}
	}
	return ""
}

// operator adds an operator, which waits for those of its regions that do not
// serve, and returns its name.
func (g *waitGraph) operator(op placement.OperatorProgress) string {
	name := fmt.Sprintf("operator on region %d", op.Regions[0])
	at, added := g.add(reports.Wait{Who: name, State: fmt.Sprintf("%v, step %d of %d for %v: %s",
		op.Kind, op.Number, op.Steps, op.Waited, g.c.withNames(op.Step))})
	if !added {
		return name
	}
	for _, v := range g.regions {
		if slices.Contains(op.Regions, v.newest.Id) && !v.serves() {
			g.link(at, g.region(v))
		}
	}
	return name
}

// storeOfStep finds the stores in the words of a step.
var storeOfStep = regexp.MustCompile(`\bstore ([0-9]+)\b`)

// withNames adds the names of the nodes to the words of a step, which has the numbers of
// stores: a node whose disk was lost comes back as another store.
func (c *Cluster) withNames(step string) string {
	return storeOfStep.ReplaceAllStringFunc(step, func(words string) string {
		for _, s := range c.stores {
			if words == fmt.Sprintf("store %d", s.id) {
				return fmt.Sprintf("%s (%s)", words, s.node.Name())
			}
		}
		return words
	})
}
