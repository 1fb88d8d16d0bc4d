package state

import (
	"strings"
	"testing"

	"simrun/checker/verdict"
)

// TestPlacement: each way in which replicas can be where they should not be, or
// unevenly spread, is found, and what cannot be improved by one move is not.
func TestPlacement(t *testing.T) {
	// region returns a region with voters on stores; the first of them leads.
	id := uint64(0)
	region := func(stores ...string) (replicas []Replica) {
		id++
		var members []Member
		for i, s := range stores {
			name, role := strings.TrimSuffix(s, "L"), "Voter"
			if name != s {
				role = "Learner"
			}
			members = append(members, Member{Peer: 10*id + uint64(i), Store: name, Role: role})
		}
		for i, m := range members {
			replicas = append(replicas, Replica{Store: m.Store, Region: id, Peer: m.Peer, Leader: i == 0, Members: members})
		}
		return replicas
	}
	all := func(regions ...[]Replica) (replicas []Replica) {
		for _, r := range regions {
			replicas = append(replicas, r...)
		}
		return replicas
	}
	four := []string{"a", "b", "c", "d"}
	for _, c := range []struct {
		name     string
		replicas []Replica
		want     Wanted
		found    string // of the messages; empty: nothing
		anomaly  verdict.Anomaly
	}{
		{
			"as it should be", all(region("a", "b", "c"), region("b", "c", "d"), region("c", "d", "a"), region("d", "a", "b")),
			Wanted{Stores: four, Replicas: 3, Leaders: true, Regions: true},
			"", "",
		},
		{"too few", region("a", "b"), Wanted{Stores: four, Replicas: 3}, "has 2 voters", verdict.Misplaced},
		{"too many", region("a", "b", "c", "d"), Wanted{Stores: four, Replicas: 3}, "has 4 voters", verdict.Misplaced},
		{"a learner is left", region("a", "b", "c", "dL"), Wanted{Stores: four, Replicas: 3}, "left behind as Learner", verdict.Misplaced},
		{"where nothing should be", region("a", "b", "c"), Wanted{Stores: []string{"a", "b", "d"}, Replicas: 3}, "on c, which should hold nothing", verdict.Misplaced},
		{"one leads all", all(region("a", "b", "c"), region("a", "b", "c")), Wanted{Stores: four, Replicas: 3, Leaders: true}, "a leads 2 regions", verdict.Unbalanced},
		{"one leads all, and nobody asked", all(region("a", "b", "c"), region("a", "b", "c")), Wanted{Stores: four, Replicas: 3}, "", ""},
		{
			"one leads all, which is tolerated", all(region("a", "b", "c"), region("a", "b", "c")),
			Wanted{Stores: four, Replicas: 3, Leaders: true, Tolerance: 1},
			"", "",
		},
		{"an empty store", all(region("a", "b", "c"), region("b", "c", "a")), Wanted{Stores: four, Replicas: 3, Regions: true}, "and d has 0", verdict.Unbalanced},
		{"a store with one peer less", region("a", "b", "c"), Wanted{Stores: four, Replicas: 3, Regions: true}, "", ""},
	} {
		r := Placement(c.replicas, c.want)
		switch {
		case c.found == "" && r.Verdict != verdict.OK:
			t.Errorf("%s: %v", c.name, r.Findings)
		case c.found != "" && (len(r.Findings) == 0 || !strings.Contains(r.Findings[0].Message, c.found) || r.Findings[0].Anomaly != c.anomaly):
			t.Errorf("%s: %v", c.name, r.Findings)
		}
	}
	if r := Placement(nil, Wanted{}); r.Verdict != verdict.Unknown {
		t.Errorf("nothing to check: %v", r.Verdict)
	}
}
