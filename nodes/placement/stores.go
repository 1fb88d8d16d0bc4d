package placement

import (
	"maps"
	"slices"

	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/pdpb"
)

// storeInfo is what is known of a store.
type storeInfo struct {
	meta  *metapb.Store
	stats *pdpb.StoreStats // of the last heartbeat, nil before the first
}

// storeDirectory is the list of stores. The metas are durable, the rest is
// what the last heartbeats said.
type storeDirectory struct {
	stores map[uint64]*storeInfo
}

func loadStores(storage Storage) (*storeDirectory, error) {
	d := &storeDirectory{stores: map[uint64]*storeInfo{}}
	return d, storage.Load(prefixStore, func(_ string, value []byte) error {
		meta := &metapb.Store{}
		if err := meta.Unmarshal(value); err != nil {
			return err
		}
		d.stores[meta.Id] = &storeInfo{meta: meta}
		return nil
	})
}

// admit tells whether a store may register.
func (d *storeDirectory) admit(meta *metapb.Store) *pdpb.Error {
	if meta.GetId() == 0 || meta.GetAddress() == "" {
		return invalid("store without id or address")
	}
	if known := d.stores[meta.Id]; known != nil && known.meta.State == metapb.StoreState_Tombstone {
		return &pdpb.Error{Type: pdpb.ErrorType_STORE_TOMBSTONE, Message: "store is a tombstone"}
	}
	for _, id := range slices.Sorted(maps.Keys(d.stores)) {
		other := d.stores[id].meta
		if id != meta.Id && other.Address == meta.Address && other.State != metapb.StoreState_Tombstone {
			return &pdpb.Error{Type: pdpb.ErrorType_DUPLICATED_ENTRY, Message: "address of another store"}
		}
	}
	return nil
}

// put notes a store that was admitted and saved.
func (d *storeDirectory) put(meta *metapb.Store) {
	if known := d.stores[meta.Id]; known != nil {
		known.meta = meta
		return
	}
	d.stores[meta.Id] = &storeInfo{meta: meta}
}

// heartbeat notes that a store is alive.
func (d *storeDirectory) heartbeat(stats *pdpb.StoreStats, now int64) *pdpb.Error {
	s := d.stores[stats.GetStoreId()]
	switch {
	case s == nil:
		return &pdpb.Error{Type: pdpb.ErrorType_ENTRY_NOT_FOUND, Message: "store is not registered"}
	case s.meta.State == metapb.StoreState_Tombstone:
		return &pdpb.Error{Type: pdpb.ErrorType_STORE_TOMBSTONE, Message: "store is a tombstone"}
	}
	s.stats = stats
	s.meta.LastHeartbeat = now
	return nil
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

func invalid(message string) *pdpb.Error {
	return &pdpb.Error{Type: pdpb.ErrorType_INVALID_VALUE, Message: message}
}
