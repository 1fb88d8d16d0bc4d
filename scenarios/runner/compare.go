package runner

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"simrun/sim"
	"simrun/sim/plan"
)

// Recording is a run with its trace, record by record.
type Recording struct {
	*Outcome
	records []sim.Record
}

// Record runs a plan and keeps its trace.
func Record(p *plan.Plan) (*Recording, error) {
	rec := &Recording{}
	outcome, err := Run(p, Options{Watch: func(r sim.Record, _ string) { rec.records = append(rec.records, r) }})
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
	n := 0
	difference := ""
	outcome, err := Run(p, Options{Watch: func(r sim.Record, subject string) {
		switch {
		case difference != "":
		case n >= len(rec.records):
			difference = fmt.Sprintf("event %d: only the second run has it: %s", n, describe(r, subject))
		case rec.records[n] != r:
			difference = fmt.Sprintf("event %d: first %s, then %s", n, describe(rec.records[n], ""), describe(r, subject))
		}
		n++
	}})
	switch {
	case err != nil:
		return "", err
	case difference != "":
		return difference, nil
	case n < len(rec.records):
		return fmt.Sprintf("event %d: only the first run has it: %s", n, describe(rec.records[n], "")), nil
	case outcome.Result.TraceHash != rec.Result.TraceHash:
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

func describe(r sim.Record, subject string) string {
	return fmt.Sprintf("%v at %v on node %d (%016x) %s", r.Kind, time.Duration(r.Time), r.Node, r.Arg, subject)
}
