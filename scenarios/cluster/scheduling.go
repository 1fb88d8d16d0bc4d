package cluster

import (
	"fmt"
	"slices"
	"time"

	"github.com/pingcap/kvproto/pkg/metapb"

	"simrun/checker/state"
	"simrun/nodes/invariant"
	"simrun/nodes/placement"
	"simrun/sim/plan"
)

// scheduling is the placement driver's configuration as a plan has it.
func scheduling(p *plan.Plan) placement.Scheduling {
	s := &p.Scheduling
	const far = 2     // times the size at which a store splits a region
	const silence = 2 // intervals in which every region would have been reported that does not sleep
	cfg := placement.Scheduling{
		Interval:        time.Duration(s.Interval),
		Replicas:        p.Cluster.Replicas,
		OperatorTimeout: time.Duration(s.OperatorTimeout),
		OperatorLimit:   s.OperatorLimit,
		StoreLimit:      s.StoreLimit,
		ReplicaCheck:    s.ReplicaCheck,
		BalanceLeaders:  s.BalanceLeaders,
		BalanceRegions:  s.BalanceRegions,
		BySize:          s.BySize,
		Tolerance:       s.Tolerance,
		EvictSlow:       s.EvictSlow,
		SplitSize:       far * uint64(s.SplitSize),
		SplitKeys:       far * uint64(s.SplitKeys),
		MergeSize:       uint64(s.MergeSize),
		MergeKeys:       uint64(s.MergeKeys),
		MergeDelay:      time.Duration(s.MergeDelay),
	}
	if p.Knobs.Hibernate > 0 {
		cfg.Silence = silence * time.Duration(p.Knobs.RegionHeartbeat)
	}
	return cfg
}

// OperatorCount counts the operators of one kind by their outcome. Those that
// ended with the process of the member that had them are in none.
type OperatorCount struct {
	Kind                                            string
	Begun, Finished, TimedOut, Cancelled, Abandoned uint64
}

// schedulingWitness hears what the members of the placement driver do.
type schedulingWitness struct {
	c      *Cluster
	counts map[placement.OperatorKind]*OperatorCount
	// known are the regions as the leader of the latest term has taken them up, of
	// each key the last one. They may overlap: what is newer covers what is older.
	term  uint64
	known []*metapb.Region
}

// schedulingObserver is the witness of one member.
type schedulingObserver struct {
	*schedulingWitness
	node string
}

func (w *schedulingWitness) count(kind placement.OperatorKind) *OperatorCount {
	if w.counts[kind] == nil {
		if w.counts == nil {
			w.counts = map[placement.OperatorKind]*OperatorCount{}
		}
		w.counts[kind] = &OperatorCount{Kind: kind.String()}
	}
	return w.counts[kind]
}

// OperatorBegun implements placement.Observer.
func (w schedulingObserver) OperatorBegun(kind placement.OperatorKind, text string) {
	w.count(kind).Begun++
	w.c.event(w.node, Scheduled, text)
}

// OperatorEnded implements placement.Observer.
func (w schedulingObserver) OperatorEnded(kind placement.OperatorKind, outcome placement.OperatorOutcome, text string) {
	n := w.count(kind)
	switch outcome {
	case placement.Finished:
		n.Finished++
	case placement.TimedOut:
		n.TimedOut++
	case placement.Cancelled:
		n.Cancelled++
	case placement.Abandoned:
		n.Abandoned++
	}
	w.c.event(w.node, Scheduled, fmt.Sprintf("%v: %s", outcome, text))
}

// Operators counts what the placement driver has had done, in the order of kinds.
func (c *Cluster) Operators() (counts []OperatorCount) {
	for _, kind := range placement.OperatorKinds() {
		if n := c.witness.counts[kind]; n != nil {
			counts = append(counts, *n)
		}
	}
	return counts
}

// RegionKnown implements placement.Observer. What a leadership knows of a key
// never goes back: a split or a merge raises the version of all regions that take
// part, so a region may not take the place of one of a higher version.
func (w schedulingObserver) RegionKnown(term uint64, region *metapb.Region) {
	if term < w.term {
		return // a leader that does not know yet that it is none; nobody hears of it for long
	}
	if term > w.term {
		w.term, w.known = term, nil
	}
	covers := func(old *metapb.Region) bool {
		if !overlap(old, region) {
			return false
		}
		was, is := old.RegionEpoch, region.RegionEpoch
		if was.Version > is.Version || old.Id == region.Id && was.ConfVer > is.ConfVer {
			invariant.Fail("directory: %s takes up region %d of epoch %d.%d, where it knew region %d of epoch %d.%d",
				w.node, region.Id, is.Version, is.ConfVer, old.Id, was.Version, was.ConfVer)
		}
		return inside(old, region)
	}
	w.known = append(slices.DeleteFunc(w.known, covers), region)
}

// wanted is how the replicas should be distributed in the end. Of leaders their number
// counts, even where of regions it is the bytes, which change as they are measured.
func (c *Cluster) wanted() state.Wanted {
	s := &c.plan.Scheduling
	on := s.Interval > 0 && s.ReplicaCheck
	return state.Wanted{
		Stores: c.storeNames(), Replicas: c.plan.Cluster.Replicas,
		Leaders: on && s.BalanceLeaders, Regions: on && s.BalanceRegions && !s.BySize, Tolerance: s.Tolerance,
	}
}

// schedulingUnrest tells what the placement driver has under way.
func (c *Cluster) schedulingUnrest() string {
	m := c.placementLeader()
	if m == nil || c.plan.Scheduling.Interval == 0 {
		return ""
	}
	pd := m.server.Server()
	if ops := pd.Operators(); len(ops) > 0 {
		return "the placement driver has under way: " + ops[0]
	}
	for _, s := range c.present() {
		if s.draining {
			return s.node.Name() + " is still being emptied"
		}
	}
	for _, s := range pd.Stores() {
		if s.Health == placement.StoreOffline {
			return fmt.Sprintf("store %d is still being emptied", s.Meta.Id)
		}
	}
	return ""
}

// deliberation is how long the stores have to be at rest until it is certain that
// the placement driver is content: it looks now and then, at what it has heard.
func (c *Cluster) deliberation() int64 {
	if c.plan.Scheduling.Interval == 0 {
		return 0
	}
	k, s := &c.plan.Knobs, &c.plan.Scheduling
	takes := int64(3*s.Interval + 2*max(k.StoreHeartbeat, k.RegionHeartbeat))
	if c.awaitsMerges() {
		takes += int64(s.MergeDelay + s.SplitCheck)
	}
	return takes
}
