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

// Placement is a running member. Until its database is durable it takes no part
// in anything.
type Placement struct {
	server *placement.Server // nil until then
	db     *engine.DB
}

// StartPlacement opens the member's database. It begins to serve on ep as soon
// as everything that it has found there is durable; see StartStore. A timestamp
// or an id is safe even before that, for a greater bound is saved first, and what
// is saved later never survives what was saved earlier. But whoever is told of a
// store or a region that the next crash takes back has been told wrong.
func StartPlacement(e *env.Env, ep *rpc.Endpoint, cfg PlacementConfig) (*Placement, error) {
	db, err := engine.OpenDB(e, "placement", cfg.Engine)
	if err != nil {
		return nil, fmt.Errorf("placement: %w", err)
	}
	if err := db.Sync(); err != nil {
		db.Close()
		return nil, fmt.Errorf("placement: %w", err)
	}
	p := &Placement{db: db}
	e.Disk.Barrier(func() {
		if err := p.serve(e, ep, cfg); err != nil {
			e.Exit(err.Error())
		}
	})
	return p, nil
}

// serve loads the records and registers the services.
func (p *Placement) serve(e *env.Env, ep *rpc.Endpoint, cfg PlacementConfig) (err error) {
	p.server, err = placement.Open(e, placement.Config{
		ClusterID:       ClusterID,
		Members:         cfg.Members,
		Regions:         cfg.Regions,
		TimestampWindow: cfg.TimestampWindow,
	}, p.db)
	if err != nil {
		return err
	}
	p.server.Register(ep)
	return nil
}

// Server returns the member's server, nil until it serves.
func (p *Placement) Server() *placement.Server { return p.server }

// Close frees what the process held; call it after the process has ended.
func (p *Placement) Close() { p.db.Close() }
