package plan_test

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"simrun/faults"
)

// A copy is equal, and shares nothing with what it is a copy of.
func TestClone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlan(t)
		before := p.String()
		c := p.Clone()
		if !reflect.DeepEqual(&p, c) {
			t.Fatalf("got %v, want %v", c, &p)
		}
		for i := range c.Cluster.SplitKeys {
			c.Cluster.SplitKeys[i] = "changed"
		}
		for i := range c.Faults {
			for _, targets := range [][]faults.Target{c.Faults[i].Targets, c.Faults[i].Peers} {
				for j := range targets {
					targets[j] = faults.Node("changed")
				}
			}
			c.Faults[i].At++
		}
		c.Workload.Params["changed"] = 1
		if p.String() != before {
			t.Fatal("a change of the copy changes the plan")
		}
	})
}

// A plan has the nodes that it counts.
func TestHas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlan(t)
		for _, f := range p.Faults {
			if !p.Has(f) {
				t.Fatalf("%v is not of its plan", f)
			}
			f.Peers = append(f.Peers, faults.Node("client9999"))
			if p.Has(f) {
				t.Fatalf("%v is of the plan", f)
			}
		}
	})
}
