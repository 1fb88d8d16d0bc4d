package scenarios_test

import (
	"bytes"
	"path/filepath"
	"testing"

	"simrun/scenarios"
	plantedbugs "simrun/scenarios/planted"
)

// A store that answers before its disk does is told by the first answer of the
// first seed, without any loss of power: what was promised is compared with what
// is durable, not with what is left of it.
func TestAnswersBeforeTheDiskAreFoundAtOnce(t *testing.T) {
	bugs, err := plantedbugs.Select([]string{"P03"})
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "simrun")
	if err = bugs[0].Build(t.Context(), "..", program); err != nil {
		t.Fatal(err)
	}
	s, err := scenarios.Find("register")
	if err != nil {
		t.Fatal(err)
	}
	p := s.Plan(1)
	p.Faults = nil
	if out := runProgram(t, program, p); !bytes.Contains(out, []byte("not-durable: ")) || !bytes.Contains(out, []byte("(found by raft)")) {
		t.Errorf("the run says\n%s", out)
	}
}
