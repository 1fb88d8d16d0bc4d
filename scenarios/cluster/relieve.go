package cluster

import (
	"time"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
)

//nolint:gochecknoglobals // marks register once
var markRelieved = invariant.NewMark("cluster: store has handed over what it led before it is restarted")

// relievePause is the time between two looks at a store that hands its leaders over.
const relievePause = 20 * time.Millisecond

// Relieve implements sim.Administrator: before a store is restarted the administrator
// has it hand over whatever it leads, until it leads nothing. Members of the
// placement driver are restarted as they are.
func (c *Cluster) Relieve(node string, relieved func()) (stop func(), asked bool) {
	s := c.storeNamed(node)
	if s == nil || s.server == nil {
		return nil, false
	}
	stopped, told, led := false, false, 0
	c.World.Go("relieve "+node, func(t env.Task) {
		for ; !stopped; t.Sleep(relievePause) {
			before := led
			if led = s.handOverAll(); led == 0 && !told {
				told = true
				markRelieved.Sometimes(before > 0)
				relieved()
			}
		}
	})
	return func() { stopped = true }, true
}

// handOverAll has the store hand over every region that it leads, and returns
// how many these are.
func (s *store) handOverAll() (led int) {
	if s.server == nil {
		return 0
	}
	for _, r := range s.server.Regions() {
		if r.IsLeader {
			led++
			view{leader: s, status: r}.handOver()
		}
	}
	return led
}
