package runner

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"

	"simrun/sim"
	"simrun/sim/plan"
)

// Recording is a run with its trace, record by record.
type Recording struct {
	*Outcome
	tape sim.Tape
}

// Record runs a plan and keeps its trace.
func Record(p *plan.Plan) (*Recording, error) {
	rec := &Recording{}
	outcome, err := Run(p, Options{Watch: rec.tape.Record})
	if err != nil {
		return nil, err
	}
	rec.Outcome = outcome
	return rec, nil
}

// Compare runs the plan again and describes the first record of the trace that
// differs from the recording, or else what differs of the history and of the
// result; "" if nothing does.
func (rec *Recording) Compare(p *plan.Plan) (string, error) {
	c := rec.tape.Compare()
	outcome, err := Run(p, Options{Watch: c.Record})
	if err != nil {
		return "", err
	}
	if difference := c.Difference(); difference != "" {
		return difference, nil
	}
	if outcome.Result.TraceHash != rec.Result.TraceHash {
		return fmt.Sprintf("equal events but trace hash %v and %v", rec.Result.TraceHash, outcome.Result.TraceHash), nil
	}
	return compareOutcomes(rec.Outcome, outcome)
}

// compareOutcomes compares what runs of equal traces have recorded and found:
// what is no part of the trace, such as the order in which whoever writes or
// checks a history walks a map, must not show either.
func compareOutcomes(first, then *Outcome) (string, error) {
	if !reflect.DeepEqual(first.History, then.History) {
		for i := range min(len(first.History.Ops), len(then.History.Ops)) {
			if a, b := first.History.Ops[i], then.History.Ops[i]; !reflect.DeepEqual(a, b) {
				return fmt.Sprintf("equal traces, but operation %d is first %+v, then %+v", i, a, b), nil
			}
		}
		return "equal traces and operations, but histories that differ", nil
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

// around returns the text about a place of what may be long.
func around(text []byte, at int) []byte { return text[max(0, at-80):min(len(text), at+40)] }
