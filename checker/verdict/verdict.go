// Package verdict holds what every checker answers with. The package checker
// re-exports it; it stands apart so that the checkers need not import the
// package that runs them all.
package verdict

import (
	"fmt"
	"io"
)

// Verdict is the judgement on a history, a state dump or a whole run.
type Verdict int

// The verdicts, from the best to the worst. Unknown is never OK: a checker that
// ran out of time, or had nothing to check, proved nothing.
const (
	OK            Verdict = iota
	Unknown               // it could not be decided
	Unrecoverable         // the faults took more than the system promises to survive, so nothing after that counts
	Violation             // a promise was broken; there is evidence

	count // of verdicts
)

// String returns the verdict as reports print it.
func (v Verdict) String() string {
	switch v {
	case OK:
		return "OK"
	case Unknown:
		return "UNKNOWN"
	case Unrecoverable:
		return "UNRECOVERABLE"
	case Violation:
		return "VIOLATION"
	case count:
	}
	return fmt.Sprintf("Verdict(%d)", int(v))
}

// Parse is the inverse of String.
func Parse(s string) (Verdict, error) {
	for v := OK; v < count; v++ {
		if v.String() == s {
			return v, nil
		}
	}
	return 0, fmt.Errorf("verdict %q is none of OK, UNKNOWN, UNRECOVERABLE, VIOLATION", s)
}

// MarshalText implements encoding.TextMarshaler.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (v *Verdict) UnmarshalText(text []byte) (err error) {
	*v, err = Parse(string(text))
	return err
}

// Merge returns the worst of the verdicts, and OK if there are none.
func Merge(vs ...Verdict) Verdict {
	worst := OK
	for _, v := range vs {
		worst = max(worst, v)
	}
	return worst
}

// Finding is one anomaly with its evidence.
type Finding struct {
	Checker string  `json:"checker"`
	Anomaly Anomaly `json:"anomaly"`
	// Message is a sentence for people, with keys, values and timestamps.
	Message string `json:"message"`
	// Check says which of the checks that look for the anomaly found it, without
	// names and values; empty if there is one only.
	Check string `json:"check,omitempty"`
	// Evidence holds the ids of the operations that suffice to see it, the one
	// that shows it first; where no operation shows it, those that it is about.
	Evidence []int `json:"evidence,omitempty"`

	Place
}

// Place is where and when a finding was seen, as far as anybody knows. It helps
// people to look there, and says nothing about what is wrong.
type Place struct {
	// At is the virtual instant in nanoseconds; zero if it is not known.
	At int64 `json:"at,omitempty"`
	// Nodes are the names of the nodes that it concerns, the one on which it was
	// seen first.
	Nodes []string `json:"nodes,omitempty"`
	// Task is the task that ran, empty for a callback.
	Task string `json:"task,omitempty"`
}

// Result is the answer of one checker.
type Result struct {
	Checker string  `json:"checker"`
	Verdict Verdict `json:"verdict"`
	// Reason says why the verdict is Unknown or Unrecoverable, or why nothing was
	// judged.
	Reason string `json:"reason,omitempty"`
	// Checked counts what was really checked, such as operations that took
	// part: an OK over nothing is told from an OK over much.
	Checked int `json:"checked"`
	// Findings are violations, at most FindingsMax of them.
	Findings []Finding `json:"findings,omitempty"`
	// More counts the violations beyond those in Findings.
	More int `json:"more,omitempty"`
	// Observations are anomalies that the level promised allows.
	Observations []Finding `json:"observations,omitempty"`

	// Visualise, if not nil, writes an HTML page on the result.
	Visualise func(w io.Writer) error `json:"-"`
}

// FindingsMax bounds the findings of one result: a broken system breaks in a
// thousand places, and the first few tell why.
const FindingsMax = 20

// Add adds a violation.
func (r *Result) Add(f Finding) {
	f.Checker = r.Checker
	r.Verdict = Violation
	if len(r.Findings) >= FindingsMax {
		r.More++
		return
	}
	r.Findings = append(r.Findings, f)
}

// Observe adds an anomaly that is allowed.
func (r *Result) Observe(f Finding) {
	f.Checker = r.Checker
	if len(r.Observations) < FindingsMax {
		r.Observations = append(r.Observations, f)
	}
}

// Undecided makes the verdict at least Unknown.
func (r *Result) Undecided(reason string) {
	r.Verdict = Merge(r.Verdict, Unknown)
	if r.Reason == "" {
		r.Reason = reason
	}
}

// NotJudged says why there was nothing to judge, where somebody might expect it. It
// decides nothing.
func (r *Result) NotJudged(reason string) { r.Reason = reason }

// Beyond makes the verdict at least Unrecoverable.
func (r *Result) Beyond(reason string) {
	r.Verdict = Merge(r.Verdict, Unrecoverable)
	if r.Reason == "" {
		r.Reason = reason
	}
}

// Of merges the verdicts of results.
func Of(results []Result) Verdict {
	worst := OK
	for i := range results {
		worst = Merge(worst, results[i].Verdict)
	}
	return worst
}
