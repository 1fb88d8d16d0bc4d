package placement

import (
	"fmt"
	"time"

	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/pdpb"

	"simrun/nodes/engine"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
)

// saveLimit is how long a request waits for the disk.
const saveLimit = 5 * time.Second

// Server is a member.
type Server struct {
	env     *env.Env
	cfg     Config
	storage Storage

	oracle       *oracle
	ids          *idAllocator
	stores       *storeDirectory
	regions      *regionDirectory
	bootstrapped bool // the cluster's first records are durable
}

// Open recovers a member from its database, or begins a cluster if that is
// empty.
func Open(e *env.Env, cfg Config, db *engine.DB) (*Server, error) {
	return open(e, cfg, &diskStorage{e, db})
}

func open(e *env.Env, cfg Config, storage Storage) (*Server, error) {
	cfg = cfg.withDefaults(e.Name)
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	s := &Server{env: e, cfg: cfg, storage: storage, regions: newRegionDirectory()}
	if err := s.loadCluster(); err != nil {
		return nil, err
	}
	var err error
	if s.oracle, err = newOracle(e.Clock, storage, cfg.TimestampWindow); err != nil {
		return nil, err
	}
	if s.ids, err = newIDAllocator(storage, cfg.IDBatch); err != nil {
		return nil, err
	}
	if s.stores, err = loadStores(storage); err != nil {
		return nil, err
	}
	if err = s.loadRegions(); err != nil {
		return nil, err
	}
	if !s.bootstrapped {
		s.bootstrap()
	}
	return s, nil
}

func (s *Server) loadCluster() error {
	return s.storage.Load(keyCluster, func(_ string, value []byte) error {
		cluster := &metapb.Cluster{}
		if err := cluster.Unmarshal(value); err != nil {
			return err
		}
		if cluster.Id != s.cfg.ClusterID {
			return fmt.Errorf("cluster %d on the disk of a member of cluster %d", cluster.Id, s.cfg.ClusterID)
		}
		s.bootstrapped = true
		return nil
	})
}

// loadRegions begins with the regions as they were when they changed last, so
// that clients find their way before the first heartbeats.
func (s *Server) loadRegions() error {
	return s.storage.Load(prefixRegion, func(_ string, value []byte) error {
		meta := &metapb.Region{}
		if err := meta.Unmarshal(value); err != nil {
			return err
		}
		s.regions.put(&regionInfo{meta: meta})
		return nil
	})
}

// bootstrap writes the first records of the cluster. Until they are durable
// all requests are answered by NOT_BOOTSTRAPPED.
func (s *Server) bootstrap() {
	records := []Record{
		{keyCluster, encode(&metapb.Cluster{Id: s.cfg.ClusterID, MaxPeerCount: uint32(len(s.cfg.Regions[0].Peers))})},
		{keyID, encodeUint64(s.cfg.maxID())},
	}
	for _, meta := range s.cfg.Regions {
		records = append(records, regionRecord(meta))
	}
	s.storage.Save(records, func(err error) {
		if err != nil {
			return
		}
		s.ids.end = s.cfg.maxID()
		s.ids.next = s.ids.end + 1
		for _, meta := range s.cfg.Regions {
			s.regions.put(&regionInfo{meta: meta})
		}
		s.bootstrapped = true
	})
}

// reportRegion takes up what a leader says about its region.
func (s *Server) reportRegion(r *regionInfo) error {
	if err := s.regions.check(r); err != nil {
		return err
	}
	changed, replaced := s.regions.put(r)
	if !changed {
		return nil
	}
	records := make([]Record, 0, 1+len(replaced))
	for _, old := range replaced {
		records = append(records, Record{Key: regionKey(old.meta.Id)})
	}
	// Nobody waits for it: a region that is forgotten is reported again.
	s.storage.Save(append(records, regionRecord(r.meta)), func(error) {})
	return nil
}

// Regions returns all known regions in the order of their keys.
func (s *Server) Regions() []*pdpb.Region {
	regions := make([]*pdpb.Region, 0, len(s.regions.byStart))
	for _, r := range s.regions.byStart {
		regions = append(regions, &pdpb.Region{Region: r.meta, Leader: r.leader})
	}
	return regions
}

// Stores returns all known stores by id.
func (s *Server) Stores() []*metapb.Store { return s.stores.all(true) }

func storeKey(id uint64) string  { return prefixStore + string(encodeUint64(id)) }
func regionKey(id uint64) string { return prefixRegion + string(encodeUint64(id)) }

func regionRecord(meta *metapb.Region) Record {
	return Record{regionKey(meta.Id), encode(meta)}
}

func encode(m interface{ Marshal() ([]byte, error) }) []byte {
	buf, err := m.Marshal()
	invariant.Check(err == nil, "placement: cannot encode %T: %v", m, err)
	return buf
}
