package scenarios_test

import (
	"bytes"
	"testing"

	"simrun/checker"
	"simrun/scenarios"
	"simrun/scenarios/runner"
	"simrun/sim/history/jepsen"
)

// What is written for other checkers says less than the history, and nothing that is
// wrong: read back, a run that is in order is in order or not decided.
func TestExportedHistories(t *testing.T) {
	for _, name := range []string{"append", "bank", "for-update", "long-fork", "register", "timestamps", "write-skew"} {
		s, err := scenarios.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		for seed := uint64(1); seed <= 3; seed++ {
			o, err := runner.Run(s.Plan(seed), runner.Options{})
			if err != nil || o.Result.Verdict != checker.OK {
				t.Fatalf("%s, seed %d: %v %v", name, seed, o.Result.Verdict, err)
			}
			var text bytes.Buffer
			if err = jepsen.WriteEDN(&text, o.History); err != nil {
				t.Fatal(err)
			}
			h, err := jepsen.Read(&text, name)
			if err != nil {
				t.Errorf("%s, seed %d: %v", name, seed, err)
				continue
			}
			for _, r := range checker.History(h, checker.Options{}) {
				if r.Verdict == checker.Violation {
					t.Errorf("%s, seed %d: %s: %+v", name, seed, r.Checker, r.Findings[0])
				}
			}
		}
	}
}
