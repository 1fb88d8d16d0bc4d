package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"simrun/scenarios"
	"simrun/scenarios/runner"
)

// addKnobFlag adds the flag of the commands that run plans of a scenario.
func addKnobFlag(cmd *cobra.Command, knobs *[]string) {
	cmd.Flags().StringArrayVar(knobs, "knob", nil,
		"NAME=VALUE: give every plan of the scenario this value for a knob, such as commit-mode=async; may be repeated")
}

// fix gives every plan of the scenario the values of the knobs, each NAME=VALUE as
// in a plan, but without quotes.
func (s *source) fix(knobs []string) error {
	if len(knobs) == 0 {
		return nil
	}
	if s.plan != nil {
		return errors.New("--knob: a plan has its knobs inside: edit the plan, or give a scenario")
	}
	sound := runner.Check(s.scenario.Plan(1)) == nil
	given := map[string]bool{}
	for _, knob := range knobs {
		name, value, ok := strings.Cut(knob, "=")
		switch {
		case !ok || name == "":
			return fmt.Errorf("--knob %q: write NAME=VALUE, such as commit-mode=async", knob)
		case given[name]:
			return fmt.Errorf("--knob %s: %s is given twice: keep one", knob, name)
		}
		given[name] = true
		if question := didYouMean(name, scenarios.KnobNames()); question != "" && !slices.Contains(scenarios.KnobNames(), name) {
			return fmt.Errorf("--knob %s: there is no knob of that name: %sdocs/plans.md names them all", knob, question)
		}
		if err := s.scenario.Fix(name, value); err != nil {
			return fmt.Errorf("--knob %s: %w", knob, err)
		}
	}
	// A value out of its range is one mistake, not one of every seed.
	if err := runner.Check(s.scenario.Plan(1)); err != nil && sound {
		return fmt.Errorf("--knob %s: %w", strings.Join(knobs, ", "), err)
	}
	s.knobs = knobs
	return nil
}

// knobArgs is how a command line has the knobs.
func knobArgs(knobs []string) []string {
	var args []string
	for _, knob := range knobs {
		args = append(args, "--knob", knob)
	}
	return args
}
