package state

import (
	"cmp"
	"fmt"
	"slices"

	"simrun/checker/verdict"
)

// MembersName is the name of the checker in results.
const MembersName = "members"

// Members checks who is there against who should be: in each region, as its most
// recent replica sees it, every member is alive on its store and nobody else is
// - a peer that was removed must be gone -, no change or merge is half done, and no two
// peers of the cluster have one id. It holds when nothing is under way.
func Members(replicas []Replica) verdict.Result {
	r := verdict.Result{Checker: MembersName, Checked: len(replicas)}
	if len(replicas) == 0 {
		r.Undecided("there is no replica")
		return r
	}
	alive := slices.Clone(replicas)
	slices.SortStableFunc(alive, func(a, b Replica) int {
		return cmp.Or(cmp.Compare(a.Peer, b.Peer), cmp.Compare(a.Region, b.Region))
	})
	for i := range alive[1:] {
		if alive[i].Peer == alive[i+1].Peer {
			conflict(&r, "%s and %s have one id", alive[i].name(), alive[i+1].name())
		}
	}
	newest := map[uint64]*Replica{}
	for _, p := range regionsOf(replicas) {
		newest[p.Region] = p
		present(&r, p, alive)
	}
	for i := range alive {
		p := &alive[i]
		if p.Merging {
			conflict(&r, "%s is merging: the merge was neither committed nor rolled back", p.name())
		}
		if n := newest[p.Region]; !slices.ContainsFunc(n.Members, func(m Member) bool { return m.Peer == p.Peer && m.Store == p.Store }) {
			conflict(&r, "%s is alive, but no member in configuration %d of %s", p.name(), n.ConfVer, n.name())
		}
	}
	return r
}

// present checks that all members of a region are alive, and that its
// configuration is a final one.
func present(r *verdict.Result, newest *Replica, alive []Replica) {
	for _, m := range newest.Members {
		there := func(p Replica) bool { return p.Region == newest.Region && p.Peer == m.Peer && p.Store == m.Store }
		if !slices.ContainsFunc(alive, there) {
			conflict(r, "peer %d on %s is a member of region %d, but is not there", m.Peer, m.Store, newest.Region)
		}
		if m.Role != "Voter" && m.Role != "Learner" {
			conflict(r, "peer %d of region %d is %s: the joint configuration was never left", m.Peer, newest.Region, m.Role)
		}
	}
}

func conflict(r *verdict.Result, format string, args ...any) {
	r.Add(verdict.Finding{Anomaly: verdict.MembersConflict, Message: fmt.Sprintf(format, args...)})
}
