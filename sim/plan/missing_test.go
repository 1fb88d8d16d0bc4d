package plan_test

import (
	"strings"
	"testing"

	"simrun/sim/plan"
)

// Goal: what a table lacks is told at once, also where the table itself is missing or
// inline; parameters and script may be left out. TestErrors has single fields.
func TestMissing(t *testing.T) {
	whole := plan.Default().String()
	_, rest, _ := strings.Cut(whole, "[workload]")
	for _, c := range []struct{ text, want string }{
		{
			"version = '1'\nscenario = ''\nseed = 1\ncluster = { stores = 3, replicas = 3, api = 'txn' }\n[workload]" + rest,
			"plan.toml:4:1: cluster.placement is missing: write placement = 1 (the default) or another value in [cluster]; also missing there: split-keys, joining",
		},
		{
			strings.Replace(whole, "[schedule]\nfaults = []\n", "", 1),
			"plan.toml:1:1: schedule.faults is missing: write faults = [] (the default) or another value in [schedule]",
		},
		{strings.Replace(whole, "[workload.params]\n", "", 1), ""},
	} {
		got := ""
		if _, err := plan.Parse("plan.toml", c.text); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}
