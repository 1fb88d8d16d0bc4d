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

// programCount counts the operations of one program of a workload by their outcome.
type programCount struct {
	name                string
	ok, failed, unknown int
}

func (c programCount) all() int { return c.ok + c.failed + c.unknown }

// programCounts counts the programs of a workload, sorted by name.
func programCounts(h *history.History) (counts []programCount) {
	if h == nil {
		return nil
	}
	byName := map[string]*programCount{}
	for i := range h.Ops {
		op := &h.Ops[i]
		name, _, _ := strings.Cut(op.Note, " ")
		if name == "" {
			continue
		}
		c := byName[name]
		if c == nil {
			c = &programCount{name: name}
			byName[name] = c
		}
		switch op.Outcome {
		case history.OK:
			c.ok++
		case history.Failed:
			c.failed++
		case history.Unknown:
			c.unknown++
		}
	}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		counts = append(counts, *byName[name])
	}
	return counts
}

// ProgramsNever returns the names of the programs of a workload that were begun and never came
// to their end, sorted.
func ProgramsNever(h *history.History) (names []string) {
	for _, c := range programCounts(h) {
		if c.ok == 0 {
			names = append(names, c.name)
		}
	}
	return names
}

// programs tells how often the programs of a workload came to their end: one that
// never does is as good as none.
func (t *text) programs() {
	var words []string
	for _, c := range programCounts(t.run.History) {
		ok := grouped(c.ok)
		if c.ok == 0 {
			ok = "NEVER"
		}
		words = append(words, fmt.Sprintf("%s"+noBreak+"%s/%s", c.name, ok, grouped(c.all())))
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
