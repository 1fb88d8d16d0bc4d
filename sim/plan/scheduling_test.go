package plan_test

import (
	"strings"
	"testing"
	"time"

	"simrun/sim/plan"
)

// Goal: what depends on two fields is refused with both of them named.
func TestSchedulingFits(t *testing.T) {
	second := plan.Duration(time.Second)
	for _, c := range []struct {
		name   string
		change func(p *plan.Plan)
		want   string // empty: it is valid
	}{
		{"as it is", func(*plan.Plan) {}, ""},
		{"a step takes a heartbeat", func(p *plan.Plan) { p.Scheduling.OperatorTimeout = second }, "scheduling.operator-timeout is 1s"},
		{"nobody schedules", func(p *plan.Plan) { p.Scheduling.Interval, p.Scheduling.OperatorTimeout = 0, 0 }, ""},
		{"nobody is ever down", func(p *plan.Plan) { p.Scheduling.MaxStoreDownTime = 0 }, "scheduling.max-store-down-time is 0s"},
		{"no operators", func(p *plan.Plan) { p.Scheduling.OperatorLimit = 0 }, "scheduling.operator-limit is 0"},
		{"nobody looks", func(p *plan.Plan) { p.Scheduling.SplitKeys, p.Scheduling.SplitCheck = 10, 0 }, "scheduling.split-check is 0s"},
		{"merged and split again", func(p *plan.Plan) { p.Scheduling.SplitKeys, p.Scheduling.MergeKeys = 10, 6 }, "scheduling.merge-keys is 6"},
		{"merged", func(p *plan.Plan) { p.Scheduling.SplitKeys, p.Scheduling.MergeKeys = 10, 5 }, ""},
		{"too few to begin with", func(p *plan.Plan) { p.Cluster.Stores, p.Cluster.Joining = 5, 3 }, "cluster.joining is 3"},
	} {
		p := plan.Default()
		p.Scheduling.Interval, p.Knobs.RegionHeartbeat = second, second
		c.change(&p)
		switch err := p.Validate(); {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
