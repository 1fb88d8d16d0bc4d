package scenarios_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"simrun/checker"
	"simrun/nodes/invariant"
	"simrun/scenarios/runner"
	"simrun/sim/plan"
)

// Plans that once failed, or hung, keep their promises now. Each is kept because
// a defect was found by it:
//
//	disk-full-while-opening  a full disk made every flush fail while a store
//	                         opened its database; the loop waited for Pebble, and
//	                         Pebble for the loop
func TestRegressions(t *testing.T) {
	reaches := map[string]string{
		"disk-full-while-opening.toml": "engine: storage error while a database was opened",
	}
	files, err := filepath.Glob("regressions/*.toml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no plans: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p, err := plan.Parse(file, string(text))
			if err != nil {
				t.Fatal(err)
			}
			o, err := runner.Run(&p, runner.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if mark := reaches[filepath.Base(file)]; !slices.ContainsFunc(o.Result.Marks, func(c invariant.Count) bool {
				return c.Name == mark && c.Count > 0
			}) {
				t.Errorf("the plan no longer reaches %q: it proves nothing; find another", mark)
			}
			if o.Result.Verdict != checker.OK {
				t.Errorf("%s\n    simrun run scenarios/%s", o.Result.Signature(), file)
			}
		})
	}
}
