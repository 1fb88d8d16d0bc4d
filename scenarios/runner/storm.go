package runner

import (
	"simrun/faults"
	"simrun/network"
	"simrun/nodes/invariant"
	"simrun/reports"
	"simrun/scenarios/trial"
)

// Storm tells what happened from the begin of the storm to its end. A result counts
// the whole run: its boot elects leaders too, its audit cuts the power. Whoever asks
// what faults and clients have brought about asks here.
type Storm struct {
	Before, After Counts
	// Healed is when the calm is over, before the audit begins: nodes that were down
	// are back, and have had to find their way.
	Healed Counts
	// Faults are the events of the schedule, those with which it ends among them.
	Faults []faults.Event
}

// Counts is what has been counted up to an instant.
type Counts struct {
	Marks []invariant.Count // all there are, by name
	// Stats lacks what is told by the history.
	Stats reports.Stats
	// Harm counts messages with which faults have interfered. What the links of the
	// plan lose, copy and detour by themselves is in Stats alone.
	Harm network.Harm
}

// counts takes the counts of now.
func (r *run) counts() Counts {
	c := Counts{Marks: invariant.Counts(), Stats: r.stats(), Harm: r.world.Network.TotalHarm()}
	trial.Count(&c.Stats, r.world, r.schedule)
	r.countMinority(&c.Stats)
	return c
}
