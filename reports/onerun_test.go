package reports

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"simrun/sim/history"
)

// Files of several runs are no folder of a run, whichever of them is the other one, and the
// error names them.
func TestLoadOfSeveralRuns(t *testing.T) {
	for _, c := range []struct {
		name, file, old, replacement, want string
	}{
		{"plan", FilePlan, "seed = 7", "seed = 9", "plan.toml is of bank, seed 9; history.jsonl is of bank, seed 7; result.json is of bank, seed 7: these files are not of one run, or one was edited; "},
		{"plan of a system", FilePlan, "scenario = 'bank'", "system = 'abd'", "plan.toml is of abd, seed 7; history.jsonl is of bank, seed 7; "},
		{"large seed", FilePlan, "seed = 7", "seed = '18446744073709551615'", "plan.toml is of bank, seed 18446744073709551615; history.jsonl"},
		{"history", FileHistory, `"seed":7`, `"seed":8`, "plan.toml is of bank, seed 7; history.jsonl is of bank, seed 8; result.json is of bank, seed 7: these"},
		{"scenario", FileHistory, `"scenario":"bank"`, `"scenario":"register"`, "history.jsonl is of register, seed 7;"},
		{"result", FileResult, `"seed": 7`, `"seed": 6`, "result.json is of bank, seed 6: these"},
		{"outcome", FileHistory, `"outcome":"failed"`, `"outcome":"unknown"`, "history.jsonl has 880 txn ("},
		{"no seed", FilePlan, "seed = 7", "seed = -7", ""}, // told by who reads the plan
		{"a mark", FilePlan, "version", "\ufeffversion", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			save(t, dir, bankRun(110))
			text, err := os.ReadFile(filepath.Join(dir, c.file))
			if err != nil {
				t.Fatal(err)
			}
			changed := bytes.Replace(text, []byte(c.old), []byte(c.replacement), 1)
			if bytes.Equal(changed, text) {
				t.Fatalf("%q is not in %s", c.old, c.file)
			}
			if err = os.WriteFile(filepath.Join(dir, c.file), changed, 0o600); err != nil {
				t.Fatal(err)
			}
			run, err := Load(dir)
			switch {
			case c.want == "" && err != nil, c.want != "" && err == nil:
				t.Errorf("got %v, want %q", err, c.want)
			case err == nil:
			case !strings.HasPrefix(err.Error(), dir+": ") || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "; record it anew: simrun run "+dir):
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
			if strings.HasPrefix(run.Plan, "\ufeff") {
				t.Error("the plan begins with the mark")
			}
		})
	}
}

// One operation less is another run, unless the history was cut off.
func TestOneRunCounts(t *testing.T) {
	run := bankRun(110)
	h := *run.History
	h.Ops = h.Ops[1:]
	run.History = &h
	err := run.OneRun("out/bank-7", true)
	if err == nil || !strings.Contains(err.Error(), "history.jsonl has 879 txn (") || !strings.Contains(err.Error(), "; result.json has 880 txn (") {
		t.Errorf("got %v", err)
	}
	if err = run.OneRun("out/bank-7", false); err != nil {
		t.Error(err)
	}
	h.Ops = nil
	if err = run.OneRun("out/bank-7", true); err == nil || !strings.Contains(err.Error(), "history.jsonl has no operations; ") {
		t.Errorf("got %v", err)
	}
	// What is not there is not compared.
	for _, part := range []*Run{{}, {History: &history.History{}}, {Plan: bankPlan}, {Result: run.Result}} {
		if err = part.OneRun("out/bank-7", true); err != nil {
			t.Error(err)
		}
	}
}
