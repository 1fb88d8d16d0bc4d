package nodes

import (
	"fmt"

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
	// disk.
	Regions []*metapb.Region
	Engine  engine.Options
	Raft    raftstore.Config
}

// Store is a running store.
type Store struct {
	*raftstore.Store
	engines *engine.Engines
}

// StartStore opens the store's databases and begins to serve on ep.
func StartStore(e *env.Env, ep *rpc.Endpoint, cfg StoreConfig) (*Store, error) {
	engines, err := engine.Open(e, cfg.Engine)
	if err != nil {
		return nil, fmt.Errorf("store %d: %w", cfg.Raft.StoreID, err)
	}
	s, err := startStore(e, ep, cfg, engines)
	if err != nil {
		engines.Close()
		return nil, fmt.Errorf("store %d: %w", cfg.Raft.StoreID, err)
	}
	return s, nil
}

func startStore(e *env.Env, ep *rpc.Endpoint, cfg StoreConfig, engines *engine.Engines) (*Store, error) {
	if err := bootstrap(engines, cfg); err != nil {
		return nil, err
	}
	pd := placement.NewClient(e, ep, placement.ClientConfig{ClusterID: ClusterID, Members: cfg.Placement})
	transport := newTransport(e, ep, pd)
	store, err := raftstore.Open(e, cfg.Raft, engines, transport, driver{e, pd})
	if err != nil {
		return nil, err
	}
	transport.register(store)
	serve(ep, txn.NewScheduler(e, regionStore{store}), store)
	e.Sched.Go("register store", func(t env.Task) {
		for pd.PutStore(t, &metapb.Store{Id: cfg.Raft.StoreID, Address: e.Name}) != nil {
			t.Sleep(retryPutStore)
		}
	})
	return &Store{store, engines}, nil
}

// bootstrap writes the first state of a store to an empty disk. If the power
// fails before that is durable, nothing that depends on it has left the store,
// and it begins anew.
func bootstrap(engines *engine.Engines, cfg StoreConfig) error {
	ident, err := raftstore.Ident(engines)
	if err != nil || ident != nil {
		return err
	}
	return raftstore.Bootstrap(engines, cfg.Raft.StoreID, cfg.Regions)
}

// Engines returns the store's databases, for inspection.
func (s *Store) Engines() *engine.Engines { return s.engines }

// Close frees what the process held; call it after the process has ended.
func (s *Store) Close() { s.engines.Close() }
