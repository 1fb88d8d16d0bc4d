package state

import (
	"fmt"

	"simrun/checker/verdict"
)

// SnapshotRemains is what a node's disk tells of snapshots.
type SnapshotRemains struct {
	Node string
	// Applying are the regions that are recorded as being restored from a snapshot.
	Applying []uint64
	// Files are the names of the snapshot files.
	Files []string
}

// Snapshots checks that nothing is left of snapshots. It holds when all replicas
// have applied the same and files that nobody asks for had the time to be
// deleted: then nobody needs one.
func Snapshots(nodes []SnapshotRemains) verdict.Result {
	r := verdict.Result{Checker: SnapshotsName, Checked: len(nodes)}
	for _, n := range nodes {
		for _, region := range n.Applying {
			r.Add(verdict.Finding{
				Anomaly: verdict.SnapshotLeft,
				Message: fmt.Sprintf("region %d is recorded on %s as being restored from a snapshot, though it is up to date", region, n.Node),
			})
		}
		for _, file := range n.Files {
			r.Add(verdict.Finding{
				Anomaly: verdict.SnapshotLeft,
				Message: fmt.Sprintf("%s holds the snapshot file %s, which nobody needs", n.Node, file),
			})
		}
	}
	if len(nodes) == 0 {
		r.Undecided("there is no node")
	}
	return r
}
