package runner

import (
	"simrun/reports"
	"simrun/scenarios/trial"
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

// Compare runs the plan again and describes what differs from the recording; "" if
// nothing does.
func (rec *Recording) Compare(p *plan.Plan) (string, error) {
	c := rec.tape.Compare()
	outcome, err := Run(p, Options{Watch: c.Record})
	if err != nil {
		return "", err
	}
	return trial.Difference(c, rec.run(), outcome.run())
}

func (o *Outcome) run() *reports.Run { return &reports.Run{History: o.History, Result: o.Result} }
