package cluster

import (
	"simrun/nodes/invariant"
	"simrun/nodes/raftstore"
)

// leases compares what the stores believe about their leadership at the same
// true instant, as nobody inside the system could: while a leader holds a lease,
// no leader of a later term has committed anything. It is enough to look when a
// lease is renewed and when a term is opened: if the two overlap, one of them is
// in force when the other begins. A read by such a leader need not happen for
// this to fail, nor to be stale.
//
// The terms of two regions cannot be compared. So once a region has become part of
// another one on any store, it has no leader any more that would use a lease of it:
// what it held is written in another log.
type leases struct {
	c *Cluster
	// opened is the last term of each region in which something was committed, and
	// the store that led it, which may be down by now.
	opened map[uint64]openTerm
	// absorbed names, for each region that was merged into another one, the store
	// that was the first to apply this.
	absorbed map[uint64]string
	reads    Reads
}

// Reads counts the reads of regions by how they were confirmed.
type Reads struct {
	Lease   uint64 // by a leader under its lease
	Index   uint64 // by a leader that has asked a quorum
	Replica uint64 // by a follower that has asked its leader
}

type openTerm struct {
	term  uint64
	store string
}

func (l *leases) init(c *Cluster) {
	l.c, l.opened, l.absorbed = c, map[uint64]openTerm{}, map[uint64]string{}
}

// witness hears what one store tells.
type witness struct {
	*leases
	store *store
}

// LeaseRenewed implements raftstore.Witness.
func (w witness) LeaseRenewed(region, term uint64) {
	if last := w.opened[region]; last.term > term {
		invariant.Fail("leases: %s renews its lease of region %d in term %d, but %s has committed in term %d",
			w.store.node.Name(), region, term, last.store, last.term)
	}
	w.useless(region, w.store)
}

// merged is told that a store has applied the merge of a region into another one.
// That store's own peer of it ends with this.
func (l *leases) merged(region uint64, node string) {
	if l.absorbed[region] == "" {
		l.absorbed[region] = node
	}
	for _, s := range l.c.stores {
		if s.node.Name() != node {
			l.useless(region, s)
		}
	}
}

// useless checks that a store makes no use of a lease of a region that was merged
// away.
func (l *leases) useless(region uint64, s *store) {
	if by := l.absorbed[region]; by != "" && s.server != nil && s.server.UsesLease(region) {
		invariant.Fail("leases: %s uses a lease of region %d, which is part of another region on %s", s.node.Name(), region, by)
	}
}

// TermOpened implements raftstore.Witness.
func (w witness) TermOpened(region, term uint64) {
	if last := w.opened[region]; last.term < term {
		w.opened[region] = openTerm{term, w.store.node.Name()}
		w.c.queues.moved(w.c.World.Now(), region, w.store.node.Name())
	}
	for _, other := range w.c.stores {
		if other == w.store || other.server == nil {
			continue
		}
		if older, leased := other.server.Leased(region); leased && older < term {
			invariant.Fail("leases: %s has committed in term %d of region %d, but %s still holds its lease of term %d",
				w.store.node.Name(), term, region, other.node.Name(), older)
		}
	}
}

// ReadServed implements raftstore.Witness.
func (w witness) ReadServed(_ uint64, way raftstore.ReadWay) {
	switch way {
	case raftstore.ReadByLease:
		w.reads.Lease++
	case raftstore.ReadByIndex:
		w.reads.Index++
	case raftstore.ReadByReplica:
		w.reads.Replica++
	}
}

// Reads counts how reads were served.
func (c *Cluster) Reads() Reads { return c.leases.reads }
