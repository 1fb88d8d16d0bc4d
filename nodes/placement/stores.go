package placement

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/pdpb"

	"simrun/nodes/invariant"
)

//nolint:gochecknoglobals // marks register once
var (
	markReconnected = invariant.NewMark("placement: disconnected store heard of again")
	markTombstone   = invariant.NewMark("placement: store removed for good")
)

// StoreHealth is what is to be made of the silence of a store.
type StoreHealth uint8

// The states of a store.
const (
	StoreUp           StoreHealth = iota
	StoreDisconnected             // not heard of for Config.DisconnectedAfter
	StoreDown                     // not heard of for Config.DownAfter
	StoreTombstone                // removed by request; it never comes back
	storeHealthEnd                // not a state
)

func (h StoreHealth) String() string {
	switch h {
	case StoreUp:
		return "up"
	case StoreDisconnected:
		return "disconnected"
	case StoreDown:
		return "down"
	case StoreTombstone:
		return "tombstone"
	case storeHealthEnd:
	}
	return fmt.Sprintf("StoreHealth(%d)", uint8(h))
}

// StoreStatus is a store with its state.
type StoreStatus struct {
	Meta   *metapb.Store
	Health StoreHealth
	// Silence is how long nothing was heard of it.
	Silence time.Duration
}

// storeInfo is what is known of a store.
type storeInfo struct {
	meta  *metapb.Store
	stats *pdpb.StoreStats // of the last heartbeat, nil before the first
	heard time.Duration    // monotonic instant of the last heartbeat
}

// storeDirectory is the list of stores. The metas are replicated; the rest is
// what the last heartbeats said. A new leader has heard of nobody, and silence
// counts from when it began: it may take a store for up that is not, for a
// while, but never gives one up that its predecessor heard of a moment ago.
type storeDirectory struct {
	cfg    Config
	stores map[uint64]*storeInfo
	// saving are the metas that are admitted and being saved. Whether another one
	// may follow depends on them already.
	saving map[uint64]*metapb.Store
}

func loadStores(img Image, now time.Duration, cfg Config) (*storeDirectory, error) {
	d := &storeDirectory{cfg: cfg, stores: map[uint64]*storeInfo{}, saving: map[uint64]*metapb.Store{}}
	return d, img.Load(prefixStore, func(_ string, value []byte) error {
		meta := &metapb.Store{}
		if err := meta.Unmarshal(value); err != nil {
			return err
		}
		d.stores[meta.Id] = &storeInfo{meta: meta, heard: now}
		return nil
	})
}

// admit tells whether a store may register; if so, it is to be saved.
func (d *storeDirectory) admit(meta *metapb.Store) *pdpb.Error {
	if meta.GetId() == 0 || meta.GetAddress() == "" {
		return invalid("store without id or address")
	}
	latest := maps.Clone(d.saving)
	for _, known := range d.all(true) {
		if latest[known.Id] == nil {
			latest[known.Id] = known
		}
	}
	if known := latest[meta.Id]; known.GetState() == metapb.StoreState_Tombstone {
		return errTombstone()
	}
	for _, id := range slices.Sorted(maps.Keys(latest)) {
		other := latest[id]
		if id != meta.Id && other.Address == meta.Address && other.State != metapb.StoreState_Tombstone {
			return &pdpb.Error{Type: pdpb.ErrorType_DUPLICATED_ENTRY, Message: "address of another store"}
		}
	}
	d.saving[meta.Id] = meta
	return nil
}

// put notes a store that was admitted and saved.
func (d *storeDirectory) put(meta *metapb.Store, now time.Duration) {
	if d.saving[meta.Id] == meta {
		delete(d.saving, meta.Id)
	}
	markTombstone.Sometimes(meta.State == metapb.StoreState_Tombstone)
	known := d.stores[meta.Id]
	if known == nil {
		known = &storeInfo{}
		d.stores[meta.Id] = known
	}
	known.meta, known.heard = meta, now
}

// heartbeat notes that a store is alive.
func (d *storeDirectory) heartbeat(stats *pdpb.StoreStats, wall int64, now time.Duration) *pdpb.Error {
	s := d.stores[stats.GetStoreId()]
	switch {
	case s == nil:
		return &pdpb.Error{Type: pdpb.ErrorType_ENTRY_NOT_FOUND, Message: "store is not registered"}
	case s.meta.State == metapb.StoreState_Tombstone:
		return errTombstone()
	}
	markReconnected.Sometimes(d.health(s, now) != StoreUp)
	s.stats = stats
	s.meta.LastHeartbeat = wall
	s.heard = now
	return nil
}

// health returns the state of a store.
func (d *storeDirectory) health(s *storeInfo, now time.Duration) StoreHealth {
	switch silence := now - s.heard; {
	case s.meta.State == metapb.StoreState_Tombstone:
		return StoreTombstone
	case silence >= d.cfg.DownAfter:
		return StoreDown
	case silence >= d.cfg.DisconnectedAfter:
		return StoreDisconnected
	}
	return StoreUp
}

// all returns the stores by id.
func (d *storeDirectory) all(tombstones bool) []*metapb.Store {
	metas := make([]*metapb.Store, 0, len(d.stores))
	for _, id := range slices.Sorted(maps.Keys(d.stores)) {
		if s := d.stores[id].meta; tombstones || s.State != metapb.StoreState_Tombstone {
			metas = append(metas, s)
		}
	}
	return metas
}

// statuses returns the stores with their states, by id.
func (d *storeDirectory) statuses(now time.Duration) []StoreStatus {
	statuses := make([]StoreStatus, 0, len(d.stores))
	for _, id := range slices.Sorted(maps.Keys(d.stores)) {
		s := d.stores[id]
		statuses = append(statuses, StoreStatus{s.meta, d.health(s, now), now - s.heard})
	}
	return statuses
}

func invalid(message string) *pdpb.Error {
	return &pdpb.Error{Type: pdpb.ErrorType_INVALID_VALUE, Message: message}
}

func errTombstone() *pdpb.Error {
	return &pdpb.Error{Type: pdpb.ErrorType_STORE_TOMBSTONE, Message: "store is a tombstone"}
}
