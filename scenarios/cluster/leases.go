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
type leases struct {
	c *Cluster
	// opened is the last term of each region in which something was committed, and
	// the store that led it, which may be down by now.
	opened map[uint64]openTerm
	reads  Reads
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

func (l *leases) init(c *Cluster) { l.c, l.opened = c, map[uint64]openTerm{} }

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
