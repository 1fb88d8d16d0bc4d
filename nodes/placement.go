package nodes

import (
	"fmt"

	"simrun/nodes/engine"
	"simrun/nodes/env"
	"simrun/nodes/placement"
	"simrun/nodes/rpc"
)

// PlacementConfig configures a member of the placement driver. The cluster's id is set
// here.
type PlacementConfig struct {
	placement.Config
	Engine engine.Options
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
	cfg.ClusterID = ClusterID
	if err = placement.Prepare(e, cfg.Config, engines); err != nil {
		engines.Close()
		return nil, err
	}
	p := &Placement{engines: engines}
	e.Disk.Barrier(func() {
		server, err := placement.Open(e, ep, cfg.Config, engines)
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
