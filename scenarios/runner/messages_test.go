package runner

import (
	"strings"
	"testing"

	"simrun/faults"
	"simrun/sim/plan"
)

// Goal: a fault that is aimed at messages which do not exist is found before the run.
func TestCheckMessages(t *testing.T) {
	for kind, known := range map[string]bool{"KvPrewrite": true, "PdTso": true, "Raft": true, "Prewrite": false} {
		fault, err := faults.Parse("at 1s network loss 5% of " + kind)
		if err != nil {
			t.Fatal(err)
		}
		err = checkMessages(&plan.Plan{Faults: []faults.Fault{fault}})
		if known && err != nil || !known && (err == nil || !strings.Contains(err.Error(), "faults[0] is aimed at "+kind)) {
			t.Errorf("%s: %v", kind, err)
		}
	}
}
