package determinism

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"simrun/reports"
	"simrun/scenarios"
	"simrun/scenarios/runner"
)

// A seed has one trace: the same in this process - under the race detector too,
// if the test is run with it - as in the program's workers, whatever their
// number of processors, and whatever has run before in the same process.
func TestOneTraceEverywhere(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	program := filepath.Join(t.TempDir(), "simrun")
	if out, err := exec.Command("go", "build", "-o", program, "simrun/cmd/simrun").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const seeds = 2
	for _, name := range scenarios.Names() {
		s, err := scenarios.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		var want []reports.Hash
		for seed := range uint64(seeds) {
			o, err := runner.Run(s.Plan(seed), runner.Options{})
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, o.Result.TraceHash)
		}
		for _, procs := range []int{1, 8} {
			for seed, got := range workerTraces(t, program, name, procs, seeds) {
				if got != want[seed] {
					t.Errorf("%s, seed %d, GOMAXPROCS %d: trace %v, here %v", name, seed, procs, got, want[seed])
				}
			}
		}
	}
}

// workerTraces returns the trace hashes that a worker process computes, in the
// order of the seeds. The last seed comes first.
func workerTraces(t *testing.T, program, scenario string, procs, seeds int) []reports.Hash {
	t.Helper()
	var jobs strings.Builder
	for seed := seeds - 1; seed >= 0; seed-- {
		fmt.Fprintf(&jobs, "{\"seed\":%d}\n", seed)
	}
	cmd := exec.Command(program, "worker", scenario)
	cmd.Env = append(os.Environ(), fmt.Sprintf("GOMAXPROCS=%d", procs))
	cmd.Stdin = strings.NewReader(jobs.String())
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	hashes := make([]reports.Hash, seeds)
	for line := range strings.Lines(string(out)) {
		var answer struct {
			Seed      int          `json:"seed"`
			TraceHash reports.Hash `json:"trace_hash"`
		}
		if err := json.Unmarshal([]byte(line), &answer); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		hashes[answer.Seed] = answer.TraceHash
	}
	return hashes
}
