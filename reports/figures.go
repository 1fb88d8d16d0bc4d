package reports

import (
	"slices"
	"strconv"
)

// pageTable is one table of figures.
type pageTable struct {
	Title string
	Head  []string
	Rows  [][]string
}

// pageTables are the statistics as the page shows them. Of a run that was cut off,
// and of a system that no plan describes, those are left out of which nothing was
// counted.
func pageTables(run *Run) []pageTable {
	tables := allTables(run.Result)
	if run.Plan != "" && !run.Cut {
		return tables
	}
	return slices.DeleteFunc(tables, func(t pageTable) bool {
		return !slices.ContainsFunc(t.Rows, func(row []string) bool {
			return slices.ContainsFunc(row[1:], func(cell string) bool { return cell != "0" && cell != "0.00" })
		})
	})
}

func allTables(r *Result) []pageTable {
	s := &r.Stats
	operations := pageTable{Title: "Operations", Head: []string{"", "ok", "failed", "unknown"}}
	for _, c := range s.Operations {
		operations.Rows = append(operations.Rows, []string{string(c.Kind), grouped(c.OK), grouped(c.Failed), grouped(c.Unknown)})
	}
	faults := pageTable{Title: "Faults", Head: []string{"", "scheduled", "came up", "took effect"}}
	for _, c := range s.Faults {
		faults.Rows = append(faults.Rows, []string{c.Kind, strconv.Itoa(c.Scheduled), strconv.Itoa(c.Armed), strconv.Itoa(c.Effective)})
	}
	checkers := pageTable{Title: "Checkers", Head: []string{"", "verdict", "checked", "findings"}}
	for i := range r.Checkers {
		c := &r.Checkers[i]
		verdict := c.Verdict.String()
		if notJudged(c) {
			verdict = "not judged: " + c.Reason
		}
		checkers.Rows = append(checkers.Rows, []string{c.Checker, verdict, grouped(c.Checked), grouped(len(c.Findings) + c.More)})
	}
	engines := pageTable{Title: "Engines", Head: []string{"", "flushes", "compactions", "below level 0", "levels", "slowdowns", "stops", "slowed", "stopped"}}
	for i := range s.Engines {
		e := &s.Engines[i]
		engines.Rows = append(engines.Rows, []string{
			e.Node, grouped(e.Flushes), grouped(e.Compactions), grouped(e.Lower), strconv.Itoa(e.Levels),
			grouped(e.Slowdowns), grouped(e.Stops), seconds(int64(e.Slowed)), seconds(int64(e.Stopped)),
		})
	}
	backlogs := pageTable{Title: "Backlogs", Head: []string{"", "bytes to be durable, at most", "bytes to be applied, at most"}}
	for _, b := range s.Backlogs {
		backlogs.Rows = append(backlogs.Rows, []string{b.Node, grouped(b.Append), grouped(b.Apply)})
	}
	return []pageTable{
		checkers, operations, faults, engines, backlogs,
		figures("Cluster",
			figure{"elections", s.Cluster.Elections}, figure{"leader transfers", s.Cluster.LeaderTransfers},
			figure{"splits", s.Cluster.Splits}, figure{"merges", s.Cluster.Merges},
			figure{"merges rolled back", s.Cluster.MergeRollbacks}, figure{"snapshots applied", s.Cluster.Snapshots},
			figure{"snapshots sent", s.Cluster.SnapshotsSent}, figure{"snapshots resumed", s.Cluster.SnapshotsResumed},
			figure{"chunks of snapshots refused", s.Cluster.SnapshotsRefused},
			figure{"crashes", s.Cluster.Crashes}, figure{"restarts", s.Cluster.Restarts}),
		figures("Reads of regions",
			figure{"by lease", s.Reads.Lease}, figure{"by read index", s.Reads.Index}, figure{"by followers", s.Reads.Replica}),
		figures("Network",
			figure{"messages sent", s.Network.Sent}, figure{"delivered", s.Network.Delivered},
			figure{"lost", s.Network.Lost}, figure{"lost to partitions", s.Network.Cut},
			figure{"dropped from full queues", s.Network.Overflowed}, figure{"duplicated", s.Network.Duplicated},
			figure{"reordered", s.Network.Reordered}, figure{"held by clogged links", s.Network.Clogged},
			figure{"bytes", s.Network.Bytes}),
		figures("Disk",
			figure{"operations", s.Disk.Operations}, figure{"syncs", s.Disk.Syncs},
			figure{"bytes written", s.Disk.Bytes}, figure{"unsynced writes lost", s.Disk.Lost},
			figure{"unsynced writes torn", s.Disk.Torn}, figure{"errors", s.Disk.Errors}, figure{"operations stalled", s.Disk.Stalls}),
		costTable(&s.Cost),
	}
}

type figure struct {
	name string
	n    uint64
}

func figures(title string, rows ...figure) pageTable {
	t := pageTable{Title: title}
	for _, f := range rows {
		t.Rows = append(t.Rows, []string{f.name, grouped(f.n)})
	}
	return t
}
