package state

import (
	"fmt"
	"slices"

	"simrun/checker/verdict"
)

// PlacementName is the name of the checker in results.
const PlacementName = "placement"

// Wanted is how a placement driver is asked to distribute the replicas.
type Wanted struct {
	// Stores are those that may hold replicas.
	Stores []string
	// Replicas is how many voters each region has.
	Replicas int
	// Leaders and Regions: they are balanced by their number. Two stores may differ
	// by Tolerance, besides what one move would only turn around.
	Leaders, Regions bool
	Tolerance        int
}

// Placement checks that every region has as many voters as it should have and no
// other peers, on stores that may hold them, and that no move of a single leader
// or peer would make the stores more alike. It holds when the placement driver
// has had the time to bring it about.
func Placement(replicas []Replica, want Wanted) verdict.Result {
	p := placed{r: verdict.Result{Checker: PlacementName}, want: want, leaders: map[string]int{}, peers: map[string]int{}}
	if len(replicas) == 0 {
		p.r.Undecided("there is no region")
		return p.r
	}
	newest := regionsOf(replicas)
	p.r.Checked = len(newest)
	for _, n := range newest {
		p.members(n)
	}
	for i := range replicas {
		if replicas[i].Leader {
			p.leaders[replicas[i].Store]++
		}
	}
	if want.Leaders {
		p.balancedLeaders(newest, replicas)
	}
	if want.Regions {
		p.balancedPeers()
	}
	return p.r
}

type placed struct {
	r              verdict.Result
	want           Wanted
	leaders, peers map[string]int // by store
}

func (p *placed) add(anomaly verdict.Anomaly, format string, args ...any) {
	p.r.Add(verdict.Finding{Anomaly: anomaly, Message: fmt.Sprintf(format, args...)})
}

// members checks the members of one region, and counts them.
func (p *placed) members(n *Replica) {
	voters := 0
	for _, m := range n.Members {
		p.peers[m.Store]++
		switch {
		case !slices.Contains(p.want.Stores, m.Store):
			p.add(verdict.Misplaced, "region %d has peer %d on %s, which should hold nothing", n.Region, m.Peer, m.Store)
		case m.Role == "Voter":
			voters++
		default:
			p.add(verdict.Misplaced, "region %d has peer %d on %s, which is left behind as %s", n.Region, m.Peer, m.Store, m.Role)
		}
	}
	if voters != p.want.Replicas {
		p.add(verdict.Misplaced, "region %d has %d voters, and should have %d", n.Region, voters, p.want.Replicas)
	}
}

// balancedLeaders checks for each region whether its leader would be better off on
// the store of another of its members.
func (p *placed) balancedLeaders(newest []*Replica, replicas []Replica) {
	for _, n := range newest {
		i := slices.IndexFunc(replicas, func(r Replica) bool { return r.Region == n.Region && r.Leader })
		if i < 0 {
			continue
		}
		from := replicas[i].Store
		for _, m := range n.Members {
			if m.Role == "Voter" && p.leaders[from]-p.leaders[m.Store] >= 2+p.want.Tolerance {
				p.add(verdict.Unbalanced, "%s leads %d regions, among them %d, and %s, which has a peer of it, leads %d",
					from, p.leaders[from], n.Region, m.Store, p.leaders[m.Store])
				break
			}
		}
	}
}

// balancedPeers compares the fullest store with the emptiest: the one with more
// peers has a region that the other has not, so one could always be moved.
func (p *placed) balancedPeers() {
	byPeers := func(a, b string) int { return p.peers[a] - p.peers[b] }
	if len(p.want.Stores) == 0 {
		return
	}
	most, fewest := slices.MaxFunc(p.want.Stores, byPeers), slices.MinFunc(p.want.Stores, byPeers)
	if p.peers[most]-p.peers[fewest] >= 2+p.want.Tolerance {
		p.add(verdict.Unbalanced, "%s has %d peers, and %s has %d", most, p.peers[most], fewest, p.peers[fewest])
	}
}
