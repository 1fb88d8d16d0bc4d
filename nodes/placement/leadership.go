package placement

import (
	"fmt"
	"time"

	"github.com/pingcap/kvproto/pkg/metapb"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
)

//nolint:gochecknoglobals // marks register once
var (
	markBegun     = invariant.NewMark("placement: leadership begun")
	markLost      = invariant.NewMark("placement: leadership lost with requests waiting")
	markStillborn = invariant.NewMark("placement: leadership lost before it was begun")
	markBootstrap = invariant.NewMark("placement: cluster bootstrapped")
)

// leadership is one period in which this member leads: it begins with an entry
// of its term that is applied, and the state as of then, and ends for good when
// the member's role or term changes. Everything that a leader keeps in memory
// hangs on it, and so does every task that works for it: nothing is handed on
// from one leadership of a process to the next, however soon that follows.
type leadership struct {
	s    *Server
	term uint64
	// ready is set when the state is loaded, ended when the leadership is over.
	ready, ended bool

	// The state; nil until the leadership is ready.
	oracle  *oracle
	ids     *idAllocator
	stores  *storeDirectory
	regions *regionDirectory

	safePoints *safePoints
	operators  *operators

	saver     saver
	confirmer confirmer
}

// roleChanged follows the role of this member in the raft group.
func (s *Server) roleChanged(term uint64, leads bool) {
	if l := s.leadership; l != nil {
		s.leadership = nil
		l.end()
	}
	if leads {
		l := &leadership{s: s, term: term}
		s.leadership = l
		s.env.Sched.Go("placement leadership", l.begin)
	}
}

// Leads implements Storage.
func (l *leadership) Leads() bool {
	if l.ended {
		return false
	}
	_, term, self := l.s.replica.leader()
	invariant.Check(self && term == l.term, "placement: leadership of term %d goes on in term %d, leader %v", l.term, term, self)
	return true
}

// retryInterval is how long a leader waits before it proposes again what its
// raft group had no room for.
const retryInterval = 10 * time.Millisecond

// begin makes the leadership ready. It proposes until an entry of the term is
// applied: only then is the applied state the one in which all earlier leaders
// have left it.
func (l *leadership) begin(t env.Task) {
	announcement := []Record{{keyLeader, []byte(l.s.env.Name)}}
	for !l.ended && l.s.replica.propose(t, l.term, announcement) != nil {
		t.Sleep(retryInterval)
	}
	for !l.ended && !l.ready {
		if err := l.load(); err != nil {
			l.s.env.Exit(fmt.Sprintf("placement: %v", err))
			return
		}
		if !l.ready {
			l.bootstrap(t)
		}
	}
	if l.ready && l.s.cfg.Scheduling.Interval > 0 {
		l.s.env.Sched.Go("placement scheduling", l.schedule)
	}
	markBegun.Sometimes(l.ready)
	markStillborn.Sometimes(!l.ready)
}

// bootstrap writes the first records of the cluster. The applied state has none,
// and none that an earlier leader has proposed can be applied any more.
func (l *leadership) bootstrap(t env.Task) {
	if err := l.s.replica.propose(t, l.term, l.s.firstRecords()); err != nil {
		t.Sleep(retryInterval)
		return
	}
	markBootstrap.Reached()
}

// load takes up the applied state. The leadership is ready then, unless the
// cluster has yet to be bootstrapped.
func (l *leadership) load() error {
	view, err := l.s.replica.view(l.term)
	if err != nil {
		return err // an entry of the term is applied, and the leadership has not ended
	}
	defer view.Close()
	return l.loadFrom(image{view})
}

func (l *leadership) loadFrom(img Image) (err error) {
	bootstrapped, err := l.s.loadCluster(img)
	if err != nil || !bootstrapped {
		return err
	}
	if l.oracle, err = newOracle(l.s.env.Clock, img, l, l.s.cfg.TimestampWindow); err != nil {
		return err
	}
	if l.ids, err = newIDAllocator(img, l, l.s.cfg.IDBatch); err != nil {
		return err
	}
	if l.stores, err = loadStores(img, l.s.env.Clock.Monotonic(), l.s.cfg); err != nil {
		return err
	}
	if l.regions, err = loadRegions(img); err != nil {
		return err
	}
	for _, r := range l.regions.byStart {
		l.s.cfg.Observer.RegionKnown(l.term, r.meta)
	}
	l.operators = newOperators(l)
	if l.safePoints, err = loadSafePoints(img, l.s.cfg.TimestampWindow); err != nil {
		return err
	}
	markIDsLost.Sometimes(l.ids.end > l.s.cfg.maxID()) // those with which the cluster has begun
	l.ready = true
	return nil
}

// loadCluster reports whether the cluster was bootstrapped.
func (s *Server) loadCluster(img Image) (bootstrapped bool, _ error) {
	err := img.Load(keyCluster, func(_ string, value []byte) error {
		cluster := &metapb.Cluster{}
		if damaged := cluster.Unmarshal(value); damaged != nil {
			return damaged
		}
		if cluster.Id != s.cfg.ClusterID {
			return fmt.Errorf("cluster %d on the disk of a member of cluster %d", cluster.Id, s.cfg.ClusterID)
		}
		bootstrapped = true
		return nil
	})
	return bootstrapped, err
}

// firstRecords are those with which a cluster begins.
func (s *Server) firstRecords() []Record {
	records := []Record{
		{keyCluster, encode(&metapb.Cluster{Id: s.cfg.ClusterID, MaxPeerCount: uint32(len(s.cfg.Regions[0].Peers))})},
		{keyID, encodeUint64(s.cfg.maxID())},
	}
	for _, meta := range s.cfg.Regions {
		records = append(records, regionRecord(meta))
	}
	return records
}

// end tells everybody who waits that the leadership is over.
func (l *leadership) end() {
	l.ended = true
	markLost.Sometimes(l.saver.busy() || l.confirmer.busy())
	l.saver.abandon()
	l.confirmer.abandon()
	if l.ready {
		l.oracle.waiting.WakeAll()
		l.ids.waiting.WakeAll()
		l.operators.abandon()
	}
}
