package reports_test

import (
	"os"

	"simrun/checker"
	"simrun/reports"
)

func ExampleWriteText() {
	r := &reports.Result{
		Scenario: "register", Seed: 12,
		Checkers: []checker.Result{{Checker: "linear", Checked: 240}},
		Stats: reports.Stats{
			Operations: []reports.OperationCount{{Kind: "read", OK: 118, Unknown: 2}, {Kind: "write", OK: 117, Failed: 3}},
			Faults:     []reports.FaultCount{{Kind: "partition", Scheduled: 2, Armed: 2, Effective: 1}},
			Events:     8_113, Virtual: 4_200_000_000,
		},
	}
	r.Conclude()
	if err := reports.WriteText(os.Stdout, &reports.Run{Plan: "version = '1'\n", Result: r}, reports.TextOptions{}); err != nil {
		panic(err)
	}
	// Output:
	// OK  register, seed 12
	//
	//   checked      linear: OK, 240 checked
	//   operations   120 read: 118 ok, 0 failed, 2 unknown
	//                120 write: 117 ok, 3 failed, 0 unknown
	//   faults       1 of 2 took effect: partition 1/2
	//   cluster      0 elections, 0 leader transfers, 0 splits, 0 snapshots, 0 crashes, 0 restarts
	//   network      0 messages (0 bytes), 0 delivered, 0 lost, 0 cut off, 0 duplicated, 0 reordered, 0
	//                held
	//   disk         0 operations, 0 syncs, 0 bytes written; power losses: 0 unsynced writes lost, 0 torn;
	//                0 errors, 0 stalled operations
	//   time         4.200000s virtual, 8,113 events
	//   trace        0000000000000000
	//
	//   run it again:        simrun run register --seed 12
}
