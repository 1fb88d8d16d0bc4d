package reports

import (
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"

	"simrun/checker"
)

// The page is one file that loads nothing: its script draws on a canvas, so
// that tens of thousands of operations stay quick to move about in, and what
// people must not miss - verdict, findings, figures - is plain HTML beside it.
//
//go:embed assets/page.html assets/page.css assets/rows.js assets/paint.js assets/controls.js assets/d3.min.js
var assets embed.FS

// page is what the template shows.
type page struct {
	Result       *Result
	VerdictClass string
	Command      string   // that runs it again; may be empty
	Cut          bool     // see Run
	Loud         string   // what is wrong with the run as a test
	Reasons      []string // why checkers could not decide
	Findings     int
	Groups       []pageGroup
	More         int // findings beyond those that the checkers kept
	Observed     int
	Observations []pageGroup
	Waits        []pageWait
	Omitted      string // says that operations are left out
	Tables       []pageTable
	MarksReached int
	Plan         string
	Empty        bool // there is nothing to draw

	Style           template.CSS
	Library, Script template.JS
	Data            template.JS
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
	p.judged(run)
	for _, m := range r.Marks {
		if m.Count > 0 {
			p.MarksReached++
		}
	}
	data, omitted := pageDataOf(run)
	if omitted > 0 {
		p.Omitted = fmt.Sprintf("The last %s are left out of this page; %s has them all.", plural(omitted, "operation"), FileHistory)
	}
	p.Empty = len(data.Ops)+len(data.Events)+len(data.Flags) == 0
	encoded, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("reports: encode the page's data: %w", err)
	}
	p.Data = template.JS(encoded) // json.Marshal escapes what could end the script
	return render(w, &p)
}

func render(w io.Writer, p *page) error {
	p.Style = template.CSS(asset("page.css"))
	p.Library = template.JS(asset("d3.min.js"))
	p.Script = template.JS(asset("rows.js") + asset("paint.js") + asset("controls.js"))
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
