package trial

import (
	"fmt"
	"time"

	"simrun/checker"
	"simrun/nodes/env"
	"simrun/reports"
	"simrun/sim"
	"simrun/sim/disk"
)

// AnomalyExit is that a process has ended itself and no fault explains why.
const AnomalyExit checker.Anomaly = "exit"

// changed takes a change of a node.
func (t *Trial) changed(n *sim.Node, c sim.Change) {
	t.timeline.changed(n.Name(), c)
	if c == sim.Started && n.Disk() != nil {
		t.lives[n.Name()] = n.Disk().Stats()
	}
}

// exited is the supervisor of a node whose process has ended itself.
func (t *Trial) exited(n *sim.Node, reason string) {
	t.timeline.Add(reports.Event{At: t.World.Now(), Node: n.Name(), Kind: reports.Note, Text: "exit: " + reason})
	if own := t.system.World.OnExit; own != nil {
		own(n, reason)
		return
	}
	if d := n.Disk(); d == nil || !disk.Explains(t.lives[n.Name()], d.Stats(), reason) {
		t.exits = append(t.exits, checker.Finding{
			Anomaly: AnomalyExit, Place: checker.Place{At: t.World.Now(), Nodes: []string{n.Name()}},
			Message: fmt.Sprintf("the process of %s ended itself at %v, and no injected error explains it: %s", n.Name(), time.Duration(t.World.Now()), reason),
		})
	}
	t.World.Go("restart "+n.Name(), func(task env.Task) {
		task.Sleep(orDefault(t.system.Restart, restartDefault))
		n.Start()
	})
}
