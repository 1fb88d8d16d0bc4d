package bareraft

import (
	"fmt"

	"simrun/reports"
	"simrun/scenarios/cluster"
)

// Explain implements runner.System: everybody waits for the one group.
func (c *Cluster) Explain(waiters []cluster.Waiter) cluster.Explanation {
	const name = "the group"
	var e cluster.Explanation
	for _, w := range waiters {
		e.Waits = append(e.Waits, reports.Wait{Who: w.Who, State: w.State, For: []string{name}})
	}
	group := reports.Wait{Who: name, State: "is at rest"}
	if unrest := c.Unrest(); unrest != "" {
		group.State = "waits: " + unrest
	}
	var members []reports.Wait
	for _, m := range c.members {
		w := reports.Wait{Who: m.node.Name(), State: "is down"}
		if m.replica != nil {
			s := m.replica.Status()
			w.State = fmt.Sprintf("leads %v, term %d, log up to %d, applied %d", s.Leading, s.Term, s.Last, s.Applied)
		}
		group.For = append(group.For, w.Who)
		members = append(members, w)
	}
	e.Waits = append(append(e.Waits, group), members...)
	return e
}
