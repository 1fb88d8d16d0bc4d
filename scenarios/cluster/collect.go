package cluster

import (
	"time"

	"simrun/nodes/client"
	"simrun/nodes/placement"
	"simrun/nodes/table"
	"simrun/nodes/table/kv"
	"simrun/scenarios/workload"
	"simrun/sim/plan"
)

// snapshotHold is how long a client's word counts that it still reads old
// versions, at least.
const snapshotHold = 2 * time.Second

// collect makes a client collect garbage, if the plan says so.
func (c *Cluster) collect(db *client.Client, pd *placement.Client) {
	k := &c.plan.Knobs
	if k.GCInterval == 0 {
		return
	}
	db.HoldSnapshots(pd, max(snapshotHold, time.Duration(k.GCLifetime)))
	client.NewCollector(db, pd, client.CollectorConfig{
		Interval: time.Duration(k.GCInterval), Lifetime: time.Duration(k.GCLifetime),
		Dropped: dropped(db, c.plan), Collected: func(safePoint uint64) { c.collected = max(c.collected, safePoint) },
	}).Start()
}

// dropped returns who knows of tables that were dropped, nil if there are none.
func dropped(db *client.Client, p *plan.Plan) client.DroppedRanges {
	if !workload.HasTables(p.Workload.Name) {
		return nil
	}
	return table.NewDropped(kv.NewStore(db))
}
