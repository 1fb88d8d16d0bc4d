package trial

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"

	"simrun/reports"
	"simrun/sim"
	"simrun/sim/history"
)

// Recording is a run with its trace, record by record.
type Recording struct {
	*reports.Run
	tape sim.Tape
}

// Record runs a plan and keeps its trace.
func (s *System) Record(p *Plan) (*Recording, error) {
	rec := &Recording{}
	run, err := s.Run(p, Options{Watch: rec.tape.Record})
	rec.Run = run
	return rec, err
}

// Compare runs the plan of a recording again and describes what differs; "" if nothing
// does.
func (s *System) Compare(rec *Recording) (string, error) {
	p, err := s.Parse(reports.FilePlan, rec.Plan)
	if err != nil {
		return "", err
	}
	c := rec.tape.Compare()
	run, err := s.Run(p, Options{Watch: c.Record})
	if err != nil {
		return "", err
	}
	return Difference(c, rec.Run, run)
}

// Difference describes, at the end of the second of two runs, the first record of the
// trace that differs, or else what differs of the history and of the result: what is no
// part of the trace, such as the order in which whoever writes or checks a history walks
// a map, must not show either. It is "" if nothing differs.
func Difference(c *sim.Comparison, first, then *reports.Run) (string, error) {
	if difference := c.Difference(); difference != "" {
		return difference, nil
	}
	if a, b := first.Result.TraceHash, then.Result.TraceHash; a != b {
		return fmt.Sprintf("equal events but trace hash %v and %v", a, b), nil
	}
	if !reflect.DeepEqual(first.History, then.History) {
		return historyDifference(first.History.Ops, then.History.Ops), nil
	}
	a, err := json.Marshal(first.Result)
	if err != nil {
		return "", err
	}
	b, err := json.Marshal(then.Result)
	if err != nil || bytes.Equal(a, b) {
		return "", err
	}
	at := 0
	for at < min(len(a), len(b)) && a[at] == b[at] {
		at++
	}
	return fmt.Sprintf("equal traces, but results that differ: first %s, then %s", around(a, at), around(b, at)), nil
}

func historyDifference(first, then []history.Op) string {
	for i := range min(len(first), len(then)) {
		if a, b := first[i], then[i]; !reflect.DeepEqual(a, b) {
			return fmt.Sprintf("equal traces, but operation %d is first %+v, then %+v", i, a, b)
		}
	}
	return "equal traces and operations, but histories that differ"
}

// around returns the text about a place of what may be long.
func around(text []byte, at int) []byte { return text[max(0, at-80):min(len(text), at+40)] }
