package state

import (
	"testing"

	"simrun/checker/verdict"
)

// TestSnapshots: nothing that is left of a snapshot is passed over.
func TestSnapshots(t *testing.T) {
	clean := SnapshotRemains{Node: "store1"}
	for name, c := range map[string]struct {
		nodes    []SnapshotRemains
		want     verdict.Verdict
		findings int
	}{
		"no node":             {nil, verdict.Unknown, 0},
		"nothing is left":     {[]SnapshotRemains{clean, {Node: "store2"}}, verdict.OK, 0},
		"a file":              {[]SnapshotRemains{clean, {Node: "store2", Files: []string{"in-1-2-3-4-00000005.snap"}}}, verdict.Violation, 1},
		"a region, two files": {[]SnapshotRemains{{Node: "store1", Applying: []uint64{4}, Files: []string{"a", "b"}}}, verdict.Violation, 3},
	} {
		r := Snapshots(c.nodes)
		if r.Verdict != c.want || len(r.Findings) != c.findings || r.Checked != len(c.nodes) {
			t.Errorf("%s: %+v", name, r)
		}
		for _, f := range r.Findings {
			if f.Anomaly != verdict.SnapshotLeft {
				t.Errorf("%s: %+v", name, f)
			}
		}
	}
}
