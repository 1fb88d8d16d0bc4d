package nodes

import (
	"errors"
	"fmt"
	"time"

	"github.com/pingcap/kvproto/pkg/metapb"

	"simrun/nodes/engine"
	"simrun/nodes/env"
	"simrun/nodes/placement"
	"simrun/nodes/raftstore"
	"simrun/nodes/rpc"
	"simrun/nodes/txn"
)

// StoreConfig configures a store.
type StoreConfig struct {
	// Placement are the names of the placement driver's members.
	Placement []string
	// Regions are the ones with which the cluster begins; the store keeps a peer
	// of those that name it. They are used once, when there is nothing on the
	// disk
	Regions []*metapb.Region
	Engine  engine.Options
	Raft    raftstore.Config
	// PendingWrites bounds the write commands under way, and by itself the requests
	// that wait for pessimistic locks; see txn.Config. Zero is the default.
	PendingWrites int
	// Proposed, if not nil, is told of every proposal of a client's command.
	Proposed func()
	// Queued, if not nil, is told of requests that wait for locks; see txn.Config.
	Queued func(startTS, holder, region uint64) (left func())
}

// RemovedReason is in the reason with which the process of a store ends that was
// removed from the cluster: it must not serve, nor start again.
const RemovedReason = "removed from the cluster"

// Store is a running store. Until its databases are durable it has no regions
// and serves nothing.
type Store struct {
	raft    *raftstore.Store // nil until then
	engines *engine.Engines
}

// StartStore opens the store's databases. It begins to serve on ep as soon as
// everything that it has found in them is durable: what an earlier process has
// written may survive the end of that process and still be lost with the power,
// and a store that answers for it before it is safe acknowledges entries and
// keeps votes that it may forget.
func StartStore(e *env.Env, ep *rpc.Endpoint, cfg StoreConfig) (*Store, error) {
	engines, err := engine.Open(e, cfg.Engine)
	if err != nil {
		return nil, fmt.Errorf("store %d: %w", cfg.Raft.StoreID, err)
	}
	s := &Store{engines: engines}
	if err := s.prepare(cfg); err != nil {
		engines.Close()
		return nil, fmt.Errorf("store %d: %w", cfg.Raft.StoreID, err)
	}
	e.Disk.Barrier(func() {
		if err := s.serve(e, ep, cfg); err != nil {
			e.Exit(fmt.Sprintf("store %d: %v", cfg.Raft.StoreID, err))
		}
	})
	return s, nil
}

// prepare writes the first state to an empty disk, and syncs the logs.
func (s *Store) prepare(cfg StoreConfig) error {
	ident, err := raftstore.Ident(s.engines)
	if err != nil {
		return err
	}
	if ident == nil {
		if err := raftstore.Bootstrap(s.engines, cfg.Raft.StoreID, cfg.Regions); err != nil {
			return err
		}
	}
	if err := s.engines.RaftLog.Sync(); err != nil {
		return err
	}
	return s.engines.KV.Sync()
}

// serve loads the regions and registers the services.
func (s *Store) serve(e *env.Env, ep *rpc.Endpoint, cfg StoreConfig) error {
	pd := placement.NewClient(e, ep, placement.ClientConfig{ClusterID: ClusterID, Members: cfg.Placement})
	transport := newTransport(e, ep, pd)
	removed := func() { e.Exit(fmt.Sprintf("store %d was %s", cfg.Raft.StoreID, RemovedReason)) }
	var sched *txn.Scheduler
	raft := cfg.Raft
	raft.Guard = func(guard []byte) []byte { return sched.GuardRead(guard) }
	raft.RoleChanged = func(region, term uint64, leads bool) {
		if leads {
			sched.RequireMaxTS(region, term)
		}
	}
	d := &driver{env: e, pd: pd, removed: removed}
	store, err := raftstore.Open(e, raft, s.engines, transport, d)
	if err != nil {
		return err
	}
	d.answered, d.reported, d.awaken = store.OnRegionHeartbeatResponse, store.OnRegionReported, store.OnAwakenRegions
	s.raft = store
	sched = txn.NewScheduler(e, regionStore{store}, txn.Config{
		Timestamp:       func(t env.Task) (uint64, error) { return pd.GetTS(t, timestampTimeout) },
		Detector:        &detector{ep: ep, pd: pd, transport: transport},
		PendingTasksMax: cfg.PendingWrites,
		WaitersMax:      cfg.PendingWrites,
		Proposed:        cfg.Proposed,
		Queued:          cfg.Queued,
	})
	transport.register(store)
	d.register(ep, store)
	safe := &safePoints{e, s.engines.KV, sched}
	if err := safe.load(); err != nil {
		return err
	}
	serve(ep, sched, store)
	detection := &detection{env: e, store: store, table: txn.NewDetectTable(edgeTTL)}
	handle(ep, rpc.DetectDeadlock, detection.serve)
	safe.serve(ep)
	e.Sched.Go("register store", func(t env.Task) {
		for {
			err := pd.PutStore(t, &metapb.Store{Id: cfg.Raft.StoreID, Address: e.Name})
			if err == nil && safe.join(t, pd) == nil {
				return
			}
			if placement.IsTombstone(err) {
				removed()
			}
			t.Sleep(retryPutStore)
		}
	})
	return nil
}

// timestampTimeout limits one question for the timestamp that a new leader needs.
const timestampTimeout = 500 * time.Millisecond

// Opened reports whether the store has loaded its regions. Until then nothing is
// known of what it has.
func (s *Store) Opened() bool { return s.raft != nil }

// Regions describes the store's peers, in the order of region ids; none before it
// is opened.
func (s *Store) Regions() []raftstore.RegionInfo {
	if s.raft == nil {
		return nil
	}
	return s.raft.Regions()
}

// Region describes the store's peer of one region; false if it has none.
func (s *Store) Region(id uint64) (raftstore.RegionInfo, bool) {
	if s.raft == nil {
		return raftstore.RegionInfo{}, false
	}
	return s.raft.Region(id)
}

// Changing reports whether a change of members is under way that the store knows of; see
// raftstore.Store. Before it is opened nobody can tell.
func (s *Store) Changing() bool { return s.raft == nil || s.raft.Changing() }

// SnapshotTraffic counts the snapshots that the store sends and receives; see
// raftstore.Store.
func (s *Store) SnapshotTraffic() (outgoing, incoming int) {
	if s.raft == nil {
		return 0, 0
	}
	return s.raft.SnapshotTraffic()
}

// Leased reports whether the store is leader of a region for certain; see
// raftstore.Store.
func (s *Store) Leased(region uint64) (term uint64, leased bool) {
	if s.raft == nil {
		return 0, false
	}
	return s.raft.Leased(region)
}

// UsesLease reports whether this store would serve a read of a region now under its
// lease.
func (s *Store) UsesLease(region uint64) bool { return s.raft != nil && s.raft.UsesLease(region) }

// TransferLeader begins to hand over the leadership of a region; see
// raftstore.Store.
func (s *Store) TransferLeader(region, toPeer uint64) error {
	if s.raft == nil {
		return errNotServing
	}
	if refusal := s.raft.TransferLeader(region, toPeer); refusal != nil {
		return errors.New(refusal.Message)
	}
	return nil
}

// CaughtUp reports whether a member of a region that this store leads may become
// a voter; see raftstore.Store.
func (s *Store) CaughtUp(region, peer uint64) bool {
	return s.raft != nil && s.raft.CaughtUp(region, peer)
}

// Followers describes what the store knows of the other members of a region that
// it leads; see raftstore.Store.
func (s *Store) Followers(region uint64) []raftstore.Follower {
	if s.raft == nil {
		return nil
	}
	return s.raft.Followers(region)
}

// DumpLog returns the raft log of a region in readable form.
func (s *Store) DumpLog(region uint64) ([]string, error) {
	return raftstore.DumpLog(s.engines, region)
}

var errNotServing = errors.New("the store is still opening")

// Engines returns the store's databases, for inspection.
func (s *Store) Engines() *engine.Engines { return s.engines }

// Close frees what the process held; call it after the process has ended.
func (s *Store) Close() { s.engines.Close() }
