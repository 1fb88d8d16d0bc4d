package reports

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// OneRun returns an error if what was read from a folder is not of one run: if plan, history
// and result differ in scenario or seed, or the result has counted other operations than the
// history holds. What is missing is passed over. whole says that the history was not cut off.
func (r *Run) OneRun(dir string, whole bool) error {
	wrong := func(problem string) error {
		return &Error{File: dir, Problem: problem + ": these files are not of one run, or one was edited", Remedy: RecordAnew(dir)}
	}
	var files, runs []string
	add := func(file, scenario string, seed uint64) {
		name := (&Result{Scenario: scenario, Seed: seed}).Name()
		files, runs = append(files, file+" is of "+name), append(runs, name)
	}
	if scenario, seed, ok := planned(r.Plan); ok {
		add(FilePlan, scenario, seed)
	}
	if r.History != nil {
		add(FileHistory, r.History.Scenario, r.History.Seed)
	}
	if r.Result != nil {
		add(FileResult, r.Result.Scenario, r.Result.Seed)
	}
	if len(slices.Compact(runs)) > 1 {
		return wrong(strings.Join(files, "; "))
	}
	if !whole || r.History == nil || r.Result == nil {
		return nil
	}
	if has, counted := CountOperations(r.History), r.Result.Stats.Operations; !slices.Equal(has, counted) {
		return wrong(fmt.Sprintf("%s has %s; %s has %s", FileHistory, summed(has), FileResult, summed(counted)))
	}
	return nil
}

// planned returns the scenario or system and the seed in a plan; ok is false if they cannot
// be read.
func planned(text string) (scenario string, seed uint64, ok bool) {
	var head struct {
		Scenario string `toml:"scenario"`
		System   string `toml:"system"` // in the place of a scenario, of a system of one's own
		Seed     any    `toml:"seed"`   // a text if it is too large for an integer of TOML
	}
	if toml.Unmarshal([]byte(text), &head) != nil {
		return "", 0, false
	}
	seed, err := strconv.ParseUint(fmt.Sprint(head.Seed), 10, 64)
	return head.Scenario + head.System, seed, err == nil
}

// summed tells counts in a line.
func summed(counts []OperationCount) string {
	if len(counts) == 0 {
		return "no operations"
	}
	var words []string
	for _, c := range counts {
		words = append(words, fmt.Sprintf("%d %s (%d ok, %d failed, %d unknown)", c.Total(), c.Kind, c.OK, c.Failed, c.Unknown))
	}
	return strings.Join(words, ", ")
}
