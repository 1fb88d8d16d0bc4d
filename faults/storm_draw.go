package faults

import (
	"slices"
	"time"

	"simrun/sim/stream"
)

// draw is the stream of one fault of a storm, and what it draws from.
type draw struct {
	*stream.Stream
	c *StormConfig
}

// body draws what is particular to the kind.
func (d draw) body(f *Fault) {
	switch f.Kind {
	case Partition:
		if !d.answers(f) {
			d.partition(f)
		}
	case Isolate:
		f.Targets = []Target{d.store()}
	case DiskStall, DiskFull:
		f.Targets = []Target{d.storeOrPlacement()}
	case Clog:
		if !d.answers(f) {
			a, b := d.twoStores()
			f.Targets, f.Peers, f.Directed = []Target{a}, []Target{b}, d.PerMille(500)
		}
	case Network:
		d.network(f)
	case PowerLoss, Kill:
		d.crash(f)
	case Pause:
		f.Targets = []Target{d.anyNode()}
	case ClockJump:
		f.Targets = []Target{d.anyNode()}
		jump := max(rounded(magnitude(d.Stream, int64(Resolution), int64(d.c.JumpMax))), Resolution)
		if d.PerMille(500) {
			jump = -jump
		}
		f.Jump = jump
	case ClockDrift:
		f.Targets = []Target{d.anyNode()}
		f.Drift = int(magnitude(d.Stream, 1, int64(d.c.DriftMax)))
		if d.PerMille(500) {
			f.Drift = -f.Drift
		}
	case DiskSlow:
		f.Targets = []Target{d.storeOrPlacement()}
		f.Factor = int(magnitude(d.Stream, 2, int64(d.c.SlowMax)))
	case DiskError:
		f.Targets = []Target{d.storeOrPlacement()}
		f.Access = []Access{Read, Write}[d.IntN(2)]
		f.Nth = int(magnitude(d.Stream, 1, int64(d.c.OpMax)))
		f.Within = armedFor
	case Split, TransferLeader, MergeRegions:
		f.Key = d.key()
	case AddPeer:
		f.Key, f.Targets = d.key(), []Target{d.named()}
	case RemovePeer:
		f.Key = d.key()
		f.Targets = []Target{d.holder(f.Key)}
	case MovePeer:
		f.Key = d.key()
		f.Targets, f.Peers = []Target{d.holder(f.Key)}, []Target{d.named()}
	case Wipe, Drain, Destroy:
		f.Targets = []Target{d.store()}
	case Join, Restart: // see joins and restarts
	case kindEnd:
	}
}

// partition draws one of the shapes that have found bugs: a minority against
// the rest, one direction between two nodes, and a pair that does not see each
// other while both see everybody else.
func (d draw) partition(f *Fault) {
	nodes := d.shuffled(d.c.nodes())
	if d.PerMille(500) && len(d.c.Stores) > 1 {
		// Some stores, never all, with whichever others fall to them.
		stores := d.shuffled(d.c.Stores)
		most := len(stores) - 1
		if !d.c.MajorityDown {
			most = max(min(most, (d.c.Replicas-1)/2), 1)
		}
		side := stores[:1+d.IntN(most)]
		for _, name := range nodes {
			if !slices.Contains(d.c.Stores, name) && d.PerMille(500) {
				side = append(side, name)
			}
		}
		f.Targets = named(side)
		f.Peers = named(without(d.c.nodes(), side))
		f.Directed = d.PerMille(200)
		return
	}
	f.Targets, f.Peers = named(nodes[:1]), named(nodes[1:2])
	f.Directed = d.PerMille(500)
}

// network draws at least one way in which links get worse, for all links, for
// those between two stores or for those of answers.
func (d draw) network(f *Fault) {
	g := &f.Degradation
	for *g == (Degradation{}) {
		if d.PerMille(500) {
			g.Loss = int(magnitude(d.Stream, 1, int64(d.c.LossMax)))
		}
		if d.PerMille(500) {
			g.Duplicate = int(magnitude(d.Stream, 1, int64(d.c.DuplicateMax)))
		}
		if d.PerMille(500) {
			g.Reorder = int(magnitude(d.Stream, 1, int64(d.c.ReorderMax)))
		}
		if d.PerMille(500) {
			g.Latency = rounded(magnitude(d.Stream, int64(Resolution), int64(d.c.LatencyMax)))
		}
	}
	if d.answers(f) {
		return
	}
	if len(d.c.Stores) >= 2 && d.PerMille(300) {
		a, b := d.twoStores()
		f.Targets, f.Peers, f.Directed = []Target{a}, []Target{b}, d.PerMille(500)
	}
}

func (d draw) crash(f *Fault) {
	switch {
	case f.Kind == PowerLoss && d.PerMille(d.c.Blackout):
		f.Targets = []Target{AllStores()}
		return
	case f.Kind == PowerLoss:
		f.Targets = []Target{d.storeOrPlacement()}
	default:
		f.Targets = []Target{d.anyNode()}
	}
	if d.PerMille(300) && !d.isClient(f.Targets[0]) {
		f.Op = int(magnitude(d.Stream, 1, int64(d.c.OpMax)))
		f.Within = armedFor
	}
}

// armedFor is how long a crash or error that a storm arms waits for its operation.
const armedFor = 500 * time.Millisecond

// anyNode is a client by ClientChance. Else it is, in three cases of ten, a placement
// member or a client, if there are any, and in all others what store draws.
func (d draw) anyNode() Target {
	if len(d.c.Clients) > 0 && d.c.ClientChance > 0 && d.PerMille(d.c.ClientChance) {
		return Node(d.c.Clients[d.IntN(len(d.c.Clients))])
	}
	others := slices.Concat(d.c.Placement, d.c.Clients)
	if len(others) > 0 && d.PerMille(300) {
		if i := d.IntN(len(others)); i >= len(d.c.Placement) {
			return Node(others[i])
		}
		return d.placement()
	}
	return d.store()
}

// storeOrPlacement is a node with a disk: a placement member, if there are any, in two cases
// of ten, else what store draws.
func (d draw) storeOrPlacement() Target {
	if len(d.c.Placement) > 0 && d.PerMille(200) {
		return d.placement()
	}
	return d.store()
}

// placement is a placement member: of several, the leader half of the time.
func (d draw) placement() Target {
	if len(d.c.Placement) > 1 && d.PerMille(500) {
		return PlacementLeader()
	}
	return Node(d.c.Placement[d.IntN(len(d.c.Placement))])
}

// store is a store by name, by leadership or by membership, one that sends or
// receives a snapshot, or in its stead a placement member.
func (d draw) store() Target {
	if len(d.c.Placement) > 0 && d.c.PlacementChance > 0 && d.PerMille(d.c.PlacementChance) {
		return d.placement()
	}
	if d.c.Snapshots > 0 && d.PerMille(d.c.Snapshots) {
		if d.PerMille(600) {
			return SnapshotReceiver()
		}
		return SnapshotSender()
	}
	if d.c.MergingChance > 0 && d.PerMille(d.c.MergingChance) {
		return d.merging()
	}
	if len(d.c.Keys) > 0 {
		switch x := d.IntN(10); {
		case x < 4:
			return Leader(d.key())
		case x < 6:
			return Follower(d.key())
		}
	}
	return d.named()
}

// merging is one of the two who lead in a merge.
func (d draw) merging() Target {
	if d.PerMille(500) {
		return MergeTarget()
	}
	return Merging()
}

// named is a store by name.
func (d draw) named() Target { return Node(d.c.Stores[d.IntN(len(d.c.Stores))]) }

// holder is a store that has a peer of the region of key, or may have.
func (d draw) holder(key string) Target {
	switch x := d.IntN(10); {
	case x < 2:
		return Leader(key)
	case x < 5:
		return Follower(key)
	}
	return d.named()
}

func (d draw) twoStores() (a, b Target) {
	i := d.IntN(len(d.c.Stores))
	j := d.IntN(len(d.c.Stores) - 1)
	if j >= i {
		j++
	}
	return Node(d.c.Stores[i]), Node(d.c.Stores[j])
}

func (d draw) key() string { return d.c.Keys[d.IntN(len(d.c.Keys))] }

func (d draw) isClient(t Target) bool {
	return t.Kind == TargetNode && slices.Contains(d.c.Clients, t.Name)
}

// shuffled returns the names in a random order (Fisher and Yates).
func (d draw) shuffled(names []string) []string {
	names = slices.Clone(names)
	for i := len(names) - 1; i > 0; i-- {
		j := d.IntN(i + 1)
		names[i], names[j] = names[j], names[i]
	}
	return names
}

func named(names []string) []Target {
	targets := make([]Target, len(names))
	for i, name := range names {
		targets[i] = Node(name)
	}
	return targets
}
