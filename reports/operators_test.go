package reports

import (
	"strings"
	"testing"

	"simrun/sim/history"
)

// TestOperatorsAreTold: what the placement driver has had done stands in the
// verdict, by kind; without a placement driver that does anything, no word of it.
func TestOperatorsAreTold(t *testing.T) {
	run := &Run{History: &history.History{}, Result: &Result{Scenario: "scale-out", Seed: 1}}
	if text := string(verdictText(t, run, TextOptions{})); strings.Contains(text, "operators") {
		t.Errorf("no operators, and\n%s", text)
	}
	run.Result.Stats.Operators = []OperatorCount{
		{Kind: "replace-replica", Begun: 7, Finished: 4, TimedOut: 1, Cancelled: 2},
		{Kind: "balance-leader", Begun: 9, Finished: 8, Abandoned: 1},
	}
	text := strings.Join(strings.Fields(string(verdictText(t, run, TextOptions{}))), " ")
	if want := "operators replace-replica 4/7, balance-leader 8/9; 1 timed out, 2 cancelled, 1 lost with a leader"; !strings.Contains(text, want) {
		t.Errorf("want %q in\n%s", want, text)
	}
}
