package raftstore

import (
	"bytes"
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_serverpb"
	"go.etcd.io/raft/v3/raftpb"

	"simrun/nodes/engine"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
)

// Store holds the peers of one process of a store.
type Store struct {
	id        uint64
	env       *env.Env
	cfg       Config
	eng       *engine.Engines
	transport Transport
	pd        PD
	boot      uint64 // distinguishes this process's proposals from those of others
	start     int64  // wall clock at the start, in seconds
	// holdoff is the instant of the monotonic clock by which the promises of
	// earlier processes are over.
	holdoff time.Duration

	// peers are in the order of region ids, ranges holds the initialised ones in
	// the order of their start keys; they never overlap.
	peers    []*peer
	byRegion map[uint64]*peer
	ranges   []*peer
	// claimants are those that may have received a snapshot which is not applied.
	claimants []*peer
	// tombstones are the states of regions whose peer was removed: one for each that
	// was ever here, a few hundred bytes each, as they stay on the disk for good. They are
	// not looked up there instead: then every message for a region without a peer would
	// read the database, which may fail, and that is the end of the process; and a
	// start has to look at all of them anyway, for logs that a crash has left.
	tombstones map[uint64]*raft_serverpb.RegionLocalState

	// dirty are the peers with work for the next turn.
	dirty, spare []*peer
	turnDue      bool
	ticks        int // since the start
	calendar     calendar
	neighbours   []neighbour // in the order in which they were met
	sleepers     []*peer     // scratch space of reportRegions
	reported     uint64      // the region that sleeps and was reported last
	outbox       outbox
	parked       parkingLot

	appender appender
	applier  applier
	logGC    logGC
	receiver receiver
	snaps    snapshotDir
	throttle throttle
	sending  int         // snapshots being made or sent
	outgoing []*outgoing // in the order in which they were begun
	splitter splitter
	slowness slowness

	nextProposal uint64
	nextRead     uint64
	// readers are the tasks that wait for a read to be confirmed: now, and the most
	// that there were at once.
	readers struct{ now, most int }

	// dead is set after a storage error has ended the process.
	dead bool

	turnFn, tickFn func() // turn and tick

	// Scratch space of one call.
	key, value []byte
	oneEntry   [1]*raftpb.Entry
	envelope   envelope
}

// Open starts the store: it loads all peers, checks their logs and begins to
// tick. Everything in the engines must be durable by then, for the store answers
// for what it finds. Messages may be handed to it from then on.
func Open(e *env.Env, cfg Config, eng *engine.Engines, transport Transport, pd PD) (*Store, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if cfg.Observer == nil {
		cfg.Observer = noObserver{}
	}
	if cfg.RoleChanged == nil {
		cfg.RoleChanged = noRoleChanged
	}
	if cfg.Witness == nil {
		cfg.Witness = noWitness{}
	}
	if cfg.Auditor == nil {
		cfg.Auditor = noAuditor{}
	}
	if cfg.Backlogs == nil {
		cfg.Backlogs = &Backlogs{}
	}
	cfg.Backlogs.begin()
	ident, err := Ident(eng)
	if err != nil {
		return nil, err
	}
	if ident == nil || ident.GetStoreId() != cfg.StoreID {
		return nil, fmt.Errorf("raftstore: this is not store %d but %v", cfg.StoreID, ident)
	}
	s := &Store{
		id: cfg.StoreID, env: e, cfg: cfg, eng: eng, transport: transport, pd: pd,
		boot:       e.Streams.Stream("raftstore").Uint64(),
		start:      e.Clock.Wall().Unix(),
		holdoff:    e.Clock.Monotonic() + cfg.promiseLength(),
		byRegion:   map[uint64]*peer{},
		tombstones: map[uint64]*raft_serverpb.RegionLocalState{},
	}
	s.turnFn, s.tickFn = s.turn, s.tick
	s.appender.init(s)
	s.applier.init(s)
	s.logGC.s = s
	s.splitter.s = s
	s.receiver.s = s
	s.throttle.rate = cfg.SnapshotRate
	s.outbox.init(s)
	s.calendar.init(max(cfg.ElectionTick, 1))
	if err := s.load(); err != nil {
		return nil, err
	}
	s.scheduleTick()
	s.scheduleHeartbeats()
	if s.cfg.measures() {
		s.env.Sched.After(s.cfg.SplitCheckInterval, s.splitter.look)
	}
	return s, nil
}

// load takes over what is on the disk.
func (s *Store) load() error {
	if err := s.snaps.open(s.env.Disk.FS()); err != nil {
		return err
	}
	if err := s.loadPeers(); err != nil {
		return err
	}
	return s.loadSnapshots()
}

func (s *Store) loadPeers() error {
	states, err := regionStates(s.eng)
	if err != nil {
		return err
	}
	b := s.eng.RaftLog.NewBatch()
	defer b.Close()
	var loaded []*peer
	for _, state := range states {
		region := state.GetRegion()
		switch state.GetState() {
		case raft_serverpb.PeerState_Normal, raft_serverpb.PeerState_Applying, raft_serverpb.PeerState_Merging:
			p, err := s.loadPeer(state, b)
			if err != nil {
				return err
			}
			loaded = append(loaded, p)
		case raft_serverpb.PeerState_Tombstone:
			s.tombstones[region.GetId()] = state
			if err := s.eraseLeftover(region.GetId(), b); err != nil {
				return err
			}
		default:
			invariant.Fail("raftstore: region %d is in state %s", region.GetId(), state.GetState())
		}
	}
	// What is completed here was decided by the key-value database, which is
	// durable; so this need not be before it is acted upon, since the next start
	// would do it again.
	if err := s.eng.RaftLog.Write(b); err != nil {
		return err
	}
	b.Reset()
	for _, p := range loaded {
		if err := p.checkLog(b); err != nil {
			return err
		}
		p.startRaft()
		s.addPeer(p)
	}
	return s.eng.RaftLog.Write(b)
}

func (s *Store) loadPeer(state *raft_serverpb.RegionLocalState, b *engine.Batch) (*peer, error) {
	region := state.GetRegion()
	st, err := loadStates(s.eng, region)
	if err != nil {
		return nil, err
	}
	p := s.newPeer(region, peerOnStore(region, s.id))
	p.markFound(st)
	p.merge.load(state)
	if p.loadLog(st) {
		p.log.reset(b, p.log.truncatedIndex, p.log.truncatedTerm)
		p.log.putHardState(b, p.log.hard)
	}
	if state.GetState() == raft_serverpb.PeerState_Applying {
		return p, p.completeSnapshot(st)
	}
	return p, nil
}

// regionStates reads the states of all regions, in the order of their ids.
func regionStates(eng *engine.Engines) ([]*raft_serverpb.RegionLocalState, error) {
	it, err := eng.KV.NewIter(engine.Raft, engine.IterOptions{
		Lower: []byte{localPrefix, regionTag}, Upper: []byte{localPrefix, regionTag + 1},
	})
	if err != nil {
		return nil, err
	}
	defer it.Close()
	var states []*raft_serverpb.RegionLocalState
	for ok := it.First(); ok; ok = it.Next() {
		state := &raft_serverpb.RegionLocalState{}
		if err := state.Unmarshal(it.Value()); err != nil {
			return nil, fmt.Errorf("raftstore: region state %x: %w", it.Key(), err)
		}
		states = append(states, state)
	}
	return states, it.Error()
}

// addPeer enters a new peer in the directories.
func (s *Store) addPeer(p *peer) {
	invariant.Check(s.byRegion[p.regionID] == nil, "raftstore: store %d: second peer of region %d", s.id, p.regionID)
	s.byRegion[p.regionID] = p
	i, _ := slices.BinarySearchFunc(s.peers, p.regionID, func(q *peer, id uint64) int {
		if q.regionID < id {
			return -1
		}
		return 1
	})
	s.peers = slices.Insert(s.peers, i, p)
	if initialised(p.region) {
		s.addRange(p)
	}
	s.calendar.add(p, s.ticks+1)
}

// removePeer takes a peer out of the directories. What is still under way for
// it comes to nothing, except answers to other stores.
func (s *Store) removePeer(p *peer) {
	p.destroyed = true
	if p.asleep() {
		p.endSleep(chaos)
	}
	delete(s.byRegion, p.regionID)
	s.peers = slices.DeleteFunc(s.peers, func(q *peer) bool { return q == p })
	s.removeRange(p)
}

func (s *Store) addRange(p *peer) {
	q := s.overlapping(p.region.GetStartKey(), p.region.GetEndKey())
	invariant.Check(q == nil, "raftstore: store %d: regions %v and %v overlap", s.id, p, q)
	i := sort.Search(len(s.ranges), func(i int) bool {
		return bytes.Compare(s.ranges[i].region.GetStartKey(), p.region.GetStartKey()) > 0
	})
	s.ranges = slices.Insert(s.ranges, i, p)
}

func (s *Store) removeRange(p *peer) {
	s.ranges = slices.DeleteFunc(s.ranges, func(q *peer) bool { return q == p })
}

// setRegion publishes a changed region of a peer.
func (s *Store) setRegion(p *peer, region *metapb.Region) {
	invariant.Check(!p.asleep(), "raftstore: %s: its region changes while it sleeps", p)
	if initialised(p.region) {
		s.removeRange(p)
	}
	if staleEpoch(region.GetRegionEpoch(), p.region.GetRegionEpoch()) {
		invariant.Fail("raftstore: %s: epoch goes back from %v to %v", p, p.region.GetRegionEpoch(), region.GetRegionEpoch())
	}
	p.region = region
	p.meta = peerOnStore(region, s.id)
	invariant.Check(p.meta.GetId() == p.id, "raftstore: %s: not a member of %v", p, region)
	p.links, p.strangers = p.links[:0], nil
	s.addRange(p)
}

// overlapping returns the first peer whose region overlaps the range, nil if
// there is none.
func (s *Store) overlapping(start, end []byte) *peer {
	if i := s.firstAfter(start); i < len(s.ranges) {
		r := s.ranges[i].region
		if overlaps(r.GetStartKey(), r.GetEndKey(), start, end) {
			return s.ranges[i]
		}
	}
	return nil
}

// within returns all peers whose regions overlap the range, in its order: a part
// of ranges.
func (s *Store) within(start, end []byte) []*peer {
	rest := s.ranges[s.firstAfter(start):]
	n := sort.Search(len(rest), func(i int) bool {
		return len(end) > 0 && bytes.Compare(rest[i].region.GetStartKey(), end) >= 0
	})
	return rest[:n]
}

// firstAfter returns the place in ranges of the first region that does not end
// before or at a key.
func (s *Store) firstAfter(key []byte) int {
	return sort.Search(len(s.ranges), func(i int) bool {
		r := s.ranges[i].region
		return len(r.GetEndKey()) == 0 || bytes.Compare(r.GetEndKey(), key) > 0
	})
}

// Leads reports whether this store believes to be leader of the region that holds
// an encoded key, and in which term.
func (s *Store) Leads(key []byte) (region, term uint64, leads bool) {
	p := s.overlapping(key, append(bytes.Clone(key), 0))
	if p == nil || !p.isLeader() {
		return 0, 0, false
	}
	return p.regionID, p.term(), true
}

// markDirty makes sure that the peer is looked at in the next turn.
func (s *Store) markDirty(p *peer) {
	if !p.dirty && !p.destroyed {
		p.dirty = true
		s.dirty = append(s.dirty, p)
	}
	s.scheduleTurn()
}

func (s *Store) scheduleTurn() {
	if !s.turnDue {
		s.turnDue = true
		s.env.Sched.After(0, s.turnFn)
	}
}

// turn does what all dirty peers have to do, until there is nothing left that
// does not wait for the disk or for others.
func (s *Store) turn() {
	s.turnDue = true // what becomes dirty meanwhile is part of this turn
	for {
		batch := s.dirty
		s.dirty = s.spare[:0]
		for i, p := range batch {
			batch[i] = nil
			p.dirty = false
			if !p.destroyed && !s.dead {
				p.handleReady()
			}
		}
		s.spare = batch[:0]
		s.appender.run()
		if len(s.dirty) == 0 {
			break
		}
	}
	s.turnDue = false
	s.outbox.flush()
}

// logf tells people something.
func (s *Store) logf(format string, args ...any) {
	if s.env.Log.Enabled() {
		s.env.Log.Logf(format, args...)
	}
}

// failed ends the work of the store after a storage error. The engine has
// asked for the end of the process already.
func (s *Store) failed(err error) bool {
	if err == nil {
		return s.dead
	}
	if !s.dead {
		s.dead = true
		s.env.Exit(fmt.Sprintf("raftstore: store %d: %v", s.id, err))
	}
	return true
}
