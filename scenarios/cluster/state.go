package cluster

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"github.com/pingcap/kvproto/pkg/metapb"

	"simrun/checker"
	"simrun/checker/state"
	"simrun/nodes/engine"
	"simrun/nodes/placement"
	"simrun/nodes/raftstore"
	"simrun/sim/history"
	"simrun/sim/plan"
)

// CheckState runs the checkers of stored state. The cluster must be quiet.
func (c *Cluster) CheckState(h *history.History) []checker.Result {
	replicas, strays := c.dump()
	listing, _ := c.listing()
	results := []checker.Result{
		state.Replicas(slices.Concat(replicas, c.dumpPlacement())),
		state.Members(replicas),
		state.Regions(replicas, strays...),
		state.Directory(listing, c.storeNames(), replicas),
		state.Snapshots(c.snapshotRemains()),
	}
	if c.plan.Scheduling.Repairs() {
		results = append(results, c.placed(replicas))
	}
	if c.plan.Cluster.API == plan.Txn {
		rows := leaderRows(replicas)
		at := state.SafePoints{Settled: c.safePoint(), Collected: c.collected}
		results = append(results,
			state.MVCC(rows, state.Options{Optimistic: true, Reads: h, At: at}),
			state.Acknowledged(h, rows, at.Settled))
		if h.Tables {
			results = append(results, state.Index(h, rows, at))
		}
	}
	return results
}

// safePoint is up to where garbage was collected.
func (c *Cluster) safePoint() uint64 {
	if m := c.placementLeader(); m != nil {
		return m.server.Server().SafePoint()
	}
	return 0
}

// dump reads every store once, from end to end, and deals out what it holds to
// its peers; what belongs to none of them comes apart.
func (c *Cluster) dump() (replicas []state.Replica, strays []state.Stray) {
	for _, s := range c.stores {
		if s.server == nil {
			continue
		}
		own := c.replicasOf(s)
		strays = append(strays, state.Divide(s.node.Name(), rows(s.server.Engines().KV), own))
		replicas = append(replicas, own...)
	}
	return replicas, strays
}

// replicaOf describes a replica, without what it holds. Members are told of the
// regions of stores only.
func (c *Cluster) replicaOf(node string, r raftstore.RegionInfo) state.Replica {
	return state.Replica{
		Store: node, Region: r.Region.Id, Peer: r.Peer, Leader: r.IsLeader,
		Start: r.Region.StartKey, End: r.Region.EndKey,
		ConfVer: r.Region.RegionEpoch.ConfVer, Version: r.Region.RegionEpoch.Version,
		Members:      c.membersOf(r.Region),
		Merging:      r.Merging,
		AppliedIndex: r.Applied, AppliedTerm: r.AppliedTerm,
	}
}

// placementRegion stands for the region of the placement members, which is of
// another cluster than the stores' regions: no id that is handed out is 0.
const placementRegion = 0

// dumpPlacement reads every placement member.
func (c *Cluster) dumpPlacement() (replicas []state.Replica) {
	for _, m := range c.members {
		info, ok := m.replica()
		if !ok {
			continue
		}
		r := c.replicaOf(m.node.Name(), info)
		r.Region, r.Members = placementRegion, nil
		r.Rows = rows(m.server.Engines().KV)
		replicas = append(replicas, r)
	}
	return replicas
}

// replicas returns the replicas of all stores, without what they hold.
func (c *Cluster) replicas() (replicas []state.Replica) {
	for _, s := range c.stores {
		replicas = append(replicas, c.replicasOf(s)...)
	}
	return replicas
}

// replicasOf returns a store's replicas, without what they hold.
func (c *Cluster) replicasOf(s *store) (replicas []state.Replica) {
	if s.server == nil {
		return nil
	}
	for _, r := range s.server.Regions() {
		replicas = append(replicas, c.replicaOf(s.node.Name(), r))
	}
	return replicas
}

// listing returns what the member that leads the placement driver tells; ok is
// false if none does.
func (c *Cluster) listing() (l state.Listing, ok bool) {
	m := c.placementLeader()
	if m == nil {
		return l, false
	}
	pd := m.server.Server()
	for _, r := range pd.Regions() {
		listed := state.ListedRegion{
			Region: r.Region.Id, Start: r.Region.StartKey, End: r.Region.EndKey, Leader: r.Leader.GetId(),
			ConfVer: r.Region.RegionEpoch.ConfVer, Version: r.Region.RegionEpoch.Version,
		}
		for _, p := range r.Region.Peers {
			listed.Peers = append(listed.Peers, p.Id)
		}
		l.Regions = append(l.Regions, listed)
	}
	for _, s := range pd.Stores() {
		if c.isLost(s.Meta.Id) || s.Health == placement.StoreTombstone && !c.owned(s.Meta.Id) {
			continue // it will never be heard of again
		}
		up := s.Health == placement.StoreUp && s.Meta.LastHeartbeat != 0
		l.Stores = append(l.Stores, state.ListedStore{Store: s.Meta.Address, Up: up})
	}
	return l, l.Regions != nil // none while the leader is not ready
}

// owned reports whether an id is that of a store which should be there.
func (c *Cluster) owned(id uint64) bool {
	return slices.ContainsFunc(c.present(), func(s *store) bool { return s.id == id })
}

// membersOf lists the members of a region by the names of their nodes.
func (c *Cluster) membersOf(r *metapb.Region) []state.Member {
	members := make([]state.Member, len(r.Peers))
	for i, p := range r.Peers {
		name := fmt.Sprintf("store with id %d", p.StoreId)
		for _, s := range c.stores {
			if s.id == p.StoreId {
				name = s.node.Name()
			}
		}
		members[i] = state.Member{Peer: p.Id, Store: name, Role: p.Role.String()}
	}
	return members
}

// rows returns all data that a store holds.
func rows(db *engine.DB) state.Rows {
	return state.Rows{
		Default: family(db, engine.Default),
		Lock:    family(db, engine.Lock),
		Write:   family(db, engine.Write),
	}
}

func family(db *engine.DB, cf engine.CF) []state.Row {
	it, err := db.NewIter(cf, engine.IterOptions{})
	if err != nil {
		panic(fmt.Errorf("cannot read a store for the audit: %w", err))
	}
	defer it.Close()
	var list []state.Row
	for ok := it.First(); ok; ok = it.Next() {
		list = append(list, state.Row{Key: slices.Clone(it.Key()), Value: slices.Clone(it.Value())})
	}
	return list
}

// leaderRows joins what the leaders hold: the whole key space, in order.
func leaderRows(replicas []state.Replica) state.Rows {
	leaders := slices.DeleteFunc(slices.Clone(replicas), func(r state.Replica) bool { return !r.Leader })
	slices.SortFunc(leaders, func(a, b state.Replica) int { return bytes.Compare(a.Start, b.Start) })
	var all state.Rows
	for _, r := range leaders {
		all.Default = append(all.Default, r.Default...)
		all.Lock = append(all.Lock, r.Lock...)
		all.Write = append(all.Write, r.Write...)
	}
	return all
}

// DumpLogs writes the raft logs of all regions of all stores, and of the
// placement driver, in readable form.
func (c *Cluster) DumpLogs(w io.Writer) {
	for _, m := range c.members {
		if r, ok := m.replica(); ok {
			fmt.Fprintln(w, m.node.Name(), r)
			lines, err := m.server.DumpLog()
			dumpLines(w, lines, err)
		}
	}
	for _, s := range c.stores {
		if s.server == nil {
			continue
		}
		for _, r := range s.server.Regions() {
			fmt.Fprintln(w, s.node.Name(), r)
			lines, err := s.server.DumpLog(r.Region.Id)
			dumpLines(w, lines, err)
		}
	}
}

func dumpLines(w io.Writer, lines []string, err error) {
	if err != nil {
		fmt.Fprintln(w, "  cannot read the log:", err)
	}
	for _, line := range lines {
		fmt.Fprintln(w, " ", line)
	}
}
