package cluster_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"simrun/nodes/placement"
	"simrun/reports"
	"simrun/scenarios/cluster"
	"simrun/sim/disk"
)

func theAudit() []cluster.Waiter {
	return []cluster.Waiter{{Who: "the audit", State: "waits until all replicas agree", All: true}}
}

// replacing lets a store die and waits until one of its replicas is being replaced.
// It returns the name of the operator.
func replacing(c *cluster.Cluster, run func(d time.Duration)) string {
	c.World.Node("store4").Crash(disk.PowerLoss)
	for {
		for _, op := range c.Placement().Progress() {
			if op.Kind == placement.ReplaceReplica {
				return fmt.Sprintf("operator on region %d", op.Regions[0])
			}
		}
		run(10 * time.Millisecond)
	}
}

// Goal: who waits for rest is told which operators of the placement driver are under
// way, at which step and for how long, and what has been done while he waited. Method:
// a store dies and its replicas are replaced.
func TestExplainOperators(t *testing.T) {
	c, run := changing(t)
	for range 200 {
		if c.Quiet() {
			break
		}
		run(50 * time.Millisecond)
	}
	if e := c.Explain(theAudit()); slices.ContainsFunc(e.Waits, func(w reports.Wait) bool { return strings.HasPrefix(w.Who, "operator") }) {
		t.Errorf("nothing is under way: %+v", e.Waits)
	}
	op := replacing(c, run)
	run(10 * time.Millisecond)
	e := c.Explain(theAudit())
	says(t, e, "placement driver", "is led by pd1 and has ", " operators under way")
	pd := of(t, e, "placement driver")
	if !slices.Contains(pd.For, op) || !slices.Contains(of(t, e, "the audit").For, "placement driver") {
		t.Fatalf("%+v", e.Waits)
	}
	says(t, e, op, "replace-replica, step 1 of 4 for ", "ms: add learner ", " on store ", " (store")
	if e.Lost != "" || e.AnyLost {
		t.Errorf("an operator is under way, and %q is lost", e.Lost)
	}
	for range 200 {
		if run(50 * time.Millisecond); len(c.Placement().Progress()) == 0 {
			break
		}
	}
	says(t, c.Explain(theAudit()), "placement driver", "has 0 operators under way; in the last ", " replace-replica finished")
}

// A region that lacks a leader names the operator that holds it.
func TestExplainOperatorOfBlockedRegion(t *testing.T) {
	c, run := changing(t)
	replacing(c, run)
	for _, name := range []string{"store1", "store2"} {
		c.World.Node(name).Crash(disk.PowerLoss)
	}
	e := c.Explain(theAudit())
	named := 0
	for _, w := range e.Waits {
		if strings.HasPrefix(w.Who, "region ") && slices.ContainsFunc(w.For, func(name string) bool { return strings.HasPrefix(name, "operator on region ") }) {
			named++
		}
	}
	if named == 0 {
		t.Errorf("no region names its operator: %+v", e.Waits)
	}
}

// A leader of the placement driver that has an entry under way serves.
func TestExplainBusyPlacement(t *testing.T) {
	c, run := changing(t)
	replacing(c, run)
	for range 100_000 {
		if r := c.Placement().Replica(); r.IsLeader && r.Applied < r.Last {
			if e := c.Explain([]cluster.Waiter{waiting("acct/0001")}); slices.ContainsFunc(e.Waits, func(w reports.Wait) bool { return w.Who == "placement driver" }) {
				t.Errorf("%+v", e.Waits)
			}
			return
		}
		run(20 * time.Microsecond)
	}
	t.Fatal("no entry was ever under way")
}
