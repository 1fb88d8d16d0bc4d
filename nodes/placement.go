package nodes

import (
	"fmt"
	"time"

	"github.com/pingcap/kvproto/pkg/metapb"

	"simrun/nodes/engine"
	"simrun/nodes/env"
	"simrun/nodes/placement"
	"simrun/nodes/rpc"
)

// PlacementConfig configures a member of the placement driver.
type PlacementConfig struct {
	// Members are the names of all members.
	Members []string
	// TimestampWindow is how far ahead timestamps are reserved.
	TimestampWindow time.Duration
	// Regions are the ones with which the cluster begins.
	Regions []*metapb.Region
	Engine  engine.Options
}

// Placement is a running member.
type Placement struct {
	*placement.Server
	db *engine.DB
}

// StartPlacement opens the member's database and begins to serve on ep.
func StartPlacement(e *env.Env, ep *rpc.Endpoint, cfg PlacementConfig) (*Placement, error) {
	db, err := engine.OpenDB(e, "placement", cfg.Engine)
	if err != nil {
		return nil, fmt.Errorf("placement: %w", err)
	}
	server, err := placement.Open(e, placement.Config{
		ClusterID:       ClusterID,
		Members:         cfg.Members,
		Regions:         cfg.Regions,
		TimestampWindow: cfg.TimestampWindow,
	}, db)
	if err != nil {
		db.Close()
		return nil, err
	}
	server.Register(ep)
	return &Placement{server, db}, nil
}

// Close frees what the process held; call it after the process has ended.
func (p *Placement) Close() { p.db.Close() }
