package scenarios

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"simrun/sim/plan"
)

// Fix has every plan of the scenario take a value for a knob, written as in a plan but
// without quotes. The knob is one that scenarios draw or, beyond them, one of a plan's
// knobs. All other choices of a seed stay what they are, for each is drawn from a stream
// of its own. Whether the value is in its range, the plan's validation tells.
func (s *Scenario) Fix(name, value string) error {
	if slices.Contains(KnobNames(), name) && !reads(s.Cluster.API, name) {
		return fmt.Errorf("nothing reads it where the api is '%s', as in this scenario: leave it out", s.Cluster.API)
	}
	if drawn := plan.Field(&s.Knobs, name); drawn.IsValid() {
		v, err := plan.ParseValue(drawn.Type().Elem(), value)
		if err != nil {
			return err
		}
		drawn.Set(reflect.Append(reflect.Zero(drawn.Type()), v))
		return nil
	}
	field := plan.Field(&plan.Knobs{}, name)
	if !field.IsValid() {
		return fmt.Errorf("there is no knob of that name; there are %s", strings.Join(KnobNames(), ", "))
	}
	if _, err := plan.ParseValue(field.Type(), value); err != nil {
		return err
	}
	s.fixed = append(s.fixed, [2]string{name, value})
	return nil
}

// fix sets the knobs of a plan that scenarios do not draw.
func (s *Scenario) fix(p *plan.Plan) {
	for _, knob := range s.fixed {
		field := plan.Field(&p.Knobs, knob[0])
		v, err := plan.ParseValue(field.Type(), knob[1])
		if err != nil {
			panic(err) // Fix has parsed it
		}
		field.Set(v)
	}
}

// reads reports whether a cluster of an API, or its clients, ever looks at a knob.
func reads(api plan.API, name string) bool {
	switch api {
	case plan.Raft: // scenarios/bareraft takes these, the others are of the network, the disks and clocks
		return slices.Contains([]string{
			"order", "tick-interval", "election-tick", "heartbeat-tick", "max-inflight-msgs", "max-size-per-msg",
			"raft-log-gc-threshold", "request-timeout", "operation-timeout",
			"sync-max", "loss", "duplicate", "reorder", "detour", "clock-offset", "clock-drift",
		}, name)
	case plan.Raw: // there are no transactions
		return !slices.Contains([]string{
			"lock-ttl", "batch-bytes", "commit-mode", "async-keys", "async-bytes", "commit-window", "schema-lease", "pessimistic", "read-committed",
			"primary-first", "resolve-by-cleanup",
		}, name)
	case plan.Txn:
	}
	return true
}

// KnobNames are the names that Fix takes, sorted.
func KnobNames() []string {
	names := append(plan.FieldNames(reflect.TypeFor[Knobs]()), plan.FieldNames(reflect.TypeFor[plan.Knobs]())...)
	slices.Sort(names)
	return slices.Compact(names)
}
