package reports

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"simrun/checker"
)

func pageOf(t *testing.T, run *Run) string {
	t.Helper()
	var out bytes.Buffer
	if err := WritePage(&out, run); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// drawn returns the data that the page's script draws.
func drawn(t *testing.T, html string) pageData {
	t.Helper()
	_, rest, found := strings.Cut(html, `<script type="application/json" id="data">`)
	text, _, ended := strings.Cut(rest, "</script>")
	if !found || !ended {
		t.Fatal("the page has no data")
	}
	var data pageData
	dec := json.NewDecoder(strings.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&data); err != nil {
		t.Fatal(err)
	}
	return data
}

func TestPageHoldsTheRun(t *testing.T) {
	run := bankRun(110)
	html := pageOf(t, run)
	data := drawn(t, html)
	if len(data.Ops) != len(run.History.Ops) || len(data.Events) != len(run.Result.Timeline) || len(data.Nodes) != 4 {
		t.Errorf("%d operations, %d events, %d nodes are drawn", len(data.Ops), len(data.Events), len(data.Nodes))
	}
	first := run.History.Ops[0]
	if op := data.Ops[0]; op.ID != first.ID || op.Client != first.Client || op.Invoke != first.Invoke || op.Return != first.Return || op.Outcome != first.Outcome {
		t.Errorf("got %+v for %+v", op, first)
	}
	findings := run.Result.Findings()
	if len(data.Flags) != len(findings) {
		t.Fatalf("%d findings are flagged, want %d", len(data.Flags), len(findings))
	}
	for _, want := range []string{
		"<title>VIOLATION: bank, seed 7</title>", "simrun run bank --seed 7", findings[0].Message, "G-single",
		`data-op="536"`, `data-ops="536,529"`, "the accounts add up to 794", "9f3c5a7710b2de04", "1 observation",
		"raftstore: a snapshot was applied", "replicas = 3",
	} {
		if !strings.Contains(html, want) {
			t.Errorf("the page does not contain %q", want)
		}
	}
}

// A report is passed around as one file, and must look the same in ten years:
// nothing in it may load anything.
func TestPageLoadsNothing(t *testing.T) {
	html := pageOf(t, bankRun(110))
	loads := regexp.MustCompile(`(?i)<(link|iframe|img|object|embed|base)\b|<script[^>]+src|\bsrc\s*=|@import|url\(|fetch\(["']|XMLHttpRequest\(|import\(`)
	own := strings.Replace(html, asset("d3.min.js"), "", 1) // d3 can fetch, but nobody asks it to
	if found := loads.FindString(own); found != "" {
		t.Errorf("the page contains %q", found)
	}
	if len(own) == len(html) {
		t.Error("the page does not contain d3")
	}
	for _, call := range []string{"d3.json(", "d3.csv(", "d3.text(", "d3.xml("} {
		if strings.Contains(own, call) {
			t.Errorf("the page's script calls %s", call)
		}
	}
}

// Keys, values and messages come from the system under test, which may be
// broken in any way.
func TestPageEscapes(t *testing.T) {
	const hostile = "</script><script>alert(1)</script><!--\u2028'\"`"
	run := bankRun(110)
	plain := strings.Count(pageOf(t, run), "<script")
	text := hostile
	run.Plan = hostile
	run.History.Ops[0].Txn.Ops[0].Key = hostile
	run.History.Ops[0].Txn.Ops[0].Value = &text
	run.History.Ops[0].Error = hostile
	run.Result.Nodes[0] = hostile
	run.Result.Timeline[0].Text = hostile
	run.Result.Checkers[0].Findings[0].Message = hostile
	run.Result.Checkers[1].Reason = hostile
	run.Result.Scenario = hostile
	run.Result.Marks[0].Name = hostile
	html := pageOf(t, run)
	if strings.Contains(html, "alert(1)</script>") || strings.Count(html, "<script") != plain {
		t.Error("text became markup")
	}
	if data := drawn(t, html); data.Nodes[0] != hostile || data.Ops[0].Error != hostile || data.Events[0].Text != hostile {
		t.Error("text was changed")
	}
}

// A page has bounds; what it leaves out it says, and never evidence.
func TestPageBounds(t *testing.T) {
	run := bankRun(pageOpsMax/8 + 100)
	last := run.History.Ops[len(run.History.Ops)-1]
	run.Result.Checkers[0].Findings[0].Evidence = []int{last.ID}
	html := pageOf(t, run)
	data := drawn(t, html)
	if len(data.Ops) != pageOpsMax+1 || data.Ops[pageOpsMax].ID != last.ID {
		t.Errorf("%d operations are drawn, the last is %d", len(data.Ops), data.Ops[len(data.Ops)-1].ID)
	}
	if data.Flags[0].At != last.Return {
		t.Error("the finding is not flagged where its operation returned")
	}
	if !strings.Contains(html, "The last 799 operations are left out of this page; history.jsonl has them all.") {
		t.Error("the page does not say what it leaves out")
	}
}

func TestPageSaysWhatWasNotTested(t *testing.T) {
	run := quietRun()
	for i := range run.Result.Stats.Faults {
		run.Result.Stats.Faults[i].Effective = 0
	}
	run.Result.Checkers[0].Undecided("out of time")
	run.Result.Conclude()
	html := pageOf(t, run)
	for _, want := range []string{"None of the 6 faults took effect", "isolation: UNKNOWN: out of time", `<span class="verdict ">UNKNOWN`} {
		if !strings.Contains(html, want) {
			t.Errorf("the page does not contain %q", want)
		}
	}
	run.Result.Stats.Faults = nil
	if html := pageOf(t, run); !strings.Contains(html, "No fault was scheduled") {
		t.Error("the page does not say that there was no fault")
	}
}

// A run without a history, as of a process that died, still has a page.
func TestPageWithoutHistory(t *testing.T) {
	r := &Result{Scenario: "bank", Checkers: []checker.Result{{Checker: "invariant", Verdict: checker.Violation}}}
	r.Conclude()
	if data := drawn(t, pageOf(t, &Run{Result: r})); len(data.Ops) != 0 {
		t.Error("operations out of nothing")
	}
}
