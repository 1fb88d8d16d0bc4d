package reports

import (
	"encoding/json"
	"strings"
	"testing"

	"simrun/checker"
)

func TestVisible(t *testing.T) {
	for text, want := range map[string]string{
		"plain, ü and \u00a0 stay\nas they\tare": "plain, ü and \u00a0 stay\nas they\tare",
		"scan [acct/0002\x00, acct0)":            `scan [acct/0002\x00, acct0)`,
		"a\xffb\x1b[31m\x7f\r":                   `a\xffb\x1b[31m\x7f\x0d`,
		"\u0085":                                 `\u0085`,
		"":                                       "",
	} {
		if got := Visible(text); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
	}
}

// Nothing that is told of a run holds a control character, wherever it came from.
func TestControlCharactersAreShown(t *testing.T) {
	const raw, shown = "k\x00\x1bk", `k\x00\x1bk`
	run := bankRun(110)
	value := raw
	run.History.Ops[0].Txn.Ops[0].Key, run.History.Ops[0].Txn.Ops[0].Value = raw, &value
	run.History.Ops[0].Error = raw
	f := &run.Result.Checkers[0].Findings[0]
	f.Message, f.Evidence, f.Nodes = raw, []int{run.History.Ops[0].ID}, []string{raw}
	run.Result.Checkers[2].Undecided(raw)
	run.Result.Waits = []Wait{{Who: raw, State: raw}}
	run.Result.Timeline[4].Text = raw
	html := pageOf(t, run)
	data := drawn(t, html)
	told, err := json.Marshal([]any{data.Ops, data.Events, data.Flags[0].Text})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"text": string(verdictText(t, run, TextOptions{})), "page": html[:strings.Index(html, `<script type="application/json"`)],
		"data": strings.ReplaceAll(string(told), `\\`, `\`),
	} {
		if strings.ContainsAny(text, "\x00\x1b") || strings.Contains(text, `\u0000`) || strings.Count(text, shown) < 4 {
			t.Errorf("%s: shown %d times", name, strings.Count(text, shown))
		}
	}
}

// One cause is often found in many places: the page shows one finding of a kind, and
// folds the others; what could not be decided comes after what was found.
func TestPageFoldsFindings(t *testing.T) {
	run := bankRun(110)
	bank := &run.Result.Checkers[1]
	for range 5 {
		bank.Add(checker.Finding{Anomaly: "bank-total", Message: "again", Evidence: make([]int, 20), Place: checker.Place{At: 5, Nodes: []string{"store2"}}})
	}
	bank.Add(checker.Finding{Anomaly: "garbage-read", Message: "another kind"})
	run.Result.Checkers[2].Undecided("out of time")
	html := pageOf(t, run)
	at := 0
	for _, want := range []string{
		"8 findings of 3 kinds", "G-single: ", "bank-total: ", "<details", "5 more findings of this kind", "and 8 more operations",
		"garbage-read", "skew: UNKNOWN: out of time", "<h2>Timeline</h2>", "Operations</h2>", "<h2>Figures</h2>",
	} {
		i := strings.Index(html[at:], want)
		if i < 0 {
			t.Fatalf("the page does not have %q after %d characters", want, at)
		}
		at += i
	}
	if strings.Contains(html, "at 0.000000s on store2") {
		t.Error("a finding tells its instant twice")
	}
}

// Of a run that was cut off before anything was recorded there is nothing to draw, and
// nobody knows which nodes were up.
func TestPageOfNothing(t *testing.T) {
	run := quietRun()
	run.Cut = true
	run.History.Ops, run.Result.Timeline = nil, nil
	html := pageOf(t, run)
	if strings.Contains(html, `id="timeline"`) || !strings.Contains(html, "There is nothing to draw") || len(drawn(t, html).Nodes) > 0 {
		t.Error("the page draws what was not recorded")
	}
	if strings.Contains(html, "took effect</th>") {
		t.Error("the page counts faults that took effect")
	}
}

func TestShrunkRunIsToldApart(t *testing.T) {
	run := bankRun(110)
	run.Result.Shrunk = true
	text := string(verdictText(t, run, TextOptions{Folder: "out/shrunk"}))
	if !strings.HasPrefix(text, "VIOLATION  bank, seed 7, shrunk\n") || strings.Contains(text, "make it smaller") {
		t.Error(text)
	}
}
