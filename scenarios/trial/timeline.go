package trial

import (
	"fmt"

	"simrun/faults"
	"simrun/reports"
	"simrun/sim"
)

// timeline collects what happened to the nodes, for the page. What lasts is known by
// its name.
type timeline struct {
	reports.Timeline[string]
	started map[string]bool
	counts  reports.ClusterStats
}

// phase ends the current phase and begins another.
func (tl *timeline) phase(name string) {
	tl.End("phase")
	tl.Begin("phase", reports.Event{Kind: reports.Phase, Text: name})
}

// changed takes a change of a node.
func (tl *timeline) changed(node string, c sim.Change) {
	switch c {
	case sim.Started:
		tl.End("down " + node)
		if tl.started[node] {
			tl.counts.Restarts++
		}
		if tl.started == nil {
			tl.started = map[string]bool{}
		}
		tl.started[node] = true
	case sim.Ended:
		tl.counts.Crashes++
		tl.End("paused " + node)
		tl.Begin("down "+node, reports.Event{Node: node, Kind: reports.Down})
	case sim.Paused:
		tl.Begin("paused "+node, reports.Event{Node: node, Kind: reports.Paused})
	case sim.Resumed:
		tl.End("paused " + node)
	}
}

// fault takes an event of the schedule.
func (tl *timeline) fault(e faults.Event) {
	name := fmt.Sprintf("fault %d", e.Index)
	event := reports.Event{At: e.At, Kind: reports.Fault, Text: e.Fault.String(), Meant: e.Meant()}
	switch {
	case e.Stage == faults.Began && e.Effect && !e.Fault.Kind.Momentary():
		tl.Begin(name, event)
	case e.Stage == faults.Began && e.Effect, e.Stage == faults.Happened:
		if len(e.Targets) == 1 {
			event.Node = e.Targets[0]
		}
		tl.Add(event)
	case e.Stage == faults.Ended:
		tl.EndFault(name, e.Effect)
	}
}
