package cluster

import (
	"time"

	"simrun/nodes/env"
	"simrun/sim"
	"simrun/sim/disk"
)

// exited starts a process again that ended by itself, as a supervisor would.
func (c *Cluster) exited(n *sim.Node, reason string) {
	if removed(reason) {
		c.storeExited(n)
		c.event(n.Name(), Exited, reason)
		return
	}
	kind := Failed
	if d := n.Disk(); d != nil && disk.Explains(c.lives[n], d.Stats(), reason) {
		kind = Exited
	}
	c.event(n.Name(), kind, reason)
	c.World.Go("restart "+n.Name(), func(t env.Task) {
		t.Sleep(time.Duration(c.plan.Knobs.RestartDelay))
		n.Start()
	})
}
