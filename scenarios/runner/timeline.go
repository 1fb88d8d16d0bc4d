package runner

import (
	"simrun/faults"
	"simrun/reports"
	"simrun/scenarios/cluster"
)

// timeline collects what happened to nodes and cluster, and counts it.
type timeline struct {
	reports.Timeline[openKey]
	counts  reports.ClusterStats
	started map[string]bool // nodes that have had a process
	applied map[string]bool // what was counted of what every peer reports
	audit   bool            // crashes are the audit's own and do not count
	// births and elections are those of regions, in the order of time.
	births    []birth
	elections []election
	// splitsAsked are the positions of the events of splits as faults.
	splitsAsked []int
	// queues are when operations had to wait for long for a disk, in the order of time.
	queues []span
}

// openKey names something that lasts.
type openKey struct {
	node  string
	kind  reports.EventKind
	fault int
	db    string // of a stall
}

// begin opens what lasts, unless it lasts already.
func (tl *timeline) begin(key openKey, text string) {
	tl.Begin(key, reports.Event{Node: key.node, Kind: key.kind, Text: text})
}

// phase ends the current phase of the run and begins another.
func (tl *timeline) phase(name string) {
	tl.End(openKey{kind: reports.Phase})
	tl.begin(openKey{kind: reports.Phase}, name)
}

// clusterEvent takes an event of the cluster.
func (tl *timeline) clusterEvent(e cluster.Event) {
	down := openKey{node: e.Node, kind: reports.Down}
	paused := openKey{node: e.Node, kind: reports.Paused}
	switch e.Kind {
	case cluster.Started:
		tl.End(down)
		if tl.started[e.Node] {
			tl.counts.Restarts += tl.one()
		} else {
			if tl.started == nil {
				tl.started = map[string]bool{}
			}
			tl.started[e.Node] = true
		}
	case cluster.Ended:
		tl.counts.Crashes += tl.one()
		tl.End(paused)
		tl.endStalls(e.Node)
		tl.begin(down, "")
	case cluster.Exited, cluster.Failed:
		tl.Add(reports.Event{At: e.At, Node: e.Node, Kind: reports.Note, Text: "exit: " + e.Text})
	case cluster.Paused:
		tl.begin(paused, "")
	case cluster.Resumed:
		tl.End(paused)
	case cluster.Stalled, cluster.Flowing:
		tl.stall(e)
	case cluster.Elected:
		tl.counts.Elections++
		for _, region := range e.Regions {
			tl.elected(region)
		}
		tl.Add(reports.Event{At: e.At, Node: e.Node, Kind: reports.Election, Text: e.Text})
	case cluster.SplitDone:
		if tl.once(e, reports.Split, &tl.counts.Splits) {
			tl.split(e.Regions)
		}
	case cluster.Prepared:
		tl.once(e, reports.Merge, &tl.counts.MergesPrepared)
	case cluster.Merged:
		tl.once(e, reports.Merge, &tl.counts.Merges)
	case cluster.Revived:
		tl.once(e, reports.Merge, &tl.counts.MergeRollbacks)
	case cluster.Members, cluster.Scheduled:
		tl.Add(reports.Event{At: e.At, Node: e.Node, Kind: reports.Note, Text: e.Text})
	case cluster.Snapshot:
		tl.counts.Snapshots++
		tl.Add(reports.Event{At: e.At, Node: e.Node, Kind: reports.Snapshot, Text: e.Text})
	case cluster.SnapshotSent:
		tl.counts.SnapshotsSent++
	case cluster.SnapshotResumed:
		tl.counts.SnapshotsResumed++
		tl.Add(reports.Event{At: e.At, Node: e.Node, Kind: reports.Note, Text: "snapshot resumed: " + e.Text})
	case cluster.SnapshotRefused:
		tl.counts.SnapshotsRefused++
	}
}

// stall takes a change of how a database lets writes pass.
func (tl *timeline) stall(e cluster.Event) {
	key := openKey{node: e.Node, kind: reports.Stalled, db: e.DB}
	tl.End(key)
	if e.Kind == cluster.Stalled {
		tl.begin(key, e.Text)
	}
}

// endStalls ends the stalls of a process.
func (tl *timeline) endStalls(node string) {
	for _, db := range cluster.Databases() {
		tl.End(openKey{node: node, kind: reports.Stalled, db: db})
	}
}

// one is what a crash or a restart counts.
func (tl *timeline) one() uint64 {
	if tl.audit {
		return 0
	}
	return 1
}

// once counts what every peer of a region applies when the first one does. The
// event's text names it.
func (tl *timeline) once(e cluster.Event, kind reports.EventKind, count *uint64) (first bool) {
	what := string(e.Kind) + " " + e.Text
	if tl.applied == nil {
		tl.applied = map[string]bool{}
	}
	if tl.applied[what] {
		return false
	}
	tl.applied[what] = true
	*count++
	text := e.Text
	if kind == reports.Merge {
		text = what
	}
	tl.Add(reports.Event{At: e.At, Node: e.Node, Kind: kind, Text: text})
	return true
}

// fault takes an event of the schedule.
func (tl *timeline) fault(e faults.Event) {
	key := openKey{kind: reports.Fault, fault: e.Index}
	event := reports.Event{At: e.At, Kind: reports.Fault, Text: e.Fault.String(), Meant: e.Meant()}
	if len(e.Targets) == 1 {
		event.Node = e.Targets[0]
	}
	switch e.Stage {
	case faults.Began:
		if e.Effect && !e.Fault.Kind.Momentary() {
			event.Node = ""
			tl.Begin(key, event)
		} else if e.Effect {
			tl.Add(event)
		}
	case faults.Happened:
		if e.Fault.Kind == faults.TransferLeader {
			tl.counts.LeaderTransfers++
		}
		at := tl.Add(event)
		if e.Fault.Kind == faults.Split {
			tl.splitsAsked = append(tl.splitsAsked, at)
		}
	case faults.Ended:
		tl.EndFault(key, e.Effect)
	default:
	}
}
