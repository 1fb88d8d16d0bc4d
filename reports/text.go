package reports

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"simrun/checker"
	"simrun/sim/history"
)

// TextOptions say how a verdict is told in the terminal.
type TextOptions struct {
	// Folder is where the run was saved, empty if it was not.
	Folder string
	// Width is how long lines may be; zero is 100.
	Width int
	// Color marks the verdict with terminal colors.
	Color bool
	// MaxFindings bounds the findings that are told in full; zero is 3.
	MaxFindings int
	// MaxEvidence bounds the operations that are shown with a finding; zero is 6.
	MaxEvidence int
}

const (
	widthDefault       = 100
	findingsMaxDefault = 3
	evidenceMaxDefault = 6
	labelWidth         = 12 // of the column of labels
)

// WriteText tells the verdict: what was found, what the run did and what was
// done to it, and the command that runs it again. The run's history may be nil:
// the evidence is then told by the operations' ids alone.
func WriteText(w io.Writer, run *Run, opts TextOptions) error {
	if opts.Width == 0 {
		opts.Width = widthDefault
	}
	if opts.MaxFindings == 0 {
		opts.MaxFindings = findingsMaxDefault
	}
	if opts.MaxEvidence == 0 {
		opts.MaxEvidence = evidenceMaxDefault
	}
	t := &text{run: run, r: run.Result, opts: opts, ops: map[int]*history.Op{}, tables: tablesOf(run.History)}
	if run.History != nil {
		for i := range run.History.Ops {
			op := &run.History.Ops[i]
			t.ops[op.ID] = op
		}
	}
	t.title()
	t.findings()
	t.stack()
	t.waits()
	t.checkers()
	t.operations()
	t.programs()
	t.faults()
	if run.Cut {
		t.unrecorded()
	} else {
		t.figures()
	}
	t.commands()
	_, err := w.Write(t.out.Bytes())
	return err
}

// text collects the lines.
type text struct {
	run    *Run
	r      *Result
	opts   TextOptions
	ops    map[int]*history.Op // by id
	tables tables
	out    bytes.Buffer
}

func (t *text) line(format string, args ...any) { fmt.Fprintf(&t.out, format+"\n", args...) }

// labelled writes words under a label, wrapped.
func (t *text) labelled(label, words string) {
	t.wrapped(fmt.Sprintf("  %-*s ", labelWidth, label), strings.Repeat(" ", labelWidth+3), words)
}

// noBreak is a space at which no line ends.
const noBreak = "\u00a0"

// wrapped writes words behind a prefix and continues them behind an indentation.
func (t *text) wrapped(prefix, indent, words string) {
	for _, paragraph := range strings.Split(Visible(words), "\n") {
		line := prefix
		empty := true
		for _, word := range strings.FieldsFunc(paragraph, func(r rune) bool { return r == ' ' || r == '\t' || r == '\r' }) {
			word = strings.ReplaceAll(word, noBreak, " ")
			if !empty && len([]rune(line))+1+len([]rune(word)) > t.opts.Width {
				t.line("%s", line)
				line, empty = indent, true
			}
			if !empty {
				line += " "
			}
			line += word
			empty = false
		}
		t.line("%s", strings.TrimRight(line, " "))
		prefix = indent
	}
}

func (t *text) title() {
	verdict := t.r.Verdict.String()
	if t.opts.Color {
		verdict = verdictColor(t.r.Verdict) + verdict + "\x1b[0m"
	}
	t.line("%s  %s", verdict, t.r.Name())
	t.line("")
}

// stackMax bounds the calls of a stack that are told.
const stackMax = 8

// stack tells where simulated code has panicked.
func (t *text) stack() {
	if len(t.r.Stack) == 0 {
		return
	}
	t.line("  panicked in")
	for i, call := range t.r.Stack {
		if i == stackMax {
			t.line("    and %d more calls, which %s has", len(t.r.Stack)-i, FileResult)
			break
		}
		t.line("    %s", call)
	}
	t.line("")
}

func verdictColor(v checker.Verdict) string {
	switch v {
	case checker.OK:
		return "\x1b[1;32m"
	case checker.Violation:
		return "\x1b[1;31m"
	case checker.Unknown, checker.Unrecoverable:
	}
	return "\x1b[1;33m"
}

// findings tells the first few violations with their evidence.
func (t *text) findings() {
	all := t.r.Findings()
	for i, f := range all {
		if i == t.opts.MaxFindings {
			break
		}
		t.finding(f)
	}
	more := max(0, len(all)-t.opts.MaxFindings)
	for i := range t.r.Checkers {
		more += t.r.Checkers[i].More
	}
	if more > 0 {
		t.line("  and %s.", plural(more, "more finding"))
		t.line("")
	}
}

func (t *text) finding(f checker.Finding) {
	title := string(f.Anomaly)
	if words := f.Anomaly.Describe(); words != "" {
		title += ": " + words
	}
	t.line("  %s  (found by %s)", title, f.Checker)
	t.wrapped("    ", "    ", t.run.readable(f.Message))
	if place := describePlace(&f.Place); place != "" {
		t.wrapped("      ", "      ", place)
	}
	for i, id := range f.Evidence {
		if i == t.opts.MaxEvidence {
			t.line("      and %s", plural(len(f.Evidence)-i, "more operation"))
			break
		}
		op := t.ops[id]
		if op == nil {
			t.line("      operation %d", id)
			continue
		}
		t.line("      operation %d, %s", id, describeTimes(op))
		t.wrapped("        ", "        ", t.tables.describe(&t.run.History.Header, op))
	}
	t.line("")
}

// checkers tells what was checked: an OK over nothing is told from one over
// much.
func (t *text) checkers() {
	if len(t.r.Checkers) == 0 {
		t.labelled("checked", "nothing")
	}
	for i := range t.r.Checkers {
		c := &t.r.Checkers[i]
		words := fmt.Sprintf("%s: %v, %s checked", c.Checker, c.Verdict, grouped(c.Checked))
		if n := len(c.Findings) + c.More; n > 0 {
			words += ", " + plural(n, "finding")
		}
		if n := len(c.Observations); n > 0 {
			words += fmt.Sprintf(", %s (allowed: %s)", plural(n, "observation"), anomalies(c.Observations))
		}
		if c.Reason != "" {
			words += "; " + c.Reason
		}
		if notJudged(c) {
			words = fmt.Sprintf("%s: not judged (%s)", c.Checker, c.Reason)
		}
		label := ""
		if i == 0 {
			label = "checked"
		}
		t.labelled(label, words)
	}
}

// notJudged reports whether a checker had nothing to judge, and says so.
func notJudged(c *checker.Result) bool {
	return c.Verdict == checker.OK && c.Checked == 0 && c.Reason != ""
}

// anomalies lists the anomalies of findings, each once.
func anomalies(findings []checker.Finding) string {
	var names []string
	seen := map[checker.Anomaly]bool{}
	for _, f := range findings {
		if !seen[f.Anomaly] {
			seen[f.Anomaly] = true
			names = append(names, string(f.Anomaly))
		}
	}
	return strings.Join(names, ", ")
}

func (t *text) operations() {
	if len(t.r.Stats.Operations) == 0 {
		t.labelled("operations", noOperations(t.run))
	}
	for i, c := range t.r.Stats.Operations {
		label := ""
		if i == 0 {
			label = "operations"
		}
		t.labelled(label, fmt.Sprintf("%s %s: %s ok, %s failed, %s unknown",
			grouped(c.Total()), c.Kind, grouped(c.OK), grouped(c.Failed), grouped(c.Unknown)))
	}
}

// noOperations is why there is none.
func noOperations(run *Run) string {
	if run.Cut {
		return "none had ended when the recording was cut off"
	}
	return "NONE: no client did anything"
}

func (t *text) faults() {
	scheduled, effective := t.r.Stats.faults()
	var words string
	switch {
	case t.run.Cut && scheduled > 0:
		words = fmt.Sprintf("%d scheduled; which of them took effect was not recorded:", scheduled)
	case scheduled == 0:
		words = "NONE: no fault was scheduled, so this run shows only that it works when nothing happens."
	case effective == 0:
		words = fmt.Sprintf("NONE of %d TOOK EFFECT: this run has not tested what it was meant to test.", scheduled)
	default:
		words = fmt.Sprintf("%d of %d took effect:", effective, scheduled)
	}
	var injected, asked []string
	for _, c := range t.r.Stats.Faults {
		count := fmt.Sprintf("%s"+noBreak+"%d/%d", c.Kind, c.Effective, c.Scheduled)
		if t.run.Cut {
			count = fmt.Sprintf("%s"+noBreak+"%d", c.Kind, c.Scheduled)
		}
		if c.administrative() {
			asked = append(asked, count)
		} else {
			injected = append(injected, count)
		}
	}
	if len(injected) > 0 {
		words += " " + strings.Join(injected, ", ")
	}
	t.labelled("faults", words)
	if len(asked) > 0 {
		t.labelled("asked for", strings.Join(asked, ", "))
	}
}

func (t *text) commands() {
	t.line("")
	if !t.run.ofDatabase() || t.run.Cut {
		t.commandsOfPart()
		return
	}
	t.line("  run it again:        %s", t.r.Reproduce())
	if t.opts.Folder != "" {
		t.line("  compare with this:   simrun replay %s", ShellQuoted(t.opts.Folder))
		if t.r.Verdict == checker.Violation && !t.r.Shrunk {
			t.line("  make it smaller:     simrun shrink %s", ShellQuoted(t.opts.Folder))
		}
		t.line("  look at it:          %s", filepath.Join(t.opts.Folder, FilePage))
	}
}

// commandsOfPart are those of a run without a plan, or without an end, which no replay
// can be compared with.
func (t *text) commandsOfPart() {
	if again := t.run.Reproduce(); again != "" {
		t.line("  run it again:        %s", again)
	}
	if t.opts.Folder != "" {
		t.line("  check its history:   simrun check %s", ShellQuoted(t.opts.Folder))
		t.line("  look at it:          %s", filepath.Join(t.opts.Folder, FilePage))
	}
}
