package trial

import (
	"fmt"

	"simrun/faults"
	"simrun/reports"
	"simrun/sim"
)

// timeline collects what happened to the nodes, for the page.
type timeline struct {
	now     func() int64
	events  []reports.Event
	open    map[string]int // what lasts, by its name: the position in events
	started map[string]bool
	counts  reports.ClusterStats
}

func (tl *timeline) add(e reports.Event) { tl.events = append(tl.events, e) }

// begin opens what lasts, unless it lasts already.
func (tl *timeline) begin(name string, e reports.Event) {
	if tl.open == nil {
		tl.open, tl.started = map[string]int{}, map[string]bool{}
	}
	if _, ok := tl.open[name]; !ok {
		e.At = tl.now()
		tl.open[name] = len(tl.events)
		tl.add(e)
	}
}

func (tl *timeline) end(name string) {
	if i, ok := tl.open[name]; ok {
		tl.events[i].Until = max(tl.now(), tl.events[i].At+1)
		delete(tl.open, name)
	}
}

// close ends what is still open.
func (tl *timeline) close() {
	for i := range tl.events {
		if e := &tl.events[i]; e.Until == 0 && (e.Kind == reports.Down || e.Kind == reports.Paused || e.Kind == reports.Phase) {
			e.Until = max(tl.now(), e.At+1)
		}
	}
}

// phase ends the current phase and begins another.
func (tl *timeline) phase(name string) {
	tl.end("phase")
	tl.begin("phase", reports.Event{Kind: reports.Phase, Text: name})
}

// changed takes a change of a node.
func (tl *timeline) changed(node string, c sim.Change) {
	switch c {
	case sim.Started:
		tl.end("down " + node)
		if tl.started[node] {
			tl.counts.Restarts++
		}
		tl.started[node] = true
	case sim.Ended:
		tl.counts.Crashes++
		tl.end("paused " + node)
		tl.begin("down "+node, reports.Event{Node: node, Kind: reports.Down})
	case sim.Paused:
		tl.begin("paused "+node, reports.Event{Node: node, Kind: reports.Paused})
	case sim.Resumed:
		tl.end("paused " + node)
	}
}

// fault takes an event of the schedule.
func (tl *timeline) fault(e faults.Event) {
	name := fmt.Sprintf("fault %d", e.Index)
	event := reports.Event{At: e.At, Kind: reports.Fault, Text: e.Fault.String()}
	switch {
	case e.Stage == faults.Began && e.Effect && !e.Fault.Kind.Momentary():
		tl.begin(name, event)
	case e.Stage == faults.Began && e.Effect, e.Stage == faults.Happened:
		if len(e.Targets) == 1 {
			event.Node = e.Targets[0]
		}
		tl.add(event)
	case e.Stage == faults.Ended:
		tl.end(name)
	}
}
