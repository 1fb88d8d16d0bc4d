package reports

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

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
	t := &text{r: run.Result, opts: opts, ops: map[int]*history.Op{}}
	if run.History != nil {
		for i := range run.History.Ops {
			op := &run.History.Ops[i]
			t.ops[op.ID] = op
		}
	}
	t.title()
	t.findings()
	t.waits()
	t.checkers()
	t.operations()
	t.faults()
	t.cluster()
	t.engines()
	t.traffic()
	t.cost()
	t.marks()
	t.time()
	t.commands()
	_, err := w.Write(t.out.Bytes())
	return err
}

// text collects the lines.
type text struct {
	r    *Result
	opts TextOptions
	ops  map[int]*history.Op // by id
	out  bytes.Buffer
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
	for _, paragraph := range strings.Split(words, "\n") {
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
	t.wrapped("    ", "    ", f.Message)
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
		t.wrapped("        ", "        ", describeOp(op))
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
			words = fmt.Sprintf("%s: not judged: %s", c.Checker, c.Reason)
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
		t.labelled("operations", "NONE: no client did anything")
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

func (t *text) faults() {
	scheduled, effective := t.r.Stats.faults()
	var words string
	switch {
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

func (t *text) cluster() {
	c := &t.r.Stats.Cluster
	t.labelled("cluster", listed([]quantity{
		{c.Elections, "election"},
		{c.LeaderTransfers, "leader transfer"},
		{c.Splits, "split"},
		{c.Snapshots, "snapshot"},
		{c.Crashes, "crash"},
		{c.Restarts, "restart"},
	}))
	if c.SnapshotsSent+c.SnapshotsResumed+c.SnapshotsRefused > 0 {
		t.labelled("snapshots", fmt.Sprintf("%s sent, %s resumed, %s applied, %s",
			grouped(c.SnapshotsSent), grouped(c.SnapshotsResumed), grouped(c.Snapshots), plural(c.SnapshotsRefused, "chunk")+" refused"))
	}
	if c.MergesPrepared > 0 {
		t.labelled("merges", fmt.Sprintf("%s prepared, %s committed, %s rolled back",
			grouped(c.MergesPrepared), grouped(c.Merges), grouped(c.MergeRollbacks)))
	}
	if r := &t.r.Stats.Reads; *r != (ReadStats{}) {
		t.labelled("reads", fmt.Sprintf("%s by lease, %s by read index, %s by followers",
			grouped(r.Lease), grouped(r.Index), grouped(r.Replica)))
	}
	t.commits(&t.r.Stats.Commits)
	t.operators()
}

// commits tells how many transactions were committed in which way, and in how many
// rounds of requests.
func (t *text) commits(c *CommitStats) {
	var words []string
	for _, m := range []struct {
		name string
		n    CommitMode
	}{{"in two phases", c.TwoPhase}, {"asynchronously", c.Async}, {"in one phase", c.OnePhase}} {
		if m.n.Transactions > 0 {
			words = append(words, fmt.Sprintf("%s %s in %s", grouped(m.n.Transactions), m.name, plural(m.n.Rounds, "round")))
		}
	}
	if len(words) > 0 {
		t.labelled("commits", strings.Join(words, ", ")+"; "+plural(c.Proposals, "proposal"))
	}
}

// operators tells what the placement driver has had done: of each kind how many
// have finished, of how many.
func (t *text) operators() {
	var kinds []string
	var timedOut, cancelled, abandoned uint64
	for _, c := range t.r.Stats.Operators {
		kinds = append(kinds, fmt.Sprintf("%s"+noBreak+"%d/%d", c.Kind, c.Finished, c.Begun))
		timedOut, cancelled, abandoned = timedOut+c.TimedOut, cancelled+c.Cancelled, abandoned+c.Abandoned
	}
	if len(kinds) > 0 {
		t.labelled("operators", fmt.Sprintf("%s; %d timed out, %d cancelled, %d lost with a leader",
			strings.Join(kinds, ", "), timedOut, cancelled, abandoned))
	}
}

// engines tells what the databases did in the background, and which of them held
// back writes.
func (t *text) engines() {
	var sum EngineStats
	var stalled []string
	for i := range t.r.Stats.Engines {
		e := &t.r.Stats.Engines[i]
		sum.Flushes += e.Flushes
		sum.Compactions += e.Compactions
		sum.Lower += e.Lower
		sum.Levels = max(sum.Levels, e.Levels)
		if e.Slowdowns+e.Stops > 0 {
			stalled = append(stalled, fmt.Sprintf("%s slowed %s and stopped %s", e.Node, seconds(int64(e.Slowed)), seconds(int64(e.Stopped))))
		}
	}
	if len(t.r.Stats.Engines) == 0 {
		return
	}
	words := fmt.Sprintf("%s, %s, %s of them below level 0; at most %s",
		plural(sum.Flushes, "flush"), plural(sum.Compactions, "compaction"), grouped(sum.Lower), plural(sum.Levels, "level"))
	if len(stalled) > 0 {
		words += "; writes of " + strings.Join(stalled, ", ")
	}
	t.labelled("engines", words)
}

// quantity is a number of something.
type quantity struct {
	n    uint64
	noun string
}

// listed joins quantities with commas.
func listed(quantities []quantity) string {
	words := make([]string, len(quantities))
	for i, q := range quantities {
		words[i] = plural(q.n, q.noun)
	}
	return strings.Join(words, ", ")
}

func (t *text) traffic() {
	n, d := &t.r.Stats.Network, &t.r.Stats.Disk
	t.labelled("network", fmt.Sprintf("%s (%s), %s delivered, %s lost, %s cut off, %s duplicated, %s reordered, %s held",
		plural(n.Sent, "message"), byteSize(n.Bytes), grouped(n.Delivered), grouped(n.Lost+n.Overflowed), grouped(n.Cut),
		grouped(n.Duplicated), grouped(n.Reordered), grouped(n.Clogged)))
	t.labelled("disk", fmt.Sprintf("%s, %s, %s written; lost with the power: %s, of which torn %s; %s, %s",
		plural(d.Operations, "operation"), plural(d.Syncs, "sync"), byteSize(d.Bytes), plural(d.Lost+d.Torn, "unsynced write"),
		grouped(d.Torn), plural(d.Errors, "error"), plural(d.Stalls, "stalled operation")))
}

func (t *text) marks() {
	if len(t.r.Marks) == 0 {
		return
	}
	reached := 0
	for _, m := range t.r.Marks {
		if m.Count > 0 {
			reached++
		}
	}
	t.labelled("marks", fmt.Sprintf("%d of %d rare branches reached", reached, len(t.r.Marks)))
}

func (t *text) time() {
	words := fmt.Sprintf("%s virtual, %s", seconds(t.r.Stats.Virtual), plural(t.r.Stats.Events, "event"))
	if t.r.Wall > 0 {
		words += fmt.Sprintf("; %v of wall time", t.r.Wall.Round(time.Millisecond))
	}
	t.labelled("time", words)
	t.labelled("trace", t.r.TraceHash.String())
	if t.r.Program != "" {
		t.labelled("program", "simrun "+t.r.Program)
	}
}

func (t *text) commands() {
	t.line("")
	t.line("  run it again:        %s", t.r.Reproduce())
	if t.opts.Folder != "" {
		t.line("  compare with this:   simrun replay %s", shellQuoted(t.opts.Folder))
		if t.r.Verdict == checker.Violation {
			t.line("  make it smaller:     simrun shrink %s", shellQuoted(t.opts.Folder))
		}
		t.line("  look at it:          %s", filepath.Join(t.opts.Folder, FilePage))
	}
}

// shellQuoted makes a path one word of a shell's command line.
func shellQuoted(path string) string {
	plain := func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("/._-+:,@", r)
	}
	if path != "" && strings.IndexFunc(path, func(r rune) bool { return !plain(r) }) < 0 {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
