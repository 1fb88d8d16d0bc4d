package cluster

import (
	"github.com/pingcap/kvproto/pkg/metapb"

	"simrun/checker/state"
	"simrun/nodes"
	"simrun/nodes/engine"
	"simrun/nodes/placement"
)

// Rows returns all data of the i-th store.
func (c *Cluster) Rows(i int) state.Rows { return rows(c.stores[i].server.Engines().KV) }

// Edit changes the data of the i-th store behind the database's back.
func (c *Cluster) Edit(i int, change func(b *engine.Batch)) error {
	return edit(c.stores[i].server.Engines().KV, change)
}

// EditPlacement changes the records of the i-th placement member likewise.
func (c *Cluster) EditPlacement(i int, change func(b *engine.Batch)) error {
	return edit(c.members[i].server.Engines().KV, change)
}

func edit(db *engine.DB, change func(b *engine.Batch)) error {
	b := db.NewBatch()
	defer b.Close()
	change(b)
	return db.WriteUnsynced(b)
}

// Placement returns the server of the placement member that leads.
func (c *Cluster) Placement() *placement.Server { return c.placementLeader().server.Server() }

// Server returns the server of the i-th store, nil if there is none.
func (c *Cluster) Server(i int) *nodes.Store { return c.stores[i].server }

// Directory returns a witness of the map of regions.
func Directory() func(term uint64, region *metapb.Region) {
	return schedulingObserver{&schedulingWitness{}, "pd1"}.RegionKnown
}
