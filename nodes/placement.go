package nodes

import (
	"fmt"
	"time"

	"github.com/pingcap/kvproto/pkg/metapb"

	"simrun/nodes/engine"
	"simrun/nodes/env"
	"simrun/nodes/placement"
	"simrun/nodes/raftstore"
	"simrun/nodes/rpc"
)

// PlacementConfig configures a member of the placement driver.
type PlacementConfig struct {
	// Members are the names of all members, in the same order on each of them.
	Members []string
	// TimestampWindow is how far ahead timestamps are reserved.
	TimestampWindow time.Duration
	// DisconnectedAfter and DownAfter are how long nothing was heard of a store
	// that is disconnected, or down.
	DisconnectedAfter, DownAfter time.Duration
	// Regions are the ones with which the cluster begins.
	Regions []*metapb.Region
	Engine  engine.Options
	// Scheduling is what the placement driver does about regions by itself.
	Scheduling placement.Scheduling
	// Observer, if not nil, is told what happens.
	Observer placement.Observer
	// Raft configures the members' raft group.
	Raft raftstore.Config
	// Grants, if not nil, is told what timestamps and ids are handed out.
	Grants placement.Grants
}

// Placement is a running member. Until its databases are durable it takes no
// part in anything.
type Placement struct {
	server  *placement.Server // nil until then
	engines *engine.Engines
}

// StartPlacement opens the member's databases. It begins to serve on ep as soon
// as everything that it has found in them is durable; see StartStore.
func StartPlacement(e *env.Env, ep *rpc.Endpoint, cfg PlacementConfig) (*Placement, error) {
	engines, err := engine.Open(e, cfg.Engine)
	if err != nil {
		return nil, fmt.Errorf("placement: %w", err)
	}
	member := placement.Config{
		ClusterID:         ClusterID,
		Members:           cfg.Members,
		Regions:           cfg.Regions,
		TimestampWindow:   cfg.TimestampWindow,
		DisconnectedAfter: cfg.DisconnectedAfter,
		DownAfter:         cfg.DownAfter,
		Scheduling:        cfg.Scheduling,
		Observer:          cfg.Observer,
		Raft:              cfg.Raft,
		Grants:            cfg.Grants,
	}
	if err = placement.Prepare(e, member, engines); err != nil {
		engines.Close()
		return nil, err
	}
	p := &Placement{engines: engines}
	e.Disk.Barrier(func() {
		server, err := placement.Open(e, ep, member, engines)
		if err != nil {
			e.Exit(err.Error())
			return
		}
		p.server = server
	})
	return p, nil
}

// Server returns the member's server, nil until it serves.
func (p *Placement) Server() *placement.Server { return p.server }

// Engines returns the member's databases, for inspection.
func (p *Placement) Engines() *engine.Engines { return p.engines }

// DumpLog returns the member's raft log in readable form.
func (p *Placement) DumpLog() ([]string, error) { return placement.DumpLog(p.engines) }

// Close frees what the process held; call it after the process has ended.
func (p *Placement) Close() { p.engines.Close() }
