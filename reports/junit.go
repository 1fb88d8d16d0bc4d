package reports

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"simrun/checker"
)

// Case is one run of a hunt, as continuous integration lists it.
type Case struct {
	Result *Result
	// Err is why there is no Result: the run itself failed.
	Err error
	// Name is used where there is no Result.
	Name string
}

type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Time    string        `xml:"time,attr,omitempty"` // in seconds
	Failure *junitMessage `xml:"failure"`
	Error   *junitMessage `xml:"error"`
	Skipped *junitMessage `xml:"skipped"`
}

type junitMessage struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// WriteJUnit writes runs as a test suite in JUnit's XML. A violation is a
// failure, a run that did not end an error, and one that was not decided
// skipped: it is not a success.
func WriteJUnit(w io.Writer, suite string, cases []Case) error {
	s := junitSuite{Name: suite, Tests: len(cases)}
	for _, c := range cases {
		j := junitCase{Class: "simrun." + suite, Name: c.Name}
		if c.Result == nil {
			s.Errors++
			j.Error = &junitMessage{Message: fmt.Sprint(c.Err)}
			s.Cases = append(s.Cases, j)
			continue
		}
		j.Name = c.Result.Name()
		if c.Result.Wall > 0 {
			j.Time = fmt.Sprintf("%d.%03d", c.Result.Wall.Milliseconds()/1000, c.Result.Wall.Milliseconds()%1000)
		}
		switch c.Result.Verdict {
		case checker.OK:
		case checker.Violation:
			s.Failures++
			j.Failure = junitFailure(c.Result)
		case checker.Unknown, checker.Unrecoverable:
			s.Skipped++
			j.Skipped = &junitMessage{Message: c.Result.undecided()}
		}
		s.Cases = append(s.Cases, j)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return fmt.Errorf("reports: write JUnit: %w", err)
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(s); err != nil {
		return fmt.Errorf("reports: write JUnit: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func junitFailure(r *Result) *junitMessage {
	var b strings.Builder
	for _, f := range r.Findings() {
		fmt.Fprintf(&b, "%s (%s): %s\n", f.Anomaly, f.Checker, Visible(f.Message))
	}
	fmt.Fprintf(&b, "run it again: %s", r.Reproduce())
	return &junitMessage{Message: r.Signature(), Text: b.String()}
}

// undecided says why a verdict is neither OK nor a violation.
func (r *Result) undecided() string {
	for i := range r.Checkers {
		if c := &r.Checkers[i]; c.Verdict == r.Verdict && c.Reason != "" {
			return fmt.Sprintf("%v: %s: %s", r.Verdict, c.Checker, c.Reason)
		}
	}
	return r.Verdict.String()
}
