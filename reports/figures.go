package reports

import (
	"slices"
)

// pageTable is one table of figures.
type pageTable struct {
	Title string
	Wide  bool // it has the width of the page for itself
	Head  []string
	Rows  [][]string
}

// pageTables are the statistics as the page shows them. Of a run that was cut off,
// and of a system that no plan describes, those are left out of which nothing was
// counted.
func pageTables(run *Run) []pageTable {
	tables := allTables(run)
	if run.ofDatabase() && !run.Cut {
		return tables
	}
	return slices.DeleteFunc(tables, func(t pageTable) bool {
		return !slices.ContainsFunc(t.Rows, func(row []string) bool {
			return slices.ContainsFunc(row[1:], func(cell string) bool { return cell != "0" && cell != "0.00" })
		})
	})
}

func allTables(run *Run) []pageTable {
	r, s := run.Result, &run.Result.Stats
	operations := pageTable{Title: "Operations", Head: []string{"", "ok", "failed", "unknown"}}
	for _, c := range s.Operations {
		operations.Rows = append(operations.Rows, []string{string(c.Kind), grouped(c.OK), grouped(c.Failed), grouped(c.Unknown)})
	}
	checkers := pageTable{Title: "Checkers", Head: []string{"", "verdict", "checked", "findings"}}
	for i := range r.Checkers {
		c := &r.Checkers[i]
		verdict := c.Verdict.String()
		if notJudged(c) {
			verdict = "not judged (" + c.Reason + ")"
		}
		checkers.Rows = append(checkers.Rows, []string{c.Checker, verdict, grouped(c.Checked), grouped(len(c.Findings) + c.More)})
	}
	tables := []pageTable{checkers, operations}
	tables = append(tables, programTable(programCounts(r, run.History))...)
	tables = append(tables, faultTables(s.Faults, run.Cut)...)
	tables = append(tables, commitTable(&s.Commits)...)
	tables = append(tables, operatorTable(s.Operators)...)
	return append(tables,
		figures("Cluster",
			figure{"elections", s.Cluster.Elections}, figure{"leader transfers", s.Cluster.LeaderTransfers},
			figure{"splits", s.Cluster.Splits},
			figure{"merges prepared", s.Cluster.MergesPrepared}, figure{"merges committed", s.Cluster.Merges},
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
		costTable(s), engineTable(s.Engines), backlogTable(s.Backlogs))
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
