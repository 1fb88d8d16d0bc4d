package plan_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"simrun/sim/plan"
)

// TestParseValue gives fields of a plan's knobs values from a command line: what a plan
// would take without quotes is taken, anything else is refused with what to write.
func TestParseValue(t *testing.T) {
	for _, c := range []struct {
		field, text string
		want        any // nil: refused
	}{
		{"commit-mode", "async", plan.AsyncCommit},
		{"commit-mode", `as"ync`, plan.CommitMode(`as"ync`)}, // which validation refuses
		{"pessimistic", "1000", 1000},
		{"lock-ttl", "1.5s", plan.Duration(1500 * time.Millisecond)},
		{"leader-lease", "true", true},
		{"pessimistic", "'7'", nil},
		{"pessimistic", "1.5", nil},
		{"pessimistic", "99999999999999999999", nil},
		{"pessimistic", "1 # one", nil},
		{"pessimistic", "1\nother = 2", nil},
		{"pessimistic", "", nil},
		{"lock-ttl", "5", nil},
		{"leader-lease", "yes", nil},
	} {
		got, err := plan.ParseValue(plan.Field(&plan.Knobs{}, c.field).Type(), c.text)
		switch {
		case c.want == nil:
			if err == nil || !strings.Contains(err.Error(), "has another type: write ") {
				t.Errorf("%s=%s: %v, %v", c.field, c.text, got, err)
			}
		case err != nil || !reflect.DeepEqual(got.Interface(), c.want):
			t.Errorf("%s=%s: %v, %v", c.field, c.text, got, err)
		}
	}
	if plan.Field(&plan.Knobs{}, "bonk").IsValid() {
		t.Error("there is a knob called bonk")
	}
}
