package reports

import (
	"fmt"

	"simrun/checker"
)

// pageGroup is the findings of one kind, of which the page shows the first: one cause
// often shows in many places.
type pageGroup struct {
	First pageFinding
	Rest  []pageFinding
}

// pageFinding is a finding as the page shows it.
type pageFinding struct {
	checker.Finding
	Allowed bool
}

// pageEvidenceMax bounds the operations of a finding that have a button each.
const pageEvidenceMax = 12

// Where says where it was seen; when, a button says.
func (f pageFinding) Where() string {
	p := f.Place
	p.At = 0
	return Visible(describePlace(&p))
}

// Shown returns the operations that have a button.
func (f pageFinding) Shown() []int { return f.Evidence[:min(len(f.Evidence), pageEvidenceMax)] }

// Hidden returns how many have none.
func (f pageFinding) Hidden() int { return len(f.Evidence) - len(f.Shown()) }

// judged takes over what the checkers say.
func (p *page) judged(run *Run) {
	var findings, observations []pageFinding
	for i := range run.Result.Checkers {
		c := &run.Result.Checkers[i]
		p.More += c.More
		for _, f := range c.Findings {
			f.Message = run.readable(f.Message)
			findings = append(findings, pageFinding{f, false})
		}
		for _, f := range c.Observations {
			f.Message = run.readable(f.Message)
			observations = append(observations, pageFinding{f, true})
		}
		if c.Reason != "" && !notJudged(c) {
			p.Reasons = append(p.Reasons, Visible(fmt.Sprintf("%s: %v: %s", c.Checker, c.Verdict, c.Reason)))
		}
	}
	p.Findings, p.Observed = len(findings), len(observations)
	p.Groups, p.Observations = grouping(findings), grouping(observations)
}

// grouping puts findings of one kind together, in the order in which the kinds come up.
func grouping(findings []pageFinding) (groups []pageGroup) {
	type kind struct {
		checker string
		anomaly checker.Anomaly
		check   string
	}
	at := map[kind]int{}
	for _, f := range findings {
		k := kind{f.Checker, f.Anomaly, f.Check}
		if i, ok := at[k]; ok {
			groups[i].Rest = append(groups[i].Rest, f)
			continue
		}
		at[k] = len(groups)
		groups = append(groups, pageGroup{First: f})
	}
	return groups
}
