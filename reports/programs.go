package reports

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"simrun/sim/history"
)

// programCounts counts the runs of a workload's programs, sorted by name. Where nobody
// did during the run, as when its process died, it counts their transactions: that is
// more of a program that has several, and takes one for OK that ended behind them.
func programCounts(r *Result, h *history.History) (counts []ProgramCount) {
	if len(r.Stats.Programs) > 0 || h == nil {
		return r.Stats.Programs
	}
	byName := map[string]*ProgramCount{}
	for i := range h.Ops {
		op := &h.Ops[i]
		name, _, _ := strings.Cut(op.Note, " ")
		if name == "" {
			continue
		}
		c := byName[name]
		if c == nil {
			c = &ProgramCount{Name: name}
			byName[name] = c
		}
		switch op.Outcome {
		case history.OK:
			c.OK++
		case history.Failed:
			c.Failed++
		case history.Unknown:
			c.Unknown++
		}
	}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		counts = append(counts, *byName[name])
	}
	return counts
}

// ProgramsNever returns the names of the programs of a workload that were begun and never came
// to their end, sorted.
func ProgramsNever(r *Result, h *history.History) (names []string) {
	for _, c := range programCounts(r, h) {
		if c.OK == 0 {
			names = append(names, c.Name)
		}
	}
	return names
}

// programs tells how often the programs of a workload came to their end: one that
// never does is as good as none.
func (t *text) programs() {
	var words []string
	for _, c := range programCounts(t.r, t.run.History) {
		ok := grouped(c.OK)
		if c.OK == 0 {
			ok = "NEVER"
		}
		words = append(words, fmt.Sprintf("%s"+noBreak+"%s/%s", c.Name, ok, grouped(c.all())))
	}
	if len(words) > 0 {
		t.labelled("programs", "ok "+strings.Join(words, ", "))
	}
}

// scriptHead begins a section of a script of SQL, such as a program and its name.
var scriptHead = regexp.MustCompile(`^--\s*(setup|program|sum|subset)\b\s*([^\s,]*)`)

// programTexts returns the statements of the programs that a plan's script has, by name;
// none if it has no script, or cannot be read.
func programTexts(planText string) map[string]string {
	var plan struct {
		Workload struct {
			SQL string `toml:"sql"`
		} `toml:"workload"`
	}
	if toml.Unmarshal([]byte(planText), &plan) != nil {
		return nil
	}
	texts := map[string]string{}
	name := "" // of the program that the line belongs to; "": none
	for line := range strings.Lines(plan.Workload.SQL) {
		line = strings.TrimSpace(line)
		if head := scriptHead.FindStringSubmatch(line); head != nil {
			name = ""
			if head[1] == "program" {
				name = head[2]
			}
		} else if line != "" && !strings.HasPrefix(line, "--") && name != "" {
			texts[name] = strings.TrimPrefix(texts[name]+"\n"+line, "\n")
		}
	}
	return texts
}
