package scenarios_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"simrun/scenarios"
	"simrun/sim/plan"
)

// TestFix: a knob that is fixed is so in the plans of all seeds, and nothing else of
// them changes; those that a scenario does not draw can be fixed too.
func TestFix(t *testing.T) {
	find := func() *scenarios.Scenario {
		s, err := scenarios.Find("bank")
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	drawn, fixed := find(), find()
	for _, knob := range [][2]string{{"commit-mode", "async"}, {"loss", "7"}, {"election-tick", "20"}} {
		if err := fixed.Fix(knob[0], knob[1]); err != nil {
			t.Fatal(err)
		}
	}
	for seed := range uint64(20) {
		want, got := drawn.Plan(seed), fixed.Plan(seed)
		want.Knobs.CommitMode, want.Network.Loss, want.Knobs.ElectionTick = plan.AsyncCommit, 7, 20
		if !reflect.DeepEqual(want, got) {
			t.Errorf("seed %d:\n%s\nnot\n%s", seed, got, want)
		}
	}
	// Every knob that a scenario draws takes a value of its type.
	for _, name := range plan.FieldNames(reflect.TypeFor[scenarios.Knobs]()) {
		if fixed.Fix(name, "0") != nil && fixed.Fix(name, "0s") != nil && fixed.Fix(name, "true") != nil {
			t.Errorf("%s takes neither a number nor text, a duration or true", name)
		}
	}
}

// TestFixWithoutEffect: a knob that nothing reads where the scenario's API is served is
// refused, and every one that a scenario of the API lists is read.
func TestFixWithoutEffect(t *testing.T) {
	for name, knob := range map[string][2]string{
		"raft": {"pessimistic", "5"}, "register": {"commit-mode", "async"}, "timestamps": {"lock-ttl", "1s"},
	} {
		s, err := scenarios.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		if err = s.Fix(knob[0], knob[1]); err == nil || !strings.Contains(err.Error(), "nothing reads it where the api is") {
			t.Errorf("%s, %s: %v", name, knob[0], err)
		}
	}
	for _, name := range scenarios.Names() {
		s, err := scenarios.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, knob := range plan.FieldNames(reflect.TypeFor[scenarios.Knobs]()) {
			list := plan.Field(&s.Knobs, knob)
			if list.Len() == 0 {
				continue
			}
			if err := s.Fix(knob, fmt.Sprint(list.Index(0))); err != nil {
				t.Errorf("%s, %s: %v", name, knob, err)
			}
		}
	}
}
