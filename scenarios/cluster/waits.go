package cluster

import (
	"fmt"
	"slices"
	"time"

	"github.com/pingcap/kvproto/pkg/metapb"

	"simrun/nodes/codec"
	"simrun/nodes/engine"
	"simrun/nodes/mvcc"
	"simrun/nodes/raftstore"
	"simrun/reports"
	"simrun/sim/plan"
)

// Waiter is a client that has not got what it has asked for.
type Waiter struct {
	Who, State string
	// Spans are the keys that it works on: each a single key, or those from the
	// first of two up to the second one.
	Spans [][2]string
	// All: it waits for all regions to be at rest.
	All bool
}

// Explanation is who waits for what.
type Explanation struct {
	Waits []reports.Wait
	// Lost is what the faults have made impossible, in words; "" unless that is
	// what everybody waits for. AnyLost: some of it is what somebody waits for.
	Lost    string
	AnyLost bool
}

const placementName = "placement driver"

// Explain looks at everything, as nobody inside the system could, and tells what
// those who wait do wait for: keys lie in regions, which lack a leader, or a
// quorum, because of peers; or they are locked by transactions whose fate is
// decided in other regions.
func (c *Cluster) Explain(waiters []Waiter) Explanation {
	g := &waitGraph{c: c, regions: c.survey(), nodes: map[string]int{}}
	for _, w := range waiters {
		g.waiter(w)
	}
	return Explanation{Waits: g.waits, Lost: g.verdict(waiters), AnyLost: len(g.lost) > 0}
}

// waitGraph is an Explanation in the making.
type waitGraph struct {
	c       *Cluster
	regions []*regionView
	waits   []reports.Wait
	nodes   map[string]int // positions in waits
	blocked []string       // names of what is blocked and not lost
	lost    []string       // names of what is lost
}

// add adds a node, unless it is there, and returns its position and whether it is new.
func (g *waitGraph) add(w reports.Wait) (at int, added bool) {
	if at, known := g.nodes[w.Who]; known {
		return at, false
	}
	g.nodes[w.Who] = len(g.waits)
	g.waits = append(g.waits, w)
	return len(g.waits) - 1, true
}

// link lets a node wait for another.
func (g *waitGraph) link(at int, name string) {
	if w := &g.waits[at]; name != "" && !slices.Contains(w.For, name) {
		w.For = append(w.For, name)
	}
}

func (g *waitGraph) waiter(w Waiter) {
	at, _ := g.add(reports.Wait{Who: w.Who, State: w.State})
	var fine []*regionView
	stuck := false
	for _, v := range g.regions {
		if !w.All && !slices.ContainsFunc(w.Spans, func(s [2]string) bool { return v.overlaps(g.c.span(s)) }) {
			continue
		}
		if v.serves() {
			fine = append(fine, v)
			continue
		}
		stuck = true
		g.link(at, g.region(v))
	}
	for _, s := range w.Spans {
		stuck = g.locks(at, s) || stuck
	}
	if !stuck && !w.All {
		for _, v := range fine {
			g.link(at, g.region(v))
		}
	}
	switch text := g.c.placementBlocked(); {
	case text != "":
		g.link(at, g.placement(text))
	case w.All:
		g.scheduling(at)
	}
}

// span is a range of users' keys in the space of regions' bounds.
func (c *Cluster) span(s [2]string) (start, end []byte) {
	start = bound(c.plan.Cluster.API, s[0])
	if s[1] == "" {
		return start, append(slices.Clone(start), 0)
	}
	return start, bound(c.plan.Cluster.API, s[1])
}

// serves reports whether a region has a leader that has committed and applied
// whatever it was asked to.
func (v *regionView) serves() bool {
	l := v.leader
	return l != nil && l.Applied == l.Last && l.AppliedTerm == l.Term && votesOf(v.newest, v.alive).quorum()
}

// region adds a region, and returns its name.
func (g *waitGraph) region(v *regionView) string {
	name := fmt.Sprintf("region %d", v.newest.Id)
	at, added := g.add(reports.Wait{Who: name, State: v.describe()})
	if !added {
		return name
	}
	if v.serves() {
		return name
	}
	if g.c.beyondRecovery(v) {
		g.waits[at].Lost = true
		g.waits[at].State = g.c.describeLoss(v)
		g.lost = append(g.lost, name+": "+g.waits[at].State)
	} else {
		g.blocked = append(g.blocked, name)
	}
	g.link(at, g.operatorOn(v.newest.Id))
	for _, p := range v.newest.Peers {
		g.link(at, g.peer(v, p))
	}
	for _, r := range v.replicas {
		if !slices.ContainsFunc(v.newest.Peers, func(p *metapb.Peer) bool { return p.Id == r.Peer }) {
			g.link(at, g.stranger(v, r))
		}
	}
	return name
}

// describe tells what a region lacks.
func (v *regionView) describe() string {
	where := fmt.Sprintf("[%q, %q), ", v.newest.StartKey, v.newest.EndKey)
	if (view{status: raftstore.RegionInfo{Region: v.newest}}).joint() {
		where += "in a joint configuration, "
	}
	n := votesOf(v.newest, v.alive)
	l := v.leader
	switch {
	case l == nil:
		return fmt.Sprintf("%shas no leader; of %s %s there with their data", where, voters(n.had), are(n.have))
	case l.AppliedTerm != l.Term:
		return fmt.Sprintf("%sis led by %s, which has committed nothing in its term %d", where, l.on.node.Name(), l.Term)
	case l.Commit < l.Last:
		return fmt.Sprintf("%sis led by %s in term %d, which has %d entries that are not committed", where, l.on.node.Name(), l.Term, l.Last-l.Commit)
	case l.Applied < l.Last:
		return fmt.Sprintf("%sis led by %s in term %d, which has %d entries that are not applied", where, l.on.node.Name(), l.Term, l.Last-l.Applied)
	case !n.quorum():
		return fmt.Sprintf("%sis led by %s in term %d; of %s %s there with their data", where, l.on.node.Name(), l.Term, voters(n.had), are(n.have))
	}
	return fmt.Sprintf("%sis led by %s in term %d and has nothing to do", where, l.on.node.Name(), l.Term)
}

// peer adds a member of a region, and returns its name.
func (g *waitGraph) peer(v *regionView, p *metapb.Peer) string {
	name := fmt.Sprintf("peer %d of region %d", p.Id, v.newest.Id)
	w := reports.Wait{Who: name, State: g.c.describePeer(v, p)}
	w.Lost = g.c.lossOf(p) != nil
	g.add(w)
	return name
}

// describePeer tells what a member of a region is doing.
func (c *Cluster) describePeer(v *regionView, p *metapb.Peer) string {
	if l := c.lossOf(p); l != nil {
		return fmt.Sprintf("was on the disk that %s lost at %v", l.node, time.Duration(l.at))
	}
	i := slices.IndexFunc(c.stores, func(s *store) bool { return s.id == p.StoreId })
	if i < 0 {
		return fmt.Sprintf("is on store %d, of which nothing is known", p.StoreId)
	}
	s := c.stores[i]
	text := fmt.Sprintf("%v on %s", p.Role, s.node.Name())
	switch r := v.replica(p); {
	case s.server == nil:
		return text + ", which is down"
	case s.node.Paused():
		return text + ", which stands still"
	case r == nil:
		return text + ", where there is no such peer"
	case len(r.Region.Peers) == 0:
		return text + ", has no data yet and waits for a snapshot" + v.transfer(p)
	default:
		text += ", " + describeReplica(v, r)
		if s.node.DiskStalled() {
			text += ", its disk stands still"
		}
		return text + v.transfer(p)
	}
}

// describeReplica tells how far a replica is.
func describeReplica(v *regionView, r *located) string {
	text := fmt.Sprintf("follower of peer %d", r.Leader)
	switch {
	case r.IsLeader:
		text = "leader"
	case r.Leader == 0:
		text = "knows of no leader"
	}
	text += fmt.Sprintf(", term %d, log %d to %d, committed %d, applied %d", r.Term, r.First, r.Last, r.Commit, r.Applied)
	if behind := compareEpochs(r.Region, v.newest); behind < 0 {
		text += fmt.Sprintf(", has epoch %d/%d of %d/%d", r.Region.RegionEpoch.ConfVer, r.Region.RegionEpoch.Version,
			v.newest.RegionEpoch.ConfVer, v.newest.RegionEpoch.Version)
	}
	if r.Undecided > 0 {
		text += fmt.Sprintf(", %d proposals are undecided", r.Undecided)
	}
	return text
}

// transfer tells what the leader is doing for a member.
func (v *regionView) transfer(p *metapb.Peer) string {
	if v.leader == nil {
		return ""
	}
	for _, f := range v.leader.on.server.Followers(v.newest.Id) {
		switch {
		case f.Peer != p.Id:
		case f.Snapshot != 0:
			return fmt.Sprintf("; the leader is sending it a snapshot of index %d", f.Snapshot)
		case !f.Active:
			return "; the leader has not heard of it lately"
		case f.Match < v.leader.Last:
			return fmt.Sprintf("; for the leader it is %d entries behind", v.leader.Last-f.Match)
		}
	}
	return ""
}

// stranger adds a peer that is no member of its region's newest configuration.
func (g *waitGraph) stranger(v *regionView, r *located) string {
	name := fmt.Sprintf("peer %d of region %d", r.Peer, v.newest.Id)
	g.add(reports.Wait{Who: name, State: fmt.Sprintf("on %s, alive, and no member", r.on.node.Name())})
	return name
}

// locks adds the locks that lie on keys, and reports whether there is one whose
// transaction cannot be decided, for the region of its primary does not serve.
func (g *waitGraph) locks(at int, s [2]string) (stuck bool) {
	if g.c.plan.Cluster.API != plan.Txn {
		return false
	}
	start, end := g.c.span(s)
	for _, v := range g.regions {
		if !v.serves() || !v.overlaps(start, end) {
			continue
		}
		for _, k := range v.locksIn(start, end) {
			name := fmt.Sprintf("lock on %q", k.key)
			lockAt, added := g.add(reports.Wait{
				Who:   name,
				State: fmt.Sprintf("%v of transaction %d, whose primary is %q", k.lock.Type, k.lock.StartTS, k.lock.Primary),
			})
			g.link(at, name)
			primary := g.of(codec.EncodeBytes(k.lock.Primary))
			if primary == nil || primary.serves() {
				continue
			}
			stuck = true
			if added {
				g.link(lockAt, g.region(primary))
			}
		}
	}
	return stuck
}

// of returns the region that holds a key in the space of regions' bounds.
func (g *waitGraph) of(key []byte) (found *regionView) {
	for _, v := range g.regions {
		if v.overlaps(key, append(slices.Clone(key), 0)) && (found == nil || compareEpochs(v.newest, found.newest) > 0) {
			found = v
		}
	}
	return found
}

// keyLock is a lock and where it lies.
type keyLock struct {
	key  []byte
	lock *mvcc.Lock
}

// locksMax bounds the locks that an explanation names.
const locksMax = 8

// locksIn returns the locks that a region's leader has in a range.
func (v *regionView) locksIn(start, end []byte) (list []keyLock) {
	it, err := v.leader.on.server.Engines().KV.NewIter(engine.Lock, engine.IterOptions{Lower: start, Upper: end})
	if err != nil {
		return nil
	}
	defer it.Close()
	for ok := it.First(); ok && len(list) < locksMax; ok = it.Next() {
		key, keyErr := codec.DecodeKey(it.Key())
		lock, err := mvcc.DecodeLock(slices.Clone(it.Value())) // which the lock refers to
		if keyErr == nil && err == nil {
			list = append(list, keyLock{key, lock})
		}
	}
	return list
}

// placementBlocked tells why the placement driver does not serve, "" if it does. A
// leader that has applied an entry of its term does, though it may have entries
// under way at any instant.
func (c *Cluster) placementBlocked() string {
	up := 0
	for _, m := range c.members {
		r, ok := m.replica()
		if ok {
			up++
		}
		if ok && r.IsLeader && r.AppliedTerm == r.Term {
			return ""
		}
	}
	return fmt.Sprintf("nobody leads it; %d of %d members are up", up, len(c.members))
}

func (g *waitGraph) placement(text string) string {
	if _, added := g.add(reports.Wait{Who: placementName, State: text}); added {
		g.blocked = append(g.blocked, placementName)
		at := g.nodes[placementName]
		for _, m := range g.c.members {
			state := "is down"
			if r, ok := m.replica(); ok {
				state = fmt.Sprintf("leader %v, term %d, log %d to %d, committed %d, applied %d", r.IsLeader, r.Term, r.First, r.Last, r.Commit, r.Applied)
			}
			g.add(reports.Wait{Who: m.node.Name(), State: state})
			g.link(at, m.node.Name())
		}
	}
	return placementName
}

// verdict tells what was lost, if that is what everybody waits for: whoever waits
// must wait for something that is lost, and for nothing that is merely blocked.
func (g *waitGraph) verdict(waiters []Waiter) string {
	if len(g.lost) == 0 || len(g.blocked) > 0 {
		return ""
	}
	for _, w := range waiters {
		if !g.reachesLost(g.nodes[w.Who], map[int]bool{}) {
			return ""
		}
	}
	text := g.lost[0]
	if n := len(g.lost) - 1; n > 0 {
		text += fmt.Sprintf(" (and %d more of them)", n)
	}
	return text
}

func (g *waitGraph) reachesLost(at int, seen map[int]bool) bool {
	if g.waits[at].Lost {
		return true
	}
	seen[at] = true
	return slices.ContainsFunc(g.waits[at].For, func(name string) bool {
		next, known := g.nodes[name]
		return known && !seen[next] && g.reachesLost(next, seen)
	})
}
