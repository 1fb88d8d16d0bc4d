package runner_test

import (
	"strings"
	"testing"
	"time"

	"simrun/scenarios/runner"
)

// What differs is named: of the trace, of the history, of the result.
func TestCompare(t *testing.T) {
	p := bankPlan(1, time.Second)
	recording := func() *runner.Recording {
		t.Helper()
		rec, err := runner.Record(p)
		if err != nil {
			t.Fatal(err)
		}
		return rec
	}
	for _, tc := range []struct {
		name   string
		change func(rec *runner.Recording)
		want   string // the difference has it
	}{
		{"nothing", func(*runner.Recording) {}, ""},
		{"an operation", func(rec *runner.Recording) { rec.History.Ops[3].Client++ }, "operation 3 is first"},
		{"the last operation", func(rec *runner.Recording) { rec.History.Ops = rec.History.Ops[:5] }, "histories that differ"},
		{"a mark", func(rec *runner.Recording) { rec.Result.Marks[0].Count++ }, `"count":1}`},
		{"a checker", func(rec *runner.Recording) { rec.Result.Checkers[0].Checked += 1000 }, `"checked":1001`},
		{"the trace", func(rec *runner.Recording) { rec.Result.TraceHash++ }, "equal events but trace hash"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			rec := recording()
			tc.change(rec)
			difference, err := rec.Compare(p)
			if err != nil {
				t.Fatal(err)
			}
			if (difference == "") != (tc.want == "") || !strings.Contains(difference, tc.want) {
				t.Errorf("found %q", difference)
			}
		})
	}
	t.Run("a run of another seed", func(t *testing.T) {
		difference, err := recording().Compare(bankPlan(2, time.Second))
		if err != nil || !strings.HasPrefix(difference, "event ") {
			t.Errorf("found %q, %v", difference, err)
		}
	})
}
