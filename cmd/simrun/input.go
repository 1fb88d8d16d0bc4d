package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"simrun/checker"
	"simrun/scenarios"
	"simrun/sim/plan"
)

// source is what a command runs: one plan, or a scenario and its seeds.
type source struct {
	name     string // as the command line has it
	plan     *plan.Plan
	scenario *scenarios.Scenario
}

// findSource reads the argument of a command: the name of a scenario, or the
// path of a scenario file or of a plan file.
func findSource(name string) (*source, error) {
	if !strings.HasSuffix(name, ".toml") {
		s, err := scenarios.Find(name)
		if err != nil {
			return nil, err
		}
		return &source{name: name, scenario: s}, nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read the plan or scenario: %w", err)
	}
	if isPlan(text) {
		p, err := plan.Parse(name, string(text))
		if err != nil {
			return nil, err
		}
		return &source{name: name, plan: &p}, nil
	}
	s, err := scenarios.Parse(name, text)
	if err != nil {
		return nil, err
	}
	return &source{name: name, scenario: s}, nil
}

// isPlan tells a plan from a scenario: only a plan has a version, only a
// scenario has a name. What has neither is read as a plan, whose parser then
// says what is missing.
func isPlan(text []byte) bool {
	var head struct {
		Version any `toml:"version"`
		Name    any `toml:"name"`
	}
	if err := toml.Unmarshal(text, &head); err != nil {
		return !strings.Contains(string(text), "\nname")
	}
	return head.Version != nil || head.Name == nil
}

// planOf returns the plan of a seed.
func (s *source) planOf(seed uint64) *plan.Plan {
	if s.plan != nil {
		return s.plan
	}
	return s.scenario.Plan(seed)
}

// command is the command line that runs a seed again.
func (s *source) command(seed uint64) string {
	if s.plan != nil {
		return "simrun run " + s.name
	}
	return fmt.Sprintf("simrun run %s --seed %d", s.name, seed)
}

// parseSeeds reads "7", "1-100" or "3,7,20-30".
func parseSeeds(text string) ([]uint64, error) {
	var seeds []uint64
	for part := range strings.SplitSeq(text, ",") {
		from, to, isRange := strings.Cut(part, "-")
		first, err := strconv.ParseUint(from, 10, 64)
		last := first
		if err == nil && isRange {
			last, err = strconv.ParseUint(to, 10, 64)
		}
		if err != nil {
			return nil, fmt.Errorf("--seeds %q: %q is neither a seed nor a range such as 1-100", text, part)
		}
		if last < first || last-first >= seedsMax {
			return nil, fmt.Errorf("--seeds %q: the range %s is empty or holds more than %d seeds", text, part, seedsMax)
		}
		for seed := first; ; seed++ {
			seeds = append(seeds, seed)
			if seed == last {
				break
			}
		}
	}
	return seeds, nil
}

// seedsMax bounds a range of seeds.
const seedsMax = 10_000_000

// verdictStatus turns a verdict into what the command returns.
func verdictStatus(v checker.Verdict) error {
	switch v {
	case checker.OK:
		return nil
	case checker.Violation:
		return status{code: exitViolation}
	case checker.Unknown, checker.Unrecoverable:
		return status{code: exitUnknown}
	default:
		return errors.New("verdict " + v.String())
	}
}
