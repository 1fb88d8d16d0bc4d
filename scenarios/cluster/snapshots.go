package cluster

import (
	"fmt"
	"time"

	"simrun/checker/state"
	"simrun/nodes/engine"
	"simrun/nodes/raftstore"
	"simrun/sim"
)

// snapshotRemains looks for what is left of snapshots on the disks of stores and
// placement members.
func (c *Cluster) snapshotRemains() (nodes []state.SnapshotRemains) {
	add := func(n *sim.Node, eng *engine.Engines) {
		applying, err := raftstore.ApplyingRegions(eng)
		files, listErr := raftstore.SnapshotFiles(n.Disk().FS())
		if err != nil || listErr != nil {
			panic(fmt.Errorf("cannot read a node for the audit: %w, %w", err, listErr))
		}
		nodes = append(nodes, state.SnapshotRemains{Node: n.Name(), Applying: applying, Files: files})
	}
	for _, s := range c.stores {
		if s.server != nil {
			add(s.node, s.server.Engines())
		}
	}
	for _, m := range c.members {
		if m.server != nil {
			add(m.node, m.server.Engines())
		}
	}
	return nodes
}

// snapshotUnrest tells whether somebody still has a file of a snapshot, though
// nobody needs one while all is at rest. It is silent once all should have been
// deleted: what is there then is found by CheckState.
func (c *Cluster) snapshotUnrest() string {
	if c.World.Now()-c.resting > c.snapshotLimit() {
		return ""
	}
	for _, n := range c.snapshotRemains() {
		if len(n.Files)+len(n.Applying) > 0 {
			return n.Node + " has not deleted its snapshots"
		}
	}
	return ""
}

// snapshotLimit is twice as long as a snapshot is kept that nobody asks for.
func (c *Cluster) snapshotLimit() int64 {
	k := &c.plan.Knobs
	return 2 * int64(raftstore.SnapshotKeepTicks*k.ElectionTick) * int64(time.Duration(k.TickInterval))
}
