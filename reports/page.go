package reports

import (
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"

	"simrun/checker"
	"simrun/sim/history"
)

// The page is one file that loads nothing: its script draws on a canvas, so
// that tens of thousands of operations stay quick to move about in, and what
// people must not miss - verdict, findings, figures - is plain HTML beside it.
//
//go:embed assets/page.html assets/page.css assets/timeline.js assets/controls.js assets/d3.min.js
var assets embed.FS

// pageOpsMax bounds the operations that the page draws. Evidence is always
// among them.
const pageOpsMax = 50_000

// opTextMax bounds the characters that describe one operation.
const opTextMax = 2_000

// page is what the template shows.
type page struct {
	Result       *Result
	VerdictClass string
	Command      string   // that runs it again; may be empty
	Cut          bool     // see Run
	Loud         string   // what is wrong with the run as a test
	Reasons      []string // why checkers could not decide
	Findings     []pageFinding
	More         int // findings beyond those that the checkers kept
	Observations []pageFinding
	Waits        []pageWait
	Omitted      string // says that operations are left out
	Tables       []pageTable
	MarksReached int
	Plan         string

	Style           template.CSS
	Library, Script template.JS
	Data            template.JS
}

type pageFinding struct {
	checker.Finding
	Allowed bool
}

// Where says where and when it was seen.
func (f pageFinding) Where() string { return describePlace(&f.Place) }

// pageData is what the script draws. Instants are nanoseconds: numbers up to
// 2^53, a hundred days, are exact in JavaScript.
type pageData struct {
	Virtual int64      `json:"virtual"`
	Nodes   []string   `json:"nodes"`
	Events  []Event    `json:"events"`
	Ops     []pageOp   `json:"ops"`
	Flags   []pageFlag `json:"flags"`
}

type pageOp struct {
	ID      int             `json:"id"`
	Client  int             `json:"client"`
	Invoke  int64           `json:"invoke"`
	Return  int64           `json:"return"`
	Outcome history.Outcome `json:"outcome"`
	Text    string          `json:"text"`
	Error   string          `json:"error,omitempty"`
	Phase   string          `json:"phase,omitempty"`
}

// pageFlag is a finding where it was seen: at an instant, on nodes, in operations,
// of which any may be unknown.
type pageFlag struct {
	At    int64    `json:"at"`
	Nodes []string `json:"nodes"`
	Text  string   `json:"text"`
	Ops   []int    `json:"ops"`
}

// WritePage writes the HTML page of a run.
func WritePage(w io.Writer, run *Run) error {
	r := run.Result
	p := page{
		Result:       r,
		VerdictClass: map[checker.Verdict]string{checker.OK: "ok", checker.Violation: "violation"}[r.Verdict],
		Command:      run.Reproduce(),
		Cut:          run.Cut,
		Loud:         loud(run),
		Tables:       pageTables(run),
		Waits:        pageWaits(r.Waits),
		Plan:         run.Plan,
	}
	for i := range r.Checkers {
		c := &r.Checkers[i]
		p.More += c.More
		for _, f := range c.Findings {
			f.Message = run.readable(f.Message)
			p.Findings = append(p.Findings, pageFinding{f, false})
		}
		for _, f := range c.Observations {
			f.Message = run.readable(f.Message)
			p.Observations = append(p.Observations, pageFinding{f, true})
		}
		if c.Reason != "" && !notJudged(c) {
			p.Reasons = append(p.Reasons, fmt.Sprintf("%s: %v: %s", c.Checker, c.Verdict, c.Reason))
		}
	}
	for _, m := range r.Marks {
		if m.Count > 0 {
			p.MarksReached++
		}
	}
	data, omitted := pageDataOf(run)
	if omitted > 0 {
		p.Omitted = fmt.Sprintf("The last %s are left out of this page; %s has them all.", plural(omitted, "operation"), FileHistory)
	}
	encoded, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("reports: encode the page's data: %w", err)
	}
	p.Data = template.JS(encoded) //nolint:gosec // json.Marshal escapes what could end the script
	return render(w, &p)
}

func render(w io.Writer, p *page) error {
	p.Style = template.CSS(asset("page.css"))
	p.Library = template.JS(asset("d3.min.js"))
	p.Script = template.JS(asset("timeline.js") + asset("controls.js"))
	t, err := template.New("page").Funcs(template.FuncMap{
		"seconds": seconds,
		"grouped": func(n any) string { return groupedAny(n) },
		"plural":  func(n int, noun string) string { return plural(n, noun) },
	}).Parse(asset("page.html"))
	if err != nil {
		return fmt.Errorf("reports: the page's template: %w", err)
	}
	if err := t.Execute(w, p); err != nil {
		return fmt.Errorf("reports: write the page: %w", err)
	}
	return nil
}

func asset(name string) string {
	data, err := assets.ReadFile("assets/" + name)
	if err != nil {
		panic(err) // it was embedded when the program was built
	}
	return string(data)
}

// groupedAny is grouped for a template, which has no type parameters.
func groupedAny(n any) string {
	switch n := n.(type) {
	case int:
		return grouped(n)
	case int64:
		return grouped(n)
	case uint64:
		return grouped(n)
	}
	return fmt.Sprint(n)
}

// loud is what a reader must know before trusting the verdict.
func loud(run *Run) string {
	scheduled, effective := run.Result.Stats.faults()
	switch {
	case run.Cut:
		return "The run did not come to its end: this page has what the plan and the part of the history tell that was recorded."
	case scheduled == 0:
		return "No fault was scheduled: this run shows only that it works when nothing happens."
	case effective == 0:
		return fmt.Sprintf("None of the %s took effect: this run has not tested what it was meant to test.", plural(scheduled, "fault"))
	}
	return ""
}

// pageDataOf collects what is drawn, and how many operations are not.
func pageDataOf(run *Run) (data *pageData, omitted int) {
	r := run.Result
	data = &pageData{Virtual: r.Stats.Virtual, Nodes: r.Nodes, Events: r.Timeline, Ops: []pageOp{}, Flags: []pageFlag{}}
	returns := map[int]int64{} // of the operations that are evidence
	findings := r.Findings()
	for _, f := range findings {
		for _, id := range f.Evidence {
			returns[id] = 0
		}
	}
	if run.History != nil {
		for i := range run.History.Ops {
			op := &run.History.Ops[i]
			_, evidence := returns[op.ID]
			if evidence {
				returns[op.ID] = op.Return
			}
			if i >= pageOpsMax && !evidence {
				omitted++
				continue
			}
			data.Ops = append(data.Ops, pageOp{
				ID: op.ID, Client: op.Client, Invoke: op.Invoke, Return: op.Return, Outcome: op.Outcome,
				Text: clip(describeIn(&run.History.Header, op), opTextMax), Error: clip(op.Error, opTextMax), Phase: op.Phase,
			})
		}
	}
	for _, f := range findings {
		if len(f.Evidence)+len(f.Nodes) == 0 && f.At == 0 {
			continue
		}
		flag := pageFlag{At: f.At, Nodes: f.Nodes, Text: string(f.Anomaly) + ": " + run.readable(f.Message), Ops: f.Evidence}
		if flag.At == 0 && len(f.Evidence) > 0 {
			flag.At = returns[f.Evidence[0]]
		}
		data.Flags = append(data.Flags, flag)
	}
	return data, omitted
}
