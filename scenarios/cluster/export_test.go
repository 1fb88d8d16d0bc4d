package cluster

import (
	"simrun/checker/state"
	"simrun/nodes/engine"
	"simrun/nodes/placement"
)

// Rows returns all data of the i-th store.
func (c *Cluster) Rows(i int) state.Rows { return rows(c.stores[i].server.Engines().KV) }

// Edit changes the data of the i-th store behind the database's back.
func (c *Cluster) Edit(i int, edit func(b *engine.Batch)) error {
	db := c.stores[i].server.Engines().KV
	b := db.NewBatch()
	defer b.Close()
	edit(b)
	return db.WriteUnsynced(b)
}

// Placement returns the server of the first placement member.
func (c *Cluster) Placement() *placement.Server { return c.members[0].server.Server() }
