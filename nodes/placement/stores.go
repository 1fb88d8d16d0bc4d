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
	markOffline     = invariant.NewMark("placement: store is being emptied")
	markDestroyed   = invariant.NewMark("placement: store declared to be destroyed")
	markTombstone   = invariant.NewMark("placement: store removed for good")
	markRefused     = invariant.NewMark("placement: heartbeat of a store that was removed refused")
	markNotEmpty    = invariant.NewMark("placement: store in no region any more, but not yet empty")
)

// StoreHealth is what is to be made of a store.
type StoreHealth uint8

// The states of a store.
const (
	StoreUp           StoreHealth = iota
	StoreDisconnected             // not heard of for Config.DisconnectedAfter
	StoreDown                     // not heard of for Config.DownAfter
	StoreOffline                  // being emptied by request, whether it is heard of or not
	StoreTombstone                // emptied and removed; it never comes back
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
	case StoreOffline:
		return "offline"
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

// admit tells whether a store may register; if so, it returns what is to be
// saved. A store that is up may become one that is being emptied, by request, but
// not the other way round, and its own registration after a restart does not undo
// it. A tombstone is what it becomes by itself, when it has no peers left (PD,
// server/cluster/cluster.go, RemoveStore and BuryStore).
//
// One that is said to be physically destroyed gives its address free at once.
func (d *storeDirectory) admit(meta *metapb.Store) (*metapb.Store, *pdpb.Error) {
	if meta.GetId() == 0 || meta.GetAddress() == "" {
		return nil, invalid("store without id or address")
	}
	latest := maps.Clone(d.saving)
	for _, known := range d.all(true) {
		if latest[known.Id] == nil {
			latest[known.Id] = known
		}
	}
	next := *meta
	if known := latest[meta.Id]; known != nil {
		if known.State == metapb.StoreState_Tombstone {
			return nil, errTombstone()
		}
		next.State = max(known.State, meta.State)
		next.PhysicallyDestroyed = known.PhysicallyDestroyed || meta.PhysicallyDestroyed
		next.LastHeartbeat = known.LastHeartbeat
	}
	switch {
	case next.State == metapb.StoreState_Tombstone:
		return nil, invalid("a store becomes a tombstone when it is empty")
	case next.PhysicallyDestroyed && meta.State == metapb.StoreState_Up:
		return nil, errTombstone()
	case next.PhysicallyDestroyed && next.State == metapb.StoreState_Up:
		return nil, invalid("a store that is destroyed has to be emptied")
	}
	for _, id := range slices.Sorted(maps.Keys(latest)) {
		other := latest[id]
		if id != meta.Id && other.Address == meta.Address && !next.PhysicallyDestroyed && holdsAddress(other) {
			return nil, &pdpb.Error{Type: pdpb.ErrorType_DUPLICATED_ENTRY, Message: "address of another store"}
		}
	}
	return &next, nil
}

func holdsAddress(s *metapb.Store) bool {
	return s.State != metapb.StoreState_Tombstone && !s.PhysicallyDestroyed
}

// put notes a store that was admitted and saved.
func (d *storeDirectory) put(meta *metapb.Store, now time.Duration) {
	if d.saving[meta.Id] == meta {
		delete(d.saving, meta.Id)
	}
	markOffline.Sometimes(meta.State == metapb.StoreState_Offline)
	markDestroyed.Sometimes(meta.PhysicallyDestroyed)
	markTombstone.Sometimes(meta.State == metapb.StoreState_Tombstone)
	known := d.stores[meta.Id]
	if known == nil {
		known = &storeInfo{heard: now}
		d.stores[meta.Id] = known
	}
	invariant.Check(known.meta.GetState() <= meta.State, "placement: store %d was %v and is %v", meta.Id, known.meta.GetState(), meta.State)
	meta.LastHeartbeat = max(meta.LastHeartbeat, known.meta.GetLastHeartbeat())
	known.meta = meta
}

// hear notes that something was heard of a store.
func (d *storeDirectory) hear(id uint64, now time.Duration) { d.stores[id].heard = now }

// saveStore saves a store as it was admitted.
func (l *leadership) saveStore(meta *metapb.Store, done func(error)) {
	l.stores.saving[meta.Id] = meta
	l.Save([]Record{{storeKey(meta.Id), encode(meta)}}, func(err error) {
		if err == nil {
			l.stores.put(meta, l.s.env.Clock.Monotonic())
		}
		done(err)
	})
}

// heartbeat notes that a store is alive.
func (d *storeDirectory) heartbeat(stats *pdpb.StoreStats, wall int64, now time.Duration) *pdpb.Error {
	s := d.stores[stats.GetStoreId()]
	switch {
	case s == nil:
		return &pdpb.Error{Type: pdpb.ErrorType_ENTRY_NOT_FOUND, Message: "store is not registered"}
	case s.meta.State == metapb.StoreState_Tombstone, s.meta.PhysicallyDestroyed:
		markRefused.Reached()
		return errTombstone()
	}
	markReconnected.Sometimes(d.silence(s, now) != StoreUp)
	s.stats = stats
	s.meta.LastHeartbeat = wall
	s.heard = now
	return nil
}

// health returns the state of a store.
func (d *storeDirectory) health(s *storeInfo, now time.Duration) StoreHealth {
	switch s.meta.State {
	case metapb.StoreState_Tombstone:
		return StoreTombstone
	case metapb.StoreState_Offline:
		return StoreOffline
	case metapb.StoreState_Up:
	}
	return d.silence(s, now)
}

// silence returns the state of a store as far as it follows from its silence.
func (d *storeDirectory) silence(s *storeInfo, now time.Duration) StoreHealth {
	switch silence := now - s.heard; {
	case silence >= d.cfg.DownAfter:
		return StoreDown
	case silence >= d.cfg.DisconnectedAfter:
		return StoreDisconnected
	}
	return StoreUp
}

// snapshotsMax is the number of snapshots that a store may be receiving and still
// get another peer.
const snapshotsMax = 3

// usable reports whether a store may get peers and leaders: this leadership has
// heard of it, and not too long ago.
func (d *storeDirectory) usable(s *storeInfo, now time.Duration) bool {
	return d.health(s, now) == StoreUp && s.stats != nil && s.stats.ReceivingSnapCount <= snapshotsMax
}

// keeps reports whether a store may keep the peers that it has: it has not been
// silent for so long that it is given up.
func (d *storeDirectory) keeps(s *storeInfo, now time.Duration) bool {
	health := d.health(s, now)
	return health == StoreUp || health == StoreDisconnected
}

// serves is keeps for the id of a store, which need not be known.
func (d *storeDirectory) serves(id uint64, now time.Duration) bool {
	s := d.stores[id]
	return s != nil && d.keeps(s, now)
}

// ids returns the ids of all stores but the tombstones, in order.
func (d *storeDirectory) ids() (ids []uint64) {
	for _, meta := range d.all(false) {
		ids = append(ids, meta.Id)
	}
	return ids
}

// bury makes tombstones of the stores that are being emptied and have no peers
// left: in no region as its leader has told this leadership, nor on the store
// itself as far as it says.
func (l *leadership) bury() {
	for _, id := range l.stores.ids() {
		s := l.stores.stores[id]
		switch {
		case s.meta.State != metapb.StoreState_Offline, l.stores.saving[id] != nil:
			continue
		case !l.regions.complete(), l.regions.onStore(id):
			continue
		case l.stores.silence(s, l.s.env.Clock.Monotonic()) != StoreDown && !s.meta.PhysicallyDestroyed && (s.stats == nil || s.stats.GetRegionCount() > 0):
			// It has peers, as it says, or may have: this leadership has not heard of it.
			markNotEmpty.Reached()
			continue
		}
		grave := *s.meta
		grave.State = metapb.StoreState_Tombstone
		l.saveStore(&grave, func(error) {})
	}
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
		statuses = append(statuses, StoreStatus{s.meta, d.health(s, now)})
	}
	return statuses
}

func invalid(message string) *pdpb.Error {
	return &pdpb.Error{Type: pdpb.ErrorType_INVALID_VALUE, Message: message}
}

func errTombstone() *pdpb.Error {
	return &pdpb.Error{Type: pdpb.ErrorType_STORE_TOMBSTONE, Message: "store is a tombstone"}
}
