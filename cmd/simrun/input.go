package main

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"simrun/checker"
	"simrun/reports"
	"simrun/scenarios"
	"simrun/scenarios/runner"
	"simrun/sim/bom"
	"simrun/sim/plan"
)

// source is what a command runs: one plan, or a scenario and its seeds.
type source struct {
	name     string // as the command line has it
	embedded bool   // the name is that of a scenario of the program, not of a file
	plan     *plan.Plan
	scenario *scenarios.Scenario
	knobs    []string // of the scenario that are fixed, as the command line has them
	shrunk   bool     // the plan is one that shrink has written
}

// findSource reads the argument of a command: the name of a scenario, or the
// path of a scenario file or of a plan file.
func findSource(name string) (*source, error) {
	info, err := os.Stat(name)
	isFile := err == nil && !info.IsDir()
	switch {
	case slices.Contains(scenarios.Names(), name), !isFile && !strings.HasSuffix(name, ".toml"):
		s, findErr := scenarios.Find(name)
		if findErr != nil {
			return nil, folderHint(name, near(name, findErr))
		}
		return &source{name: name, embedded: true, scenario: s}, nil
	case err != nil:
		return nil, fmt.Errorf("cannot read %s: %w", name, withoutPath(err))
	}
	if filepath.Base(name) == reports.FilePlan {
		if err = reports.Complete(filepath.Dir(name)); err != nil {
			return nil, err
		}
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", name, withoutPath(err))
	}
	return parseSource(name, text)
}

// near asks about a scenario that there is, if the name is nearly that.
func near(name string, err error) error {
	if question := didYouMean(name, scenarios.Names()); question != "" {
		return fmt.Errorf("no scenario %q: %ssimrun list names them all", name, question)
	}
	return err
}

// parseSource reads the text of a plan or scenario file.
func parseSource(name string, text []byte) (*source, error) {
	text = []byte(bom.Skip(string(text)))
	if !hasFields(text) {
		return nil, fmt.Errorf("%s: the file holds nothing: a plan begins with version, scenario and seed, a scenario with name and about", name)
	}
	if isPlan(text) {
		if err := refuseOwnPlan(name, text); err != nil {
			return nil, err
		}
		p, err := parsePlan(name, string(text))
		if err != nil {
			return nil, err
		}
		return &source{name: name, plan: &p, shrunk: bytes.HasPrefix(text, []byte(shrunkSign))}, nil
	}
	s, err := scenarios.Parse(name, text)
	if err != nil {
		return nil, err
	}
	return &source{name: name, scenario: s}, nil
}

// parsePlan reads a plan that is to be run: also what only its workload knows
// is checked, so that it is told with its place and before anything is done.
func parsePlan(name, text string) (plan.Plan, error) {
	p, err := plan.Parse(name, text)
	if err != nil {
		return p, err
	}
	err = runner.Check(&p)
	var wrong *plan.Error
	if errors.As(err, &wrong) {
		return p, plan.Locate(name, text, wrong)
	}
	return p, err
}

// folderHint helps whoever gives the folder of a run where a plan belongs.
func folderHint(name string, err error) error {
	file := filepath.Join(name, reports.FilePlan)
	if _, statErr := os.Stat(file); statErr != nil {
		return err
	}
	return fmt.Errorf("%s is a folder: use simrun replay %s, or give its plan, %s", name, reports.ShellQuoted(name), file)
}

// hasFields reports whether a text is more than comments.
func hasFields(text []byte) bool {
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			return true
		}
	}
	return false
}

// isPlan tells a plan from a scenario by the fields before the first table, or
// by a table that only a scenario has: they can be found in a file that is no
// TOML as well. What has nothing of both is read as a plan, whose parser then
// says what is missing.
func isPlan(text []byte) bool {
	head := true
	for line := range strings.Lines(string(text)) {
		key, _, _ := strings.Cut(line, "=")
		switch key = strings.Trim(key, " \t\r\n\"'"); {
		case head && (key == "version" || key == "scenario" || key == "seed"):
			return true
		case head && (key == "name" || key == "about"), key == "[storm]":
			return false
		case strings.HasPrefix(key, "["):
			head = false
		}
	}
	return true
}

// seed is the seed that a command is about: the one that was given, or that of the
// plan.
func (s *source) seed(given seedFlag, isGiven bool) uint64 {
	if s.plan != nil && !isGiven {
		return s.plan.Seed
	}
	return uint64(given)
}

// under returns the plan of a seed. A plan's own seed gives way to it: a plan that was
// written for a bug finds it under many.
func (s *source) under(seed uint64) *plan.Plan {
	if s.plan == nil {
		return s.scenario.Plan(seed)
	}
	p := s.plan.Clone()
	p.Seed = seed
	return p
}

// command is the command line that runs a seed again.
func (s *source) command(seed uint64) string { return s.commandTo("run", seed) }

// commandTo is the command line that does something with a seed.
func (s *source) commandTo(do string, seed uint64) string {
	command := fmt.Sprintf("simrun %s %s", do, reports.ShellQuoted(s.name))
	if !s.ownSeed(seed) {
		command += fmt.Sprintf(" --seed %d", seed)
	}
	for _, knob := range s.knobs {
		command += " --knob " + reports.ShellQuoted(knob)
	}
	return command
}

// ownSeed reports whether a seed is the one that the plan has inside.
func (s *source) ownSeed(seed uint64) bool { return s.plan != nil && s.plan.Seed == seed }

// folder is where a run of a seed goes unless the command line says it. What
// comes from a file is called after the file, so that it does not take the
// place of a scenario's run.
func (s *source) folder(seed uint64) string {
	name := filepath.Base(s.name)
	name = strings.TrimSuffix(name, filepath.Ext(name))
	base := filepath.Base(s.name)
	if dir := filepath.Base(filepath.Dir(s.name)); s.plan != nil && (base == reports.FilePlan || base == fileShrunk) && dir != "." && dir != ".." {
		name = dir + "-" + name // of another run, perhaps edited
	}
	if !s.ownSeed(seed) {
		name = fmt.Sprintf("%s-%d", name, seed)
	}
	for _, knob := range s.knobs { // it is another run than the scenario's
		name += "-" + strings.ReplaceAll(knob, "=", "-")
	}
	return filepath.Join("out", name)
}

// seedFlag is the value of --seed.
type seedFlag uint64

func addSeedFlag(cmd *cobra.Command, seed *seedFlag) {
	*seed = 1
	cmd.Flags().Var(seed, "seed", "the seed that decides everything; without it a plan has its own")
}

// Type implements pflag.Value, as String and Set do.
func (*seedFlag) Type() string { return "uint" }

func (s *seedFlag) String() string { return strconv.FormatUint(uint64(*s), 10) }

// Set reads the seed. The error says what to write, not how it was read.
func (s *seedFlag) Set(text string) error {
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return fmt.Errorf("write a whole number from 0 to %d", uint64(math.MaxUint64))
	}
	*s = seedFlag(seed)
	return nil
}

// parseSeeds reads "7", "1-100" or "3,7,20-30".
func parseSeeds(text string) ([]uint64, error) {
	var seeds []uint64
	given := map[uint64]struct{}{}
	for part := range strings.SplitSeq(text, ",") {
		from, to, isRange := strings.Cut(part, "-")
		first, err := strconv.ParseUint(from, 10, 64)
		last := first
		if err == nil && isRange {
			last, err = strconv.ParseUint(to, 10, 64)
		}
		switch {
		case errors.Is(err, strconv.ErrRange):
			return nil, fmt.Errorf("--seeds %q: %q is too large; the largest seed is %d", text, part, uint64(math.MaxUint64))
		case err != nil:
			return nil, fmt.Errorf("--seeds %q: %q is neither a seed nor a range; write such as 7, 1-100 or 3,7,20-30", text, part)
		case last < first:
			return nil, fmt.Errorf("--seeds %q: the range %s is empty; write the smaller seed first", text, part)
		case last-first >= seedsMax-uint64(len(seeds)):
			return nil, fmt.Errorf("--seeds %q: these are more than %d seeds; give fewer, or hunt --for a time", text, seedsMax)
		}
		for seed := first; ; seed++ {
			if _, twice := given[seed]; !twice {
				given[seed] = struct{}{}
				seeds = append(seeds, seed)
			}
			if seed == last {
				break
			}
		}
	}
	return seeds, nil
}

// seedsMax bounds what --seeds may ask for.
const seedsMax uint64 = 10_000_000

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
