package coverage

import (
	"slices"

	"simrun/sim/plan"
)

// promiseMinority lists what one store has to suffer in the calm, and that a store
// which hears nobody gives up what it leads while nobody uses it.
func (c *coverage) promiseMinority() {
	s := c.scenario
	for _, kind := range s.Knobs.Minority {
		if kind != plan.NoMinority && !slices.Contains(c.wanted, calmSeen+"\x00"+string(kind)) {
			c.want(calmSeen, string(kind))
		}
	}
	if s.Name == "idle" {
		c.want(endSeen, "raftstore: leader woken, no quorum of its members' stores is heard of")
	}
}
