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
	if d := n.Disk(); d != nil && explains(c.lives[n], d.Stats(), reason) {
		kind = Exited
	}
	c.event(n.Name(), kind, reason)
	c.World.Go("restart "+n.Name(), func(t env.Task) {
		t.Sleep(time.Duration(c.plan.Knobs.RestartDelay))
		n.Start()
	})
}

// explains reports whether the faults that the disk has injected since the
// process began are why it ended: it died of one, or it says so. An error that
// was survived, or that met an earlier process, explains nothing.
func explains(before, after disk.Stats, reason string) bool {
	errs := func(s disk.Stats) uint64 { return s.ReadErrors + s.WriteErrors + s.SpaceErrors }
	return after.Deaths > before.Deaths || errs(after) > errs(before) && disk.TellsOfInjection(reason)
}
