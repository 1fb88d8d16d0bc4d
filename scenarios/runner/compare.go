package runner

import (
	"fmt"
	"time"

	"simrun/reports"
	"simrun/sim"
	"simrun/sim/plan"
)

// Recording is the trace of a run, record by record.
type Recording struct {
	records []sim.Record
	hash    reports.Hash
}

// Record runs a plan and keeps its trace.
func Record(p *plan.Plan) (*Recording, error) {
	rec := &Recording{}
	outcome, err := Run(p, Options{Watch: func(r sim.Record, _ string) { rec.records = append(rec.records, r) }})
	if err != nil {
		return nil, err
	}
	rec.hash = outcome.Result.TraceHash
	return rec, nil
}

// Compare runs the plan again and describes the first record that differs from
// the recording; "" if none does.
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
	case outcome.Result.TraceHash != rec.hash:
		return fmt.Sprintf("equal events but trace hash %v and %v", rec.hash, outcome.Result.TraceHash), nil
	}
	return "", nil
}

func describe(r sim.Record, subject string) string {
	return fmt.Sprintf("%v at %v on node %d (%016x) %s", r.Kind, time.Duration(r.Time), r.Node, r.Arg, subject)
}
