package state

import (
	"slices"
	"strings"
	"testing"

	"simrun/checker/verdict"
)

// TestMembers: sound replicas are OK, and every way in which those who are there
// differ from those who should be is found.
func TestMembers(t *testing.T) {
	voters := []Member{{11, "store1", "Voter"}, {12, "store2", "Voter"}, {13, "store3", "Learner"}}
	sound := func() []Replica {
		var rs []Replica
		for _, m := range voters {
			rs = append(rs, Replica{Store: m.Store, Region: 1, Peer: m.Peer, ConfVer: 3, Version: 1, Members: slices.Clone(voters)})
		}
		return append(rs, Replica{
			Store: "store1", Region: 2, Peer: 21, ConfVer: 1, Version: 1, Members: []Member{{21, "store1", "Voter"}},
		})
	}
	if r := Members(sound()); r.Verdict != verdict.OK || r.Checked != 4 {
		t.Errorf("sound: %+v", r)
	}
	if r := Members(nil); r.Verdict != verdict.Unknown {
		t.Errorf("nothing: %+v", r)
	}
	for name, c := range map[string]struct {
		spoil func(rs []Replica) []Replica
		want  string
	}{
		"a removed peer": {func(rs []Replica) []Replica {
			return append(rs, Replica{Store: "store4", Region: 1, Peer: 14, ConfVer: 2, Version: 1})
		}, "peer 14, applied 0) is alive, but no member"},
		"a member elsewhere": {func(rs []Replica) []Replica { rs[1].Store = "store4"; return rs }, "is a member of region 1, but is not there"},
		"no member":          {func(rs []Replica) []Replica { return rs[1:] }, "peer 11 on store1 is a member of region 1, but is not there"},
		"an id twice":        {func(rs []Replica) []Replica { rs[3].Peer = 11; return rs }, "have one id"},
		"a merge":            {func(rs []Replica) []Replica { rs[1].Merging = true; return rs }, "(peer 12, applied 0) is merging"},
		"a joint configuration": {func(rs []Replica) []Replica {
			for i := range rs {
				rs[i].Members[0].Role = "DemotingVoter"
			}
			return rs
		}, "was never left"},
	} {
		r := Members(c.spoil(sound()))
		if r.Verdict != verdict.Violation || !slices.ContainsFunc(r.Findings, func(f verdict.Finding) bool {
			return f.Anomaly == verdict.MembersConflict && strings.Contains(f.Message, c.want)
		}) {
			t.Errorf("%s: %+v", name, r)
		}
	}
	a, b := sound()[0], sound()[1]
	b.Members[2].Role = "Voter"
	if differ(&a, &b) == "" {
		t.Error("replicas with other members are equal")
	}
}
