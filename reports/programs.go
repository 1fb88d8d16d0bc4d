package reports

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

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

// programHead begins a program in a script of SQL.
var programHead = regexp.MustCompile(`(?m)^-- program ([^\s,]+).*$`)

// programTexts returns the statements of the programs that a plan's script has, by name.
func programTexts(plan string) map[string]string {
	texts := map[string]string{}
	heads := programHead.FindAllStringSubmatchIndex(plan, -1)
	for _, at := range heads {
		var lines []string
		for line := range strings.Lines(plan[at[1]:]) {
			line = strings.TrimSpace(line)
			if strings.HasPrefix(line, "-- ") || strings.HasPrefix(line, `"""`) || strings.HasPrefix(line, "'''") {
				break
			}
			if line != "" {
				lines = append(lines, strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(line))
			}
		}
		texts[plan[at[2]:at[3]]] = strings.Join(lines, "\n")
	}
	return texts
}
