package trial

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"

	"simrun/reports"
	"simrun/sim"
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

// Compare runs the plan of a recording again and describes the first record of the trace
// that differs, or else that the history or the result does; "" if nothing does.
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
	var first, then bytes.Buffer
	if err = errors.Join(reports.WriteJSON(&first, rec.Result), reports.WriteJSON(&then, run.Result)); err != nil {
		return "", err
	}
	switch difference := c.Difference(); {
	case difference != "":
		return difference, nil
	case run.Result.TraceHash != rec.Result.TraceHash:
		return fmt.Sprintf("equal events, and trace hash %v and %v", rec.Result.TraceHash, run.Result.TraceHash), nil
	case !reflect.DeepEqual(rec.History, run.History):
		return "equal traces, and histories that differ", nil
	case !bytes.Equal(first.Bytes(), then.Bytes()):
		return "equal traces, and results that differ", nil
	}
	return "", nil
}
