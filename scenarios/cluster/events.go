package cluster

import (
	"fmt"
	"strings"

	"github.com/pingcap/kvproto/pkg/metapb"

	"simrun/nodes/raftstore"
)

// Event is something that happened in the cluster, for reports.
type Event struct {
	At   int64 // virtual nanoseconds
	Node string
	Kind EventKind
	Text string
	// Regions are the regions that an election or a split is about; of a split, the
	// one that was split comes first. The placement driver's group is none.
	Regions []uint64
	DB      string // the database of a stall
}

// EventKind is the kind of an Event.
type EventKind string

// The kinds of events.
const (
	Started   EventKind = "started"
	Ended     EventKind = "ended"
	Exited    EventKind = "exited" // by itself, after an injected disk error; Text says why
	Failed    EventKind = "failed" // by itself, though nothing was injected that explains it
	Paused    EventKind = "paused"
	Resumed   EventKind = "resumed"
	Elected   EventKind = "election"
	SplitDone EventKind = "split"
	Snapshot  EventKind = "snapshot"
	Scheduled EventKind = "scheduled" // an operator of the placement driver begins or ends
	Prepared  EventKind = "merge prepared"
	Merged    EventKind = "merge"
	Revived   EventKind = "merge rolled back"
	Stalled   EventKind = "stalled" // a database slows its writes down or stops them
	Flowing   EventKind = "flowing" // it does not any more
	Members   EventKind = "members" // of a region have changed, or one of them is gone

	SnapshotSent    EventKind = "snapshot sent"    // to another node, which has accepted it
	SnapshotResumed EventKind = "snapshot resumed" // by its sender, after what the receiver had
	SnapshotRefused EventKind = "snapshot refused" // a chunk of it, by its receiver
)

// observer turns what the raft groups of a node report into events.
type observer struct {
	c    *Cluster
	node string
}

// LeaderElected implements raftstore.Observer.
func (o observer) LeaderElected(region, term uint64) {
	o.c.event(o.node, Elected, fmt.Sprintf("region %d, term %d", region, term), region)
}

// RegionSplit implements raftstore.Observer.
func (o observer) RegionSplit(regions []*metapb.Region) {
	ids, texts := make([]uint64, len(regions)), make([]string, len(regions))
	for i, r := range regions {
		ids[i], texts[i] = r.Id, fmt.Sprint(r.Id)
	}
	o.c.event(o.node, SplitDone, "regions "+strings.Join(texts, ", "), ids...)
}

// MergePrepared implements raftstore.Observer.
func (o observer) MergePrepared(source, target *metapb.Region) {
	o.c.event(o.node, Prepared, fmt.Sprintf("region %d, version %d, into region %d", source.Id, source.RegionEpoch.Version, target.Id))
}

// RegionMerged implements raftstore.Observer.
func (o observer) RegionMerged(region, source *metapb.Region) {
	o.c.event(o.node, Merged, fmt.Sprintf("region %d into region %d", source.Id, region.Id))
	o.c.leases.merged(source.Id, o.node)
}

// MergeRolledBack implements raftstore.Observer.
func (o observer) MergeRolledBack(source, target *metapb.Region) {
	o.c.event(o.node, Revived, fmt.Sprintf("region %d, version %d, not into region %d", source.Id, source.RegionEpoch.Version, target.Id))
}

// PeersChanged implements raftstore.Observer.
func (o observer) PeersChanged(region *metapb.Region) {
	o.c.event(o.node, Members, "region "+describeMembers(region))
}

// PeerDestroyed implements raftstore.Observer.
func (o observer) PeerDestroyed(region, peer uint64) {
	o.c.event(o.node, Members, fmt.Sprintf("region %d, peer %d destroyed", region, peer))
}

// describeMembers lists the members of a region with their roles.
func describeMembers(r *metapb.Region) string {
	members := make([]string, len(r.Peers))
	for i, p := range r.Peers {
		members[i] = fmt.Sprintf("%d on store %d", p.Id, p.StoreId)
		if p.Role != metapb.PeerRole_Voter {
			members[i] += " (" + p.Role.String() + ")"
		}
	}
	return fmt.Sprintf("%d, configuration %d: %s", r.Id, r.GetRegionEpoch().GetConfVer(), strings.Join(members, ", "))
}

// SnapshotApplied implements raftstore.Observer.
func (o observer) SnapshotApplied(region, index uint64) {
	o.c.event(o.node, Snapshot, fmt.Sprintf("region %d at index %d", region, index))
}

// SnapshotMoved implements raftstore.Observer.
func (o observer) SnapshotMoved(region uint64, step raftstore.SnapshotStep) {
	o.c.event(o.node, moved(step), fmt.Sprintf("region %d", region))
}

// moved is the event of a step of a snapshot.
func moved(step raftstore.SnapshotStep) EventKind {
	switch step {
	case raftstore.SnapshotResumed:
		return SnapshotResumed
	case raftstore.SnapshotRefused:
		return SnapshotRefused
	case raftstore.SnapshotSent:
	}
	return SnapshotSent
}

// memberObserver turns what the raft group of the placement driver reports into
// events. Its one region is of another cluster than the stores' ones.
type memberObserver struct {
	c    *Cluster
	node string
}

// LeaderElected implements raftstore.Observer.
func (o memberObserver) LeaderElected(_, term uint64) {
	o.c.event(o.node, Elected, fmt.Sprintf("placement driver, term %d", term))
}

// RegionSplit implements raftstore.Observer: nobody splits it.
func (o memberObserver) RegionSplit([]*metapb.Region) {}

// MergePrepared implements raftstore.Observer: nobody merges it.
func (o memberObserver) MergePrepared(*metapb.Region, *metapb.Region) {}

// RegionMerged implements raftstore.Observer.
func (o memberObserver) RegionMerged(*metapb.Region, *metapb.Region) {}

// MergeRolledBack implements raftstore.Observer.
func (o memberObserver) MergeRolledBack(*metapb.Region, *metapb.Region) {}

// SnapshotApplied implements raftstore.Observer.
func (o memberObserver) SnapshotApplied(_, index uint64) {
	o.c.event(o.node, Snapshot, fmt.Sprintf("placement driver at index %d", index))
}

// SnapshotMoved implements raftstore.Observer.
func (o memberObserver) SnapshotMoved(_ uint64, step raftstore.SnapshotStep) {
	o.c.event(o.node, moved(step), "placement driver")
}

// PeersChanged implements raftstore.Observer: the members never change.
func (o memberObserver) PeersChanged(*metapb.Region) {}

// PeerDestroyed implements raftstore.Observer.
func (o memberObserver) PeerDestroyed(uint64, uint64) {}
